"""Batches: callers wait, one writer at a time takes what they all asked for."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from gateway.errors import ErrorKind, Issue, Unavailable

RETRY_AFTER = "5"  # seconds
BATCH = 512  # operations in one transaction, so that the first does not wait for thousands

Operation = TypeVar("Operation")
Outcome = Any | Exception
Written = Callable[[list[Outcome]], None]
Take = Callable[[], Sequence[Operation]]


def unavailable(cause: str) -> Unavailable:
    """The store cannot do it now; nothing was changed."""
    return Unavailable(Issue(ErrorKind.OVERLOADED, cause), headers={"Retry-After": RETRY_AFTER})


class Batches(Generic[Operation]):
    """Operations that wait for the next batch while one is written.

    `write` begins a batch. In a later turn of the event loop, so that all callers that are ready now are in it, it calls the
    first of its arguments for the operations and, once they are written, the second with one outcome an operation: a value
    or an exception. It never fails.
    `settle` runs in the event loop after it, in the order of the operations, before any caller goes on.
    """

    def __init__(
        self,
        write: "Callable[[Take[Operation], Written], None]",
        settle: Callable[[Operation, Outcome], None],
    ) -> None:
        self._begin = write
        self._settle = settle
        self._pending: list[tuple[Operation, asyncio.Future[Any]]] = []
        self._taken: list[tuple[Operation, asyncio.Future[Any]]] = []
        self._writing = False
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def submit(self, operation: Operation) -> asyncio.Future[Any]:
        """The outcome of an operation, once it is durable."""
        if self._closed:
            raise unavailable("The store is closing.")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending.append((operation, future))
        if not self._writing:
            self._writing = True
            self._idle.clear()
            self._begin(self._take, self._finish)
        return future

    async def close(self) -> None:
        """Take nothing more, finish what is pending."""
        self._closed = True
        await self._idle.wait()

    def _take(self) -> list[Operation]:
        self._taken, self._pending = self._pending[:BATCH], self._pending[BATCH:]
        return [operation for operation, _ in self._taken]

    def _finish(self, outcomes: list[Outcome]) -> None:
        batch = self._taken
        if self._pending:
            self._begin(self._take, self._finish)
        else:
            self._writing = False
            self._idle.set()
        for (operation, _), outcome in zip(batch, outcomes, strict=True):
            self._settle(operation, outcome)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():  # the caller went away; what it asked for has happened all the same
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
