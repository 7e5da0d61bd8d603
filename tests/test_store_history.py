"""What every store gives as the history of a case: what one viewer sent and was delivered of it."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.model import Contribution, Delivery, Status, Submission
from gateway.store import HISTORY_BYTES, HISTORY_SCAN, ErasedCase, Store, reads
from tests.patience import GIVE_UP
from tests.postgres_server import PostgresServer
from tests.store_samples import NOW, answer, answered, delivery, opened, submission, timeline
from tests.test_store_sqlite import writer

CASE = "fr.health.samu440.shared"
SAMU, FIRE = "fr.health.samu440", "fr.fire.sis044"
TYPES = ("RS-EDA", "RS-EDA-MAJ", "RS-RI", "RS-SR", "RC-EDA", "RC-RI")


def sent(number: int, **changes: Any) -> Submission:
    """What `north` sends about the case, as SAMU 44."""
    return submission(number, **{"case_id": CASE, **changes})


def told(number: int, **changes: Any) -> Delivery:
    """What `north` is delivered of the case, as SAMU 44."""
    values = {"publisher_id": "north", "sender": FIRE, "recipient": SAMU, "case_id": CASE, "loss": ()}
    return delivery(number, **{**values, "distribution_id": f"{FIRE}_{number}", **changes})


async def history(
    store: Store,
    publisher_id: str = "north",
    inbox_id: str = SAMU,
    case_id: str = CASE,
    since: float = 0.0,
    limit: int = 100,
) -> list[Contribution]:
    return await store.case_history(publisher_id, inbox_id, case_id, since, limit)


async def names(store: Store, **asked: Any) -> list[str]:
    return [one.distribution_id for one in await history(store, **asked)]


async def test_it_is_what_was_sent_and_what_was_delivered_newest_first(store: Store) -> None:
    await store.enqueue(sent(1), NOW)
    await store.deposit(told(2, received_at=NOW + 1, content_type="application/xml"), NOW + 1)
    await store.enqueue(sent(3, received_at=NOW + 2, message_type="RS-SR", model_version="v2"), NOW + 2)
    first, second, third = (await history(store))[::-1]
    us = SAMU, "fr.health.samu750"
    assert first == Contribution(
        f"{SAMU}_1", *us, "RS-EDA", "v3", "application/json", b'{"number": 1}', NOW, True
    )
    assert second == Contribution(
        f"{FIRE}_2", FIRE, SAMU, "RS-EDA", "v3", "application/xml", b'{"number": 2}', NOW + 1, False
    )
    assert third == Contribution(
        f"{SAMU}_3", *us, "RS-SR", "v2", "application/json", b'{"number": 3}', NOW + 2, True
    )


async def test_the_order_is_that_of_acceptance_whatever_the_clock_says(store: Store) -> None:
    for number, at in enumerate((NOW, NOW - 50, NOW + 5, NOW - 70)):
        await store.enqueue(sent(number, received_at=at), at)
        await store.deposit(told(number, received_at=at), at)
    assert await names(store) == [f"{who}_{n}" for n in (3, 2, 1, 0) for who in (FIRE, SAMU)]
    assert await names(store, since=NOW - 50) == [f"{who}_{n}" for n in (2, 0) for who in (FIRE, SAMU)]


async def test_what_came_until_then_and_what_is_too_much_is_left_out(store: Store) -> None:
    for number in range(6):
        await store.enqueue(sent(number, received_at=NOW + number), NOW + number)
    everything = [f"{SAMU}_{number}" for number in range(5, -1, -1)]
    assert await names(store) == everything
    assert await names(store, since=NOW + 3) == everything[:2]
    assert await names(store, since=NOW + 5) == []
    assert await names(store, limit=4) == everything[:4]


@pytest.mark.parametrize(
    "size", [HISTORY_BYTES + 1, HISTORY_BYTES, HISTORY_BYTES // 2, HISTORY_BYTES // 2 - 1]
)
async def test_contents_are_bounded_and_the_oldest_goes(store: Store, size: int) -> None:
    for number in range(4):
        await store.enqueue(sent(number, body=b"%d" % number + b"x" * (size - 1)), NOW)
    found = await history(store)
    assert [one.content[:1] for one in found] == [b"3", b"2", b"1"][: -(-HISTORY_BYTES // size)]
    assert all(len(one.content) == size for one in found)


async def test_it_looks_through_a_bounded_number_of_messages(store: Store) -> None:
    await store.enqueue(sent(0), NOW)
    old = [replace(told(n), received_at=0.0) for n in range(HISTORY_SCAN)]
    await store.deposit(told(-1), NOW)
    await store.deposit(old[0], NOW, further=old[1:-1])
    assert await names(store, since=1.0) == [f"{FIRE}_-1", f"{SAMU}_0"]
    await store.deposit(old[-1], NOW)
    assert await names(store, since=1.0) == [f"{SAMU}_0"]


@pytest.mark.parametrize("status", [Status.REJECTED, Status.EXPIRED, Status.DEAD])
async def test_what_did_not_go_through_is_left_out(store: Store, status: Status) -> None:
    kept, ended = await store.enqueue(sent(1), NOW), await store.enqueue(sent(2), NOW)
    assert await names(store) == [f"{SAMU}_2", f"{SAMU}_1"], "a receipt is enough"
    await store.claim(NOW, 1)
    await store.mark_forwarded(kept.id, NOW)
    await store.claim(NOW, 1)
    await store.reject(ended.id, NOW, status, "", None)
    assert await names(store) == [f"{SAMU}_1"]
    if status == Status.DEAD:
        await store.replay([ended.id], NOW)
        assert await names(store) == [f"{SAMU}_2", f"{SAMU}_1"]


async def test_what_the_hub_gave_up_and_what_could_not_be_delivered_is_left_out(store: Store) -> None:
    for number in (1, 2, 3):
        receipt = await store.enqueue(sent(number, case_id=CASE), NOW)
        await store.claim(NOW, 1)
        await store.mark_forwarded(receipt.id, NOW)
    await answered(store, answer("RS-ERROR 1", Status.EXPIRED))
    await store.refuse_delivery(f"{SAMU}_2", SAMU, NOW, "", None)
    await answered(store, answer("RC-REF 3", Status.REFUSED, refers_to=f"{SAMU}_3"))
    assert await names(store) == [f"{SAMU}_3"], "what its recipient refused was said all the same"


async def test_only_types_that_say_something_of_the_case_to_the_other_side(store: Store) -> None:
    others = ("RS-ER", "RS-DR", "EMSI", "RS-RPIS", "RC-REF", "RS-ERROR", "GEO-POS", "RS-INFO")
    for number, kind in enumerate((*TYPES, *others)):
        await store.enqueue(sent(number, message_type=kind), NOW)
        await store.deposit(told(number, message_type=kind), NOW)
    found = await history(store)
    assert sorted(one.message_type for one in found) == sorted(TYPES * 2)


async def test_an_acknowledged_item_counts_as_an_unread_one(store: Store) -> None:
    item = await store.deposit(told(1), NOW)
    before = await history(store)
    await store.acknowledge("north", item.id, NOW, None)
    assert await history(store) == before != []


# one viewer alone


async def test_two_viewers_of_one_case_id_never_see_each_other_s(store: Store) -> None:
    """Two publishers, each with a SAMU and a fire service, and two SAMUs of one publisher."""
    viewers = [
        ("north", "fr.health.samu440"),
        ("north", "fr.health.samu490"),
        ("north", "fr.fire.sis044"),
        ("south", "fr.health.samu750"),
        ("south", "fr.fire.sis075"),
    ]
    for number, (publisher_id, own_id) in enumerate(viewers):
        seed = f"seed-{publisher_id}-{own_id}".encode()
        for kind in TYPES:
            one = sent(
                number,
                publisher_id=publisher_id,
                sender=own_id,
                recipient=viewers[number - 1][1],
                message_type=kind,
                distribution_id=f"{own_id}_{kind}",
                body=b"sent " + seed,
            )
            await store.enqueue(one, NOW)
            await store.deposit(
                told(
                    number,
                    publisher_id=publisher_id,
                    sender=viewers[number - 1][1],
                    recipient=own_id,
                    message_type=kind,
                    distribution_id=f"to_{own_id}_{kind}",
                    content=b"told " + seed,
                    quiet=kind == "RS-SR",
                ),
                NOW,
            )
    for publisher_id, own_id in viewers:
        seed = f"seed-{publisher_id}-{own_id}".encode()
        found = await history(store, publisher_id, own_id)
        assert len(found) == 2 * len(TYPES)
        assert {one.content for one in found} == {b"sent " + seed, b"told " + seed}
        assert await history(store, publisher_id, own_id, "fr.health.samu440.other") == []
    for publisher_id, own_id in [
        ("south", viewers[0][1]),
        ("north", viewers[3][1]),
        ("", SAMU),
        ("north", ""),
    ]:
        assert await history(store, publisher_id, own_id) == []


async def test_an_id_that_moves_to_another_publisher_starts_empty(store: Store) -> None:
    await store.enqueue(sent(1), NOW)
    await store.deposit(told(2), NOW)
    assert await history(store, "south") == []
    await store.enqueue(sent(3, publisher_id="south"), NOW)
    await store.deposit(told(4, publisher_id="south"), NOW)
    assert await names(store, publisher_id="south") == [f"{FIRE}_4", f"{SAMU}_3"]
    assert await names(store) == [f"{FIRE}_2", f"{SAMU}_1"], "and back, what it had"


async def test_a_case_id_is_text_and_no_pattern(store: Store) -> None:
    await store.enqueue(sent(1), NOW)
    for other in ("", "%", CASE.upper(), CASE[:-1], f"{CASE} ", f"{CASE}\0", "'"):
        assert await history(store, case_id=other) == []


# quiet deliveries


async def test_a_quiet_delivery_is_in_the_history_and_nowhere_else(store: Store) -> None:
    receipt = await store.enqueue(sent(9, sender=FIRE, recipient=SAMU, distribution_id=f"{FIRE}_1"), NOW)
    quiet = told(1, message_type="RS-SR", quiet=True, notify=True, loss=({"path": "a.b", "target": "-"},))
    item = await store.deposit(quiet, NOW)
    assert item.delivery == quiet
    assert await names(store) == [f"{FIRE}_1"]
    assert await store.read_inbox("north", 0, 10) == []
    assert not await store.acknowledge("north", item.id, NOW, None)
    for rank in (0, 3, 8):
        assert not await store.acknowledge("north", item.id, NOW, sent(5 + rank), rank)
    assert await store.inbox_item("north", item.id) is None
    assert await store.events.claim(NOW + 1, 10, 30.0, {}) == []
    assert await store.events.endpoints() == []
    assert await timeline(store, receipt.id) == ["received"]
    (waiting,) = await store.claim(NOW, 10)
    assert waiting.id == receipt.id, "no answer was made"


async def test_a_quiet_delivery_wakes_nobody(store: Store) -> None:
    poll = asyncio.create_task(store.wait_inbox("north", 0, 3_600))
    event = asyncio.create_task(store.events.wait_due(3_600))
    await asyncio.sleep(0.05)
    await store.deposit(told(1, quiet=True, notify=True), NOW)
    await asyncio.sleep(0.05)
    assert not poll.done() and not event.done()
    await store.deposit(told(2, notify=True), NOW)
    async with asyncio.timeout(GIVE_UP):
        await asyncio.gather(poll, event)


async def test_the_same_delivery_again_is_the_first_one_quiet_or_not(store: Store) -> None:
    quiet = await store.deposit(told(1, quiet=True), NOW)
    assert (
        await asyncio.gather(*(store.deposit(told(1, quiet=True), NOW + 1) for _ in range(5))) == [quiet] * 5
    )
    assert await store.deposit(told(1, content=b"other"), NOW + 1) == quiet
    loud = await store.deposit(told(2), NOW)
    assert await store.deposit(told(2, quiet=True), NOW + 1) == loud
    assert await store.read_inbox("north", 0, 10) == [loud]
    assert await names(store) == [f"{FIRE}_2", f"{FIRE}_1"]


async def test_a_quiet_delivery_goes_with_others_of_its_message(store: Store) -> None:
    await store.deposit(told(1), NOW, further=[told(2, quiet=True), told(3)])
    assert [item.delivery for item in await store.read_inbox("north", 0, 10)] == [told(1), told(3)]
    assert await names(store) == [f"{FIRE}_{n}" for n in (3, 2, 1)]


# erasure, restarts, replicas


async def test_erased_contents_do_not_count(store: Store) -> None:
    settled = await store.enqueue(sent(1), NOW)
    await store.claim(NOW, 1)
    await store.mark_forwarded(settled.id, NOW)
    read = await store.deposit(told(2), NOW)
    await store.acknowledge("north", read.id, NOW, None)
    await store.deposit(told(3, quiet=True), NOW)
    await store.enqueue(sent(4), NOW)
    await store.deposit(told(5), NOW)
    assert len(await history(store)) == 5
    assert await store.erase(NOW + 1) == 3
    assert await names(store) == [f"{FIRE}_5", f"{SAMU}_4"]


async def test_an_erased_case_has_no_history(store: Store) -> None:
    settled = await store.enqueue(sent(1), NOW)
    await store.claim(NOW, 1)
    await store.mark_forwarded(settled.id, NOW)
    await store.deposit(told(2, quiet=True), NOW)
    await store.deposit(told(3), NOW)
    await store.enqueue(sent(4, case_id="other"), NOW)
    assert await store.erase_case(CASE, NOW, unread=True) == ErasedCase(3, 0)
    assert await history(store) == []
    assert await names(store, case_id="other") == [f"{SAMU}_4"]


async def test_it_outlives_a_restart(database_url: str) -> None:
    async with opened(database_url) as store:
        await store.enqueue(sent(1), NOW)
        await store.deposit(told(2), NOW)
        await store.deposit(told(3, quiet=True), NOW)
        before = await history(store)
    async with opened(database_url) as store:
        assert await history(store) == before
        assert len(before) == 3


async def test_a_receipt_is_in_the_history_at_once(store: Store) -> None:
    """An answer that comes while the question's receipt is being written finds the question, or there is no receipt yet."""

    async def ask(number: int) -> None:
        await store.enqueue(sent(number), NOW)
        assert f"{SAMU}_{number}" in await names(store)

    await asyncio.gather(*(ask(number) for number in range(30)))


