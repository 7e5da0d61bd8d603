"""What every store promises of the events that webhooks tell."""

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.model import Delivery, Status
from gateway.store import PER_ENDPOINT, Endpoint, Event, Store
from tests.patience import GIVE_UP
from tests.store_samples import NOW, delivery, opened, submission
from tests.test_store_sqlite import writer

HOLD = 600.0  # seconds: longer than any test


def told(number: int = 1, **changes: Any) -> Delivery:
    """A delivery of which its publisher's webhook is to tell."""
    return delivery(number, **{"notify": True, **changes})


async def claim(
    store: Store, now: float = NOW, limit: int = 100, hold: float = HOLD, **most: int
) -> list[Event]:
    return await store.events.claim(now, limit, hold, most)


async def claimed(store: Store, now: float = NOW, **options: Any) -> list[str]:
    return [event.item_id for event in await claim(store, now, **options)]


async def test_a_deposit_makes_an_event_where_a_webhook_is_to_tell(store: Store) -> None:
    item = await store.deposit(told(1), NOW)
    await store.deposit(delivery(2), NOW)
    assert await claim(store, NOW - 1) == []
    (event,) = await claim(store)
    assert event == Event(item.id, "south", "RS-EDA", NOW, 0)
    assert await claim(store) == []  # it is under way


async def test_the_same_delivery_again_makes_no_second_event(store: Store) -> None:
    item = await store.deposit(told(1), NOW)
    assert await claimed(store) == [item.id]
    await store.events.done(item.id)
    await store.deposit(told(1), NOW + 1)
    assert await claim(store, NOW + 10) == []


async def test_what_was_put_off_comes_back_then_with_its_attempts(store: Store) -> None:
    item = await store.deposit(told(1), NOW)
    await claim(store)
    await store.events.put_off(item.id, NOW + 5, 1)
    assert await claim(store, NOW + 4.9) == []
    (event,) = await claim(store, NOW + 5)
    assert event.attempts == 1
    await store.events.done(item.id)
    assert await claim(store, NOW + 1_000_000) == []
    assert await store.events.endpoints() == []


async def test_an_answer_of_the_gateways_own_makes_an_event_too(store: Store) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    await store.claim(NOW, 1)
    await store.reject(receipt.id, NOW, Status.DEAD, "", told(9, publisher_id="north"))
    assert [event.publisher_id for event in await claim(store)] == ["north"]


async def test_of_an_item_that_is_out_of_the_inbox_nothing_is_told(store: Store) -> None:
    taken, erased, kept = [await store.deposit(told(n, case_id=f"case{n}"), NOW) for n in range(3)]
    await store.acknowledge("south", taken.id, NOW, None)
    await store.erase_case("case1", NOW, unread=True)
    assert erased.id not in [event.item_id for event in await claim(store)]
    assert await store.events.endpoints() == [Endpoint("south", 1, NOW)]
    assert (await store.read_inbox("south", 0, 10))[0].id == kept.id


async def test_only_some_of_a_publisher_s_events_are_under_way_and_every_publisher_s_first_goes_first(
    store: Store,
) -> None:
    items = [await store.deposit(told(n, received_at=NOW - 100 + n), NOW) for n in range(10)]
    late = await store.deposit(told(20, publisher_id="west"), NOW)
    first = await claimed(store, limit=3)
    assert first == [items[0].id, late.id, items[1].id]
    assert await claimed(store) == [item.id for item in items[2:PER_ENDPOINT]]
    assert await claimed(store) == []
    await store.events.done(items[1].id)
    await store.events.put_off(items[0].id, NOW + 50, 1)
    assert await claimed(store) == [items[4].id, items[5].id]


async def test_fewer_of_a_publisher_where_so_is_asked(store: Store) -> None:
    for n in range(3):
        await store.deposit(told(n), NOW)
        await store.deposit(told(n, publisher_id="west"), NOW)
    assert Counter(e.publisher_id for e in await claim(store, south=1, west=0)) == {"south": 1}
    assert await claim(store, south=1, west=0) == []
    assert Counter(e.publisher_id for e in await claim(store, south=99)) == {"south": 2, "west": 3}


