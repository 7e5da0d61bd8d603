"""Where counts are kept: in this process, or in any storage of the `limits` library."""

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol


class Counters(Protocol):
    """Named counters. Every storage of the `limits` library is one; those on Redis or Valkey serve several replicas."""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add `amount` and return the new count. A new counter lives for `expiry` seconds at least."""
        ...

    def get(self, key: str) -> int:
        """The count, 0 where there is none."""
        ...


class MemoryCounters:
    """Counters in this process. The caller holds a lock; expired counters go when new ones come.

    `limits.storage.MemoryStorage` is not used here: it starts some eighty timer threads a second under load, and an
    increment that meets another one may return a count too high, so that fewer than the limit are admitted.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[str, int] = {}
        self._expiring: dict[int, deque[tuple[float, str]]] = {}  # expiry -> (deadline, key), oldest first

    def __len__(self) -> int:
        """How many counters are kept."""
        return len(self._counts)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """See `Counters.incr`."""
        count = self._counts.get(key)
        if count is None:
            self._make_room(key, expiry)
            count = 0
        self._counts[key] = count = count + amount
        return count

    def get(self, key: str) -> int:
        """See `Counters.get`."""
        return self._counts.get(key, 0)

    def _make_room(self, key: str, expiry: int) -> None:
        now = self._clock()
        queue = self._expiring.setdefault(expiry, deque())
        while queue and queue[0][0] <= now:
            del self._counts[queue.popleft()[1]]
        queue.append((now + expiry, key))
