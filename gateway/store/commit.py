"""Group commit for SQLite: callers wait, one thread writes what they all asked for in one transaction."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic

from gateway.errors import GatewayError
from gateway.store.batches import Batches, Operation, Outcome, Take, Written, unavailable


def database_error(error: Exception) -> Exception:
    """A database's failure (disk full, I/O, read-only, locked, damaged) as Unavailable, any other error as it is.

    SQLite's own text may quote values, so that only the code's name is told.
    """
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.DataError | sqlite3.IntegrityError):
        return error
    if isinstance(error, sqlite3.DatabaseError):
        return unavailable(
            f"The database answers {getattr(error, 'sqlite_errorname', type(error).__name__)}."
        )
    return error


class GroupCommit(Generic[Operation]):
    """One writer for one connection, which nothing else may use.

    The statements of a batch run in the event loop: they are short, and as Python code they would only take turns with
    it. The commit, which waits for the disk, runs in a thread of its own, and so does a batch with a `heavy` operation.

    `apply` runs inside a transaction and gives one outcome an operation: a value, or a GatewayError of an operation that
    changed nothing. `settle` runs in the event loop after the commit, in the order of the operations, before any caller
    goes on.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        apply: Callable[[sqlite3.Connection, Sequence[Operation]], list[Outcome]],
        settle: Callable[[Operation, Outcome], None],
        heavy: Callable[[Operation], bool] = lambda _: False,
    ) -> None:
        self._connection = connection
        self._apply = apply
        self._heavy = heavy
        self._batches = Batches[Operation](self._write, settle)
        self._thread = ThreadPoolExecutor(1, "store-writer")

    def submit(self, operation: Operation) -> asyncio.Future[Any]:
        """The outcome of an operation, once it is durable."""
        return self._batches.submit(operation)

    async def close(self) -> None:
        """Take nothing more, finish what is pending."""
        await self._batches.close()
        self._thread.shutdown()

    def _write(self, take: Take[Operation], written: Written) -> None:
        asyncio.get_running_loop().call_soon(self._write_now, take, written)

    def _write_now(self, take: Take[Operation], written: Written) -> None:
        operations = take()
        outcomes = None if any(map(self._heavy, operations)) else self._begin(operations)
        loop = asyncio.get_running_loop()
        # not by a future of the loop's: it would take two more turns of the loop until `written` is called
        self._thread.submit(lambda: loop.call_soon_threadsafe(written, self._end(operations, outcomes)))

    def _begin(self, operations: Sequence[Operation]) -> list[Outcome] | None:
        """The outcomes of the operations, which are still to be committed; None where the transaction failed."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            return self._apply(self._connection, operations)
        except Exception:  # noqa: BLE001 - whatever it was, `_end` meets it again and tells its caller
            self._roll_back()
            return None

    def _end(self, operations: Sequence[Operation], outcomes: list[Outcome] | None) -> list[Outcome]:
        """Commit what has begun; what has not, or cannot be committed, is tried again one by one."""
        if outcomes is not None:
            try:
                self._connection.execute("COMMIT")
            except Exception:  # noqa: BLE001 - as above
                self._roll_back()
            else:
                return outcomes
        return [self._alone(operation) for operation in operations]

    def _alone(self, operation: Operation) -> Outcome:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            (outcome,) = self._apply(self._connection, [operation])
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - its caller is told, and the writer lives on
            self._roll_back()
            return error if isinstance(error, GatewayError) else database_error(error)
        return outcome

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass
