"""The inbox as a stream, read in the test's own time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.app import create_app
from tests.house import House


@asynccontextmanager
async def streaming(at: House, token: dict[str, str], unread: int = 0) -> AsyncIterator[asyncio.Queue[bytes]]:
    """What `GET /v1/inbox/stream` sends, piece by piece; no more than `unread` pieces where that is given."""
    sent: asyncio.Queue[bytes] = asyncio.Queue(unread)
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        await sent.put(message.get("body", b""))

    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "path": "/v1/inbox/stream", "query_string": b"",
        "raw_path": b"/v1/inbox/stream", "root_path": "", "scheme": "http", "client": None, "server": None,
        "headers": [(b"authorization", token["Authorization"].encode())],
    }  # fmt: skip
    running = asyncio.ensure_future(create_app(at.runtime)(scope, receive, send))
    try:
        yield sent
    finally:
        gone.set()
        running.cancel()
        await asyncio.wait([running])
