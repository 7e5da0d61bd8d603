"""What the embedded store keeps in memory beside the lanes: fresh messages, and who waits for an inbox."""

import asyncio
from collections import defaultdict

from gateway.model import Submission


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

    def end(self) -> None:
        """Nobody waits any more."""
        self.ended = True
        for publisher_id in list(self._waiters):
            self.wake(publisher_id)