async def test_a_replica_sees_what_another_has_committed(postgres: PostgresServer) -> None:
    url = postgres.fresh()
    async with opened(url) as one, opened(url) as other:
        for number in range(0, 30, 3):
            await one.enqueue(sent(number), NOW)
            await other.deposit(told(number + 1), NOW)
            await other.deposit(told(number + 2, quiet=True), NOW)
            both = await asyncio.gather(history(one), history(other))
            assert both[0] == both[1]
            newest = [f"{FIRE}_{number + 2}", f"{FIRE}_{number + 1}", f"{SAMU}_{number}"]
            assert [found.distribution_id for found in both[0][:3]] == newest


@pytest.mark.parametrize("statement", ["SENT_ABOUT", "DELIVERED_ABOUT"])
async def test_a_file_is_searched_by_an_index_of_cases(tmp_path: Path, statement: str) -> None:
    async with opened(tmp_path) as store:
        await store.enqueue(sent(1), NOW)
        for index in ("messages_by_case", "inbox_by_case"):  # a file of the version before
            writer(store).execute(f"DROP INDEX {index}")
    async with opened(tmp_path) as store:
        assert await names(store) == [f"{SAMU}_1"]
        query = f"EXPLAIN QUERY PLAN {getattr(reads, statement)}"
        plan = [row[3] for row in writer(store).execute(query, (CASE, "north", SAMU, 0, 0.0)).fetchall()]
    column = "sender" if statement == "SENT_ABOUT" else "recipient"
    table = "messages" if statement == "SENT_ABOUT" else "inbox"
    found = f"SEARCH {table} USING INDEX {table}_by_case (case_id=? AND publisher_id=? AND {column}=? AND rowid>?)"
    assert found in plan
    assert not any("TEMP B-TREE" in line for line in plan)


async def test_what_its_recipient_refused_does_not_count(store: Store) -> None:
    item = await store.deposit(told(1), NOW)
    refusal = submission(7, publisher_id="north", message_type="RC-REF", refers_to=told(1).distribution_id)
    assert await store.acknowledge("north", item.id, NOW, refusal, 3)
    assert await history(store) == []
