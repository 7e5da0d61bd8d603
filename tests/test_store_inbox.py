"""What every store promises of the inbox."""

import asyncio
from dataclasses import replace

import pytest

from gateway.errors import Refused
from gateway.model import Status
from gateway.store import Store
from tests.patience import GIVE_UP
from tests.store_samples import NOW, delivery, opened, submission


async def waiting(store: Store, cursor: int = 0, limit: int = 100) -> list[str]:
    return [item.id for item in await store.read_inbox("south", cursor, limit)]


async def test_an_item_is_read_as_it_was_deposited(store: Store) -> None:
    item = await store.deposit(delivery(1), NOW)
    assert item.delivery == delivery(1) and item.acknowledged_at is None
    assert await store.read_inbox("south", 0, 10) == [item]
    assert await store.inbox_item("south", item.id) == item


async def test_items_come_oldest_first_in_pages(store: Store) -> None:
    items = [await store.deposit(delivery(n), NOW - n) for n in range(5)]
    page = await store.read_inbox("south", 0, 2)
    assert page == items[:2]
    assert await store.read_inbox("south", page[-1].cursor, 10) == items[2:]
    assert await store.read_inbox("south", items[-1].cursor, 10) == []


async def test_a_page_of_large_items_is_cut_but_never_empty(store: Store) -> None:
    large = b"x" * 9_000_000
    items = [await store.deposit(delivery(n, content=large), NOW) for n in range(3)]
    assert await waiting(store) == [items[0].id]
    huge = await store.deposit(delivery(9, content=b"x" * 17_000_000), NOW)
    assert await waiting(store, items[2].cursor) == [huge.id]


async def test_the_same_delivery_again_is_the_first_item(store: Store) -> None:
    first = await store.deposit(delivery(1), NOW)
    again = await asyncio.gather(*(store.deposit(delivery(1, content=b"other"), NOW + 1) for _ in range(5)))
    assert again == [first] * 5
    assert await waiting(store) == [first.id]
    other = await store.deposit(delivery(1, sender="fr.health.samu110"), NOW)
    assert await waiting(store) == [first.id, other.id]


async def test_what_a_delivery_does_not_say_is_in_the_sender_s_timeline_once(store: Store) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    other = await store.enqueue(submission(1, publisher_id="west", sender="fr.health.samu110"), NOW)
    for _ in range(2):
        await store.deposit(delivery(1), NOW + 5)
    found = await store.get("north", receipt.id)
    assert found is not None
    (step,) = [step for step in found[1] if step.step == "delivered"]
    assert step.detail == "as RS-EDA v3, application/json; not said as sent: a.b"
    unrelated = await store.get("west", other.id)
    assert unrelated is not None and "delivered" not in {step.step for step in unrelated[1]}
    whole = await store.enqueue(submission(2), NOW)
    await store.deposit(delivery(2, loss=()), NOW)
    found = await store.get("north", whole.id)
    assert found is not None and "delivered" not in {step.step for step in found[1]}


async def test_a_delivery_that_was_acknowledged_does_not_come_back(store: Store) -> None:
    first = await store.deposit(delivery(1), NOW)
    await store.acknowledge("south", first.id, NOW + 1, None)
    assert await store.deposit(delivery(1), NOW + 2) == replace(first, acknowledged_at=NOW + 1)
    assert await waiting(store) == []


async def test_an_inbox_is_its_publishers_own(store: Store) -> None:
    item = await store.deposit(delivery(1), NOW)
    assert await store.read_inbox("north", 0, 10) == []
    assert await store.inbox_item("north", item.id) is None
    assert not await store.acknowledge("north", item.id, NOW, None)
    assert await waiting(store) == [item.id]


async def test_an_acknowledgement_sends_its_answer_once(store: Store) -> None:
    item = await store.deposit(delivery(1), NOW)
    answers = [submission(n, publisher_id="south", distribution_id=f"ref{n}") for n in range(5)]
    first = await asyncio.gather(*(store.acknowledge("south", item.id, NOW, a) for a in answers))
    assert sorted(first) == [False, False, False, False, True]
    assert await store.acknowledge("south", item.id, NOW, submission(9, publisher_id="south")) is False
    jobs = await store.claim(NOW, 10)
    assert [job.submission for job in jobs] == [answers[first.index(True)]]
    assert await waiting(store) == []
    found = await store.inbox_item("south", item.id)
    assert found is not None and found.acknowledged_at == NOW


async def test_an_acknowledgement_may_send_nothing(store: Store) -> None:
    item = await store.deposit(delivery(1), NOW)
    assert await store.acknowledge("south", item.id, NOW, None)
    assert await store.claim(NOW, 10) == []


