"""Two servers in one process and one event loop: the gateway, and the simulated core beside it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"
GRACE = 3  # seconds for open requests, such as long polls, when stopping


class PortTaken(Exception):
    """Somebody else listens on a port that the sandbox needs."""


class Server(uvicorn.Server):
    """A server that leaves signals to the sandbox, which stops several at once."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback interface. Raises PortTaken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise PortTaken(
            f"port {port} cannot be used: {error.strerror}. Choose another with --port."
        ) from None
    return listening


@asynccontextmanager
async def served(app: ASGIApp, listening: socket.socket) -> AsyncIterator[None]:
    """The application over the socket, which is closed at the end."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_level="critical",
        access_log=False,
        proxy_headers=False,  # a caller must not choose the address that it is counted by
        timeout_graceful_shutdown=GRACE,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve([listening]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has a flag, no event
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task
