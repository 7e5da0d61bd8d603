"""Spending: one atomic increment a window decides; what is refused is taken back at once."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.errors import ErrorKind, Issue, QuotaExceeded
from gateway.model import JsonObject, Publisher
from gateway.quota.counters import Counters, MemoryCounters
from gateway.quota.windows import LENGTHS, Plan, Window, expiry, key_prefix, plan, rate_limit

ORDINARY = "ordinary"
RESERVE = "reserve"  # beyond a limit, for urgent cases only
IN_FLIGHT = "in-flight"


@dataclass(frozen=True, slots=True)
class Spent:
    """One message that was counted: on what, and in which POSIX second."""

    quota: str  # ORDINARY or RESERVE
    second: int


class Quota:
    """The counts of all publishers. Limits are read from the Publisher of each call: a change works at once.

    Safe for threads. On counters shared by replicas never more than the limit is admitted in all, and at its very edge
    one replica may refuse while another takes a refused increment back. `now` is POSIX seconds everywhere.
    """

    def __init__(self, counters: Counters | None = None) -> None:
        self._counters: Counters = MemoryCounters() if counters is None else counters
        self._lock = threading.Lock()
        self._plans: dict[str, Plan] = {}
        self._in_flight: dict[str, int] = {}

    def spend(self, publisher: Publisher, urgent: bool, now: float) -> Spent:
        """Count one message in every window. Raises QuotaExceeded (429, Retry-After), and then nothing is counted."""
        second = int(now)
        windows = self._plan(publisher).windows
        incr = self._counters.incr
        with self._lock:
            counts = [incr(w.key(second), w.expiry) for w in windows]
            spent = [w for w, count in zip(windows, counts, strict=True) if count > w.limit]
            if not spent:
                return Spent(ORDINARY, second)
            refusing = [
                w
                for w, count in zip(windows, counts, strict=True)
                if count > (w.ceiling if urgent else w.limit)
            ]
            if not refusing:
                return Spent(RESERVE, second)
            for w in windows:
                incr(w.key(second), w.expiry, -1)
        raise _exceeded(refusing, urgent, second)

    def give_back(self, publisher: Publisher, spent: Spent, now: float) -> None:
        """Take one spend back, for a message that was accepted before. Windows that are over keep their count."""
        second = int(now)
        with self._lock:
            for w in self._plan(publisher).windows:
                if spent.second // w.length == second // w.length:
                    self._counters.incr(w.key(second), w.expiry, -1)

    @contextmanager
    def in_flight(self, publisher: Publisher) -> Iterator[None]:
        """Count a request as under way for as long as the block runs. Raises QuotaExceeded (429, Retry-After: 1)."""
        with self._lock:
            count = self._in_flight.get(publisher.id, 0)
            if count >= publisher.limits.in_flight:
                raise _too_many(publisher.limits.in_flight)
            self._in_flight[publisher.id] = count + 1
        try:
            yield
        finally:
            with self._lock:
                left = self._in_flight[publisher.id] - 1
                if left:
                    self._in_flight[publisher.id] = left
                else:
                    del self._in_flight[publisher.id]

    def headers(self, publisher: Publisher, now: float) -> list[tuple[bytes, bytes]]:
        """RateLimit-Policy and RateLimit (IETF draft RateLimit header fields) as ASGI headers. Spends nothing."""
        made, second = self._plan(publisher), int(now)
        counts = self._peek(made.windows, second)
        return [
            (b"ratelimit-policy", made.policy),
            (b"ratelimit", rate_limit(made.windows, counts, second)),
        ]

    def snapshot(self, publisher: Publisher, now: float) -> list[JsonObject]:
        """Every limit as `GET /v1/quota` shows it: the windows, their reserves (`burst-reserve`…), and `in-flight`.

        `window` and `reset` in seconds, 0 where a limit has no window.
        """
        windows, second = self._plan(publisher).windows, int(now)
        counts = self._peek(windows, second)
        shown = [
            _shown(w.name, w.limit, w.limit - count, w, second)
            for w, count in zip(windows, counts, strict=True)
        ]
        shown += [
            _shown(f"{w.name}-reserve", w.ceiling - w.limit, w.ceiling - max(count, w.limit), w, second)
            for w, count in zip(windows, counts, strict=True)
        ]
        limit = publisher.limits.in_flight
        remaining = max(limit - self._in_flight.get(publisher.id, 0), 0)
        in_flight = {"name": IN_FLIGHT, "limit": limit, "window": 0, "remaining": remaining, "reset": 0}
        return [*shown, in_flight]

    def rebuild(self, usage: Iterable[tuple[str, str, str, int]], now: float) -> None:
        """Count again what the store holds of the windows of `now`: a restart gives nothing back.

        Rows are (publisher id, quota, window "second", "minute" or "day", count). For counters in memory only; shared
        ones outlive a restart.
        """
        with self._lock:
            for publisher_id, _quota, name, count in usage:
                key = f"{key_prefix(publisher_id, name)}{int(now) // LENGTHS[name]}"
                self._counters.incr(key, expiry(name), count)

    def _plan(self, publisher: Publisher) -> Plan:
        made = self._plans.get(publisher.id)
        if made is None or (made.limits is not publisher.limits and made.limits != publisher.limits):
            made = self._plans[publisher.id] = plan(publisher.id, publisher.limits)
        return made

    def _peek(self, windows: tuple[Window, Window, Window], second: int) -> list[int]:
        with self._lock:
            return [self._counters.get(w.key(second)) for w in windows]


def _exceeded(refusing: list[Window], urgent: bool, second: int) -> QuotaExceeded:
    wait = max(w.reset(second) for w in refusing)
    limits = ", ".join(f"{w.ceiling if urgent else w.limit} in {w.length} s ({w.name})" for w in refusing)
    of_reserve = "the reserve included" if urgent else "the reserve is kept for cases of priority P0 or P1"
    return QuotaExceeded(
        Issue(ErrorKind.QUOTA, f"Spent: {limits}; {of_reserve}. Send the same message again after {wait} s."),
        headers={"Retry-After": str(wait)},
    )


def _too_many(limit: int) -> QuotaExceeded:
    diagnostics = f"{limit} requests of this publisher are under way ({IN_FLIGHT}). Send the same message again after 1 s."
    return QuotaExceeded(Issue(ErrorKind.QUOTA, diagnostics), headers={"Retry-After": "1"})


def _shown(name: str, limit: int, remaining: int, window: Window, second: int) -> JsonObject:
    return {
        "name": name,
        "limit": limit,
        "window": window.length,
        "remaining": max(remaining, 0),
        "reset": window.reset(second),
    }
