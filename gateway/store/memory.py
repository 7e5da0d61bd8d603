"""What a store keeps in memory beside the lanes: fresh messages, who waits for an inbox, how many messages wait."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from gateway.model import Submission

LEAVE_OUT = 5  # counts of the backlog in a row that changes may spoil


class FreshMessages:
    """Messages just stored, up to `limit` bytes of bodies, so that forwarding need not read them back."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._messages: dict[str, Submission] = {}

    def add(self, message_id: str, submission: Submission) -> None:
        """Keep a message if there is room."""
        size = self._size + len(submission.body)
        if size <= self._limit:
            self._size = size
            self._messages[message_id] = submission

    def get(self, message_id: str) -> Submission | None:
        """The message, None where it has to be read back."""
        return self._messages.get(message_id)

    def drop(self, message_id: str) -> None:
        """The message is not needed any more."""
        submission = self._messages.pop(message_id, None)
        if submission is not None:
            self._size -= len(submission.body)


class InboxWaiters:
    """Long polls: who waits for which publisher's inbox."""

    def __init__(self) -> None:
        self._waiters: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self.ended = False

    def join(self, publisher_id: str) -> asyncio.Future[None]:
        """A future that `wake` resolves; to be given back to `leave`."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.ended:
            waiter.set_result(None)
        self._waiters[publisher_id].add(waiter)
        return waiter

    def leave(self, publisher_id: str, waiter: asyncio.Future[None]) -> None:
        """Wait no more."""
        waiters = self._waiters[publisher_id]
        waiters.discard(waiter)
        if not waiters:
            del self._waiters[publisher_id]

    def wake(self, publisher_id: str) -> None:
        """Something came into this publisher's inbox."""
        for waiter in self._waiters.get(publisher_id, ()):
            if not waiter.done():
                waiter.set_result(None)

    def wake_all(self) -> None:
        """Something may have come into any inbox."""
        for publisher_id in list(self._waiters):
            self.wake(publisher_id)

    def end(self) -> None:
        """Nobody waits any more."""
        self.ended = True
        self.wake_all()


class Backlog:
    """How many messages wait to be forwarded, as far as one of several replicas knows.

    Own changes are followed at once, those of others with every count. A count that own changes run into is left out,
    unless that goes on for long: then it may be off by what was on its way.
    """

    def __init__(self) -> None:
        self.arriving = 0
        self.oldest: float | None = None
        self._size = 0
        self._changing = 0
        self._changes = 0
        self._left_out = 0

    def __len__(self) -> int:
        return max(0, self._size) + self.arriving

    def add(self, count: int, received_at: float | None = None) -> None:
        """Messages have come (with the time of the first) or gone."""
        self._changes += 1
        self._size += count
        if self._size <= 0:
            self.oldest = None
        elif received_at is not None:
            self.oldest = received_at if self.oldest is None else min(self.oldest, received_at)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """While a change is under way that `add` is told of afterwards."""
        self._changing += 1
        self._changes += 1
        try:
            yield
        finally:
            self._changing -= 1
            self._changes += 1

    async def count(self, query: Callable[[], Awaitable[tuple[int, float | None]]]) -> None:
        """Take over what the query gives: how many wait, and since when the oldest does (POSIX seconds)."""
        before, busy = self._changes, self.arriving or self._changing
        size, oldest = await query()
        if (
            busy or before != self._changes or self.arriving or self._changing
        ) and self._left_out < LEAVE_OUT:
            self._left_out += 1
            return
        self._left_out = 0
        self._size, self.oldest = size, oldest
