"""One request and its answer on a connection, and the end of the connection: uvicorn's own parts, made stricter."""

from asyncio import Transport, get_running_loop
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.errors import GatewayError

LINGER_SECONDS = 0.5  # for a client to read the last answer and close
WRITE_SECONDS = 10.0  # for a client to read what was written, or a good part of it


class Parting:
    """The part of a transport that uvicorn uses, whose `close` cannot destroy an answer that is on its way.

    A socket that is closed with unread bytes in it resets the connection, and the client may lose what it has not read
    yet (RFC 9112, section 9.6). So only our side is closed; the rest follows when the client closes, or LINGER_SECONDS
    later, `write_seconds` later where it has not read all by then. Bytes that come in between are to be thrown away.
    """

    def __init__(self, transport: Transport, write_seconds: float = WRITE_SECONDS) -> None:
        self.write: Callable[[bytes], None] = transport.write
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading
        self.get_extra_info, self.abort = transport.get_extra_info, transport.abort
        self.get_write_buffer_size = transport.get_write_buffer_size
        self.begun = False
        self._transport = transport
        self._write_seconds = write_seconds

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
        get_running_loop().call_later(LINGER_SECONDS, self._end)

    def _end(self) -> None:
        if self._transport.get_write_buffer_size():
            get_running_loop().call_later(self._write_seconds, self._transport.abort)
        else:
            self._transport.close()


def _nowhere(_data: bytes) -> None:
    """Write nothing: the connection has ended for us, and an answer still under way is one too many."""


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    refusal: GatewayError | None = None  # what `receive` raises: the rest of the body is not to be had
    gone = False  # the client sends no more, and is taken to have left by whoever waits for that
    _given = False  # the whole body was handed to the application
    _until_close = False  # the answer's end is the connection's, as HTTP/1.0 has it

    async def receive(self) -> Any:
        """The next part of the body. Raises Refused where the body is broken, or did not come in time."""
        if self.waiting_for_100_continue and (self.body or not self.more_body):
            self.waiting_for_100_continue = False
        message = {"type": "http.disconnect"} if self.refusal else await super().receive()
        if self.refusal is not None and not self.response_started:
            raise self.refusal
        if self.gone and self._given:
            return {"type": "http.disconnect"}
        self._given = not self.more_body
        return message

    async def send(self, message: Any) -> None:
        """Send a part of the answer."""
        if not self.response_started:
            self._settle_the_end(message)
        elif self._until_close:
            await self._send_plain(message)
            return
        await super().send(message)

    def _settle_the_end(self, start: Any) -> None:
        if self.waiting_for_100_continue and self.more_body:
            # Whether the client will send its body after this answer is not known: what comes next has no meaning
            self.keep_alive = False
        if self.scope["http_version"] == "1.0" and start.get("type") == "http.response.start":
            lengths = [name for name, _ in start.get("headers", ()) if name.lower() == b"content-length"]
            if not lengths:  # RFC 9112, section 6.1: no Transfer-Encoding to HTTP/1.0
                self._until_close, self.chunked_encoding = True, False

    async def _send_plain(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        self.transport.write(message.get("body", b""))
        if not message.get("more_body", False):
            self.response_complete = True
            self.message_event.set()
            self.transport.close()
            self.on_response()
