"""What every store promises of what can be asked later, and of erasing."""

import asyncio

import pytest

from gateway.errors import Refused
from gateway.model import Status
from gateway.store import ErasedCase, Store
from tests.store_samples import LIMIT, NOW, claimed, delivery, status, submission, timeline


async def test_a_publisher_sees_its_own_messages_only(store: Store) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    assert await store.get("south", receipt.id) is None
    assert await store.list_messages("south") == ([], None)


@pytest.mark.parametrize("forged", ["", "zz", "0" * 32, "f" * 32, "-1", "é" * 32, " 1_0"])
async def test_an_id_that_is_none_is_unknown(store: Store, forged: str) -> None:
    assert await store.get("north", forged) is None
    assert await store.inbox_item("north", forged) is None
    assert not await store.acknowledge("north", forged, NOW, None)


async def test_the_second_half_of_an_id_counts(store: Store) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    assert await store.get("north", receipt.id[:16] + "0" * 16) is None


async def test_pages_are_stable_while_messages_come(store: Store) -> None:
    ids = [(await store.enqueue(submission(n), NOW + n)).id for n in range(7)]
    page, cursor = await store.list_messages("north", limit=3)
    assert [receipt.id for receipt in page] == ids[:3:-1]
    await store.enqueue(submission(50), NOW + 50)
    page, cursor = await store.list_messages("north", limit=3, cursor=cursor)
    assert [receipt.id for receipt in page] == ids[3:0:-1]
    page, cursor = await store.list_messages("north", limit=3, cursor=cursor)
    assert ([receipt.id for receipt in page], cursor) == (ids[:1], None)


async def test_pages_by_status_type_and_case(store: Store) -> None:
    case = await store.enqueue(submission(1, case_id="c"), NOW)
    info = await store.enqueue(submission(2, message_type="RS-RI"), NOW)
    await store.enqueue(submission(3), NOW)
    await claimed(store)
    await store.mark_forwarded(info.id, NOW)

    async def ids(**filters: str) -> list[str]:
        return [receipt.id for receipt in (await store.list_messages("north", **filters))[0]]  # type: ignore[arg-type]

    assert await ids(status=Status.FORWARDED) == [info.id]
    assert await ids(message_type="RS-RI") == [info.id]
    assert await ids(case_id="c") == [case.id]
    assert await ids(case_id="c", message_type="RS-RI") == []


@pytest.mark.parametrize("cursor", ["", "-1", "x", "9" * 30, "1.5", "٣"])
async def test_a_cursor_that_is_none_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(Refused) as refusal:
        await store.list_messages("north", cursor=cursor)
    assert refusal.value.status == 400


async def test_usage_counts_aligned_windows(store: Store) -> None:
    now = 86_400.0 * 20_000 + 125.5
    times = {"yesterday": now - 126, "today": now - 100, "this minute": now - 4, "now": now - 0.2}
    for n, at in enumerate(times.values()):
        await store.enqueue(submission(n, received_at=at), at)
    await store.enqueue(submission(7, received_at=now, publisher_id="south", quota="reserve"), now)
    assert sorted(await store.usage(now)) == [
        ("north", "ordinary", "day", 3),
        ("north", "ordinary", "minute", 2),
        ("north", "ordinary", "second", 1),
        ("south", "reserve", "day", 1),
        ("south", "reserve", "minute", 1),
        ("south", "reserve", "second", 1),
    ]


async def test_urgent_cases_are_those_of_urgent_messages(store: Store) -> None:
    for n, (case, urgent, at) in enumerate(
        [("a", True, NOW), ("a", True, NOW + 5), ("b", False, NOW), ("", True, NOW), ("old", True, NOW - 100)]
    ):
        await store.enqueue(submission(n, case_id=case, urgent=urgent, received_at=at), at)
    assert await store.urgent_cases(NOW) == [("north", "a", NOW + 5)]


async def test_a_jti_is_new_once(store: Store) -> None:
    many = await asyncio.gather(*(store.remember_jti("client jti", NOW + 60, NOW) for _ in range(20)))
    assert sum(many) == 1
    assert await store.remember_jti("client other", NOW + 60, NOW)
    assert not await store.remember_jti("client jti", NOW + 60, NOW + 59)
    assert await store.remember_jti("client jti", NOW + 900, NOW + 600), "an expired one is forgotten"


async def test_a_revoked_token_is_known_until_it_has_expired(store: Store) -> None:
    await store.revoke("early", NOW + 60, NOW)
    await store.revoke("late", NOW + 3_600, NOW + 5)
    await store.revoke("late", NOW + 3_600, NOW + 9)
    assert sorted(await store.revoked(NOW)) == [("early", NOW + 60), ("late", NOW + 3_600)]
    assert await store.revoked(NOW + 5) == [("late", NOW + 3_600)]
    assert await store.revoked(NOW + 6) == []
    await store.remember_jti("sweeps", NOW + 900, NOW + 600)
    assert await store.revoked(0) == [("late", NOW + 3_600)]


async def test_erasing_takes_contents_and_keeps_receipts(store: Store) -> None:
    done, dead, waiting = [await store.enqueue(submission(n), NOW) for n in (1, 2, 3)]
    kept, taken = [await store.deposit(delivery(n), NOW) for n in (1, 2)]
    late = await store.enqueue(submission(4, received_at=NOW + 100), NOW + 100)
    await claimed(store)
    for receipt in (done, late):
        await store.mark_forwarded(receipt.id, NOW)
    await store.reject(dead.id, NOW, Status.DEAD, "", None)
    await store.acknowledge("south", taken.id, NOW, None)
    assert await store.erase(NOW + 50) == 3
    assert await store.erase(NOW + 50) == 0
    assert await status(store, done.id) == Status.FORWARDED
    assert await store.replay([dead.id], NOW) == 0
    erased = await store.inbox_item("south", taken.id)
    assert erased is not None and (erased.delivery.content, erased.delivery.loss) == (b"", ())
    assert [item.id for item in await store.read_inbox("south", 0, 10)] == [kept.id]
    assert (await store.enqueue(submission(1), NOW)).duplicate
    await store.mark_retry(waiting.id, NOW, NOW + 1)
    assert await claimed(store, NOW + 1) == [waiting.id]


async def test_it_says_whether_it_can_be_written(store: Store) -> None:
    assert await store.is_writable(NOW)
    assert await store.is_writable(NOW + 1)


async def test_erasing_a_case_leaves_what_somebody_waits_for(store: Store) -> None:
    ours = "fr.health.samu440.ours"
    done, dead, waiting = [
        await store.enqueue(submission(n, case_id=ours, recipient=f"fr.health.samu75{n}"), NOW)
        for n in (1, 2, 3)
    ]
    other = await store.enqueue(submission(4), NOW)
    unread, taken = [await store.deposit(delivery(n, case_id=ours), NOW) for n in (1, 2)]
    foreign = await store.deposit(delivery(3), NOW)
    await store.claim(NOW, LIMIT)
    await store.mark_forwarded(done.id, NOW)
    await store.mark_forwarded(other.id, NOW)
    await store.reject(dead.id, NOW, Status.DEAD, "", None)
    await store.mark_retry(waiting.id, NOW, NOW + 1)
    await store.acknowledge("south", taken.id, NOW, None)
    assert await store.erase_case("fr.health.samu440.nobody", NOW, unread=True) == ErasedCase(0, 0)
    assert await store.erase_case(ours, NOW, unread=False) == ErasedCase(3, 2)
    assert await store.erase_case(ours, NOW, unread=False) == ErasedCase(0, 2)
    assert [item.id for item in await store.read_inbox("south", 0, 10)] == [unread.id, foreign.id]
    assert await store.erase_case(ours, NOW, unread=True) == ErasedCase(1, 1)
    assert [item.id for item in await store.read_inbox("south", 0, 10)] == [foreign.id]
    for item in (unread, taken):
        found = await store.inbox_item("south", item.id)
        assert found is not None and (found.delivery.content, found.delivery.loss) == (b"", ())
    assert await timeline(store, done.id) == ["received", "forwarded"]
    assert await store.replay([dead.id], NOW) == 0
    assert (await store.enqueue(submission(1, case_id=ours, recipient="fr.health.samu751"), NOW)).duplicate
    (job,) = await store.claim(NOW + 1, 10)
    assert (job.id, job.submission.body) == (waiting.id, submission(3).body)
    assert await store.erase(NOW + 50) == 1, "the other case's message was whole until now"
