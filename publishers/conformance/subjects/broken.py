"""Seven clients that each break one rule, as found in the field: the suite must name each at its own check."""

import json
import secrets
from typing import Any

import httpx

from publishers.conformance.subjects.plain import PlainClient

JsonObject = dict[str, Any]


class NoRetry(PlainClient):
    """Gives a message up at the first failure."""

    def is_passing(self, answer: httpx.Response) -> bool:  # noqa: ARG002 - nothing is worth a second look
        """Nothing is."""
        return False

    def send(self, document: JsonObject) -> JsonObject:
        """One attempt."""
        answer = self.post("/v1/messages", self.written(document))
        accepted = answer is not None and answer.status_code in {200, 202}
        return {"distributionID": document["distributionID"], "accepted": accepted}


class NewId(PlainClient):
    """Repeats a message under a new distributionID."""

    def written_again(self, document: JsonObject, body: bytes) -> bytes:
        """The same message as another one."""
        old = document["distributionID"]
        return body.replace(old.encode(), f"{old}-{secrets.token_hex(3)}".encode())


class Ignores429(PlainClient):
    """Knocks on without a pause while the gateway asks for one."""

    def pause_after(self, answer: httpx.Response | None, pause: float) -> float:  # noqa: ARG002 - that is its fault
        """Hardly any."""
        return 0.05


class AcksFirst(PlainClient):
    """Acknowledges a message before it is stored."""

    def take_over(self, item: JsonObject) -> bool:
        """Ack, then store."""
        answer = self.post(f"/v1/inbox/{item['id']}/ack", b'{"step": "RECU"}')
        known = {one["distributionID"] for one in self.stored()}
        if item["distributionID"] in known or (answer is not None and answer.status_code != 200):
            return False
        self.keep(item)
        return True


class Reorders(PlainClient):
    """Sends what waits with the last written first."""

    def send_all(self, documents: list[JsonObject]) -> list[JsonObject]:
        """Last in, first out."""
        return [self.send(document) for document in reversed(documents)][::-1]


class Mangles(PlainClient):
    """Writes with a code page that lacks most characters."""

    def written(self, document: JsonObject) -> bytes:
        """Question marks for what the code page lacks."""
        text = json.dumps(document, ensure_ascii=False)
        return text.encode("latin-1", "replace").decode("latin-1").encode()


class TakesRefusals(PlainClient):
    """Takes every answer for an acknowledgement."""

    def verdict(self, item: JsonObject, distribution_id: str) -> str:
        """Whatever the answer says."""
        return "acknowledged" if super().verdict(item, distribution_id) else ""


BROKEN: dict[str, type[PlainClient]] = {
    "no-retry": NoRetry,
    "new-id": NewId,
    "ignores-429": Ignores429,
    "acks-first": AcksFirst,
    "reorders": Reorders,
    "mangles": Mangles,
    "takes-refusals": TakesRefusals,
}
