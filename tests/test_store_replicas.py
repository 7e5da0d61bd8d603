"""Several replicas on one PostgreSQL: one order, one delivery, whoever dies in between."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import TypeVar

import pytest

from gateway.errors import Unavailable
from gateway.model import Outgoing, Status
from gateway.store import postgres_arrivals, postgres_writes
from gateway.store.postgres import PostgresStore
from gateway.store.postgres_arrivals import Incoming
from gateway.store.postgres_database import Connection, open_postgres
from gateway.store.postgres_engine import TELL_SECONDS
from tests.patience import GIVE_UP, until_told
from tests.postgres_server import PostgresServer, started
from tests.store_samples import LIMIT, NOW, answer, answered, claimed, delivery, status, submission, timeline

Result = TypeVar("Result")
SHORT = 0.3  # seconds of a lease that tests wait for
SENDERS = 8


@pytest.fixture
def shared(postgres: PostgresServer) -> str:
    return postgres.fresh()


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that may be stopped."""
    with started() as server:
        yield server


@asynccontextmanager
async def replica(url: str, lease: float = 15.0) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(await open_postgres(url), LIMIT, lease)
    await store.start(NOW)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def replicas(url: str, count: int, lease: float = 15.0) -> AsyncIterator[list[PostgresStore]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(replica(url, lease)) for _ in range(count)]


def fall_silent(store: PostgresStore) -> None:
    """The replica hangs: it gives no sign of life, and will go on later."""
    assert store._engine._keeper is not None
    store._engine._keeper.cancel()


# one receipt, one delivery


async def test_the_same_message_at_once_through_three_replicas_is_one(shared: str) -> None:
    async with replicas(shared, 3) as stores:
        batches = [[submission(n) for n in range(200)] for _ in stores]
        for seed, batch in enumerate(batches):
            random.Random(seed).shuffle(batch)
        receipts = await asyncio.gather(
            *(s.enqueue(m, NOW) for s, batch in zip(stores, batches, strict=True) for m in batch)
        )
        ids: dict[str, set[str]] = {}
        for receipt in receipts:
            ids.setdefault(receipt.distribution_id, set()).add(receipt.id)
        assert len(ids) == 200 and all(len(one) == 1 for one in ids.values())
        assert sum(not receipt.duplicate for receipt in receipts) == 200
        jobs = await asyncio.gather(*(s.claim(NOW, 100) for s in stores))
        assert max(Counter(job.id for some in jobs for job in some).values()) == 1
        rest = await asyncio.gather(*(s.claim(NOW, 100) for s in stores))
        taken = Counter(job.id for some in (*jobs, *rest) for job in some)
        assert set(taken.values()) == {1} and len(taken) == 200


async def test_the_same_delivery_and_the_same_assertion_count_once(shared: str) -> None:
    async with replicas(shared, 3) as stores:
        for n in range(20):
            items = await asyncio.gather(*(s.deposit(delivery(n), NOW) for s in stores))
            assert len({item.id for item in items}) == 1
            first = await asyncio.gather(*(s.remember_jti(f"client {n}", NOW + 60, NOW) for s in stores))
            assert sum(first) == 1
            answers = await asyncio.gather(
                *(
                    s.acknowledge("south", items[0].id, NOW, submission(n, publisher_id="south", case_id="x"))
                    for s in stores
                )
            )
            assert sum(answers) == 1
        assert [len(await s.read_inbox("south", 0, 100)) for s in stores] == [0, 0, 0]


async def test_no_cursor_passes_an_item_by(shared: str) -> None:
    """Many deposit at once, one reads on from the last cursor: it sees every item, each once."""
    async with replicas(shared, 3) as stores:
        seen: list[str] = []
        depositing = asyncio.gather(
            *(stores[n % 3].deposit(delivery(n, publisher_id="south"), NOW) for n in range(150))
        )
        cursor = 0
        while True:
            ended = depositing.done()
            items = await stores[0].read_inbox("south", cursor, 7)
            seen += [item.id for item in items]
            cursor = items[-1].cursor if items else cursor
            if ended and not items:
                break
        assert sorted(seen) == sorted(item.id for item in await depositing)


