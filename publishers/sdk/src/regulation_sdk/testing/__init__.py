"""A gateway in memory for a publisher's own tests: an httpx transport that keeps the contract's promises, and breaks down
when told to. No network, no files, no waiting.

>>> from regulation_sdk import Client, ClientSecret
>>> gateway = FakeGateway()
>>> client = Client("https://gateway.test", ClientSecret("me", "secret"), transport=gateway)
>>> client.send({"distributionID": "fr.health.samu440_1"}).status
'received'
>>> gateway.sent[0].json()
{'distributionID': 'fr.health.samu440_1'}
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote

import httpx

from regulation_sdk.testing.outcomes import breaking, refusal

TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path
_ID = re.compile(rb'"distributionID"\s*:\s*"([^"]+)"|<(?:\w+:)?distributionID>\s*([^<\s]+)')
_SENDER = re.compile(rb'"senderID"\s*:\s*"([^"]+)"|<(?:\w+:)?senderID>\s*([^<\s]+)')
_RECIPIENT = re.compile(
    rb'"explicitAddressValue"\s*:\s*"([^"]+)"|<(?:\w+:)?explicitAddressValue>\s*([^<\s]+)'
)
_CASE = re.compile(rb'"caseId"\s*:\s*"([^"]+)"|<(?:\w+:)?caseId>\s*([^<\s]+)')
_EXPIRES = re.compile(rb'"dateTimeExpires"\s*:\s*"([^"]+)"|<(?:\w+:)?dateTimeExpires>\s*([^<\s]+)')


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that the fake gateway accepted."""

    id: str
    distribution_id: str
    media_type: str
    content: bytes

    def json(self) -> Any:
        """The message's JSON."""
        return json.loads(self.content)


@dataclass
class _Fault:
    count: int
    on: str
    answer: Callable[[], httpx.Response]
    after: bool = False  # the request is carried out first


@dataclass
class _Item:
    cursor: int
    told: dict[str, Any] = field(repr=False)


