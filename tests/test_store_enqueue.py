"""What every store promises of accepting messages and of their lanes."""

import asyncio

import pytest

from gateway.errors import ErrorKind, Refused, Unavailable
from gateway.model import Status, Step
from gateway.store import Store
from tests.store_samples import NOW, answer, answered, claimed, delivery, opened, submission


async def test_a_receipt_says_what_was_stored(store: Store) -> None:
    receipt = await store.enqueue(submission(1, quota="reserve"), NOW)
    assert (receipt.distribution_id, receipt.status, receipt.duplicate) == (
        "fr.health.samu440_1",
        Status.RECEIVED,
        False,
    )
    assert (receipt.message_type, receipt.model_version, receipt.received_at, receipt.quota) == (
        "RS-EDA",
        "v3",
        NOW,
        "reserve",
    )
    assert await store.get("north", receipt.id) == (receipt, (Step("received", NOW),))
    assert store.backlog() == 1


async def test_ids_sort_by_arrival_even_when_the_clock_goes_back_and_cannot_be_guessed(store: Store) -> None:
    ids = [(await store.enqueue(submission(n), NOW - n)).id for n in range(20)]
    assert ids == sorted(ids)
    assert len({i[16:] for i in ids}) == 20
    assert all(len(i) == 32 and int(i, 16) >= 0 for i in ids)


async def test_the_same_message_again_gives_the_first_receipt_as_it_stands(store: Store) -> None:
    first = await store.enqueue(submission(1), NOW)
    again = await store.enqueue(submission(1), NOW + 5)
    assert (again.id, again.duplicate, again.status, again.received_at) == (first.id, True, "received", NOW)
    (job,) = await store.claim(NOW, 5)
    await store.mark_forwarded(job.id, NOW + 6)
    assert (await store.enqueue(submission(1), NOW + 7)).status == Status.FORWARDED
    assert await claimed(store) == []


async def test_a_distribution_id_used_for_other_bytes_is_a_conflict(store: Store) -> None:
    await store.enqueue(submission(1), NOW)
    with pytest.raises(Refused) as refusal:
        await store.enqueue(submission(1, digest=b"other"), NOW)
    assert (refusal.value.status, refusal.value.issues[0].kind) == (409, ErrorKind.CONFLICT)
    assert store.backlog() == 1


async def test_another_publisher_may_use_the_same_distribution_id(store: Store) -> None:
    first = await store.enqueue(submission(1), NOW)
    other = await store.enqueue(submission(1, publisher_id="south", digest=b"other"), NOW)
    assert not other.duplicate and other.id != first.id


async def test_many_at_once_of_the_same_message_are_one(store: Store) -> None:
    receipts = await asyncio.gather(*(store.enqueue(submission(1), NOW) for _ in range(200)))
    assert sum(not receipt.duplicate for receipt in receipts) == 1
    assert len({receipt.id for receipt in receipts}) == 1
    assert (await claimed(store), store.backlog()) == ([receipts[0].id], 1)
    assert len((await store.list_messages("north"))[0]) == 1


async def test_a_conflict_in_a_batch_refuses_itself_alone(store: Store) -> None:
    messages = [submission(1), submission(2), submission(1, digest=b"other"), submission(3), submission(2)]
    outcomes = await asyncio.gather(*(store.enqueue(m, NOW) for m in messages), return_exceptions=True)
    assert [isinstance(outcome, Refused) for outcome in outcomes] == [False, False, True, False, False]
    assert store.backlog() == 3


async def test_find_receipt(store: Store) -> None:
    message = submission(1)
    key = message.publisher_id, message.distribution_id
    assert await store.find_receipt(*key, message.digest) is None
    first = await store.enqueue(message, NOW)
    found = await store.find_receipt(*key, message.digest)
    assert found is not None and found.duplicate and found.id == first.id
    with pytest.raises(Refused):
        await store.find_receipt(*key, b"other")
    assert await store.find_receipt("south", message.distribution_id, b"other") is None


async def test_a_full_backlog_takes_nothing_new_but_repeats_receipts(database_url: str) -> None:
    async with opened(database_url, backlog_limit=2) as store:
        outcomes = await asyncio.gather(
            *(store.enqueue(submission(n), NOW) for n in range(4)), return_exceptions=True
        )
        full = [outcome for outcome in outcomes if isinstance(outcome, Unavailable)]
        assert len(full) == 2 and store.backlog() == 2
        assert (full[0].status, full[0].headers) == (503, {"Retry-After": "5"})
        assert (await store.enqueue(submission(0), NOW)).duplicate
        with pytest.raises(Refused):
            await store.enqueue(submission(0, digest=b"other"), NOW)
        (job, _) = await store.claim(NOW, 5)
        await store.mark_forwarded(job.id, NOW)
        assert not (await store.enqueue(submission(2), NOW)).duplicate


async def lanes(store: Store) -> list[list[str]]:
    """The distributionIDs in turns: what can be claimed side by side, until nothing is left."""
    turns = []
    while jobs := await store.claim(NOW, 100):
        turns.append([job.submission.distribution_id for job in jobs])
        for job in jobs:
            await store.mark_forwarded(job.id, NOW)
    return turns


async def test_order_is_kept_for_a_recipient_and_case(store: Store) -> None:
    for n, (recipient, case) in enumerate([("a.b.c", "1"), ("a.b.c", "1"), ("a.b.d", "1"), ("a.b.c", "2")]):
        await store.enqueue(submission(n, distribution_id=str(n), recipient=recipient, case_id=case), NOW)
    assert await lanes(store) == [["0", "2", "3"], ["1"]]


async def test_without_a_case_the_sender_is_the_lane(store: Store) -> None:
    for n, (recipient, sender) in enumerate([("a.b.c", "s"), ("a.b.d", "s"), ("a.b.c", "t")]):
        message = submission(n, distribution_id=str(n), recipient=recipient, sender=sender, case_id="")
        await store.enqueue(message, NOW)
    assert await lanes(store) == [["0", "2"], ["1"]]


async def test_an_answer_takes_the_lane_of_the_message_in_the_inbox(store: Store) -> None:
    received = delivery(1, publisher_id="north", distribution_id="m", recipient="a.b.c", case_id="7")
    await store.deposit(received, NOW)
    in_lane = submission(1, distribution_id="first", recipient="a.b.c", case_id="7")
    reference = submission(2, distribution_id="ref", recipient="x.y.z", case_id="", refers_to="m")
    elsewhere = submission(3, distribution_id="other", recipient="x.y.z", case_id="7")
    for message in (in_lane, reference, elsewhere):
        await store.enqueue(message, NOW)
    assert await lanes(store) == [["first", "other"], ["ref"]]


async def test_an_answer_takes_the_lane_of_the_publishers_own_message(store: Store) -> None:
    await store.enqueue(submission(1, distribution_id="m", recipient="a.b.c", case_id="7"), NOW)
    await store.enqueue(
        submission(2, distribution_id="ref", recipient="x.y.z", case_id="", refers_to="m"), NOW
    )
    await store.enqueue(
        submission(3, distribution_id="err", recipient="x.y.z", case_id="", refers_to="ref"), NOW
    )
    assert await lanes(store) == [["m"], ["ref"], ["err"]]


async def test_an_answer_to_what_is_not_known_takes_the_lane_of_its_sender(store: Store) -> None:
    await store.deposit(delivery(1, publisher_id="south", distribution_id="m", case_id="7"), NOW)
    for n, name in enumerate(("ref", "ref2")):
        message = submission(n, distribution_id=name, sender="s", case_id="", refers_to="m", recipient=name)
        await store.enqueue(message, NOW)
    assert await lanes(store) == [["ref"], ["ref2"]]


async def test_urgent_first_then_publishers_in_turn(store: Store) -> None:
    for n in range(3):
        await store.enqueue(submission(n, publisher_id="loud", distribution_id=f"l{n}"), NOW)
    await store.enqueue(submission(8, publisher_id="quiet", distribution_id="q"), NOW)
    await store.enqueue(submission(9, publisher_id="loud", distribution_id="u", urgent=True), NOW)
    jobs = [(await store.claim(NOW, 1))[0].submission.distribution_id for _ in range(5)]
    assert jobs == ["u", "l0", "q", "l1", "l2"]


async def test_a_lane_is_urgent_for_as_long_as_a_message_of_it_is(store: Store) -> None:
    for n, (case, urgent) in enumerate(
        [("old", False), ("new", False), ("new", True), ("new", False), ("new", False)]
    ):
        await store.enqueue(submission(n, distribution_id=str(n), case_id=case, urgent=urgent), NOW)
    order = []
    for _ in range(5):
        (job,) = await store.claim(NOW, 1)
        order.append(job.submission.distribution_id)
        await store.mark_forwarded(job.id, NOW)
    assert order == ["1", "2", "0", "3", "4"], (
        "what stands before it comes with it, what comes after it does not"
    )


async def test_an_urgent_message_that_was_answered_in_its_turn_pulls_no_more(store: Store) -> None:
    for n, (case, urgent) in enumerate([("old", False), ("new", False), ("new", True)]):
        await store.enqueue(submission(n, case_id=case, urgent=urgent), NOW)
    await answered(store, answer(refers_to="fr.health.samu440_2"))
    jobs = await store.claim(NOW, 5)
    assert [job.submission.distribution_id for job in jobs] == ["fr.health.samu440_0", "fr.health.samu440_1"]
