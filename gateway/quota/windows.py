"""Limits as windows. Pure: a window is a stretch of the clock that begins at a multiple of its own length."""

from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple

from gateway.model import Limits

LENGTHS = {"second": 1, "minute": 60, "day": 86_400}  # seconds; a day is a day of UTC
EXPIRY_SLACK = 10  # seconds that a counter outlives its window: clocks of replicas differ


class Window(NamedTuple):
    """One limit of one publisher. `ceiling` is the limit with the reserve; lengths in seconds."""

    name: str  # in headers and in GET /v1/quota
    length: int
    limit: int
    ceiling: int
    prefix: str  # of the counter's key
    expiry: int

    def key(self, second: int) -> str:
        """The counter of the window that holds this POSIX second."""
        return f"{self.prefix}{second // self.length}"

    def bound(self, urgent: bool) -> int:
        """How much of it a message may use."""
        return self.ceiling if urgent else self.limit

    def reset(self, second: int) -> int:
        """Whole seconds until the window that holds this POSIX second ends, rounded up: 1 or more."""
        return self.length - second % self.length


class Plan(NamedTuple):
    """A publisher's limits made ready: its windows, shortest first, and the RateLimit-Policy field's value."""

    limits: Limits
    windows: tuple[Window, Window, Window]
    policy: bytes


def plan(publisher_id: str, limits: Limits) -> Plan:
    """The plan of one publisher."""
    windows = (
        _window(publisher_id, "burst", "second", limits.per_second, limits.reserve),
        _window(publisher_id, "minute", "minute", limits.per_minute, limits.reserve),
        _window(publisher_id, "day", "day", limits.per_day, limits.reserve),
    )
    policy = ", ".join(f'"{w.name}";q={w.limit};w={w.length}' for w in windows)
    return Plan(limits, windows, policy.encode())


def key_of(publisher_id: str, window_name: str, second: int) -> tuple[str, int]:
    """The counter of a publisher's window ("second", "minute", "day") that holds this POSIX second, and its expiry."""
    number = second // LENGTHS[window_name]
    return f"{_prefix(publisher_id, window_name)}{number}", _expiry(window_name)


def is_current(key: str, second: int) -> bool:
    """Whether a counter's window holds this POSIX second."""
    _, name, number = key.rsplit("/", 2)
    return int(number) == second // LENGTHS[name]


def length_of(key: str) -> int:
    """How long, in seconds, this counter is kept."""
    return _expiry(key.rsplit("/", 2)[1])


def _prefix(publisher_id: str, window_name: str) -> str:
    # all keys under one hash tag: a proxy before a cluster lets a script touch one slot only
    return f"{{gateway-quota}}/{publisher_id}/{window_name}/"


def _expiry(window_name: str) -> int:
    return LENGTHS[window_name] + EXPIRY_SLACK


def rate_limit(windows: Iterable[Window], counts: Iterable[int], second: int) -> bytes:
    """The RateLimit field's value: what is left of each window without the reserve, and the seconds to its end."""
    return ", ".join(
        [
            f'"{w.name}";r={w.limit - count if count < w.limit else 0};t={w.length - second % w.length}'
            for w, count in zip(windows, counts, strict=True)
        ]
    ).encode()


def _window(publisher_id: str, name: str, window_name: str, limit: int, reserve: float) -> Window:
    # as decimals: 100 * 0.07 is a little over 7 in floating point, and would be rounded up to 8
    extra = (limit * Decimal(str(reserve))).to_integral_value(ROUND_CEILING)
    prefix = _prefix(publisher_id, window_name)
    return Window(name, LENGTHS[window_name], limit, limit + int(extra), prefix, _expiry(window_name))
