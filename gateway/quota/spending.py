"""Spending in this process: one increment a window decides; what is refused is taken back at once."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from gateway.errors import ErrorKind, Issue, QuotaExceeded
from gateway.model import JsonObject, Publisher
from gateway.quota.counters import MemoryCounters
from gateway.quota.interface import IN_FLIGHT, ORDINARY, RESERVE, Spent
from gateway.quota.windows import Plan, Window, is_current, key_of, length_of, plan, rate_limit


class LocalQuota:
    """The `Quota` of one process. Safe for threads."""

    def __init__(self, counters: MemoryCounters | None = None) -> None:
        self._counters = MemoryCounters() if counters is None else counters
        self._lock = threading.Lock()
        self._plans: dict[str, Plan] = {}
        self._in_flight: dict[str, int] = {}

    async def spend(self, publisher: Publisher, urgent: bool, now: float) -> Spent:
        """See `Quota.spend`."""
        return self.spend_now(publisher, urgent, now)

    async def give_back(self, publisher: Publisher, spent: Spent, now: float) -> None:
        """See `Quota.give_back`."""
        self.give_back_now(publisher, spent, now)

    async def snapshot(self, publisher: Publisher, now: float) -> list[JsonObject]:
        """See `Quota.snapshot`."""
        return self.snapshot_now(publisher, now)

    def spend_now(self, publisher: Publisher, urgent: bool, now: float) -> Spent:
        """See `Quota.spend`."""
        second = int(now)
        windows = self.plan(publisher).windows
        incr = self._counters.incr
        with self._lock:
            counts = [incr(w.key(second), w.expiry) for w in windows]
            spent = [w for w, count in zip(windows, counts, strict=True) if count > w.limit]
            if not spent:
                return Spent(ORDINARY, second)
            if all(count <= w.bound(urgent) for w, count in zip(windows, counts, strict=True)):
                return Spent(RESERVE, second)
            for w in windows:
                incr(w.key(second), w.expiry, -1)
        raise exceeded(windows, counts, urgent, second)

    def give_back_now(self, publisher: Publisher, spent: Spent, now: float) -> None:
        """See `Quota.give_back`."""
        second = int(now)
        with self._lock:
            for w in self.plan(publisher).windows:
                key = w.key(second)
                if key == w.key(spent.second) and self._counters.get(key) > 0:
                    self._counters.incr(key, w.expiry, -1)

    @contextmanager
    def in_flight(self, publisher: Publisher) -> Iterator[None]:
        """See `Quota.in_flight`."""
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
        """See `Quota.headers`."""
        made, second = self.plan(publisher), int(now)
        counts = self._peek(made.windows, second)
        return [
            (b"ratelimit-policy", made.policy),
            (b"ratelimit", rate_limit(made.windows, counts, second)),
        ]

    def snapshot_now(self, publisher: Publisher, now: float) -> list[JsonObject]:
        """See `Quota.snapshot`."""
        windows, second = self.plan(publisher).windows, int(now)
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
        """Count at least what the store holds of the windows of `now`: a restart gives nothing back.

        Rows are (publisher id, quota, window "second", "minute" or "day", count).
        """
        totals: Counter[tuple[str, str]] = Counter()
        for publisher_id, _quota, name, count in usage:
            totals[publisher_id, name] += count
        with self._lock:
            for (publisher_id, name), total in totals.items():
                key, expiry = key_of(publisher_id, name, int(now))
                if total > self._counters.get(key):
                    self._counters.put(key, expiry, total)

    def see(self, windows: Sequence[Window], counts: Sequence[int], second: int) -> None:
        """Take over what was counted elsewhere in the windows that hold this POSIX second."""
        with self._lock:
            for w, count in zip(windows, counts, strict=True):
                self._counters.put(w.key(second), w.expiry, count)

    def counted(self, now: float) -> list[tuple[str, int, int]]:
        """(key, seconds to keep it, count) of everything that is counted in the windows of `now`."""
        with self._lock:
            return [
                (key, length_of(key), count)
                for key, count in self._counters
                if count > 0 and is_current(key, int(now))
            ]

    def plan(self, publisher: Publisher) -> Plan:
        """The windows of a publisher as it is registered now."""
        made = self._plans.get(publisher.id)
        if made is None or (made.limits is not publisher.limits and made.limits != publisher.limits):
            made = self._plans[publisher.id] = plan(publisher.id, publisher.limits)
        return made

    def _peek(self, windows: tuple[Window, Window, Window], second: int) -> list[int]:
        with self._lock:
            return [self._counters.get(w.key(second)) for w in windows]


def exceeded(windows: Sequence[Window], counts: Sequence[int], urgent: bool, second: int) -> QuotaExceeded:
    """The refusal of a message that would have brought the windows to these counts."""
    refusing = [w for w, count in zip(windows, counts, strict=True) if count > w.bound(urgent)]
    wait = max(w.reset(second) for w in refusing)
    limits = ", ".join(f"{w.bound(urgent)} in {w.length} s ({w.name})" for w in refusing)
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
