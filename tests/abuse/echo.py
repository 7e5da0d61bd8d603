"""A small application behind the gateway's own edge: it takes a body and says what it took."""

from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import outcome
from gateway.body import read_body
from gateway.edge import Edge

LIMIT, DRAIN = 100_000, 1_000_000


@dataclass
class Echo:
    """Every request that reached the application, as (method, path, fields, body)."""

    taken: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    early: tuple[str, ...] = ("/early",)  # paths that are answered without a look at the body

    @property
    def app(self) -> ASGIApp:
        """It, as the gateway's applications are: behind the edge."""
        return Edge(self, lambda _publisher: [], outcome.DEFAULT_BASE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        early = scope["path"] in self.early
        if scope["path"] == "/unbounded":  # whoever reads so relies on the server's deadline
            body = await request.body()
        else:
            body = b"" if early else await read_body(request, LIMIT, DRAIN)
        self.taken.append((scope["method"], scope["path"], dict(request.headers), body))
        told: dict[str, Any] = {"path": scope["path"], "body": body.decode("latin-1")}
        await Response(orjson.dumps(told), media_type="application/json")(scope, receive, send)
