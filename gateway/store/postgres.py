"""The shared store: PostgreSQL 15 or newer, for any number of replicas.

Every message is in one lane and every lane in one row, which is leased to the replica that forwards its first message
(`postgres_lanes`). Replicas wake each other by NOTIFY; where that fails they look again by themselves.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

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
from gateway.store import attempts, postgres_reads, postgres_writes
from gateway.store.batches import unavailable
from gateway.store.interface import DeadLetter, ErasedCase
from gateway.store.postgres_arrivals import Incoming
from gateway.store.postgres_arrivals import Outcome as Arrived
from gateway.store.postgres_database import Connection, Postgres
from gateway.store.postgres_engine import LEASE, PostgresEngine
from gateway.store.postgres_events import PostgresEvents
from gateway.store.postgres_expiries import PostgresExpiries
from gateway.store.postgres_lanes import Claim, Mark, claim, claim_probe
from gateway.store.postgres_writes import Ended

FORGET_EVERY = 60.0  # seconds between two sweeps of expired jtis
PORTION = 500  # contents erased in one transaction
LOOK_SECONDS = 5.0  # between two looks into an inbox for which somebody waits, should a wake-up call be lost
UNKNOWN_SECONDS = 30.0  # without a count, after which what waits is held to be as old as the last one
WAKE_MARGIN = 0.01  # seconds: the loop's timer must not ring before the caller's clock says so


def _age(since: float | None, now: float) -> float:
    return 0.0 if since is None else max(0.0, now - since)


class PostgresStore:
    """The `Store` of one replica; what each operation promises is said there. Made by `open_store`.

    `lease` is how long a message stays claimed without a sign of life, in seconds.
    """

    def __init__(self, database: Postgres, backlog_limit: int, lease: float = LEASE) -> None:
        self._engine = PostgresEngine(database, lease)
        self.events = PostgresEvents(self._engine)
        self.expiries = PostgresExpiries(self._engine)
        self._backlog_limit = backlog_limit
        self._forgot_at = float("-inf")

    async def start(self, now: float) -> None:
        """To be called once, first. Raises Unavailable."""
        await self._engine.start()
        await self.forget(now)

    async def close(self) -> None:
        """Finish what is under way, then let go of the database."""
        await self._engine.close()

    async def is_writable(self, now: float) -> bool:
        """Whether a change reaches the disk: it is tried."""
        try:
            await self._engine.ask(postgres_writes.probe, now)
        except GatewayError:
            return False
        return True

    # the outbox, for the publisher

    async def enqueue(self, submission: Submission, now: float) -> Receipt:  # noqa: ARG002 - as in `Store`
        """Keep a message and put it at the end of its lane."""
        if len(self._engine.backlog) >= self._backlog_limit:
            return await self._repeat_only(submission)
        return (await self._engine.arrive(Incoming(submission))).stored.receipt

    async def _repeat_only(self, submission: Submission) -> Receipt:
        key = submission.publisher_id, submission.distribution_id, submission.digest
        receipt = await self.find_receipt(*key)
        if receipt is None:
            raise unavailable("Too many messages wait to be forwarded.")
        return receipt

    async def find_receipt(self, publisher_id: str, distribution_id: str, digest: bytes) -> Receipt | None:
        """The receipt that `enqueue` would repeat."""
        found = await self._engine.repeats.find((publisher_id, distribution_id, digest))
        if isinstance(found, Refused):
            raise found
        return found

    async def get(self, publisher_id: str, receipt_id: str) -> tuple[Receipt, tuple[Step, ...]] | None:
        """A message of this publisher's and its timeline."""
        return await self._engine.ask(postgres_reads.message, publisher_id, receipt_id)

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
        return await self._engine.ask(postgres_reads.list_messages, publisher_id, filters, cursor, limit)

    # the outbox, for the forwarder

    async def claim(self, now: float, limit: int, ordinary: int | None = None) -> list[Outgoing]:
        """Up to `limit` due messages, at most one a lane."""
        room = limit, limit if ordinary is None else ordinary
        return await self._claimed(partial(claim, now=now, room=room), limit, now)

    async def claim_probe(self, now: float, *, new_first: bool) -> Outgoing | None:
        """One due message for a probe."""
        found = await self._claimed(partial(claim_probe, now=now, new_first=new_first), 1, now)
        return found[0] if found else None

    async def _claimed(self, take: Claim, limit: int, now: float) -> list[Outgoing]:
        taken = await self._engine.claim(take, limit)
        try:
            for job, complete in taken:
                if not complete:
                    await self.reject(job.id, now, Status.DEAD, "The stored content is gone.", None)
        except BaseException:
            for job, _ in taken:
                self._engine.held(job.id)
            raise
        return [job for job, complete in taken if complete]

    async def wait_due(self, timeout: float, *, urgent: bool = False) -> None:  # noqa: ASYNC109 - as in `Store`
        """Return when something may have become claimable."""
        await self._engine.wait_due(timeout, urgent=urgent)

    async def mark_forwarded(
        self, receipt_id: str, now: float, detail: str = "", before: Sequence[Step] = ()
    ) -> None:
        """The core has it. Nothing where another replica has taken the message over."""
        held = self._engine.held(receipt_id)
        if held is not None:
            steps = (*before, Step("forwarded", now, detail))
            await self._engine.mark(Mark(held, Status.FORWARDED, steps))

    async def mark_retry(
        self, receipt_id: str, now: float, next_at: float, detail: str = "", before: Sequence[Step] = ()
    ) -> None:
        """The attempt failed; the next is due at `next_at`. Nothing where another replica has taken the message over."""
        held = self._engine.held(receipt_id)
        if held is not None:
            steps = (*before, attempts.numbered(Step(attempts.RETRY, now, detail), held.attempts + 1))
            marked = await self._engine.mark(Mark(held, Status.RECEIVED, steps, next_at))
            if marked.moved:
                self._engine.wake_later(next_at - now + WAKE_MARGIN)

    async def reject(
        self, receipt_id: str, now: float, status: Status, cause: str, answer: Delivery | None
    ) -> None:
        """End a message as rejected, expired or dead and answer its sender."""
        held = self._engine.held(receipt_id)
        if held is None:
            return

        async def end(connection: Connection) -> Ended:
            return await postgres_writes.reject(connection, held, now, status, cause, answer)

        ended = await self._engine.end(end)
        self._engine.marked(Mark(held, status, ()), ended.marked)
        if ended.answered and answer is not None:
            self._engine.delivered(answer)

    async def note(self, distribution_id: str, sent_by: str, now: float, step: str, detail: str) -> None:
        """Add a step to a message's timeline."""
        noted = Step(step, now, detail)
        await self._engine.change(postgres_writes.note, distribution_id, sent_by, noted)

    async def mark_not_applicable(self, distribution_id: str, sent_by: str, now: float, cause: str) -> None:
        """Nothing in a message concerns its recipient."""
        step = Step("not-applicable", now, cause)
        await self._engine.change(postgres_writes.mark_not_applicable, distribution_id, sent_by, step)

    async def refuse_delivery(
        self, distribution_id: str, sent_by: str, now: float, cause: str, error: Submission | None
    ) -> None:
        """The recipient cannot be given a message."""
        step = Step(Status.DEAD, now, cause)
        refusal = await self._engine.change(
            postgres_writes.refuse_delivery, distribution_id, sent_by, step, error
        )
        self._engine.left(refusal.left)
        if refusal.error is not None:
            self._engine.arrived(refusal.error, now)

    def backlog(self) -> int:
        """How many messages wait to be forwarded or are under way, in all replicas as far as known."""
        return len(self._engine.backlog)

    def oldest_due_age(self, now: float) -> float:
        """How long the oldest of them has waited, in seconds."""
        return _age(self._engine.backlog.oldest, now)

    def oldest_ready_age(self, now: float) -> float:
        """How long the oldest message has waited that no retry keeps back, in all replicas. Where the database has not told for
        a while, as long as that at least.
        """
        unknown = asyncio.get_running_loop().time() - self._engine.counted_at
        return max(_age(self._engine.waits.ready_since, now), unknown if unknown > UNKNOWN_SECONDS else 0.0)

    def oldest_tried_age(self, now: float) -> float:
        """How long the oldest message has waited that was tried in vain, in all replicas."""
        return _age(self._engine.waits.tried_since, now)

    def failing(self, now: float) -> tuple[int, float]:
        """How many messages failed again and again, and how long the oldest of them has waited, in all replicas."""
        return self._engine.waits.failing, _age(self._engine.waits.failing_since, now)

    # dead letters

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest dead letters."""
        return await self._engine.ask(postgres_reads.dead_letters, limit)

    async def replay(self, receipt_ids: Sequence[str], now: float) -> int:
        """Put dead letters back at the end of their lanes."""
        count = await self._engine.change(postgres_writes.replay, receipt_ids, now)
        if count:
            self._engine.backlog.add(count)
            self._engine.wake_due()
        return count

    # the inbox

    async def deposit(
        self, delivery: Delivery, now: float, answer: Answer | None = None, further: Sequence[Delivery] = ()
    ) -> InboxItem:
        """Keep a delivery and what goes with it, and note the answer that it is."""
        every = (delivery, *further)
        if answer is not None:
            item, left = await self._engine.change(postgres_writes.deposit_answer, delivery, answer, now)
            self._engine.left(left)
        elif further:
            item = await self._engine.change(postgres_writes.deposit_all, every)
        else:
            item = await self._engine.ask(postgres_writes.deposit, delivery)
        for one in every:
            self._engine.delivered(one)
        return item

    async def read_inbox(self, publisher_id: str, cursor: int, limit: int) -> list[InboxItem]:
        """Unacknowledged items after the cursor."""
        return await self._engine.ask(postgres_reads.inbox, publisher_id, cursor, limit)

    async def wait_inbox(self, publisher_id: str, cursor: int, timeout: float) -> bool:  # noqa: ASYNC109 - as in `Store`
        """Return when an unacknowledged item after the cursor is there."""
        waiters = self._engine.inbox_waiters
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while not waiters.ended and (left := end - loop.time()) >= 0:
            waiter = waiters.join(publisher_id)  # before the look, so that nothing slips in between
            try:
                if await self._engine.ask(postgres_reads.has_items, publisher_id, cursor):
                    break
                await asyncio.wait([waiter], timeout=min(left, LOOK_SECONDS))
            finally:
                waiters.leave(publisher_id, waiter)
        return not waiters.ended

    def end_waits(self) -> None:
        """Long polls and streams end."""
        self._engine.inbox_waiters.end()

    async def inbox_item(self, publisher_id: str, item_id: str) -> InboxItem | None:
        """One item of this publisher's."""
        return await self._engine.ask(postgres_reads.inbox_item, publisher_id, item_id)

    async def case_history(
        self, publisher_id: str, inbox_id: str, case_id: str, since: float, limit: int
    ) -> list[Contribution]:
        """What a publisher sent as an id about a case and what that id was delivered of it, through any replica."""
        asked = publisher_id, inbox_id, case_id, since, limit
        return await self._engine.ask(postgres_reads.case_history, *asked)

    async def recipients(
        self, distribution_id: str, sent_by: str, publisher_ids: Sequence[str]
    ) -> frozenset[str]:
        """For whom a message was."""
        return await self._engine.ask(postgres_reads.recipients, distribution_id, sent_by, publisher_ids)

    async def acknowledge(
        self, publisher_id: str, item_id: str, now: float, answer: Submission | None, rank: int = 0
    ) -> bool:
        """Take an item out of the inbox and enqueue the answer, or a later one."""
        outcome = await self._engine.change(
            postgres_writes.acknowledge_item, publisher_id, item_id, now, answer, rank
        )
        if isinstance(outcome, Arrived) and answer is not None:
            self._engine.arrived(outcome, answer.received_at)
        return bool(outcome)

    async def oldest_unread(self, publisher_ids: Sequence[str]) -> dict[str, float]:
        """When the oldest item came that a publisher has not acknowledged."""
        return await self._engine.ask(postgres_reads.oldest_unread, publisher_ids)

    async def wal_bytes(self) -> int | None:
        """The size of the server's write-ahead log, None where its role may not see it."""
        return await self._engine.ask(postgres_reads.wal_bytes)

    # what outlives a restart

    async def remember_jti(self, key: str, expires_at: float, now: float) -> bool:
        """Whether this is the first time that the key is seen, by any replica."""
        if now >= self._forgot_at + FORGET_EVERY:
            await self.forget(now)
        return await self._engine.ask(postgres_writes.remember_jti, key, expires_at)

    async def forget(self, now: float) -> None:
        """Forget the jtis that have expired, of assertions and of revoked tokens."""
        self._forgot_at = now
        await self._engine.change(postgres_writes.forget_jtis, now)

    async def revoke(self, jti: str, expires_at: float, now: float) -> None:
        """Note that an access token is refused from now on."""
        await self._engine.ask(postgres_writes.revoke, jti, expires_at, now)

    async def revoked(self, since: float) -> list[tuple[str, float]]:
        """The access tokens that were revoked since then, by any replica."""
        return await self._engine.ask(postgres_reads.revoked, since)

    async def usage(self, now: float) -> list[tuple[str, str, str, int]]:
        """What was accepted in the current second, minute and day."""
        return await self._engine.ask(postgres_reads.usage, now)

    async def urgent_cases(self, since: float) -> list[tuple[str, str, float]]:
        """The last urgent message of each case."""
        return await self._engine.ask(postgres_reads.urgent_cases, since)

    async def erase(self, before: float) -> int:
        """Erase the content of what is settled, portion by portion."""
        erased = 0
        while count := await self._engine.change(postgres_writes.erase, before, PORTION):
            erased += count
        return erased

    async def erase_case(self, case_id: str, now: float, *, unread: bool) -> ErasedCase:
        """Erase the content of a case."""
        return await self._engine.change(postgres_writes.erase_case, case_id, now, unread)
