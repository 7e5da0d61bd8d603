"""A connection's life: its deadlines, what is answered on it and in which order, and its end.

A connection waits in one of four ways, and each has its deadline: for a request to begin (`keep_alive`), for all of a
request (`request_seconds` from its first byte), for the rest of a body whose answer is already given (`drain_seconds`), and for
its client to read (`write_seconds`). While the gateway works on an answer there is none.
"""

import math
from asyncio import BaseTransport, Event, Transport
from collections.abc import Iterable
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway import outcome
from gateway.body import late, not_arrived
from gateway.edge import Edge
from gateway.errors import GatewayError
from gateway.exchange import WRITE_SECONDS, Cycle, Parting
from gateway.observability import CONNECTIONS_CLOSED

REQUEST_SECONDS = 30.0
DRAIN_SECONDS = 10.0
WRITE_LEAST = 65_536  # bytes that a slow client must read in `write_seconds`
MAX_CONNECTIONS = 4_096


class Connection(HttpToolsProtocol):
    """One connection. What comes in is its subclass's: `Protocol`."""

    head_seconds = REQUEST_SECONDS  # for the first byte of a request on a new connection, and for a head
    request_seconds = REQUEST_SECONDS
    drain_seconds = DRAIN_SECONDS
    write_seconds = WRITE_SECONDS
    max_connections = MAX_CONNECTIONS
    base, site = outcome.DEFAULT_BASE, outcome.DEFAULT_SITE

    _coming = False  # a request has begun and is not all here
    _in_body = False  # its head is read
    _size = 0  # bytes of the head, or of the trailers
    _loose = 0  # bytes received since the last whole thing
    _began: float | None = None  # when the first part of an unfinished request came
    _deaf = False  # nothing more is read
    _stopping = False
    _last: RequestResponseCycle | None = None  # the request whose answer was to be the last, so far
    _running: RequestResponseCycle | None = None  # the request that is being answered
    _write_alarm: Any = None
    served = False  # a whole request has come

    # The connection

    def connection_made(self, transport: BaseTransport) -> None:
        """A client has connected."""
        self._parting = Parting(  # uvloop's transport does not inherit from Transport
            cast("Transport", transport), self.write_seconds
        )
        super().connection_made(cast("Transport", self._parting))
        self.since = self.loop.time()
        self._due = self.since + self.head_seconds
        # No deadline is shorter, so that none needs an alarm of its own
        self._pace = max(0.05, min(self.head_seconds, self.request_seconds, self.drain_seconds))
        self._alarm = self.loop.call_later(self._pace, self._look)
        if len(self.connections) > self.max_connections:
            make_room(cast("set[Connection]", self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._alarm.cancel()
        self.resume_writing()
        for cycle in self._unanswered():
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client sends no more. What it has asked for is still answered; half a body is refused.

        True keeps the connection open until then.
        """
        if self._in_body:
            self._refuse(not_arrived())
            return True
        waiting = self._unanswered()
        self._deaf = True
        for cycle in waiting:
            cycle.gone = True
            cycle.message_event.set()
        if waiting:
            waiting[-1].keep_alive = False
        return bool(waiting)

    def _unanswered(self) -> list[Cycle]:
        every = [self._running, *(cycle for cycle, _ in reversed(self.pipeline))]
        return [cast("Cycle", cycle) for cycle in every if cycle is not None and not cycle.response_complete]

    # Deadlines

    def _look(self) -> None:
        now = self.loop.time()
        if now >= self._due:
            self._overdue(now)
        if not self._parting.is_closing():
            self._alarm = self.loop.call_later(min(self._pace, max(0.01, self._due - now)), self._look)

    def _overdue(self, now: float) -> None:
        if self.flow.read_paused:  # it is not the client that is slow: we do not read
            self._due = now + self.request_seconds
        elif self._in_body and self.cycle.response_complete:
            self._close("late")
        elif self._coming or self._loose:
            CONNECTIONS_CLOSED.labels("late").inc()
            self._refuse(late())
        else:
            self._close("idle")

    def _close(self, reason: str) -> None:
        CONNECTIONS_CLOSED.labels(reason).inc()
        self._parting.close()

    def waits(self) -> bool:
        """Whether the client is to do something next: it may be closed where there are too many."""
        if self._coming or self.cycle is None:
            return not self.transport.is_closing()
        return not self.transport.is_closing() and not self._unanswered()

    def abort(self, reason: str) -> None:
        """Close the connection without ceremony."""
        CONNECTIONS_CLOSED.labels(reason).inc()
        self._parting.abort()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is written to."""
        super().pause_writing()
        self._watch_writing()

    def _watch_writing(self) -> None:
        left = self._parting.get_write_buffer_size()
        self._write_alarm = self.loop.call_later(self.write_seconds, self._look_at_writing, left)

    def _look_at_writing(self, before: int) -> None:
        if before - self._parting.get_write_buffer_size() < WRITE_LEAST:
            self.abort("unread")
        else:
            self._watch_writing()

    def resume_writing(self) -> None:
        """The client has read most of it."""
        super().resume_writing()
        if self._write_alarm is not None:
            self._write_alarm.cancel()
            self._write_alarm = None

    # Answers

    def _cycle(self, keep_alive: bool) -> Cycle:
        return Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=Event(),
            expect_100_continue=False,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )

    def _enqueue(self, cycle: Cycle, app: Any) -> None:
        earlier, self.cycle = self.cycle, cycle
        if earlier is None or earlier.response_complete:
            self._start_asgi_task(cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, app))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """An answer is given."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._in_body:  # an early answer
            self._due = self.loop.time() + self.drain_seconds
        elif not self._coming:
            self._await_request()

    def _await_request(self) -> None:
        self.since = self.loop.time()
        self._due = self.since + self.timeout_keep_alive
        if self.timeout_keep_alive < self._pace:
            self._alarm.cancel()
            self._alarm = self.loop.call_later(self.timeout_keep_alive, self._look)

    def _refuse(self, error: GatewayError) -> None:
        """Read nothing more, and answer so: the request under way where it is its body that is wrong, else as the next."""
        self._deaf = True
        self._due = math.inf
        cycle = cast("Cycle", self.cycle)
        if not self._in_body:
            self.scope = cast("Any", self._told_scope())
            self._coming = False
            cycle = self._cycle(keep_alive=False)
            cycle.more_body = False
            self._enqueue(cycle, refusing(error, self.base, self.site))
        elif cycle.response_complete:
            self._parting.close()
        else:
            self._coming = self._in_body = False
            cycle.keep_alive = False
            cycle.refusal = error
            cycle.message_event.set()

    def _told_scope(self) -> Scope:
        """What is known of a request whose head is not all right."""
        scope = dict(cast("dict[str, Any]", self.scope)) if self._coming else {}
        bare = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": "",
            "raw_path": b"",
            "query_string": b"",
        }
        return {**bare, "headers": [], "client": self.client, **scope}

    # The end

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


def refusing(error: GatewayError, base: str, site: str) -> ASGIApp:
    """An application that answers every request with this error."""

    async def refuse(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    return Edge(refuse, lambda _publisher: [], base, site)


def make_room(connections: Iterable[Connection]) -> None:
    """Close a sixteenth of the connections, one at least: those whose clients have been silent longest. First those that
    never brought a whole request, then those that were kept, the newcomer last; none that waits for us.
    """
    waiting = sorted((one for one in connections if one.waits()), key=lambda one: (one.served, one.since))
    for one in waiting[
        : max(1, len(waiting) // 16)
    ]:  # many at once: whoever floods would have all looked at each time
        one.abort("crowded")
