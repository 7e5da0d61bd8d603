"""What one publisher's readers hold at this replica: long polls and streams that are open, and pages that are being sent.

As many polls and streams as its requests under way, counted apart: they wait most of the time, so that they must not take the
room of what is sent. As many pages, and no more than PAGES bytes of them: a page is held until its reader has taken it.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import ErrorKind, Issue, QuotaExceeded
from gateway.model import Publisher

PAGES = 16_777_216  # bytes of one publisher's pages that are being sent


class Readers:
    """The open ones of all publishers. `limits.in_flight` is read at each call: a change works at once."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._pages: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

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

    def bytes_held(self, publisher_id: str) -> int:
        """How many bytes of a publisher's pages are being sent."""
        return self._bytes[publisher_id]

    @contextmanager
    def page(self, publisher: Publisher, size: int) -> Iterator[None]:
        """Count a page of so many bytes as being sent for as long as the block runs.

        Raises QuotaExceeded (429, Retry-After: 1); a page that is alone always has room.
        """
        held, pages = self._bytes[publisher.id], self._pages[publisher.id]
        if pages and (held + size > PAGES or pages >= publisher.limits.in_flight):
            text = f"{pages} pages of {held} bytes are on their way to this publisher. Read them, and ask again after 1 s."
            raise QuotaExceeded(Issue(ErrorKind.QUOTA, text), headers={"Retry-After": "1"})
        self._bytes[publisher.id] += size
        self._pages[publisher.id] += 1
        try:
            yield
        finally:
            self._bytes[publisher.id] -= size
            self._pages[publisher.id] -= 1
            if not self._pages[publisher.id]:
                del self._pages[publisher.id], self._bytes[publisher.id]