async def test_an_inbox_is_filled_in_the_order_of_its_cursors(shared: str) -> None:
    """While one deposit is not yet to be read, no later one of the same inbox gets a cursor beyond it."""
    async with replicas(shared, 2) as (here, there):
        started_first, may_end = asyncio.Event(), asyncio.Event()

        async def slowly(connection: Connection) -> int:
            item = await postgres_writes.deposit(connection, delivery(1))
            started_first.set()
            await may_end.wait()
            return item.cursor

        first = asyncio.create_task(here._engine.database.change(slowly))
        await started_first.wait()
        second = asyncio.create_task(there.deposit(delivery(2), NOW))
        await there.deposit(delivery(3, publisher_id="north"), NOW)
        await asyncio.sleep(0.1)
        assert not second.done() and await there.read_inbox("south", 0, 10) == []
        may_end.set()
        assert await first < (await second).cursor
        assert len(await there.read_inbox("south", 0, 10)) == 2


async def test_an_urgent_message_waits_for_no_ordinary_ones_but_those_of_its_case(shared: str) -> None:
    """A transaction of ordinary messages that takes its time holds up what comes after it, and what belongs to it."""
    async with replicas(shared, 2) as (here, there):
        stored, may_end = asyncio.Event(), asyncio.Event()

        async def slowly(connection: Connection) -> None:
            await postgres_arrivals.arrive(connection, [Incoming(submission(1))])
            stored.set()
            await may_end.wait()

        slow = asyncio.create_task(there._engine.database.change(slowly))
        await stored.wait()
        held_up = [asyncio.create_task(here.enqueue(submission(1, case_id="a"), NOW))]  # the same message
        await asyncio.sleep(0.05)  # its transaction has begun
        held_up += [
            asyncio.create_task(here.enqueue(submission(2, case_id="b"), NOW)),
            asyncio.create_task(here.enqueue(submission(3, case_id="b", urgent=True), NOW)),
        ]
        await asyncio.wait_for(here.enqueue(submission(4, case_id="c", urgent=True), NOW), GIVE_UP)
        assert not any(task.done() for task in held_up)
        may_end.set()
        await asyncio.gather(slow, *held_up)
        last = await here.enqueue(submission(5, case_id="b", urgent=True), NOW)
        lane = await here._engine.ask(
            lambda c: c.fetch("SELECT id FROM messages WHERE case_id = 'b' ORDER BY seq")
        )
        assert [row[0] for row in lane] == [*(task.result().id for task in held_up[1:]), last.id]


# order and leases


async def whatever_comes(store: PostgresStore, job: Outgoing, dice: random.Random) -> None:
    """A message is forgotten, put off or forwarded."""
    fate = dice.random()
    if fate < 0.10:
        store._engine.held(job.id)  # forgotten: nobody renews it, and nobody marks it
    elif fate < 0.25:
        await store.mark_retry(job.id, NOW, NOW - 1)
    else:
        await asyncio.sleep(dice.random() / 100)
        await store.mark_forwarded(job.id, NOW)


@pytest.mark.parametrize("seed", range(3))
async def test_lanes_keep_their_order_whoever_dies(shared: str, seed: int) -> None:
    """Three claimers that now and then forget, stall or put off: nothing is lost, each lane goes out in its order."""
    dice = random.Random(seed)
    sent: list[tuple[str, int]] = []

    async def work(store: PostgresStore) -> None:
        while True:
            for job in await store.claim(NOW, 3):
                sent.append((job.submission.case_id, int(job.submission.distribution_id)))
                await whatever_comes(store, job, dice)
            await asyncio.sleep(0.01)

    async with replicas(shared, 3, lease=SHORT) as stores:
        cases = [dice.choice("abcdef") for _ in range(90)]
        workers = [asyncio.create_task(work(store)) for store in stores]
        for n, case in enumerate(cases):
            await stores[n % 3].enqueue(submission(n, distribution_id=str(n), case_id=case), NOW)

        async def all_forwarded() -> bool:
            assert not any(worker.done() for worker in workers), "none has failed"
            page, _ = await stores[0].list_messages("north", status=Status.FORWARDED, limit=100)
            return len(page) == len(cases)

        await until_told(all_forwarded)
        for worker in workers:
            worker.cancel()
    for case in "abcdef":
        lane = [n for one_case, n in sent if one_case == case]
        assert all(a <= b for a, b in pairwise(lane)), (
            "a message goes out again at most before the next one does"
        )
        assert set(lane) == {n for n, c in enumerate(cases) if c == case}


