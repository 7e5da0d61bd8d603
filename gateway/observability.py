"""Logs and metrics. Event names and ids only: no message content, no query string, no token ever comes here."""

import asyncio
import atexit
import contextlib
import logging
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, BinaryIO

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from gateway.errors import ErrorKind

FLUSH_SECONDS = 0.1
METRICS = CollectorRegistry()
ProcessCollector(namespace="gateway", registry=METRICS)
RECEIVED = Counter("gateway_received", "Messages accepted", ["publisher", "message_type"], registry=METRICS)
received = cache(
    RECEIVED.labels
)  # for each message; a child that was counted once is kept by the counter, too
REFUSED = Counter("gateway_refused", "Requests refused", ["code"], registry=METRICS)
FORWARDS = Counter("gateway_forward", "Forward attempts by what came of them", ["result"], registry=METRICS)
FORWARD_SECONDS = Histogram("gateway_forward_seconds", "One forward attempt, in seconds", registry=METRICS)
DELIVERED = Counter(
    "gateway_delivered", "Messages put into an inbox", ["publisher", "message_type"], registry=METRICS
)
UNDELIVERABLE = Counter(
    "gateway_undeliverable",
    "Bundles of the core that no recipient could be given, by error code",
    ["code"],
    registry=METRICS,
)
ANSWERS = Counter(
    "gateway_answers",
    "Answers delivered (RC-REF, RS-ERROR) by the status that they give the answered message",
    ["status"],
    registry=METRICS,
)
INBOX_EXPIRED = Counter(
    "gateway_inbox_expired",
    "Inbox items past their expiry: told (the sender got RS-ERROR 500), known (it had an RS-ERROR), answered, gone (acknowledged)",
    ["result"],
    registry=METRICS,
)
BACKLOG = Gauge("gateway_backlog", "Messages that wait to be forwarded", registry=METRICS)
OLDEST = Gauge("gateway_oldest_waiting_seconds", "Age of the message that waits longest", registry=METRICS)
OLDEST_READY = Gauge(
    "gateway_oldest_ready_seconds",
    "Age of the oldest message that no retry keeps back: the first of its lane, waiting for its turn or on its first attempt",
    registry=METRICS,
)
OLDEST_RETRIED = Gauge(
    "gateway_oldest_retried_seconds",
    "Age of the oldest message that waits after an attempt in vain, or is on a further one",
    registry=METRICS,
)
CORE_UP = Gauge(
    "gateway_core_up", "1 when the last answer of the core was a verdict, 0 in an outage", registry=METRICS
)
CORE_CIRCUIT = Gauge(
    "gateway_core_circuit_open",
    "1 while the core is held to be down and only probes go to it",
    registry=METRICS,
)
FAILING_MESSAGES = Gauge(
    "gateway_failing_messages",
    "Messages that wait after five or more attempts in vain",
    registry=METRICS,
)
FAILING_SECONDS = Gauge(
    "gateway_failing_message_seconds",
    "Age of the oldest message that waits after five or more attempts in vain",
    registry=METRICS,
)
OFFLOADED = Counter(
    "gateway_offloaded", "Large bodies worked on in a worker process, by the work", ["work"], registry=METRICS
)
OFFLOAD_RESTARTS = Counter(
    "gateway_offload_restarts",
    "Times that the worker processes were made anew after one died",
    registry=METRICS,
)
WEBHOOKS = Counter("gateway_webhooks", "Webhooks by what came of an attempt", ["result"], registry=METRICS)
WEBHOOKS_WAITING = Gauge(
    "gateway_webhooks_waiting", "Inbox items of which webhooks are to tell", registry=METRICS
)
WEBHOOKS_DISABLED = Gauge(
    "gateway_webhooks_disabled", "Webhooks that answered 410 and are not called any more", registry=METRICS
)
WORKER_FAILURES = Counter(
    "gateway_worker_failures",
    "Failures that nobody foresaw of what forwards or calls webhooks; it goes on a second later",
    ["worker"],
    registry=METRICS,
)
TOKEN_FAILURES = Counter(
    "gateway_token_failures",
    "Failed client authentications; client is empty where nobody has the id, result blocked after too many of one address",
    ["client", "result"],
    registry=METRICS,
)
REGISTRY_OUTDATED = Gauge(
    "gateway_registry_outdated",
    "1 while the registry's files cannot be read and the registry from before is in force",
    registry=METRICS,
)
CONNECTIONS_CLOSED = Counter(
    "gateway_connections_closed",
    "Connections closed by us: idle, late (a request that did not come in time), unread (an answer), crowded",
    ["reason"],
    registry=METRICS,
)
CLOCK_SKEW = Gauge(
    "gateway_clock_skew_seconds",
    "The core's clock minus the gateway's, to about a second",
    registry=METRICS,
)
REGISTRY_FINDINGS = Gauge(
    "gateway_registry_findings",
    "What `gateway check` finds in the registrations that the server uses all the same",
    registry=METRICS,
)
QUOTA_SHARED = Gauge(
    "gateway_quota_shared",
    "1 while quotas are counted together with the other replicas, 0 while this replica counts for itself",
    ["server"],
    registry=METRICS,
)