async def test_what_is_under_way_for_too_long_is_due_again(store: Store) -> None:
    item = await store.deposit(told(1), NOW)
    assert await claimed(store, hold=0.05) == [item.id]
    await asyncio.sleep(0.1)
    assert await claimed(store) == [item.id]
    assert await claimed(store) == []


async def test_an_event_outlives_the_process_that_had_it_under_way(database_url: str) -> None:
    async with opened(database_url) as store:
        item = await store.deposit(told(1), NOW)
        assert await claimed(store, hold=0.05) == [item.id]
    await asyncio.sleep(0.1)
    async with opened(database_url) as store:
        (event,) = await claim(store)
        assert event == Event(item.id, "south", "RS-EDA", NOW, 0)


async def test_a_disabled_webhook_loses_what_waits_and_marks_what_comes(database_url: str) -> None:
    async with opened(database_url) as store:
        await store.deposit(told(1), NOW)
        other = await store.deposit(told(2, publisher_id="west"), NOW)
        await store.events.disable("south", "https://one", NOW + 1)
        await store.events.disable("south", "https://two", NOW + 2)
        assert await claimed(store) == [other.id]
        await store.events.done(other.id)
    async with opened(database_url) as store:
        assert await store.events.endpoints() == [Endpoint("south", 0, None, 0, "https://two", NOW + 2)]
        item = await store.deposit(told(3, received_at=NOW + 3), NOW + 3)
        (event,) = await claim(store, NOW + 3)
        assert (event.item_id, event.disabled_url) == (item.id, "https://two")
        await store.events.put_off(item.id, NOW + 4, 7)
        assert await store.events.endpoints() == [Endpoint("south", 1, NOW + 3, 7, "https://two", NOW + 2)]
        assert await store.events.enable("south") is True
        assert await store.events.enable("south") is False
        (event,) = await claim(store, NOW + 4)
        assert event.disabled_url == ""


async def test_a_file_from_before_webhooks_has_them_from_now_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        old = await store.deposit(delivery(1), NOW)
        writer(store).execute("DROP TABLE events")
        writer(store).execute("DROP TABLE disabled_endpoints")
    async with opened(tmp_path) as store:
        item = await store.deposit(told(2), NOW)
        assert await claimed(store) == [item.id]
        assert [one.id for one in await store.read_inbox("south", 0, 10)] == [old.id, item.id]


async def test_old_events_are_given_up(store: Store) -> None:
    await store.deposit(told(1, received_at=NOW - 10), NOW)
    item = await store.deposit(told(2), NOW)
    assert await store.events.expire(NOW) == 1
    assert await store.events.expire(NOW) == 0
    assert await claimed(store) == [item.id]
    assert len(await store.read_inbox("south", 0, 10)) == 2


async def test_who_waits_for_events_wakes_when_one_comes(store: Store) -> None:
    await claim(store)
    waiting = asyncio.create_task(store.events.wait_due(3_600))
    await store.deposit(delivery(1), NOW)
    await asyncio.sleep(0.02)
    assert not waiting.done()
    await store.deposit(told(2), NOW)
    async with asyncio.timeout(GIVE_UP):
        await waiting
    await store.events.wait_due(0.01)


async def test_names_that_are_none_change_nothing(store: Store) -> None:
    item = await store.deposit(told(1), NOW)
    await store.events.done("nonsense")
    await store.events.put_off("nonsense", NOW + 5, 3)
    await store.events.done(item.id.replace("0", "1"))
    assert [event.attempts for event in await claim(store)] == [0]


@pytest.mark.parametrize("number", [0, 1])
async def test_an_item_says_nothing_of_its_event(store: Store, number: int) -> None:
    item = await store.deposit(told(number), NOW)
    assert item.delivery == delivery(number)
    assert await store.inbox_item("south", item.id) == replace(item)