async def test_a_dead_replicas_message_is_taken_over_and_marked_once(shared: str) -> None:
    async with replicas(shared, 2, lease=SHORT) as (slow, quick):
        receipt = await slow.enqueue(submission(1, case_id="c"), NOW)
        second = await slow.enqueue(submission(2, case_id="c"), NOW)
        assert await claimed(slow) == [receipt.id]
        fall_silent(slow)
        assert await until_told(lambda: claimed(quick)) == [receipt.id]
        await slow.mark_forwarded(receipt.id, NOW)
        assert await status(quick, receipt.id) == Status.RECEIVED, "it is not the late one's any more"
        assert await claimed(slow) == await claimed(quick) == [], "and the lane is still taken"
        await quick.mark_forwarded(receipt.id, NOW)
        assert await timeline(slow, receipt.id) == ["received", "forwarded"]
        assert await claimed(quick) == [second.id]


@pytest.mark.parametrize("late", ["forwarded", "retry", "reject"])
async def test_a_late_mark_after_the_takers_changes_nothing(shared: str, late: str) -> None:
    async with replicas(shared, 2, lease=SHORT) as (slow, quick):
        receipt = await slow.enqueue(submission(1), NOW)
        await claimed(slow)
        fall_silent(slow)
        assert await until_told(lambda: claimed(quick)) == [receipt.id]
        await quick.mark_forwarded(receipt.id, NOW)
        if late == "forwarded":
            await slow.mark_forwarded(receipt.id, NOW)
        elif late == "retry":
            await slow.mark_retry(receipt.id, NOW, NOW + 1)
        else:
            await slow.reject(receipt.id, NOW, Status.DEAD, "late", delivery(1, publisher_id="north"))
        assert await timeline(quick, receipt.id) == ["received", "forwarded"]
        assert await quick.read_inbox("north", 0, 10) == []
        assert await claimed(quick) == []


async def test_what_is_under_way_stays_claimed_while_its_replica_lives(shared: str) -> None:
    async with replicas(shared, 2, lease=SHORT) as (holder, other):
        receipt = await holder.enqueue(submission(1), NOW)
        assert await claimed(holder) == [receipt.id]
        for _ in range(12):
            await asyncio.sleep(SHORT / 4)
            assert await claimed(other) == []
        await holder.mark_forwarded(receipt.id, NOW)
        assert await status(other, receipt.id) == Status.FORWARDED


async def test_a_late_mark_counts_where_nobody_took_over(shared: str) -> None:
    async with replica(shared, lease=SHORT) as store:
        receipt = await store.enqueue(submission(1), NOW)
        await claimed(store)
        fall_silent(store)
        await asyncio.sleep(SHORT * 1.5)
        await store.mark_forwarded(receipt.id, NOW)
        assert await status(store, receipt.id) == Status.FORWARDED


async def test_a_replica_that_closes_gives_back_what_it_holds(shared: str) -> None:
    async with replica(shared) as other:
        async with replica(shared) as closing:
            receipt = await closing.enqueue(submission(1), NOW)
            assert await claimed(closing) == [receipt.id]
        assert await claimed(other) == [receipt.id]


