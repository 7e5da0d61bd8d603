"""The HTTP server: uvicorn, with a stop that leaves no request unanswered. Its connections are in `gateway/protocol.py`.

On stop the listening socket closes at once: a client that is refused goes to another replica, and load balancers have been
given their time before the signal (`preStop` in `deploy/`). Whoever is connected by then is answered: each answer says
`Connection: close`, and connections without a request get a moment to bring one before they are closed.
"""

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from gateway.protocol import Protocol, serving
from gateway.settings import Settings

__all__ = ["Protocol", "Server", "accept_all", "http_config", "served"]

SPARE_FILES = 128  # file descriptors that are not for connections: the store's, the core's, webhooks'


class Server(uvicorn.Server):
    """A server that stops without a failed request.

    `before_stop` is called first, so that nobody waits for what will not come. `idle_seconds` is how long a connection
    without a request may stay; requests under way have uvicorn's `timeout_graceful_shutdown` after that.
    """

    def __init__(
        self, config: uvicorn.Config, before_stop: Callable[[], None], idle_seconds: float = 0.0
    ) -> None:
        super().__init__(config)
        self._before_stop = before_stop
        self._idle_seconds = idle_seconds

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse new connections, answer what has come, then stop as uvicorn does."""
        self._before_stop()
        waiting = self._stop_listening()
        for connection in self._connections:
            connection.stop()
        for taken in waiting:
            await asyncio.get_running_loop().connect_accepted_socket(self._last_protocol, taken)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._idle_seconds):
                while self._connections and not self.force_exit:  # noqa: ASYNC110 - uvicorn has a set, no event
                    await asyncio.sleep(0.02)
        await super().shutdown(sockets)

    @property
    def _connections(self) -> list[Protocol]:
        return [c for c in self.server_state.connections if isinstance(c, Protocol)]

    def _stop_listening(self) -> list[socket.socket]:
        """Close the listening sockets. Gives the connections that the kernel has accepted in our name: it would reset them."""
        listening = [one for server in self.servers for one in server.sockets]
        copies = [socket.socket(fileno=os.dup(one.fileno())) for one in listening]
        for server in self.servers:
            server.close()
        return [taken for copy in copies for taken in accept_all(copy, self.config.backlog)]

    def _last_protocol(self) -> Protocol:
        protocol = cast("type[Protocol]", self.config.http_protocol_class)(
            self.config, self.server_state, self.lifespan.state
        )
        protocol.stop()
        return protocol


class Beside(uvicorn.Server):
    """A server beside another one in the same process, which alone listens to signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def http_config(app: ASGIApp, settings: Settings, grace: int) -> uvicorn.Config:
    """A server's configuration. `grace`: seconds for what is under way when it stops."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=serving(room(settings.max_connections), settings.fhir_base, settings.base_url),
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=cast("int", settings.keep_alive),  # a number of seconds for the event loop
        timeout_graceful_shutdown=grace,
    )


def room(wanted: int) -> int:
    """How many connections the process may have: as many as wanted, and as its limit of open files has room for."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if files == resource.RLIM_INFINITY else max(1, min(wanted, files - SPARE_FILES))


@contextlib.asynccontextmanager
async def served(
    app: ASGIApp, listening: socket.socket, settings: Settings, grace: int
) -> AsyncIterator[None]:
    """The application over a socket, which is closed at the end, beside what else the process does."""
    server = Beside(http_config(app, settings, grace))
    task = asyncio.create_task(server.serve([listening]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has a flag, no event
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


def accept_all(listening: socket.socket, most: int) -> list[socket.socket]:
    """The connections that wait at a listening socket, which is closed right after the last of them."""
    accepted: list[socket.socket] = []
    with listening, contextlib.suppress(BlockingIOError):
        listening.setblocking(False)
        while len(accepted) < most:
            accepted.append(listening.accept()[0])
            accepted[-1].setblocking(False)
    return accepted
