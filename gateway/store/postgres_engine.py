"""What the shared store is built on: batches of arrivals and marks, and what each replica knows of the whole.

All that must last is in the database. In memory are only the leases that this replica holds, its wake-up calls and an
estimate of the backlog; each of them may be lost or late without harm.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from gateway.errors import GatewayError, Refused, Unavailable
from gateway.model import Delivery, Outgoing, Receipt
from gateway.observability import log
from gateway.store import postgres_arrivals, postgres_lanes, postgres_reads, rows
from gateway.store.batches import Batches, Take, Written, unavailable
from gateway.store.lookups import Lookups
from gateway.store.memory import Backlog, InboxWaiters
from gateway.store.postgres_arrivals import Incoming
from gateway.store.postgres_arrivals import Outcome as Arrived
from gateway.store.postgres_calls import Calls
from gateway.store.postgres_database import Connection, Postgres, condition, tell
from gateway.store.postgres_lanes import Claim, Held, Mark, Marked, Turns

LEASE = 15.0  # seconds until others take over what a dead replica had under way
RENEWALS = 40  # leases after which a message is taken from whoever forgot it
STATISTICS_SECONDS = 5.0  # between two counts of the backlog
TELL_SECONDS = (
    0.1  # between two calls to the other replicas that something is due: most is claimed here meanwhile
)
AGAIN_SECONDS = 0.5  # between two tries to reach a lost server

Result = TypeVar("Result")
Operation = TypeVar("Operation")


class PostgresEngine:
    """The connections of one replica and the little memory that goes with them."""

    def __init__(self, database: Postgres, lease: float = LEASE) -> None:
        self.database = database
        self.inbox_waiters = InboxWaiters()
        self.repeats = Lookups[postgres_reads.Sent, Receipt | Refused | None](
            lambda sent: self.ask(postgres_reads.find_receipts, sent)
        )
        self.backlog = Backlog()
        self.waits = postgres_reads.Waits()  # of all replicas, as last counted
        self.counted_at = asyncio.get_running_loop().time()
        self._lease = lease
        self._held: dict[str, tuple[Held, float]] = {}  # and since when, by the loop's clock
        self._turns = Turns()
        self._take_over_at = self._told_at = float("-inf")
        # an urgent message does not wait for a transaction of ordinary ones, but for those of its own lane: they keep their order
        self._arriving: dict[
            str, tuple[bool, int]
        ] = {}  # lane -> with which of the two it goes, and how many are under way
        self._arrivals = {
            urgent: Batches[Incoming](self._writer(postgres_arrivals.arrive), self._settle_arrival)
            for urgent in (True, False)
        }
        self._marks = Batches[Mark](self._writer(postgres_lanes.mark), self._settle_mark)
        self._due, self._urgent_came = asyncio.Event(), asyncio.Event()
        self.event_came = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()  # the loop itself holds no task
        self._calls = Calls(database, self._heard)
        self._closed = False
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Know what waits, and hear from the other replicas. Raises Unavailable."""
        try:
            listener, _ = await self._calls.listener()
            await self.backlog.count(partial(postgres_reads.waiting, listener))
        except Exception as error:  # noqa: BLE001 - told as what it means
            tell(error)
        self._keeper = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Finish what is under way, give back what is claimed, and let go of the database."""
        await self.repeats.close()
        for arrivals in self._arrivals.values():
            await arrivals.close()
        await self._marks.close()
        self._closed = True
        self.inbox_waiters.end()
        self._due.set()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        held = [held for held, _ in self._held.values()]
        with contextlib.suppress(GatewayError):
            if held:
                await self.database.write(lambda c: postgres_lanes.give_back(c, held))
        self._calls.hang_up()
        await self.database.close()

    async def ask(self, work: Callable[..., Awaitable[Result]], *arguments: Any) -> Result:
        """What `work` gives; each of its statements is a transaction of its own."""
        self._require_open()
        return await self.database.ask(lambda connection: work(connection, *arguments))

    async def change(self, work: Callable[..., Awaitable[Result]], *arguments: Any) -> Result:
        """Change something in a transaction of its own."""
        self._require_open()
        with self.backlog.changing():
            return await self.database.change(lambda connection: work(connection, *arguments))

    def _require_open(self) -> None:
        if self._closed:
            raise unavailable("The store is closed.")

    # messages on their way into a lane and out of it

    async def arrive(self, incoming: Incoming) -> Arrived:
        """Store a message."""
        lane = rows.lane(incoming.submission)
        urgent, count = self._arriving.get(lane, (incoming.submission.urgent, 0))
        stored = self._arrivals[urgent].submit(incoming)
        self._arriving[lane] = urgent, count + 1
        self.backlog.arriving += 1
        return await stored  # type: ignore[no-any-return]

    def arrived(self, arrived: Arrived, received_at: float) -> None:
        """A stored message waits now, if it is new."""
        if arrived.stored.entry is not None:
            self.backlog.add(1, received_at)
            if arrived.stored.entry.urgent:
                self._urgent_came.set()
        if arrived.ready:
            self.wake_due()

    async def claim(self, take: Claim, limit: int) -> list[tuple[Outgoing, bool]]:
        """The due messages that `take` leases, `limit` at most, and whether their contents are there."""
        self._require_open()
        self._due.clear()
        self._urgent_came.clear()
        loop = asyncio.get_running_loop()
        if loop.time() >= self._take_over_at:
            await self.database.write(postgres_lanes.take_over)
            self._take_over_at = loop.time() + self._lease / 3
        taken = await self.database.write(lambda c: take(c, self._turns, self._lease))
        self._held.update((one.job.id, (one.held, loop.time())) for one in taken)
        if len(taken) == limit:
            self._due.set()
        return [(one.job, one.complete) for one in taken]

    async def wait_due(self, timeout: float, *, urgent: bool = False) -> None:  # noqa: ASYNC109 - as in `Store`
        """Return when something may have become claimable."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await (self._urgent_came if urgent else self._due).wait()

    def wake_due(self) -> None:
        """Something can be claimed. The others are told now and then: one that has more than it can take says so again."""
        self._due.set()
        now = asyncio.get_running_loop().time()
        if now >= self._told_at + TELL_SECONDS:
            self._told_at = now
            self._calls.tell("")

    def wake_later(self, seconds: float) -> None:
        """Something can be claimed after a while."""
        loop = asyncio.get_running_loop()
        for event in (self._due, self._urgent_came):  # which of the two it is, nobody remembers
            loop.call_later(max(0.0, seconds), event.set)

    def left(self, count: int) -> None:
        """Messages that waited need no forwarding any more."""
        if count:
            self.backlog.add(-count)
            self.wake_due()

    def delivered(self, delivery: Delivery) -> None:
        """Something came into an inbox; who waits for it at another replica is told too."""
        if delivery.quiet:
            return
        self.inbox_waiters.wake(delivery.publisher_id)
        self._calls.tell(delivery.publisher_id)
        if delivery.notify:
            self.event_came.set()

    def held(self, receipt_id: str) -> Held | None:
        """The lease on a message that this replica forwards. From now on it is not renewed."""
        held, _ = self._held.pop(receipt_id, (None, 0.0))
        return held

    async def mark(self, mark: Mark) -> Marked:
        """Write what came of a claim."""
        with self.backlog.changing():
            return await self._while_held(lambda: self._marks.submit(mark))

    async def end(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """The same where more is to be written than a mark."""
        return await self._while_held(lambda: self.change(work))

    async def _while_held(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """A server that is away for a moment does not make a message go out twice: until its lease ends, it is tried again."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._lease
        while True:
            try:
                return await attempt()
            except Unavailable:
                if self._closed or loop.time() + AGAIN_SECONDS > end:
                    raise
                await asyncio.sleep(AGAIN_SECONDS)

    # batches

    def _writer(
        self, apply: Callable[[Connection, Sequence[Operation]], Awaitable[list[Any]]]
    ) -> Callable[[Take[Operation], Written], None]:
        async def write(operations: Sequence[Operation]) -> list[Any]:
            try:
                return await self.database.write(lambda connection: apply(connection, operations))
            except Unavailable as outage:
                return [outage] * len(operations)
            except Exception as error:  # noqa: BLE001 - one of them is at fault: its caller is told, the writer lives on
                if len(operations) == 1:
                    return [error]
                return [outcome for one in operations for outcome in await write([one])]

        async def write_and_tell(take: Take[Operation], written: Written) -> None:
            written(await write(take()))

        def begin(take: Take[Operation], written: Written) -> None:
            self._under_way.add(task := asyncio.create_task(write_and_tell(take, written)))
            task.add_done_callback(self._under_way.discard)

        return begin

    def _settle_arrival(self, incoming: Incoming, outcome: Any) -> None:
        self.backlog.arriving -= 1
        lane = rows.lane(incoming.submission)
        urgent, count = self._arriving.pop(lane)
        if count > 1:
            self._arriving[lane] = urgent, count - 1
        if isinstance(outcome, Arrived):
            self.arrived(outcome, incoming.submission.received_at)

    def _settle_mark(self, mark: Mark, outcome: Any) -> None:
        if isinstance(outcome, Marked):
            self.marked(mark, outcome)

    def marked(self, mark: Mark, marked: Marked) -> None:
        """What follows from a mark: the message has left, unless its answer had taken it out, and its lane is free."""
        if marked.moved and mark.next_at is None:
            self.backlog.add(-1)
        if marked.ready:
            self.wake_due()

    # beside the operations

    async def _keep(self) -> None:
        """Hold what is under way, hear and tell of wake-up calls, count the backlog; reach a lost server again."""
        loop = asyncio.get_running_loop()
        renew_at = count_at = 0.0
        while True:
            try:
                listener = await self._listening()
                if loop.time() >= renew_at:
                    since = loop.time() - RENEWALS * self._lease
                    held = [held for held, claimed_at in self._held.values() if claimed_at > since]
                    if held:
                        await postgres_lanes.renew(listener, held, self._lease)
                    renew_at = loop.time() + self._lease / 3
                if loop.time() >= count_at:
                    await self.backlog.count(partial(postgres_reads.waiting, listener))
                    self.waits = await postgres_reads.waits(listener)
                    self.counted_at = loop.time()
                    count_at = loop.time() + STATISTICS_SECONDS
                await self._calls.send(listener)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - it is tried again for as long as the store is open
                log.warning("store_listener_lost", cause=condition(error))
                self._calls.hang_up()
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                await self._calls.wait(max(0.0, min(renew_at, count_at) - loop.time()))

    async def _listening(self) -> Connection:
        listener, is_new = await self._calls.listener()
        if is_new:
            self._due.set()
            self.inbox_waiters.wake_all()
        return listener

    def _heard(self, wake: str) -> None:
        if wake:
            self.inbox_waiters.wake(wake)
        else:
            self._due.set()
