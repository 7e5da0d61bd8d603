"""The other SAMU: the suite's own publisher at the private gateway, beyond the hostile network."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

import schemas
from gateway import answers
from publishers.conformance import messages
from publishers.conformance.checks import Skipped

JsonObject = dict[str, Any]


@dataclass
class Partner:
    """Sends to the software under test, and reads what it sent. `http` speaks to the gateway itself."""

    http: httpx.AsyncClient
    client_id: str
    client_secret: str
    id: str
    other: str  # the id of the software under test
    items: dict[str, JsonObject] = field(default_factory=dict)
    _cursor: str = "0"

    async def send(self, content: JsonObject) -> JsonObject:
        """Send a use case to the software; the EDXL-DE document. Raises httpx.HTTPError."""
        document = messages.enveloped(content, self.id, self.other)
        answer = await self._call("POST", "/v1/messages", content=orjson.dumps(document))
        if answer.status_code != 202:
            raise RuntimeError(f"the private gateway refused a message of the suite: {answer.text[:500]}")
        return document

    async def said_in(self, document: JsonObject, version: str, own_version: str = "v3") -> JsonObject:
        """An EDXL-DE document of one model version in another. Raises Skipped where that version cannot say it."""
        if version == own_version:
            return document
        kind = kind_of(document)
        answer = await self._call(
            "POST",
            f"/v1/messages/$translate?to={kind}&version={version}",
            orjson.dumps(document),
            own_version,
        )
        if answer.status_code != 200:
            raise Skipped(f"{kind} cannot be said in model {version}")
        return dict(answer.json()["content"])

    async def arrived(self, marker: str, seconds: float) -> JsonObject | None:
        """The first inbox item whose content holds the marker, None where none comes in time."""
        deadline = time.monotonic() + seconds
        wanted = marker.encode()
        while True:
            await self._read()
            for item in self.items.values():
                if wanted in orjson.dumps(item["content"]):
                    return item
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(0.05)

    async def reference(self, distribution_id: str, seconds: float) -> JsonObject | None:
        """The RC-REF or RS-ERROR about a message of the partner's, None where none comes in time."""
        deadline = time.monotonic() + seconds
        while True:
            await self._read()
            for item in self.references(distribution_id):
                return item
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(0.05)

    def references(self, distribution_id: str) -> list[JsonObject]:
        """Every RC-REF read so far that is about a message."""
        return [item for item in self.items.values() if referred(item) == distribution_id]

    async def acknowledge(self, item: JsonObject, **wish: Any) -> str:
        """Ack an item, with step RECU where nothing else is wished; the distributionID of the RC-REF that goes out."""
        body = orjson.dumps(wish or {"step": "RECU"})
        answer = await self._call("POST", f"/v1/inbox/{item['id']}/ack", content=body)
        return str(answer.json()["reference"])

    async def send_error(self, item: JsonObject) -> None:
        """Answer an item by an RS-ERROR of the partner's own, and by no RC-REF."""
        await self.acknowledge(item, reference=False)
        about = answers.Correspondence(self.id, self.other, item["distributionID"])
        error = answers.error(about, time.time(), (703, "UNKNOWN_SENDER"), "The suite says so.")
        answer = await self._call("POST", "/v1/messages", content=orjson.dumps(error))
        if answer.status_code != 202:
            raise RuntimeError(f"the private gateway refused an answer of the suite: {answer.text[:500]}")

    async def _read(self) -> None:
        page = (await self._call("GET", f"/v1/inbox?limit=1000&cursor={self._cursor}")).json()
        self._cursor = page["cursor"]
        self.items |= {item["id"]: item for item in page["items"]}

    async def _call(
        self, method: str, path: str, content: bytes | None = None, version: str = "v3"
    ) -> httpx.Response:
        if "Authorization" not in self.http.headers:
            told = await self.http.post(
                "/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(self.client_id, self.client_secret),
            )
            told.raise_for_status()
            self.http.headers["Authorization"] = f"Bearer {told.json()['access_token']}"
        answer = await self.http.request(
            method,
            path,
            content=content,
            headers={"Content-Type": "application/json", "Model-Version": version},
        )
        if answer.status_code == 401:
            del self.http.headers["Authorization"]
            return await self._call(method, path, content, version)
        return answer


def kind_of(document: JsonObject) -> str:
    """The message type of a document, by its root key."""
    root = next(iter(messages.use_case(document)))
    return next(keys[root] for keys in schemas.ALL_ROOT_KEYS.values() if root in keys)


def referred(item: JsonObject) -> str:
    """The distributionID that an RC-REF is about, "" for other messages."""
    if item["messageType"] != "RC-REF":
        return ""
    return str(messages.use_case(item["content"])["reference"]["distributionID"])