async def test_an_acknowledged_message_whose_replica_dies_frees_its_lane(shared: str) -> None:
    async with replicas(shared, 2, lease=SHORT) as (slow, quick):
        first = await slow.enqueue(submission(1, case_id="c"), NOW)
        await claimed(slow)
        await answered(quick, answer())
        fall_silent(slow)
        await asyncio.sleep(SHORT * 1.5)
        assert await claimed(quick) == []
        second = await quick.enqueue(submission(2, case_id="c"), NOW)
        assert await claimed(quick) == [second.id]
        assert await status(quick, first.id) == Status.ACKNOWLEDGED


# waking each other


async def test_a_message_wakes_the_forwarder_of_another_replica(shared: str) -> None:
    async with replicas(shared, 2) as (here, there):
        waiting = asyncio.create_task(there.wait_due(3_600))
        await asyncio.sleep(0.05)
        receipt = await here.enqueue(submission(1, case_id="c"), NOW)
        second = await here.enqueue(submission(2, case_id="c"), NOW)
        async with asyncio.timeout(GIVE_UP):
            await waiting
        assert await claimed(there) == [receipt.id]
        async with asyncio.timeout(GIVE_UP):
            await here.wait_due(3_600)  # what came of its own
        assert await claimed(here) == []
        waiting = asyncio.create_task(here.wait_due(3_600))
        await there.mark_forwarded(receipt.id, NOW)
        async with asyncio.timeout(GIVE_UP):
            await waiting
        assert await claimed(here) == [second.id]


async def test_a_busy_replica_calls_the_others_now_and_then(shared: str) -> None:
    """Each call costs a transaction here and a look in vain there."""
    async with replicas(shared, 2) as (here, there):
        heard: list[float] = []
        loop, calls = asyncio.get_running_loop(), there._engine._calls
        listener, is_new = await calls.listener()
        assert not is_new
        await listener.add_listener(calls._channel, lambda *_: heard.append(loop.time()))
        began = loop.time()
        for number in range(60):
            await here.enqueue(submission(number, case_id=str(number)), NOW)
        took = loop.time() - began
        await there._engine.ask(_waiting)
        assert 1 <= len(heard) <= took / TELL_SECONDS + 1


async def test_a_deposit_wakes_who_waits_at_another_replica(shared: str) -> None:
    async with replicas(shared, 2) as (here, there):
        waiter = there._engine.inbox_waiters.join("south")  # `wait_inbox` would also look by itself
        other = there._engine.inbox_waiters.join("north")
        await here.deposit(delivery(1), NOW)
        async with asyncio.timeout(GIVE_UP):
            await waiter
        assert not other.done()
        receipt = await here.enqueue(submission(1), NOW)
        await claimed(here)
        await here.reject(receipt.id, NOW, Status.DEAD, "", delivery(2, publisher_id="north"))
        async with asyncio.timeout(GIVE_UP):
            await other


async def test_who_waits_looks_by_itself_where_no_call_comes(shared: str) -> None:
    async with replicas(shared, 2) as (here, there):
        poll = asyncio.create_task(there.wait_inbox("south", 0, 3_600))
        await asyncio.sleep(0.1)
        fall_silent(here)  # it dies before it calls
        await here.deposit(delivery(1), NOW)
        async with asyncio.timeout(GIVE_UP):
            assert await poll


async def test_dead_letters_are_put_back_beside_a_running_replica(shared: str) -> None:
    async with replicas(shared, 2) as (running, operator):
        receipt = await running.enqueue(submission(1), NOW)
        await claimed(running)
        await running.reject(receipt.id, NOW, Status.DEAD, "", None)
        assert [letter.id for letter in await operator.dead_letters(5)] == [receipt.id]
        await running.wait_due(0.01)
        counts = await asyncio.gather(*(s.replay([receipt.id], NOW) for s in (running, operator)))
        assert sorted(counts) == [0, 1]
        assert await claimed(running) == [receipt.id]
        await running.mark_forwarded(receipt.id, NOW)
        assert await timeline(operator, receipt.id) == ["received", "dead", "replayed", "forwarded"]


