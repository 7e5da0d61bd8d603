"""The HTTP server: uvicorn, with bounds that it does not have itself, and a stop that leaves no request unanswered.

On stop the listening socket closes at once: a client that is refused goes to another replica, and load balancers have been
given their time before the signal (`preStop` in `deploy/`). Whoever is connected by then is answered: each answer says
`Connection: close`, and connections without a request get a moment to bring one before they are closed.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD = 65_536  # bytes of a request's line and headers, and of what comes with them in one piece
HEAD_SECONDS = 30.0  # from the first byte of a head, or the connection itself, until the head is there
LINGER_SECONDS = 0.5  # for a client to read the last answer and close


class Parting:
    """The part of a transport that uvicorn uses, whose `close` cannot destroy an answer that is on its way.

    A socket that is closed with unread bytes in it resets the connection, and the client may lose what it has not read
    yet (RFC 9112, section 9.6). So only our side is closed; the rest follows when the client closes, or LINGER_SECONDS
    later. Bytes that come in between are to be thrown away.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self.write: Callable[[bytes], None] = transport.write
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading
        self.get_extra_info = transport.get_extra_info
        self.begun = False
        self._transport = transport

    def is_closing(self) -> bool:
        """Whether nothing more is to be written."""
        return self.begun or self._transport.is_closing()

    def close(self) -> None:
        """Close our side after what was written, and the connection later."""
        if self.is_closing():
            return
        self.begun = True
        self.write = _nowhere
        try:
            self._transport.write_eof()
        except OSError:  # the client is gone
            self._transport.close()
            return
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close)


def _nowhere(_data: bytes) -> None:
    """Nothing is written to a connection whose end was told: an answer still under way is one too many."""


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 with bounded request heads (neither uvicorn nor its parser asks how long one grows) and a gentle end."""

    _head: int | None = 0  # bytes received of the current head, None while a body is read
    _coming = False  # a request has begun and is not all here
    _stopping = False
    _slow: asyncio.TimerHandle | None = None  # rings when a head takes too long
    head_seconds = HEAD_SECONDS
    _last: RequestResponseCycle | None = None  # the request whose answer was to be the last, so far

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._parting = Parting(cast("asyncio.Transport", transport))  # uvloop's does not inherit from it
        super().connection_made(cast("asyncio.Transport", self._parting))
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._head_is_here()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        if self._slow is None:
            self._slow = asyncio.get_running_loop().call_later(self.head_seconds, self._parting.close)

    def _head_is_here(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket; a head over MAX_HEAD is answered with 400 and the connection closed."""
        if self._parting.begun:
            return
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > MAX_HEAD:
            self._head = None
            self.send_400_response("The head of the request is too large.")
        elif self._head:
            self._wait_for_head()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._coming = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is read."""
        self._head = None
        self._head_is_here()
        super().on_headers_complete()
        if self._stopping:
            self._end_with(self.cycle)

    def on_message_complete(self) -> None:
        """The request is all here; the next may begin."""
        self._head = 0
        self._coming = False
        super().on_message_complete()

    def stop(self) -> None:
        """From now on an answer is the connection's last, unless its client has sent the next request already."""
        self._stopping = True
        if self.cycle is not None:
            self._end_with(self.cycle)

    def _end_with(self, cycle: RequestResponseCycle) -> None:
        if self._last is not None and not self._last.response_started:
            self._last.keep_alive = True
        self._last = None
        if cycle.keep_alive and not cycle.response_started:
            cycle.keep_alive = False
            self._last = cycle

    def shutdown(self) -> None:
        """Close the connection, after the answer where a request is under way."""
        if not self._coming or (self.cycle is not None and not self.cycle.response_complete):
            super().shutdown()


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
        protocol = Protocol(self.config, self.server_state, self.lifespan.state)
        protocol.stop()
        return protocol


def accept_all(listening: socket.socket, most: int) -> list[socket.socket]:
    """The connections that wait at a listening socket, which is closed right after the last of them."""
    accepted: list[socket.socket] = []
    with listening, contextlib.suppress(BlockingIOError):
        listening.setblocking(False)
        while len(accepted) < most:
            accepted.append(listening.accept()[0])
            accepted[-1].setblocking(False)
    return accepted
