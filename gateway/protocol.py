"""HTTP/1.1 as it comes in at the socket: uvicorn's protocol, with bounds of size, and refusals as the rest of the gateway has them."""

import math
import urllib.parse
from typing import Any, cast

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from gateway import request_head
from gateway.connection import Connection
from gateway.errors import GatewayError
from gateway.headers import BY_NAME
from gateway.request_head import MAX_FIELDS, MAX_HEAD

MAX_DRAIN = 33_554_432  # bytes of a body that are read and thrown away after its answer
MAX_AHEAD = 64  # requests sent before the answer to the first (pipelining); the rest is not read
UPGRADE_FIELDS = (b"upgrade", b"http2-settings", b"connection")


class Protocol(Connection):
    """Reads requests. A subclass sets its bounds; `serving` makes one."""

    _asks_upgrade = False  # its head was read, and is to be read again without its wish
    _drained = 0  # bytes of a body received after its answer
    _objection: GatewayError | None = None  # why a callback stopped the parser

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket."""
        if self._deaf or self._parting.begun:
            return
        self._loose += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            if not self._deaf:
                reason = self._objection or request_head.unreadable(data, str(error))
                self._refuse(reason)
            return
        if self._loose > MAX_HEAD:
            self._refuse(request_head.too_large())
        elif (self._coming or self._loose) and self._began is None:
            self._began = self.since = self.loop.time()
            self._due = self._began + (self.request_seconds if self._in_body else self.head_seconds)

    def _feed(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as pause:
                data = self._without_upgrade() + data[pause.args[0] :]
            else:
                return

    def _without_upgrade(self) -> bytes:
        """The head as if no upgrade was asked for: there is none here, and who asks for one goes on in HTTP/1.1 (RFC 9110,
        section 7.8). The parser takes what follows such a head for another protocol's, and loses the body.
        """
        self._asks_upgrade = False
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        options = b",".join(value for name, value in self.headers if name == b"connection").split(b",")
        kept = b", ".join(one.strip() for one in options if one.strip().lower() not in UPGRADE_FIELDS)
        fields = [(name, value) for name, value in self.headers if name not in UPGRADE_FIELDS]
        fields += [(b"connection", kept)] if kept else []
        lines = [b"%b %b HTTP/%b" % (method, self.url, version), *(b"%b: %b" % field for field in fields)]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        return b"\r\n".join([*lines, b"", b""])

    def _stop(self, reason: GatewayError) -> None:
        """Stop the parser: raises what its callbacks may raise."""
        self._objection = reason
        raise reason

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= MAX_AHEAD:  # the client sends what is not answered on another connection
            self._deaf = True
            self.cycle.keep_alive = False
            raise BufferError
        self._coming = True
        self._size = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the request's target."""
        self._size += len(url)
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; one behind the body (a trailer) is dropped: it is no header (RFC 9110, section 6.5.1)."""
        self._size += len(name) + len(value) + 4
        if self._size > MAX_HEAD:
            self._stop(request_head.too_large())
        if self._in_body:
            return
        self.headers.append((name.lower(), value))
        if len(self.headers) > MAX_FIELDS:
            self._stop(request_head.too_large())

    def on_headers_complete(self) -> None:
        """The head is read: judge it, and let the application begin."""
        parser, headers = self.parser, self.headers
        method = parser.get_method().decode()
        if method in request_head.NOT_HTTP:
            self._stop(request_head.unknown_method())
        if parser.should_upgrade():
            self._asks_upgrade = True
            return
        version = parser.get_http_version()
        by_name = dict(headers)
        objection = request_head.objection(version, self.url, headers, by_name)
        if objection is not None or self._size > MAX_HEAD:
            self._stop(objection or request_head.too_large())
        target = httptools.parse_url(self.url)
        raw_path = target.path or b"/"
        path = raw_path.decode("ascii")
        scope = cast("dict[str, Any]", self.scope)
        scope["method"] = method
        if version != "1.1":
            scope["http_version"] = version
        scope["path"] = self.root_path + (urllib.parse.unquote(path) if "%" in path else path)
        scope["raw_path"] = self.root_path.encode() + raw_path
        scope["query_string"] = target.query or b""
        scope[BY_NAME] = by_name
        self._in_body = True
        if self._began is not None:
            self._due = self._began + self.request_seconds
        self._loose = self._size = self._drained = 0
        cycle = self._cycle(version == "1.1" and parser.should_keep_alive())
        cycle.waiting_for_100_continue = version == "1.1" and b"expect" in by_name
        self._enqueue(cycle, self.app)
        if self._stopping:
            self._end_with(cycle)

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._loose = 0
        cycle = self.cycle
        if cycle.response_complete:
            self._drained += len(body)
            if self._drained > MAX_DRAIN:
                self._deaf = True
                self._close("late")
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The request is all here; the next may begin."""
        if self._asks_upgrade:
            return
        self._coming = self._in_body = False
        self._loose = self._size = 0
        self._began = None
        self.served = True
        cycle = self.cycle
        if cycle.response_complete:
            self._await_request()
            return
        self._due = math.inf
        cycle.more_body = False
        cycle.message_event.set()


def serving(max_connections: int, base: str, site: str) -> type[Protocol]:
    """The protocol of a server with these bounds; `base` and `site` are those of its errors (`outcome.operation_outcome`)."""
    return type("Protocol", (Protocol,), {"max_connections": max_connections, "base": base, "site": site})