async def test_a_backlog_counts_what_waits_at_all_replicas(shared: str) -> None:
    async with replicas(shared, 2) as (here, there):
        for n in range(3):
            await here.enqueue(submission(n), NOW + n)
        assert there.backlog() == 0
        await there._engine.backlog.count(lambda: there._engine.ask(_waiting))
        assert (there.backlog(), there.oldest_due_age(NOW + 5)) == (3, 5.0)


async def _waiting(connection: object) -> tuple[int, float | None]:
    from gateway.store import postgres_reads

    return await postgres_reads.waiting(connection)  # type: ignore[arg-type]


# a server that goes away


@pytest.mark.parametrize("crash", [False, True])
async def test_nothing_with_a_receipt_is_lost_when_the_server_goes_down(
    own_server: PostgresServer, crash: bool
) -> None:
    async with replicas(own_server.fresh(), 2) as stores:
        held = await stores[0].enqueue(submission(10_000), NOW)
        assert await claimed(stores[0]) == [held.id]
        given: dict[int, str] = {}
        refusals: list[Unavailable] = []
        stop = asyncio.Event()
        senders = [asyncio.create_task(send(stores[n % 2], n, given, refusals, stop)) for n in range(SENDERS)]
        await asyncio.sleep(0.5)
        await asyncio.to_thread(own_server.crash if crash else own_server.stop)
        assert not await stores[0].is_writable(NOW)
        with pytest.raises(Unavailable):
            await stores[1].get("north", held.id)
        marking = asyncio.create_task(stores[0].mark_forwarded(held.id, NOW))
        await asyncio.sleep(0.2)
        before = len(given)
        await asyncio.to_thread(own_server.start)
        await until_told(lambda: at_least(given, before + 50))
        stop.set()
        await asyncio.gather(*senders, marking)
        assert {(o.status, o.headers["Retry-After"]) for o in refusals} == {(503, "5")}
        assert await status(stores[1], held.id) == Status.FORWARDED
        for number, receipt_id in given.items():
            repeated = await stores[number % 2].enqueue(submission(number), NOW)
            assert (repeated.id, repeated.duplicate) == (receipt_id, True)
        jobs: list[str] = []
        while found := await claimed(stores[1]):
            jobs += found
        assert set(given.values()) <= set(jobs) and len(jobs) == len(set(jobs))


async def send(
    store: PostgresStore,
    number: int,
    given: dict[int, str],
    refusals: list[Unavailable],
    stop: asyncio.Event,
) -> None:
    """A publisher that sends on, and again where it was told to."""
    while not stop.is_set():
        try:
            given[number] = (await store.enqueue(submission(number), NOW)).id
            number += SENDERS
        except Unavailable as outage:
            refusals.append(outage)
            await asyncio.sleep(0.05)


async def at_least(given: dict[int, str], count: int) -> bool:
    """Whether so many receipts have been given."""
    return len(given) >= count


async def test_cut_connections_are_made_anew(own_server: PostgresServer) -> None:
    async with replicas(own_server.fresh(), 2) as (here, there):
        receipt = await here.enqueue(submission(1, case_id="c"), NOW)
        assert await claimed(here) == [receipt.id]
        for round_number in range(3):
            own_server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'gateway' AND pid <> pg_backend_pid()"
            )
            await until_told(lambda: here.is_writable(NOW))
            await until_told(lambda: there.is_writable(NOW))
            given: dict[int, str] = {}
            stop = asyncio.Event()
            sender = asyncio.create_task(send(here, 10 + round_number, given, [], stop))
            await until_told(partial(at_least, given, 1))
            stop.set()
            await sender
        await here.mark_forwarded(receipt.id, NOW)
        assert await status(there, receipt.id) == Status.FORWARDED
        waiter = there._engine.inbox_waiters.join("south")
        await here.deposit(delivery(1), NOW)
        async with asyncio.timeout(GIVE_UP):
            await waiter  # the listener is there again
