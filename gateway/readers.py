"""How many long polls and streams one publisher holds open at this replica: as many as its requests under way, counted apart.

They wait most of the time, so that they must not take the room of what is sent.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import ErrorKind, Issue, QuotaExceeded
from gateway.model import Publisher


class Readers:
    """The open ones of all publishers. `limits.in_flight` is read at each call: a change works at once."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def open(self, publisher_id: str) -> int:
        """How many of a publisher's are open."""
        return self._open[publisher_id]

    @contextmanager
    def room(self, publisher: Publisher) -> Iterator[None]:
        """Count one more as open for as long as the block runs. Raises QuotaExceeded (429, Retry-After: 1)."""
        limit = publisher.limits.in_flight
        if self._open[publisher.id] >= limit:
            text = f"{limit} long polls and streams of this publisher are open. Close some, and ask again after 1 s."
            raise QuotaExceeded(Issue(ErrorKind.QUOTA, text), headers={"Retry-After": "1"})
        self._open[publisher.id] += 1
        try:
            yield
        finally:
            self._open[publisher.id] -= 1
            if not self._open[publisher.id]:
                del self._open[publisher.id]