REGISTRY_AGE = Gauge(
    "gateway_registry_age_seconds", "Time since the registry in force was read", registry=METRICS
)
CERTIFICATION_DAYS = Gauge(
    "gateway_certification_expiry_days",
    "Days until a publisher's certification ends, below 0 after it",
    ["publisher"],
    registry=METRICS,
)
KEY_DAYS = Gauge(
    "gateway_key_expiry_days",
    "Days until the last key of a file ends; absent where a key of it has no `exp`",
    ["keys"],
    registry=METRICS,
)
PUBLISHER_KEY_DAYS = Gauge(
    "gateway_publisher_key_expiry_days",
    "Days until the last public key of a publisher ends; absent where a key of it has no `exp`",
    ["publisher"],
    registry=METRICS,
)
INBOX_UNREAD = Gauge(
    "gateway_inbox_oldest_unread_seconds",
    "Age of the oldest item that an active publisher has not acknowledged, 0 where there is none",
    ["publisher"],
    registry=METRICS,
)
STORE_WAL = Gauge(
    "gateway_store_wal_bytes",
    "Size of the store's write-ahead log; absent where the database does not show it",
    ["store"],
    registry=METRICS,
)
STORE = Gauge(
    "gateway_store_info", "1, with the kind of store: sqlite or postgresql", ["store"], registry=METRICS
)

# Every value that a label can have is there from the start, as 0: a first one is an increase then, and its alert fires.
BOUNDED: dict[Counter, tuple[str, ...]] = {
    REFUSED: tuple(kind.value.code for kind in ErrorKind),
    FORWARDS: ("forwarded", "retry", "rejected", "expired", "dead", "not-applicable", "put_off", "failed"),
    UNDELIVERABLE: tuple(kind.value.code for kind in ErrorKind),
    ANSWERS: ("acknowledged", "refused", "expired", "rejected", "answered"),
    INBOX_EXPIRED: ("told", "known", "answered", "gone"),
    OFFLOADED: ("judged", "answered", "to_bundle", "brief_of", "deliveries_of", "described"),
    WEBHOOKS: ("sent", "retry", "given_up", "disabled", "dropped", "suspended", "failed"),
    WORKER_FAILURES: ("Forwarder", "Notifier", "Reporter", "Expiry"),
    CONNECTIONS_CLOSED: ("idle", "late", "unread", "crowded"),
}
for _counter, _values in BOUNDED.items():
    for _value in _values:
        _counter.labels(_value)

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
request_id: ContextVar[str] = ContextVar("request_id", default="")


def configure_logging(level: str = "INFO", stream: BinaryIO | None = None) -> None:
    """One JSON object a line, to standard error unless a stream is given; libraries' own logs take the same way."""
    number = logging.getLevelNamesMapping()[level.upper()]
    lines = Lines(stream or sys.stderr.buffer)
    structlog.configure(
        processors=[_line],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=stream is None,
    )
    libraries = logging.StreamHandler(sys.stderr)
    libraries.setFormatter(LibraryLine())
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[libraries], force=True)


class LibraryLine(logging.Formatter):
    """A library's log record: who and, of an exception, type and place. Its text and traceback may quote a message."""

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object."""
        event: structlog.typing.EventDict = {
            "event": "library",
            "logger": record.name,
            "level": record.levelname.lower(),
        }
        if record.exc_info:
            event["exc_info"] = record.exc_info[1]
            _name_the_exception(event)
        return orjson.dumps(event).decode()


class Lines:
    """Writes lines to a stream: those of trouble at once, the others at the latest after FLUSH_SECONDS."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._flushing = False
        atexit.register(self.flush)

    def info(self, line: bytes) -> None:
        """Write a line, to be flushed soon."""
        self._stream.write(line)
        if not self._flushing:
            self._flush_later()

    debug = info

    def warning(self, line: bytes) -> None:
        """Write a line, and all before it, at once."""
        self._stream.write(line)
        self.flush()

    error = critical = warning

    def flush(self) -> None:
        """Let go of what was written."""
        self._flushing = False
        with contextlib.suppress(
            ValueError, OSError
        ):  # the stream is closed or its reader is gone: nothing to be done
            self._stream.flush()

    def _flush_later(self) -> None:
        try:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
            self._flushing = True
        except RuntimeError:  # no loop runs
            self.flush()


def _line(_logger: Any, method: str, event: structlog.typing.EventDict) -> bytes:
    now = time.time()
    named = request_id.get()
    if named:
        event["request_id"] = named
    event["level"] = method
    event["timestamp"] = f"{_second(int(now))}.{int(now % 1 * 1_000):03d}Z"
    if "exc_info" in event:
        _name_the_exception(event)
    return orjson.dumps(event, default=str, option=orjson.OPT_APPEND_NEWLINE)


@lru_cache(maxsize=2)
def _second(now: int) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _name_the_exception(event: structlog.typing.EventDict) -> None:
    # the type and the place, never the text: an exception's text may quote the message
    error = event.pop("exc_info")
    if isinstance(error, BaseException):
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        event["exception"] = type(error).__name__
        cause = error.__cause__
        if getattr(cause, "sqlstate", None):  # the store tells callers what it means, and the log what it was
            event["exception"], event["sqlstate"] = type(cause).__name__, cause.sqlstate  # type: ignore[union-attr]
        elif getattr(error, "sqlstate", None):
            event["sqlstate"] = error.sqlstate  # type: ignore[attr-defined]
        elif cause is not None:
            event["cause"] = type(cause).__name__
        if trace is not None:
            event["at"] = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
