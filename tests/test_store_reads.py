"""How much of the shared store an operation reads: as little where much is stored, even if planned where nothing was.

PostgreSQL keeps the plan of a statement for as long as the connection lives, and makes it by guess while it has no
statistics of a table: two indexes look alike then, and the worse one may read all that a publisher ever sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

import asyncpg
import pytest

from gateway.model import InboxItem, Receipt, Status
from gateway.store import Expired, Store
from tests.patience import until_told
from tests.postgres_server import PostgresServer
from tests.store_samples import NOW, answer, answered, delivery, opened, submission

MANY = 2_000  # rows of each kind
TIMES = 7  # PostgreSQL settles for a plan after five executions
AT_ONCE = 16  # and prices one for arrays as if they had ten elements
FAR = 1_000_000
MOST = 200  # rows that one operation may read
LATER = NOW + 1e6

# not a temporary table: the first one of a session makes everyone plan anew
OLD = f"""
CREATE TABLE old AS SELECT nextval('numbers') AS seq, i, 'a' || i AS name,
    CASE WHEN i <= {MANY} THEN 'forwarded' WHEN i % 7 = 0 THEN 'dead' ELSE 'received' END AS status,
    CASE WHEN i <= 2 * {MANY} THEN 'a' || i ELSE 'full' END AS lane  -- with as many as all others have together
FROM generate_series(1, 3 * {MANY}) i
"""
FILL = f"""
INSERT INTO messages SELECT seq, lpad(to_hex(seq), 32, '0'), 'north', name, '', 'application/json', 'RS-EDA', 'v3',
    'fr.health.samu440', 'fr.health.samu750', name,
    CASE WHEN i % 3 = 0 THEN 'x' || i ELSE '' END, i % 2 = 0, 'ordinary', true, 0, 0, lane, status, 1 FROM old;
INSERT INTO contents SELECT seq, 0, '' FROM old;
INSERT INTO steps (message, step, at, detail) SELECT seq, status, 0, '' FROM old WHERE status <> 'received';
INSERT INTO dead SELECT seq FROM old WHERE status = 'dead';
INSERT INTO queue SELECT seq, seq, lane, 'north', i % 2 = 0, 0 FROM old WHERE status = 'received';
INSERT INTO lanes (lane, publisher_id, position, urgent)
    SELECT lane, 'north', min(position), bool_or(urgent) FROM queue WHERE received_at = 0 GROUP BY lane;
UPDATE lanes SET lease = 0, leased_until = now() WHERE lane IN (SELECT lane FROM old);
UPDATE lanes SET lease = NULL, due_at = CASE WHEN urgent THEN {LATER} END WHERE lane IN (SELECT lane FROM old);
INSERT INTO inbox SELECT seq, lpad(to_hex(seq), 32, '0'), 'south', name, 'fr.health.samu440', 'fr.health.samu750', 'RC-RI',
    'v3', 'application/json', name, '', 0, '[]', CASE WHEN i % 2 = 0 THEN 1 END FROM old;
INSERT INTO events (seq, publisher_id, since, next_at) SELECT seq, 'south', 0, {LATER} FROM old WHERE i % 2 = 1;
UPDATE events SET held_until = now();
UPDATE events SET held_until = NULL;
INSERT INTO expiries SELECT seq, CASE WHEN i % 2 = 0 THEN 1 ELSE {LATER} END, CASE WHEN i % 2 = 0 THEN 1 END FROM old;
INSERT INTO assertions SELECT name, {LATER} FROM old;
INSERT INTO revoked SELECT name, {LATER}, 0 FROM old;
"""
READ = """
SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = current_schema())
     + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = current_schema())
