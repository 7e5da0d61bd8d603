"""What the embedded store is built on: durable changes, reads beside them, and the order of forwarding in memory."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar, TypeVarTuple

from gateway.errors import GatewayError
from gateway.model import Delivery, Submission
from gateway.store import reads, rows, writes
from gateway.store.arrivals import Arrival, Stored
from gateway.store.batches import unavailable
from gateway.store.commit import GroupCommit, database_error
from gateway.store.database import Database
from gateway.store.lanes import STEP_BACK, Entry, Lanes
from gateway.store.memory import FreshMessages, InboxWaiters

FRESH_BYTES = 67_108_864  # of bodies kept in memory until they are forwarded
FAILED_MARK_PAUSE = 5.0  # seconds until a message is tried again whose mark the database did not take
WAKE_MARGIN = 0.01  # seconds: the loop's timer must not ring before the caller's clock says so

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


class Change(NamedTuple):
    """Any other operation than an arrival: what is written, and what follows in memory once it is durable."""

    write: Callable[[sqlite3.Connection], Any]
    settle: Callable[[Any], None]
    heavy: bool = False  # takes long enough to keep the event loop from others


def _apply(connection: sqlite3.Connection, operations: Sequence[Arrival | Change]) -> list[Any]:
    arrivals = [operation for operation in operations if isinstance(operation, Arrival)]
    stored = iter(writes.arrive(connection, arrivals) if arrivals else ())
    return [next(stored) if isinstance(o, Arrival) else _change(connection, o) for o in operations]


def _change(connection: sqlite3.Connection, change: Change) -> Any:
    try:
        return change.write(connection)
    except GatewayError as refusal:  # raised before anything is written
        return refusal


def _is_heavy(operation: Arrival | Change) -> bool:
    return isinstance(operation, Change) and operation.heavy


def _nothing(_outcome: Any) -> None:
    """What follows in memory from most changes."""


def _age(position: int | None, now: float) -> float:
    return 0.0 if position is None else max(0.0, now - position / 1e6)


async def wait_for(awaitable: Awaitable[Any], timeout: float) -> None:  # noqa: ASYNC109 - as in `Store`
    """Return when it is done, at the latest after `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            await awaitable
    except TimeoutError:
        pass


class Engine:
    """One open database and the memory that goes with it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._commit = GroupCommit[Arrival | Change](database.writer, _apply, self._settle, _is_heavy)
        self._reader = ThreadPoolExecutor(1, "store-reader")
        self._closed = False
        self._arriving = 0
        self._last_seq = reads.last_seq(database.reader)
        self._lanes = Lanes()
        self._fresh = FreshMessages(FRESH_BYTES)
        self._due, self._urgent_came = asyncio.Event(), asyncio.Event()
        self.event_came = asyncio.Event()
        self.inbox_waiters = InboxWaiters()
        self._claimed_at = float("-inf")
        for entry, next_at in reads.pending(database.reader):
            self._lanes.add(entry, next_at)
        self._wake()

    async def close(self) -> None:
        """Finish what is under way, then let go of the database."""
        await self._commit.close()
        self._closed = True
        self.inbox_waiters.end()
        self._due.set()
        self._reader.shutdown()
        self._database.close()

    def number(self, now: float) -> int:
        """The next number in the order of arrival."""
        self._last_seq = max(self._last_seq + 1, int(now * 1e6))
        return self._last_seq

    async def do(
        self,
        write: Callable[[sqlite3.Connection], Result],
        settle: Callable[[Result], None] = _nothing,
        *,
        heavy: bool = False,
    ) -> Result:
        """Change something durably; then, before anyone goes on, what follows in memory."""
        return await self._commit.submit(Change(write, settle, heavy))  # type: ignore[no-any-return]

    async def read(
        self, query: Callable[[sqlite3.Connection, *Arguments], Result], *arguments: *Arguments
    ) -> Result:
        """The answer to a query that may take long: a thread asks."""
        if self._closed:
            raise unavailable("The store is closed.")
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._reader, query, self._database.reader, *arguments)
        except sqlite3.Error as error:
            raise database_error(error) from None

    def look(
        self, query: Callable[[sqlite3.Connection, *Arguments], Result], *arguments: *Arguments
    ) -> Result:
        """The answer to a look-up by key, asked here and now: two threads would spend more on taking turns than it takes."""
        if self._closed:
            raise unavailable("The store is closed.")
        try:
            return query(self._database.looker, *arguments)
        except sqlite3.Error as error:
            raise database_error(error) from None

    # messages on their way into a lane and out of it

    @property
    def backlog(self) -> int:
        """How many messages wait to be forwarded, are under way, or are being stored."""
        return len(self._lanes) + self._arriving

    def oldest_age(self, now: float) -> float:
        """How long the message has waited that waits longest."""
        return _age(self._lanes.oldest(), now)

    async def arrive(self, arrival: Arrival) -> Stored:
        """Store a message."""
        stored = self._commit.submit(arrival)
        self._arriving += 1
        return await stored  # type: ignore[no-any-return]

    def arrived(self, arrival: Arrival, stored: Stored) -> None:
        """A stored message takes its place, if it is new."""
        if stored.entry is not None:
            self._fresh.add(arrival.id, arrival.submission)
            self._lanes.add(stored.entry)
            if stored.entry.urgent:
                self._urgent_came.set()
            self._wake()

    def requeue(self, entries: Iterable[Entry]) -> None:
        """Messages take a place again."""
        for entry in entries:
            self._lanes.add(entry)
        self._wake()

    def claim(self, now: float, limit: int, ordinary: int) -> list[Entry]:
        """Up to `limit` due messages, at most one a lane, up to `ordinary` of them from ordinary lanes."""
        self._look_at_the_clock(now)
        entries = self._lanes.claim(now, limit, ordinary)
        self._wake()
        return entries

    def claim_probe(self, now: float, *, new_first: bool) -> list[Entry]:
        """One due message or none, for a probe."""
        self._look_at_the_clock(now)
        entry = self._lanes.claim_probe(now, new_first=new_first)
        self._wake()
        return [] if entry is None else [entry]

    def _look_at_the_clock(self, now: float) -> None:
        self._due.clear()
        self._urgent_came.clear()
        if now < self._claimed_at - STEP_BACK:
            self._lanes.end_waits()
        self._claimed_at = now

    def failing(self, now: float) -> tuple[int, float]:
        """How many messages failed again and again, and how long the oldest of them has waited."""
        count, position = self._lanes.failing()
        return count, _age(position, now)

    def oldest_ready_age(self, now: float) -> float:
        """How long the oldest message has waited that no retry keeps back."""
        return _age(self._lanes.oldest_ready(), now)

    def oldest_tried_age(self, now: float) -> float:
        """How long the oldest message has waited that was tried in vain."""
        return _age(self._lanes.oldest_tried(), now)

    def wal_bytes(self) -> int:
        """The size of the file's write-ahead log."""
        return self._database.wal_bytes()

    async def contents(self, entries: Sequence[Entry]) -> dict[str, Submission]:
        """The messages of claimed entries, from memory or read back."""
        fresh = ((entry.id, self._fresh.get(entry.id)) for entry in entries)
        messages = {message_id: message for message_id, message in fresh if message is not None}
        missing = [entry.id for entry in entries if entry.id not in messages]
        if missing:
            messages.update(await self.read(reads.submissions, missing))
        return messages

    def delivered(self, delivery: Delivery) -> None:
        """Something came into an inbox."""
        if delivery.quiet:
            return
        self.inbox_waiters.wake(delivery.publisher_id)
        if delivery.notify:
            self.event_came.set()

    def unclaim(self, entries: Iterable[Entry]) -> None:
        """Claimed messages are due again at once, as if nothing had been."""
        for entry in entries:
            self._lanes.release(entry.id, None, attempts=0)
        self._wake()

    async def wait_due(self, timeout: float, *, urgent: bool = False) -> None:  # noqa: ASYNC109 - as in `Store`
        """Return when something may have become claimable."""
        await wait_for((self._urgent_came if urgent else self._due).wait(), timeout)

    async def mark(
        self,
        receipt_id: str,
        now: float,
        write: Callable[[sqlite3.Connection, int], Result],
        settle: Callable[[Result], None],
    ) -> None:
        """Write what came of a claim. Where that fails, the message is due again after a pause."""
        seq = rows.seq_of(receipt_id)
        try:
            await self.do(lambda connection: write(connection, seq), settle)
        except Exception:
            self.put_off(receipt_id, now, now + FAILED_MARK_PAUSE)
            raise

    def put_off(self, receipt_id: str, now: float, next_at: float) -> None:
        """A message under way is to be tried again at `next_at`."""
        self._lanes.release(receipt_id, next_at)
        loop = asyncio.get_running_loop()
        for event in (self._due, self._urgent_came):
            loop.call_later(max(0.0, next_at - now) + WAKE_MARGIN, event.set)

    def put_off_or_leave(self, receipt_id: str, now: float, next_at: float, *, waits: bool) -> None:
        """The same where it still waits; an answer may have ended it under way."""
        if waits:
            self.put_off(receipt_id, now, next_at)
        else:
            self.leave(receipt_id)

    def leave(self, receipt_id: str) -> None:
        """A message needs no forwarding any more."""
        self._lanes.done(receipt_id)
        self._fresh.drop(receipt_id)
        self._wake()

    def leave_unless_under_way(self, receipt_ids: Iterable[str]) -> None:
        """The same, but the mark of an attempt under way is awaited: it frees the lane."""
        for receipt_id in receipt_ids:
            if not self._lanes.is_under_way(receipt_id):
                self.leave(receipt_id)

    def _settle(self, operation: Arrival | Change, outcome: Any) -> None:
        if isinstance(operation, Arrival):
            self._arriving -= 1
            if isinstance(outcome, Stored):
                self.arrived(operation, outcome)
        elif not isinstance(outcome, Exception):
            operation.settle(outcome)

    def _wake(self) -> None:
        if self._lanes.claimable:
            self._due.set()
