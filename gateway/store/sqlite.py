"""The embedded store: SQLite in WAL mode with synchronous=FULL, for one process.

One connection writes (`commit`), one reads. The order of forwarding lives in memory (`lanes`), rebuilt from the table
when the store is opened: what was under way when a process died is due again at once.
"""

import sqlite3
from collections.abc import Sequence

from gateway.errors import GatewayError, Refused
from gateway.model import (
    Answer,
    Contribution,
    Delivery,
    InboxItem,
    Outgoing,
    Receipt,
    Status,
    Step,
    Submission,
)
from gateway.store import attempts, reads, rows, writes
from gateway.store.arrivals import Arrival, Stored
from gateway.store.batches import unavailable
from gateway.store.database import Database
from gateway.store.engine import Engine, wait_for
from gateway.store.interface import DeadLetter, ErasedCase
from gateway.store.lanes import Entry
from gateway.store.sqlite_events import SqliteEvents
from gateway.store.sqlite_expiries import SqliteExpiries

FORGET_EVERY = 60.0  # seconds between two sweeps of expired jtis
PORTION = 500  # contents erased in one transaction


class SqliteStore:
    """The `Store` on one SQLite file; what each operation promises is said there. Made by `open_store`."""

    def __init__(self, database: Database, backlog_limit: int) -> None:
        self._engine = Engine(database)
        self.events = SqliteEvents(self._engine)
        self.expiries = SqliteExpiries(self._engine)
        self._backlog_limit = backlog_limit
        self._forgot_at = float("-inf")

    async def close(self) -> None:
        """Finish what is under way, then let go of the database."""
        await self._engine.close()

    async def is_writable(self, now: float) -> bool:
        """Whether a change reaches the disk: it is tried."""
        try:
            await self._engine.do(lambda connection: writes.probe(connection, now))
        except GatewayError:
            return False
        return True

    # the outbox, for the publisher

    async def enqueue(self, submission: Submission, now: float) -> Receipt:
        """Keep a message and put it at the end of its lane."""
        if self._engine.backlog >= self._backlog_limit:
            return await self._repeat_only(submission)
        seq = self._engine.number(now)
        stored = await self._engine.arrive(Arrival(seq, rows.new_id(seq), submission))
        return stored.receipt

    async def _repeat_only(self, submission: Submission) -> Receipt:
        key = submission.publisher_id, submission.distribution_id, submission.digest
        receipt = await self.find_receipt(*key)
        if receipt is None:
            raise unavailable("Too many messages wait to be forwarded.")
        return receipt

    async def find_receipt(self, publisher_id: str, distribution_id: str, digest: bytes) -> Receipt | None:
        """The receipt that `enqueue` would repeat."""
        found = self._engine.look(writes.find_receipt, publisher_id, distribution_id, digest)
        if isinstance(found, Refused):
            raise found
        return found

    async def get(self, publisher_id: str, receipt_id: str) -> tuple[Receipt, tuple[Step, ...]] | None:
        """A message of this publisher's and its timeline."""
        return self._engine.look(reads.message, publisher_id, receipt_id)

    async def list_messages(
        self,
        publisher_id: str,
        *,
        status: str | None = None,
        message_type: str | None = None,
        case_id: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> tuple[list[Receipt], str | None]:
        """Receipts of this publisher's, newest first."""
        asked = {"status": status, "message_type": message_type, "case_id": case_id}
        filters = {column: str(value) for column, value in asked.items() if value is not None}
        return await self._engine.read(reads.list_messages, publisher_id, filters, cursor, limit)

    # the outbox, for the forwarder

    async def claim(self, now: float, limit: int, ordinary: int | None = None) -> list[Outgoing]:
        """Up to `limit` due messages, at most one a lane."""
        room = limit if ordinary is None else ordinary
        return await self._claimed(self._engine.claim(now, limit, room), now)

    async def claim_probe(self, now: float, *, new_first: bool) -> Outgoing | None:
        """One due message for a probe."""
        return next(iter(await self._claimed(self._engine.claim_probe(now, new_first=new_first), now)), None)

    async def _claimed(self, entries: list[Entry], now: float) -> list[Outgoing]:
        try:
            messages = await self._engine.contents(entries)
            for entry in entries:
                if entry.id not in messages:
                    await self.reject(entry.id, now, Status.DEAD, "The stored content is gone.", None)
        except BaseException:
            self._engine.unclaim(entries)
            raise
        return [Outgoing(e.id, messages[e.id], e.attempts, e.lane) for e in entries if e.id in messages]

    async def wait_due(self, timeout: float, *, urgent: bool = False) -> None:  # noqa: ASYNC109 - as in `Store`
        """Return when something may have become claimable."""
        await self._engine.wait_due(timeout, urgent=urgent)

    async def mark_forwarded(
        self, receipt_id: str, now: float, detail: str = "", before: Sequence[Step] = ()
    ) -> None:
        """The core has it."""
        steps = (*before, Step("forwarded", now, detail))
        await self._engine.mark(
            receipt_id,
            now,
            lambda connection, seq: writes.advance(connection, seq, Status.FORWARDED, steps),
            lambda _: self._engine.leave(receipt_id),
        )

    async def mark_retry(
        self, receipt_id: str, now: float, next_at: float, detail: str = "", before: Sequence[Step] = ()
    ) -> None:
        """The attempt failed; the next is due at `next_at`."""
        retry = Step(attempts.RETRY, now, detail)
        await self._engine.mark(
            receipt_id,
            now,
            lambda connection, seq: writes.put_off(connection, seq, before, retry, next_at),
            lambda waits: self._engine.put_off_or_leave(receipt_id, now, next_at, waits=waits),
        )

    async def reject(
        self, receipt_id: str, now: float, status: Status, cause: str, answer: Delivery | None
    ) -> None:
        """End a message as rejected, expired or dead and answer its sender."""
        item = self._engine.number(now)

        def write(connection: sqlite3.Connection, seq: int) -> bool:
            ended = writes.advance(connection, seq, status, [Step(status, now, cause)])
            if ended and answer is not None:
                writes.deposit(connection, item, rows.new_id(item), answer)
            return ended

        def settle(ended: bool) -> None:
            self._engine.leave(receipt_id)
            if ended and answer is not None:
                self._engine.delivered(answer)

        await self._engine.mark(receipt_id, now, write, settle)

    async def note(self, distribution_id: str, sent_by: str, now: float, step: str, detail: str) -> None:
        """Add a step to a message's timeline."""
        noted = Step(step, now, detail)
        await self._engine.do(lambda c: writes.note(c, distribution_id, sent_by, noted))

    async def mark_not_applicable(self, distribution_id: str, sent_by: str, now: float, cause: str) -> None:
        """Nothing in a message concerns its recipient."""
        step = Step("not-applicable", now, cause)
        await self._engine.do(lambda c: writes.mark_not_applicable(c, distribution_id, sent_by, step))

    async def refuse_delivery(
        self, distribution_id: str, sent_by: str, now: float, cause: str, error: Submission | None
    ) -> None:
        """The recipient cannot be given a message."""
        step, seq = Step(Status.DEAD, now, cause), self._engine.number(now)
        arrival = None if error is None else Arrival(seq, rows.new_id(seq), error, spent=False)

        def settle(outcome: tuple[list[str], Stored | None]) -> None:
            dead, stored = outcome
            self._engine.leave_unless_under_way(dead)
            if arrival is not None and stored is not None:
                self._engine.arrived(arrival, stored)

        await self._engine.do(
            lambda c: writes.refuse_delivery(c, distribution_id, sent_by, step, arrival), settle
        )

    def backlog(self) -> int:
        """How many messages wait to be forwarded or are under way."""
        return self._engine.backlog

    def oldest_due_age(self, now: float) -> float:
        """How long the oldest of them has waited, in seconds."""
        return self._engine.oldest_age(now)

    def oldest_ready_age(self, now: float) -> float:
        """How long the oldest message has waited that no retry keeps back."""
        return self._engine.oldest_ready_age(now)

    def oldest_tried_age(self, now: float) -> float:
        """How long the oldest message has waited that was tried in vain."""
        return self._engine.oldest_tried_age(now)

    def failing(self, now: float) -> tuple[int, float]:
        """How many messages failed again and again, and how long the oldest of them has waited."""
        return self._engine.failing(now)

    # dead letters

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest dead letters."""
        return await self._engine.read(reads.dead_letters, limit)

    async def replay(self, receipt_ids: Sequence[str], now: float) -> int:
        """Put dead letters back at the end of their lanes."""
        positions = {receipt_id: self._engine.number(now) for receipt_id in receipt_ids}
        entries = await self._engine.do(
            lambda connection: writes.replay(connection, positions, now), self._engine.requeue
        )
        return len(entries)

    # the inbox

    async def deposit(
        self, delivery: Delivery, now: float, answer: Answer | None = None, further: Sequence[Delivery] = ()
    ) -> InboxItem:
        """Keep a delivery and what goes with it, and note the answer that it is."""
        every = (delivery, *further)
        numbers = [self._engine.number(now) for _ in every]
        numbered = [(seq, rows.new_id(seq), one) for seq, one in zip(numbers, every, strict=True)]

        def write(connection: sqlite3.Connection) -> tuple[InboxItem, list[str]]:
            answered = [] if answer is None else writes.note_answer(connection, answer, now)
            items = [writes.deposit(connection, *one, answer) for one in numbered]
            return items[0], answered

        def settle(outcome: tuple[InboxItem, list[str]]) -> None:
            for one in every:
                self._engine.delivered(one)
            self._engine.leave_unless_under_way(outcome[1])

        item, _ = await self._engine.do(write, settle)
        return item

    async def read_inbox(self, publisher_id: str, cursor: int, limit: int) -> list[InboxItem]:
        """Unacknowledged items after the cursor."""
        return self._engine.look(reads.inbox, publisher_id, cursor, limit)

    async def wait_inbox(self, publisher_id: str, cursor: int, timeout: float) -> bool:  # noqa: ASYNC109 - as in `Store`
        """Return when an unacknowledged item after the cursor is there."""
        waiter = self._engine.inbox_waiters.join(
            publisher_id
        )  # before the look, so that nothing slips in between
        try:
            if not self._engine.look(reads.has_items, publisher_id, cursor):
                await wait_for(waiter, timeout)
        finally:
            self._engine.inbox_waiters.leave(publisher_id, waiter)
        return not self._engine.inbox_waiters.ended

    def end_waits(self) -> None:
        """Long polls and streams end."""
        self._engine.inbox_waiters.end()

    async def inbox_item(self, publisher_id: str, item_id: str) -> InboxItem | None:
        """One item of this publisher's."""
        return self._engine.look(reads.inbox_item, publisher_id, item_id)

    async def case_history(
        self, publisher_id: str, inbox_id: str, case_id: str, since: float, limit: int
    ) -> list[Contribution]:
        """What a publisher sent as an id about a case and what that id was delivered of it."""
        asked = publisher_id, inbox_id, case_id, since, limit
        return await self._engine.read(reads.case_history, *asked)

    async def recipients(
        self, distribution_id: str, sent_by: str, publisher_ids: Sequence[str]
    ) -> frozenset[str]:
        """For whom a message was."""
        return self._engine.look(reads.recipients, distribution_id, sent_by, publisher_ids)

    async def acknowledge(
        self, publisher_id: str, item_id: str, now: float, answer: Submission | None, rank: int = 0
    ) -> bool:
        """Take an item out of the inbox and enqueue the answer, or a later one."""
        seq = self._engine.number(now)
        arrival = None if answer is None else Arrival(seq, rows.new_id(seq), answer, spent=False)

        def settle(outcome: Stored | bool) -> None:
            if isinstance(outcome, Stored) and arrival is not None:
                self._engine.arrived(arrival, outcome)

        outcome = await self._engine.do(
            lambda c: writes.acknowledge_item(c, publisher_id, item_id, now, arrival, rank),
            settle,
        )
        return bool(outcome)

    async def oldest_unread(self, publisher_ids: Sequence[str]) -> dict[str, float]:
        """When the oldest item came that a publisher has not acknowledged."""
        return await self._engine.read(reads.oldest_unread, publisher_ids)

    async def wal_bytes(self) -> int | None:
        """The size of the write-ahead log."""
        return self._engine.wal_bytes()

    # what outlives a restart

    async def remember_jti(self, key: str, expires_at: float, now: float) -> bool:
        """Whether this is the first time that the key is seen."""
        if now >= self._forgot_at + FORGET_EVERY:
            await self.forget(now)
        return await self._engine.do(lambda connection: writes.remember_jti(connection, key, expires_at))

    async def forget(self, now: float) -> None:
        """Forget the jtis that have expired, of assertions and of revoked tokens."""
        self._forgot_at = now
        await self._engine.do(lambda connection: writes.forget_jtis(connection, now), heavy=True)

    async def revoke(self, jti: str, expires_at: float, now: float) -> None:
        """Note that an access token is refused from now on."""
        await self._engine.do(lambda connection: writes.revoke(connection, jti, expires_at, now))

    async def revoked(self, since: float) -> list[tuple[str, float]]:
        """The access tokens that were revoked since then."""
        return await self._engine.read(reads.revoked, since)

    async def usage(self, now: float) -> list[tuple[str, str, str, int]]:
        """What was accepted in the current second, minute and day."""
        return await self._engine.read(reads.usage, now)

    async def urgent_cases(self, since: float) -> list[tuple[str, str, float]]:
        """The last urgent message of each case."""
        return await self._engine.read(reads.urgent_cases, since)

    async def erase(self, before: float) -> int:
        """Erase the content of what is settled, portion by portion."""
        erased = 0
        while count := await self._engine.do(lambda c: writes.erase(c, before, PORTION), heavy=True):
            erased += count
        return erased

    async def erase_case(self, case_id: str, now: float, *, unread: bool) -> ErasedCase:
        """Erase the content of a case."""
        return await self._engine.do(lambda c: writes.erase_case(c, case_id, now, unread), heavy=True)