"""
TABLES = "SELECT relname FROM pg_stat_user_tables WHERE schemaname = current_schema()"
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gateway'"
T = TypeVar("T")


async def at_once(operations: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    return list(await asyncio.gather(*operations))


async def receive(store: Store, numbers: range) -> list[Receipt]:
    return await at_once(store.enqueue(submission(n, urgent=True), NOW) for n in numbers)


async def claim(store: Store, numbers: range, now: float = NOW) -> list[str]:
    """What was put in before waits too, but is not urgent, or put off."""
    claimed = await store.claim(now, len(numbers))
    wanted = {submission(n).distribution_id for n in numbers}
    assert {job.submission.distribution_id for job in claimed} == wanted
    return [job.id for job in claimed]


async def receive_and_claim(store: Store, numbers: range) -> list[str]:
    await receive(store, numbers)
    return await claim(store, numbers)


async def deliver(store: Store, numbers: range) -> list[InboxItem]:
    return await at_once(store.deposit(delivery(n, message_type="RC-RI"), NOW) for n in numbers)


async def repeat(store: Store, numbers: range) -> None:
    first = await receive(store, numbers)
    assert [one.id for one in await receive(store, numbers)] == [one.id for one in first]


async def look_for(store: Store, numbers: range) -> None:
    sent = [submission(n) for n in numbers]
    keys = [(one.publisher_id, one.distribution_id, one.digest) for one in sent]
    assert not any(await at_once(store.find_receipt(*key) for key in keys))
    await receive(store, numbers)
    assert all(await at_once(store.find_receipt(*key) for key in keys))


async def send_answers(store: Store, numbers: range) -> None:
    items = await at_once(store.deposit(delivery(n, publisher_id="north"), NOW) for n in numbers)
    named = [item.delivery.distribution_id for item in items]
    answers = [submission(n + FAR, refers_to=name) for n, name in zip(numbers, named, strict=True)]
    answers += [submission(n + 2 * FAR, refers_to="unknown") for n in numbers]
    await at_once(store.enqueue(one, NOW) for one in answers)


async def follow(store: Store, numbers: range) -> None:
    receipts = await receive(store, numbers)
    assert all(await at_once(store.get("north", receipt.id) for receipt in receipts))


async def list_sent(store: Store, numbers: range) -> None:
    receipts, _ = await store.list_messages("north", limit=1)
    assert len(receipts) <= 1
    for _ in numbers:
        assert await store.list_messages("seldom") == ([], None)


async def forward(store: Store, numbers: range) -> None:
    claimed = await receive_and_claim(store, numbers)
    await at_once(store.mark_forwarded(receipt_id, NOW) for receipt_id in claimed)


async def retry(store: Store, numbers: range) -> None:
    claimed = await receive_and_claim(store, numbers)
    await at_once(store.mark_retry(receipt_id, NOW, NOW) for receipt_id in claimed)
    await claim(store, numbers, NOW + 1)
    await at_once(store.mark_forwarded(receipt_id, NOW) for receipt_id in claimed)


async def replay(store: Store, numbers: range) -> None:
    claimed = await receive_and_claim(store, numbers)
    for n, receipt_id in zip(numbers, claimed, strict=True):
        await store.reject(receipt_id, NOW, Status.DEAD, "", delivery(n, publisher_id="north"))
    assert {letter.id for letter in await store.dead_letters(len(numbers))} == set(claimed)
    assert await store.replay(claimed, NOW) == len(numbers)
    await claim(store, numbers)
    await at_once(store.mark_forwarded(receipt_id, NOW) for receipt_id in claimed)


async def deliver_again(store: Store, numbers: range) -> None:
    first = await deliver(store, numbers)
    assert [item.id for item in await deliver(store, numbers)] == [item.id for item in first]


async def read(store: Store, numbers: range) -> None:
    for item in await deliver(store, numbers):
        assert await store.wait_inbox("south", item.cursor - 1, 0)
        assert [one.id for one in await store.read_inbox("south", item.cursor - 1, 1)] == [item.id]
        assert await store.inbox_item("south", item.id) is not None


async def read_nothing(store: Store, numbers: range) -> None:
    last = max(item.cursor for item in await deliver(store, numbers))
    for _ in numbers:
        await store.wait_inbox("south", last, 0)
        assert await store.read_inbox("south", last, 5) == []


async def take_out(store: Store, numbers: range) -> None:
    for n, item in zip(numbers, await deliver(store, numbers), strict=True):
        assert await store.acknowledge("south", item.id, NOW, submission(n, publisher_id="south"))


async def hear_of(store: Store, numbers: range) -> None:
    for receipt in await receive(store, numbers):
        sent = submission()
        about = receipt.distribution_id
        await answered(store, answer(f"RC-REF {receipt.id}", refers_to=about))
        await answered(store, answer(f"RS-ERROR {receipt.id}", Status.EXPIRED, refers_to=about))
        await store.mark_not_applicable(receipt.distribution_id, sent.sender, NOW, "nothing")
        await store.note(receipt.distribution_id, sent.sender, NOW, "seen", "")
        assert await store.recipients(receipt.distribution_id, sent.sender, ["south"]) == {sent.recipient}
        assert not await store.recipients(f"{receipt.distribution_id}x", sent.sender, ["south", "north"])


async def hear_that_it_cannot_be(store: Store, numbers: range) -> None:
    claimed = await receive_and_claim(store, numbers)
    for n, receipt_id in zip(numbers, claimed, strict=True):
        await store.mark_forwarded(receipt_id, NOW)
        sent = submission(n)
        error = submission(n + FAR, publisher_id="gateway")
        await store.refuse_delivery(sent.distribution_id, sent.sender, NOW, "", error)


async def recall(store: Store, numbers: range) -> None:
    await receive(store, numbers)
    await at_once(store.deposit(delivery(n, quiet=n % 2 == 0), NOW) for n in numbers)
    for n in numbers:
        case, sender = submission(n).case_id, submission(n).sender
        (said,) = await store.case_history("north", sender, case, 0.0, 100)
        assert said.sent
        (heard,) = await store.case_history("south", delivery(n).recipient, case, 0.0, 100)
        assert not heard.sent
        assert await store.case_history("north", "fr.fire.sis044", case, 0.0, 100) == []


async def tell(store: Store, numbers: range) -> None:
    await at_once(store.deposit(delivery(n, notify=True), NOW) for n in numbers)
    for _ in numbers:
        (event,) = await store.events.claim(NOW, 1, 30.0, {})
        await store.events.put_off(event.item_id, NOW, 1)
        (event,) = await store.events.claim(NOW, 1, 30.0, {})
        await store.events.done(event.item_id)


async def expire(store: Store, numbers: range) -> None:
    await receive(store, numbers)
    items = await at_once(store.deposit(delivery(n, expires_at=NOW), NOW) for n in numbers)
    assert {one.item_id for one in await store.expiries.overdue(NOW, 100)} == {item.id for item in items}
    for n, item in zip(numbers, items, strict=True):
        error = delivery(n + FAR, publisher_id="north")
        assert await store.expiries.expire(item.id, NOW, "late", error) is Expired.TOLD
        shown = await store.inbox_item("south", item.id)
        assert shown is not None and shown.expired
        assert await store.acknowledge("south", item.id, NOW, None)


async def sign_in(store: Store, numbers: range) -> None:
    for n in numbers:
        assert await store.remember_jti(f"jti{n}", LATER, NOW)
        await store.revoke(f"jti{n}", LATER, NOW + n)
        assert await store.revoked(NOW + n) == [(f"jti{n}", LATER)]


OPERATIONS: dict[str, Callable[[Store, range], Awaitable[object]]] = {
    f.__name__: f
    for f in (
        receive, repeat, look_for, send_answers, follow, list_sent, forward, retry, replay, deliver_again, read, read_nothing, take_out,
        hear_of, hear_that_it_cannot_be, recall, tell, expire, sign_in,
    )
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("when", ["planned empty", "planned full"])
async def test_what_is_read_does_not_depend_on_how_much_is_stored(
    when: str, name: str, postgres: PostgresServer
) -> None:
    url = postgres.fresh()
    connection = await asyncpg.connect(url)
    async with opened(url) as store:
        for table in await connection.fetch(TABLES):
            await connection.execute(f"ALTER TABLE {table[0]} SET (autovacuum_enabled = off)")
        await connection.execute(OLD)
        for n in range(TIMES):
            await OPERATIONS[name](store, range(n * AT_ONCE, (n + 1) * AT_ONCE))
        await connection.execute(FILL)
        if when == "planned full":
            await connection.execute("ANALYZE")
        await connection.execute("SELECT pg_stat_force_next_flush()")
        before = await connection.fetchval(READ)
        for n in range(TIMES, 2 * TIMES):
            await OPERATIONS[name](store, range(n * AT_ONCE, (n + 1) * AT_ONCE))
    # at the latest when it ends, a session tells what it has read
    await until_told(lambda: connection.fetchval(SESSIONS), lambda left: not left)
    rows = int(await connection.fetchval(READ) - before)
    await connection.close()
    assert rows < MOST * TIMES * AT_ONCE
