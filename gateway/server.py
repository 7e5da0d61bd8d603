"""The HTTP server: uvicorn, with bounds that it does not have itself."""

import socket
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 65_536  # bytes of a request's line and headers, and of what comes with them in one piece


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 whose request heads are bounded: neither uvicorn nor its parser asks how long one grows."""

    _head: int | None = 0  # bytes received of the current head, None while a body is read

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket; a head over MAX_HEAD is answered with 400 and the connection closed."""
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > MAX_HEAD:
            self._head = None
            self.send_400_response("The head of the request is too large.")

    def on_headers_complete(self) -> None:
        """The head is read."""
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next request begins."""
        self._head = 0
        super().on_message_complete()


class Server(uvicorn.Server):
    """A server that tells the gateway when it begins to stop, so that nobody waits for what will not come."""

    def __init__(self, config: uvicorn.Config, before_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._before_stop = before_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop as uvicorn does."""
        self._before_stop()
        await super().shutdown(sockets)
