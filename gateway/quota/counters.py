"""Where counts are kept: in this process."""

import time
from collections import deque
from collections.abc import Callable, Iterator


class MemoryCounters:
    """Counters in this process. The caller holds a lock; expired counters go when new ones come."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[str, int] = {}
        self._expiring: dict[int, deque[tuple[float, str]]] = {}  # expiry -> (deadline, key), oldest first

    def __len__(self) -> int:
        """How many counters are kept."""
        return len(self._counts)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Names and counts."""
        return iter(self._counts.items())

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add `amount` and return the new count. A new counter lives for `expiry` seconds at least."""
        count = self._counts.get(key)
        if count is None:
            self._make_room(key, expiry)
            count = 0
        self._counts[key] = count = count + amount
        return count

    def put(self, key: str, expiry: int, count: int) -> None:
        """Make it this count, whatever it was. A new counter lives for `expiry` seconds at least."""
        if key not in self._counts:
            self._make_room(key, expiry)
        self._counts[key] = count

    def get(self, key: str) -> int:
        """The count, 0 where there is none."""
        return self._counts.get(key, 0)

    def _make_room(self, key: str, expiry: int) -> None:
        now = self._clock()
        queue = self._expiring.setdefault(expiry, deque())
        while queue and queue[0][0] <= now:
            del self._counts[queue.popleft()[1]]
        queue.append((now + expiry, key))
