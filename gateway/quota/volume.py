"""The window in bytes: what `$validate`, `$translate`, repeats and refused messages cost beside the quota of messages.

What is spent is this replica's time, so each replica counts for itself. A window is a minute of the clock.
"""

import threading
from typing import Self

from gateway.errors import ErrorKind, Issue, QuotaExceeded
from gateway.model import JsonObject, Publisher

NAME = "bytes"
LENGTH = 60  # seconds
LARGE = 12_288  # bytes; the largest official message in its envelope has 8 kB
LEAST = 1_024  # bytes that a body counts for: reading a small one costs something too


class Meter:
    """One posted body, counted unless a new message comes of it (`is_new`): that one has the quota of messages.

    A large body must have room in the window before it is read at all. A small one costs less than finding out what it is; it
    is counted afterwards, and only a repeat is refused then.
    """

    def __init__(self, volume: "Volume", publisher: Publisher, size: int, now: float) -> None:
        self._volume, self._publisher, self._size, self._now = volume, publisher, size, now
        self.is_new = False

    def __enter__(self) -> Self:
        """Raises QuotaExceeded (429) for a large body without room."""
        if self._size > LARGE:
            self._volume.spend(self._publisher, self._size, self._now, ErrorKind.VOLUME)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Raises QuotaExceeded (429) for a repeat without room."""
        if self._size > LARGE:
            if self.is_new:
                self._volume.note(self._publisher, -self._size, self._now)
        elif kind is not None:
            self._volume.note(self._publisher, self._size, self._now)
        elif not self.is_new:
            self._volume.spend(self._publisher, self._size, self._now, ErrorKind.VOLUME)


class Volume:
    """The bytes of each publisher in the window of now; `limits.bytes_per_minute` is read at each call. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: dict[str, tuple[int, int]] = {}  # publisher id -> number of the window, bytes

    def spend(self, publisher: Publisher, size: int, now: float, kind: ErrorKind = ErrorKind.QUOTA) -> None:
        """Count a body of so many bytes. Raises QuotaExceeded (429, Retry-After) of this kind, and then nothing is counted."""
        limit = publisher.limits.bytes_per_minute
        with self._lock:
            before = self._current(publisher, now)
            if before + size <= limit:
                self._spent[publisher.id] = int(now) // LENGTH, before + max(size, LEAST)
                return
        wait = _reset(now)
        text = (
            f"Spent: {before} of {limit} bytes in {LENGTH} s ({NAME}), and this body has {size}. The window counts what "
            f"$validate and $translate are sent, repeats, and refused messages. Send the same again after {wait} s."
        )
        raise QuotaExceeded(Issue(kind, text), headers={"Retry-After": str(wait)})

    def metered(self, publisher: Publisher, size: int, now: float) -> Meter:
        """What counts a posted body around all that is done with it."""
        return Meter(self, publisher, size, now)

    def note(self, publisher: Publisher, size: int, now: float) -> None:
        """Count a body that was worked on already, be there room for it or not. A negative size takes back what was spent."""
        counted = max(size, LEAST) if size > 0 else min(size, -LEAST)
        with self._lock:
            after = max(self._current(publisher, now) + counted, 0)
            self._spent[publisher.id] = int(now) // LENGTH, after

    def shown(self, publisher: Publisher, now: float) -> JsonObject:
        """The window as `GET /v1/quota` shows it."""
        limit = publisher.limits.bytes_per_minute
        with self._lock:
            remaining = max(limit - self._current(publisher, now), 0)
        return {"name": NAME, "limit": limit, "window": LENGTH, "remaining": remaining, "reset": _reset(now)}

    def _current(self, publisher: Publisher, now: float) -> int:
        window, spent = self._spent.get(publisher.id, (0, 0))
        return spent if window == int(now) // LENGTH else 0


def _reset(now: float) -> int:
    return LENGTH - int(now) % LENGTH
