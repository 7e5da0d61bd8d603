"""Publishers' endpoints for the webhook tests: real HTTP servers on the loopback interface."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Receiver:
    """What came, and what is answered: `answers` in turn, then 204. With `gate` answers wait until it is open."""

    url: str = ""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)
    gate: asyncio.Event | None = None
    under_way: int = 0
    most: int = 0  # under way at one time

    @property
    def ids(self) -> list[str]:
        """The ids of the webhooks, in the order in which they came."""
        return [headers["webhook-id"] for headers, _ in self.received]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.received.append(
            ({name.lower(): value for name, value in request.headers.items()}, await request.read())
        )
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self.under_way -= 1
        return self.answers.pop(0) if self.answers else web.Response(status=204)


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver on a free port, closed at the end."""
    receiver = Receiver()
    server = web.Application()
    server.router.add_route("*", "/{path:.*}", receiver.answer)
    runner = web.AppRunner(server, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"{'https' if tls else 'http'}://{host}:{port}/told"
    try:
        yield receiver
    finally:
        await runner.cleanup()
