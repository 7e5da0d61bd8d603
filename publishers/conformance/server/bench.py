"""The bench of the server checks: the wire, the target, and the few moves that many checks need."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from publishers.conformance import messages
from publishers.conformance.checks import Failed, expect
from publishers.conformance.server.wire import Client, Target, Wire

JsonObject = dict[str, Any]
JSON = {"Content-Type": "application/json"}
PATIENCE = 20.0  # seconds until something counts as never happening


@dataclass
class ServerBench:
    """What a server check works with. `made` counts the cases made, so that no two share a lane."""

    wire: Wire
    target: Target
    made: list[JsonObject] = field(default_factory=list)

    @property
    def me(self) -> Client:
        """The client of the publisher under whose name the suite plays."""
        return self.target.client

    async def get(self, path: str, **more: Any) -> httpx.Response:
        """A GET with the client's token."""
        return await self.wire.call("GET", path, by=self.me, **more)

    def case(self, text: str = "", **more: Any) -> JsonObject:
        """A fresh, valid case from the target's sender to its recipient, a lane of its own."""
        sender = self.target.sender
        content = messages.case(sender, f"CONFORMANCE{messages.fresh_name()}", text)
        document = messages.enveloped(content, sender, self.target.recipient, **more)
        self.made.append(document)
        return document

    async def post(
        self, body: JsonObject | bytes, path: str = "/v1/messages", **headers: str
    ) -> httpx.Response:
        """A body sent with the client's token, as JSON unless a header says otherwise."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.wire.call("POST", path, by=self.me, content=content, headers={**JSON, **headers})

    async def send(self, document: JsonObject) -> JsonObject:
        """Send a document that must be accepted; its receipt. Raises Failed."""
        answer = await self.post(document)
        expect(answer.status_code == 202, f"a valid message got {seen(answer)}; 202 is expected")
        return read(answer)

    async def arrived(self, distribution_id: str, by: Client | None = None) -> JsonObject:
        """The inbox item of a message once it is there. Raises Failed after PATIENCE."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := await self.waiting(distribution_id, by):
                return found
            await asyncio.sleep(0.05)
        raise Failed(f"the message {distribution_id} did not come to the inbox within {PATIENCE:.0f} s")

    async def waiting(self, distribution_id: str, by: Client | None = None) -> JsonObject | None:
        """The inbox item of a message if it is there now."""
        cursor = ""
        while True:
            answer = await self.wire.call("GET", f"/v1/inbox?limit=1000{cursor}", by=by or self.me)
            page = read(answer)
            for item in page["items"]:
                if item["distributionID"] == distribution_id:
                    return dict(item)
            if not page["items"]:
                return None
            cursor = f"&cursor={page['cursor']}"

    async def clear(self) -> None:
        """Take out of the inbox what this run sent there, and the answers to it, without answering; nothing else."""
        mine = [document["distributionID"].encode() for document in self.made]
        for item in read(await self.get("/v1/inbox?limit=1000"))["items"]:
            told = item["distributionID"].encode() + orjson.dumps(item["content"])
            if any(distribution_id in told for distribution_id in mine):
                await self.post({"reference": False}, f"/v1/inbox/{item['id']}/ack")


def read(answer: httpx.Response) -> JsonObject:
    """The JSON object of an answer. Raises Failed."""
    try:
        told = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        raise Failed(f"{seen(answer)} is no JSON") from None
    expect(isinstance(told, dict), f"{seen(answer)} is no JSON object")
    return dict(told)


def seen(answer: httpx.Response) -> str:
    """An answer as a finding shows it: its status, its kind, and the codes of an OperationOutcome."""
    kind = answer.headers.get("content-type", "no Content-Type")
    codes = ", ".join(codes_of(answer))
    return f"{answer.status_code} ({kind}{': ' + codes if codes else ''})"


def issues_of(answer: httpx.Response) -> list[JsonObject]:
    """The issues of an answer that is an OperationOutcome, else none."""
    try:
        told = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return []
    issues = told.get("issue", []) if isinstance(told, dict) else []
    return [issue for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []


def codes_of(answer: httpx.Response, severity: str = "error") -> list[str]:
    """The codes of the gateway's own error catalogue in an OperationOutcome, and the Hub's numbers."""
    return [
        str(coding.get("code"))
        for issue in issues_of(answer)
        if issue.get("severity") == severity
        for coding in issue.get("details", {}).get("coding", [])
    ]


def refused(answer: httpx.Response, status: int, code: str) -> None:
    """Raises Failed unless the answer is this status with this code of the error catalogue or this Hub number.

    Whether an error has the right form is judged once, over all of them.
    """
    expect(answer.status_code == status, f"got {seen(answer)}; {status} is expected")
    if codes_of(answer):
        expect(code in codes_of(answer), f"got {seen(answer)}; an issue with the code {code} is expected")