async def test_an_answer_whose_id_is_taken_leaves_the_item_where_it_is(store: Store) -> None:
    item = await store.deposit(delivery(1), NOW)
    await store.enqueue(submission(1, publisher_id="south", distribution_id="ref"), NOW)
    with pytest.raises(Refused) as refusal:
        await store.acknowledge(
            "south", item.id, NOW, submission(2, publisher_id="south", distribution_id="ref")
        )
    assert refusal.value.status == 409
    assert await waiting(store) == [item.id]


async def test_an_answer_takes_the_items_lane_and_no_quota(store: Store) -> None:
    item = await store.deposit(delivery(1, distribution_id="m", recipient="a.b.c", case_id="7"), NOW)
    await store.enqueue(
        submission(1, publisher_id="south", distribution_id="first", recipient="a.b.c", case_id="7"), NOW
    )
    answer = submission(2, publisher_id="south", distribution_id="ref", case_id="", refers_to="m")
    await store.acknowledge("south", item.id, NOW, answer)
    (job,) = await store.claim(NOW, 10)
    assert job.submission.distribution_id == "first"
    assert {count for _, _, _, count in await store.usage(NOW)} == {1}


async def test_an_answer_is_taken_even_when_the_backlog_is_full(database_url: str) -> None:
    async with opened(database_url, backlog_limit=0) as store:
        item = await store.deposit(delivery(1), NOW)
        assert await store.acknowledge("south", item.id, NOW, submission(1, publisher_id="south"))
        assert store.backlog() == 1


async def test_acknowledgements_outlive_the_process(database_url: str) -> None:
    async with opened(database_url) as store:
        item = await store.deposit(delivery(1), NOW)
        await store.acknowledge("south", item.id, NOW, submission(1, publisher_id="south"))
    async with opened(database_url) as store:
        assert await waiting(store) == []
        assert len(await store.claim(NOW, 10)) == 1
        assert not await store.acknowledge("south", item.id, NOW, submission(2, publisher_id="south"))


async def test_cursors_go_on_growing_after_a_restart_with_a_clock_gone_back(database_url: str) -> None:
    async with opened(database_url) as store:
        first = await store.deposit(delivery(1), NOW)
    async with opened(database_url, now=NOW - 1000) as store:
        second = await store.deposit(delivery(2), NOW - 1000)
        assert second.cursor > first.cursor


# long poll


async def test_a_long_poll_wakes_at_a_deposit_for_its_own_inbox_only(store: Store) -> None:
    own = [asyncio.create_task(store.wait_inbox("south", 0, 3_600)) for _ in range(500)]
    other = asyncio.create_task(store.wait_inbox("north", 0, 3_600))
    await asyncio.sleep(0.05)
    await store.deposit(delivery(1), NOW)
    async with asyncio.timeout(GIVE_UP):
        await asyncio.gather(*own)
    assert not other.done()
    other.cancel()


async def test_a_long_poll_does_not_wait_for_what_is_there(store: Store) -> None:
    item = await store.deposit(delivery(1), NOW)
    async with asyncio.timeout(GIVE_UP):
        await store.wait_inbox("south", 0, 3_600)
    await store.wait_inbox("south", item.cursor, 0.01)  # nothing after the cursor: until the timeout


async def test_a_long_poll_waits_when_all_is_acknowledged(store: Store) -> None:
    item = await store.deposit(delivery(1), NOW)
    await store.acknowledge("south", item.id, NOW, None)
    poll = asyncio.create_task(store.wait_inbox("south", 0, 3_600))
    await asyncio.sleep(0.05)
    assert not poll.done()
    await store.deposit(delivery(2), NOW)
    async with asyncio.timeout(GIVE_UP):
        await poll


async def test_a_long_poll_wakes_for_the_gateways_own_answer(store: Store) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    await store.claim(NOW, 1)
    poll = asyncio.create_task(store.wait_inbox("north", 0, 3_600))
    await asyncio.sleep(0.05)
    await store.reject(receipt.id, NOW, Status.DEAD, "", delivery(9, publisher_id="north"))
    async with asyncio.timeout(GIVE_UP):
        await poll


async def test_long_polls_end_when_the_store_closes(database_url: str) -> None:
    async with opened(database_url) as store:
        poll = asyncio.create_task(store.wait_inbox("south", 0, 3_600))
        await asyncio.sleep(0.05)
    async with asyncio.timeout(GIVE_UP):
        await poll


async def test_ended_waits_end_at_once_and_for_good(store: Store) -> None:
    poll = asyncio.create_task(store.wait_inbox("south", 0, 3_600))
    await asyncio.sleep(0.01)
    store.end_waits()
    async with asyncio.timeout(GIVE_UP):  # not to hang where it fails
        assert await poll is False
        assert await store.wait_inbox("south", 0, 3_600) is False