class FakeGateway(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """One publisher's gateway. Any credentials are good; messages are not validated, unless `refuse` says what is wrong.

    `sent` are the messages accepted, once each; `acks` the acknowledgements as (item id, wish); `requests` every request that
    came. `rate_limit` is the `RateLimit` header of every answer.
    """

    def __init__(self, *, now: Callable[[], float] = time.time, token_seconds: int = 600) -> None:
        self.sent: list[Sent] = []
        self.acks: list[tuple[str, dict[str, Any]]] = []
        self.requests: list[httpx.Request] = []
        self.rate_limit = '"burst";r=49;t=1'
        self._now = now
        self._token_seconds = token_seconds
        self._tokens: dict[str, float] = {}
        self._receipts: dict[str, dict[str, Any]] = {}
        self._inbox: dict[str, _Item] = {}
        self._delivered = 0
        self._faults: list[_Fault] = []
        self._issued = 0

    # what a test does to it

    def deliver(
        self, content: dict[str, Any] | str, *, message_type: str = "RS-EDA", model_version: str = "v3"
    ) -> str:
        """Put a message into the inbox: an object (JSON) or a string (XML). The item's id."""
        self._delivered += 1
        item_id = f"item-{self._delivered}"
        raw = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        told: dict[str, Any] = {
            "id": item_id,
            "distributionID": _found(_ID, raw) or f"unknown-{self._delivered}",
            "messageType": message_type,
            "modelVersion": model_version,
            "contentType": "application/xml" if isinstance(content, str) else "application/json",
            "content": content,
            "receivedAt": self._instant(),
            "loss": [],
        }
        self._inbox[item_id] = _Item(self._delivered, told)
        return item_id

    def expire(self, item_id: str) -> None:
        """Let an item expire: nobody answered it in time, and its sender was told."""
        self._inbox[item_id].told["expired"] = True

    def waiting(self) -> list[str]:
        """The ids of the items that nobody acknowledged yet."""
        return list(self._inbox)

    def set_status(self, distribution_id: str, status: str) -> None:
        """Let a message get on: forwarded, acknowledged, refused, rejected, expired, dead."""
        told = self._receipts[distribution_id]
        told["status"] = status
        if status in {"acknowledged", "refused"}:
            step = "ERREUR" if status == "refused" else "INTEGRE"
            told["answer"] = {"step": step, "refused": status == "refused", "errorDistributionID": None}

    def fail(self, code: str, count: int = 1, *, retry_after: int | None = None, on: str = "/v1/") -> None:
        """Answer the next requests below `on` with an error of the catalogue, and do nothing else."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._faults.append(_Fault(count, on, lambda: refusal(code, headers=headers)))

    def refuse(self, diagnostics: str, expression: str, *, code: str = "invalid-message") -> None:
        """Refuse the next request with one issue at one place."""
        self._faults.append(_Fault(1, "/v1/", lambda: refusal(code, diagnostics, expression)))

    def lose_answers(self, count: int = 1, *, on: str = "/v1/") -> None:
        """Carry out the next requests, and let the connection break before the answer."""
        self._faults.append(_Fault(count, on, breaking(httpx.ReadError("connection lost")), after=True))

    def refuse_connections(self, count: int = 1, *, on: str = "/") -> None:
        """Let nobody connect, so many times."""
        self._faults.append(_Fault(count, on, breaking(httpx.ConnectError("connection refused"))))

    def revoke_tokens(self) -> None:
        """Refuse every token given out so far."""
        self._tokens.clear()

    # httpx's side

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a blocking client."""
        request.read()
        return self._answer(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer an asyncio client."""
        await request.aread()
        return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        fault = next((f for f in self._faults if f.count and request.url.path.startswith(f.on)), None)
        if fault:
            fault.count -= 1
        if fault is None or fault.after:
            answer = self._route(request)
        if fault:
            answer = fault.answer()
        answer.headers["X-Request-Id"] = request.headers.get("X-Request-Id", "made-here")
        answer.headers["RateLimit"] = self.rate_limit
        return answer

    def _route(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/.well-known/oauth-authorization-server":
            base = str(request.url).removesuffix(path)
            return httpx.Response(200, json={"issuer": base, "token_endpoint": base + TOKEN_PATH})
        if path == TOKEN_PATH:
            return self._give_token()
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self._tokens.get(token, 0.0) <= self._now():
            return refusal("unauthenticated")
        return self._serve(request, path)

    def _serve(self, request: httpx.Request, path: str) -> httpx.Response:
        ack = re.fullmatch(r"/v1/inbox/([^/]+)/ack", path)
        if ack:
            return self._acknowledge(unquote(ack[1]), request)
        if path == "/v1/messages":
            return self._accept(request) if request.method == "POST" else self._list(request)
        if path == "/v1/messages/$validate":
            well = {"severity": "information", "code": "informational", "diagnostics": "No issue found."}
            return httpx.Response(200, json={"resourceType": "OperationOutcome", "issue": [well]})
        if path == "/v1/messages/$translate":
            content = json.loads(request.content)
            same = {"contentType": "application/json", "content": content, "further": [], "loss": []}
            return httpx.Response(200, json=same)
        if path == "/v1/inbox":
            return self._read_inbox(request)
        if path == "/v1/inbox/stream":
            return self._stream(request)
        if path == "/v1/quota":
            limit = {"name": "burst", "limit": 50, "window": 1, "remaining": 49, "reset": 1}
            return httpx.Response(200, json={"limits": [limit]})
        return self._status(unquote(path.rpartition("/")[2]))

    def _give_token(self) -> httpx.Response:
        self._issued += 1
        token = f"token-{self._issued}"
        self._tokens[token] = self._now() + self._token_seconds
        told = {"access_token": token, "token_type": "Bearer", "expires_in": self._token_seconds, "scope": ""}
        return httpx.Response(200, json=told)

    def _accept(self, request: httpx.Request) -> httpx.Response:
        content, media_type = request.content, request.headers["Content-Type"]
        distribution_id = _found(_ID, content)
        if distribution_id is None:
            return refusal("unreadable")
        earlier = next((one for one in self.sent if one.distribution_id == distribution_id), None)
        if earlier and (earlier.content, earlier.media_type) != (content, media_type):
            return refusal("distribution-id-reused")
        if earlier:
            again = self._receipts[distribution_id] | {"duplicate": True}
            return httpx.Response(200, json=again, headers={"Idempotent-Replayed": "true"})
        expires = _found(_EXPIRES, content)
        if expires and datetime.fromisoformat(expires.replace("Z", "+00:00")).timestamp() <= self._now():
            return refusal("expired")
        sent = Sent(f"message-{len(self.sent) + 1}", distribution_id, media_type, content)
        self.sent.append(sent)
        told: dict[str, Any] = {
            "id": sent.id,
            "distributionID": distribution_id,
            "sender": _found(_SENDER, content) or "",
            "recipient": _found(_RECIPIENT, content) or "",
            "caseId": _found(_CASE, content),
            "status": "received",
            "messageType": "RS-EDA",
            "modelVersion": request.headers.get("Model-Version", "v3"),
            "receivedAt": self._instant(),
            "duplicate": False,
            "quota": "ordinary",
            "attempts": 0,
            "lastCause": None,
        }
        self._receipts[distribution_id] = told
        return httpx.Response(202, json=told, headers={"Location": f"/v1/messages/{sent.id}"})

    def _list(self, request: httpx.Request) -> httpx.Response:
        wanted, limit = request.url.params.get("status"), int(request.url.params.get("limit", 100))
        found = [told for told in reversed(self._receipts.values()) if wanted in (None, told["status"])]
        start = int(request.url.params.get("cursor", 0))
        more = str(start + limit) if start + limit < len(found) else None
        return httpx.Response(200, json={"items": found[start : start + limit], "cursor": more})

    def _status(self, message_id: str) -> httpx.Response:
        told = next((one for one in self._receipts.values() if one["id"] == message_id), None)
        if told is None:
            return refusal("not-found")
        step = {"step": "received", "at": told["receivedAt"], "detail": ""}
        return httpx.Response(200, json={**told, "timeline": [step]})

    def _read_inbox(self, request: httpx.Request) -> httpx.Response:
        cursor, limit = int(request.url.params.get("cursor", 0)), int(request.url.params.get("limit", 100))
        items = [item for item in self._inbox.values() if item.cursor > cursor][:limit]
        last = items[-1].cursor if items else cursor
        return httpx.Response(200, json={"items": [item.told for item in items], "cursor": str(last)})

    def _stream(self, request: httpx.Request) -> httpx.Response:
        cursor = int(request.headers.get("Last-Event-ID", 0))
        items = [item for item in self._inbox.values() if item.cursor > cursor]
        events = [f"id: {item.cursor}\nevent: message\ndata: {json.dumps(item.told)}\n\n" for item in items]
        text = "".join(events) or ": waiting\n\n"
        return httpx.Response(200, text=text, headers={"Content-Type": "text/event-stream"})

    def _acknowledge(self, item_id: str, request: httpx.Request) -> httpx.Response:
        wish = json.loads(request.content or b"{}")
        known = item_id in self._inbox or any(item_id == acked for acked, _ in self.acks)
        if not known:
            return refusal("not-found")
        if self._inbox.pop(item_id, None):
            self.acks.append((item_id, wish))
        reference = f"reference-of-{item_id}" if wish.get("reference", True) else None
        return httpx.Response(200, json={"id": item_id, "acknowledged": True, "reference": reference})

    def _instant(self) -> str:
        return datetime.fromtimestamp(int(self._now()), timezone.utc).isoformat()


def _found(pattern: re.Pattern[bytes], content: bytes) -> str | None:
    match = pattern.search(content)
    return (match[1] or match[2]).decode() if match else None
