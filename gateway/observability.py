"""Logs and metrics. Event names and ids only: no message content, no query string, no token ever comes here."""

import logging
import sys
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, BinaryIO

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

METRICS = CollectorRegistry()
RECEIVED = Counter("gateway_received", "Messages accepted", ["publisher", "message_type"], registry=METRICS)
REFUSED = Counter("gateway_refused", "Requests refused", ["code"], registry=METRICS)
FORWARDS = Counter("gateway_forward", "Forward attempts by what came of them", ["result"], registry=METRICS)
FORWARD_SECONDS = Histogram("gateway_forward_seconds", "One forward attempt, in seconds", registry=METRICS)
DELIVERED = Counter(
    "gateway_delivered", "Messages put into an inbox", ["publisher", "message_type"], registry=METRICS
)
BACKLOG = Gauge("gateway_backlog", "Messages that wait to be forwarded", registry=METRICS)
CORE_UP = Gauge(
    "gateway_core_up", "1 when the last answer of the core was a verdict, 0 in an outage", registry=METRICS
)

log = structlog.stdlib.get_logger("gateway")


def configure_logging(level: str = "INFO", stream: BinaryIO | None = None) -> None:
    """One JSON object a line, to standard error unless a stream is given; libraries' own logs take the same way."""
    out = stream or sys.stderr.buffer
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _stamp, _name_the_exception, _render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=max(number, logging.WARNING),
        stream=sys.stderr,
        format='{"event":"library","logger":"%(name)s"}',
        force=True,
    )


def _name_the_exception(
    _logger: Any, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    # the type and the place, never the text: an exception's text may quote the message
    error = event.pop("exc_info", None)
    if isinstance(error, BaseException):
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        event["exception"] = type(error).__name__
        if trace is not None:
            event["at"] = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return event


def _stamp(_logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    now = time.time()
    event["timestamp"] = f"{_second(int(now))}.{int(now % 1 * 1_000):03d}Z"
    event["level"] = method
    return event


@lru_cache(maxsize=2)
def _second(now: int) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _render(_logger: Any, _method: str, event: structlog.typing.EventDict) -> bytes:
    return orjson.dumps(event, default=str)
