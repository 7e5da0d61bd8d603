"""The hostile network: a proxy before the private gateway that keeps what it sees, and fails where a scenario says so."""

import asyncio
import base64
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx
import orjson
import uvicorn
from starlette.types import Receive, Scope, Send

JsonObject = dict[str, Any]
HOP = {
    b"connection",
    b"keep-alive",
    b"transfer-encoding",
    b"host",
    b"content-length",
    b"content-encoding",
    b"date",
    b"server",
}
_DISTRIBUTION_ID = re.compile(rb'distributionID>\s*([^<\s]+)|"distributionID"\s*:\s*"([^"]+)"')


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got: None in its place means that the connection was closed without an answer."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(slots=True)
class Seen:
    """One request as it came, and what became of it. `at` in seconds of the monotonic clock; `status` None: no answer."""

    at: float
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    fault: str = ""
    status: int | None = None
    done: bool = False

    @property
    def distribution_id(self) -> str:
        """The distributionID in the body: the envelope's, which comes first."""
        match = _DISTRIBUTION_ID.search(self.body)
        return (match[1] or match[2]).decode() if match else ""

    @property
    def client(self) -> str:
        """The client of a token request."""
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            with contextlib.suppress(ValueError):
                return base64.b64decode(value).decode("utf-8", "replace").partition(":")[0]
        return str(assertion_part(self.body, 1).get("sub", ""))


Forward = Callable[[], Awaitable[Answer]]


@dataclass(slots=True)
class Fault:
    """One way of failing, for the next `times` requests that it `matches`. `act` gives the answer, None for none at all."""

    name: str
    matches: Callable[[Seen], bool]
    act: Callable[[Forward], Awaitable[Answer | None]]
    times: int = 1


@dataclass
class Proxy:
    """An ASGI application before a gateway; `upstream` is set once that runs."""

    http: httpx.AsyncClient
    upstream: str = ""
    seen: list[Seen] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Pass one request on, or fail as ordered. A returned value makes the server close the connection unanswered."""
        if scope["type"] != "http":
            return None
        seen = await _request(scope, receive)
        self.seen.append(seen)
        fault = next((f for f in self.faults if f.times > 0 and f.matches(seen)), None)
        if fault is None:
            await self._pass_on(seen, send)
            return None
        fault.times -= 1
        seen.fault = fault.name

        async def forward() -> Answer:
            got = await self.http.send(self._to_upstream(seen))
            return Answer(got.status_code, _end_to_end(got.headers.raw), got.content)

        answer = await fault.act(forward)
        seen.done = True
        if answer is None:
            return "no answer"
        seen.status = answer.status
        await _respond(send, answer)
        return None

    @contextlib.contextmanager
    def failing(self, *faults: Fault) -> Iterator[None]:
        """Fail so inside the block."""
        self.faults.extend(faults)
        try:
            yield
        finally:
            for fault in faults:
                self.faults.remove(fault)

    async def _pass_on(self, seen: Seen, send: Send) -> None:
        answer = await self.http.send(self._to_upstream(seen), stream=True)
        try:
            seen.status = answer.status_code
            headers = _end_to_end(answer.headers.raw)
            await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
            async for chunk in answer.aiter_bytes():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            seen.done = True
            await send({"type": "http.response.body", "body": b""})
        finally:
            await answer.aclose()

    def _to_upstream(self, seen: Seen) -> httpx.Request:
        url = f"{self.upstream}{seen.path}" + (f"?{seen.query}" if seen.query else "")
        headers = {name: value for name, value in seen.headers.items() if name.encode() not in HOP}
        return self.http.build_request(seen.method, url, headers=headers, content=seen.body)


async def _request(scope: Scope, receive: Receive) -> Seen:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False) and message["type"] == "http.request"
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    path = scope.get("raw_path", scope["path"].encode()).decode("latin-1").partition("?")[0]
    return Seen(
        time.monotonic(), scope["method"], path, scope["query_string"].decode("latin-1"), headers, body
    )


def _end_to_end(raw: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in raw if name.lower() not in HOP]


async def _respond(send: Send, answer: Answer) -> None:
    headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def assertion_part(form: bytes, number: int) -> JsonObject:
    """The header (0) or the claims (1) of the client assertion in a token request's form, {} where there is none."""
    try:
        part = parse_qs(form.decode())["client_assertion"][0].split(".")[number]
        return dict(orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
    except (ValueError, KeyError, IndexError):
        return {}


@asynccontextmanager
async def served(proxy: Proxy, port: int) -> AsyncIterator[None]:
    """The proxy on a port of the loopback interface."""
    config = uvicorn.Config(
        proxy,
        host="127.0.0.1",
        port=port,
        lifespan="off",
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has a flag, no event
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """A server that leaves signals to the suite."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
