"""An application that can be taken away and put back while the server stands: requests wait meanwhile."""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send


class Switch:
    """Closed at first."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._opened = asyncio.Event()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Hand the request to the application, once there is one."""
        while self._app is None:
            await self._opened.wait()
        self._under_way += 1
        self._idle.clear()
        try:
            # what an application returns is a word to the server: see `create_core`
            return await self._app(scope, receive, send)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    def open(self, app: ASGIApp) -> None:
        """Let requests in."""
        self._app = app
        self._opened.set()

    async def close(self, patience: float) -> None:
        """Let no more requests in, and wait for those under way, at most `patience` seconds."""
        self._app = None
        self._opened.clear()
        try:
            await asyncio.wait_for(self._idle.wait(), patience)
        except TimeoutError:
            return
