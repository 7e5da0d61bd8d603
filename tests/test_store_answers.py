"""What every store promises of answers, of messages that a recipient cannot be given, and of later acknowledgements."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.model import Receipt, Status
from gateway.store import Store
from tests.store_samples import (
    NOW,
    answer,
    answered,
    claimed,
    delivery,
    opened,
    status,
    submission,
    timeline,
)

ID, SENDER = "fr.health.samu440_1", "fr.health.samu440"
ERROR: dict[str, Any] = {
    "publisher_id": "gateway",
    "distribution_id": "fr.health.hub_e",
    "message_type": "RS-ERROR",
    "sender": "fr.health.hub",
    "recipient": SENDER,
    "case_id": "",
    "refers_to": ID,
}


async def receipt_of(store: Store, receipt_id: str) -> Receipt:
    found = await store.get("north", receipt_id)
    assert found is not None
    listed, _ = await store.list_messages("north")
    assert found[0] in listed, "list and status say the same"
    return found[0]


async def forwarded(store: Store, number: int = 1) -> str:
    receipt = await store.enqueue(submission(number), NOW)
    await claimed(store)
    await store.mark_forwarded(receipt.id, NOW)
    return receipt.id


# answers


async def test_a_receipt_says_whose_it_is_and_what_became_of_it(store: Store) -> None:
    sent = submission(1)
    receipt = await store.enqueue(sent, NOW)
    assert (receipt.sender, receipt.recipient, receipt.case_id) == (sent.sender, sent.recipient, sent.case_id)
    assert (receipt.attempts, receipt.last_cause, receipt.answer) == (0, "", None)
    assert await receipt_of(store, receipt.id) == receipt
    await claimed(store)
    await store.mark_retry(receipt.id, NOW, NOW, "HTTP 503")
    again = await store.enqueue(sent, NOW)
    assert (again.attempts, again.last_cause, again.duplicate) == (1, "HTTP 503", True)
    await claimed(store)
    await store.reject(receipt.id, NOW, Status.REJECTED, "no such recipient", None)
    ended = await receipt_of(store, receipt.id)
    assert (ended.attempts, ended.last_cause, ended.answer) == (2, "no such recipient", None)
    assert await store.find_receipt("north", sent.distribution_id, sent.digest) == again.__class__(
        **{**{name: getattr(ended, name) for name in ended.__slots__}, "duplicate": True}
    )


async def test_a_refusal_is_no_acknowledgement_and_the_latest_answer_wins(store: Store) -> None:
    receipt_id = await forwarded(store)
    await answered(store, answer("RC-REF a", step="RECU"))
    assert (await receipt_of(store, receipt_id)).answer == {
        "step": "RECU",
        "refused": False,
        "errorDistributionID": None,
    }
    refusal = answer("RC-REF b", Status.REFUSED, step="ERREUR", refused=True, error_distribution_id="e")
    await answered(store, refusal)
    refused = await receipt_of(store, receipt_id)
    assert refused.status == Status.REFUSED
    assert refused.answer == {"step": "ERREUR", "refused": True, "errorDistributionID": "e"}
    await answered(store, answer("RC-REF a", step="RECU"))  # the core brings it once more
    assert await receipt_of(store, receipt_id) == refused
    assert [r.id for r in (await store.list_messages("north", status="refused"))[0]] == [receipt_id]
    await answered(store, answer("RC-REF c", step="INTEGRE"))
    assert (await receipt_of(store, receipt_id)).status == Status.ACKNOWLEDGED
    assert await timeline(store, receipt_id) == [
        "received",
        "forwarded",
        "acknowledged",
        "refused",
        "acknowledged",
    ]


async def test_a_refusal_counts_after_the_hub_gave_up(store: Store) -> None:
    receipt_id = await forwarded(store)
    await answered(store, answer("RS-ERROR e", Status.EXPIRED, answered_by="fr.health.hub"))
    assert (await receipt_of(store, receipt_id)).answer is None, "the Hub is not the recipient"
    await answered(store, answer("RC-REF r", Status.REFUSED))
    assert await status(store, receipt_id) == Status.REFUSED
    await answered(store, answer("RS-ERROR f", Status.EXPIRED, answered_by="fr.health.hub"))
    assert await status(store, receipt_id) == Status.REFUSED


async def test_an_answer_that_is_none_is_noted_and_changes_nothing(store: Store) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    for _ in range(2):
        await answered(store, answer("RC-REF r; step SUPPRIME", None, step="SUPPRIME"))
    assert await timeline(store, receipt.id) == ["received", "answered"]
    found = await receipt_of(store, receipt.id)
    assert found.status == Status.RECEIVED and found.answer is not None and found.answer["step"] == "SUPPRIME"
    assert await claimed(store) == [receipt.id], "it is still to be forwarded"


async def test_a_refused_message_is_not_sent_again(store: Store) -> None:
    receipt = await store.enqueue(submission(1, case_id="c"), NOW)
    second = await store.enqueue(submission(2, case_id="c"), NOW)
    await claimed(store)
    await store.mark_retry(receipt.id, NOW, NOW + 50)
    await answered(store, answer(status=Status.REFUSED))
    assert await claimed(store) == [second.id]
    assert store.backlog() == 1


@pytest.mark.parametrize("given_status", [Status.ACKNOWLEDGED, Status.REFUSED])
async def test_who_reads_the_answer_reads_the_status_that_it_makes(
    store: Store, given_status: Status
) -> None:
    """However often one looks: the RC-REF is never in the inbox of a sender whose message still says `forwarded`."""
    ids = {f"fr.health.samu440_{n}": await forwarded(store, n) for n in range(20)}
    early: list[str] = []

    async def watch() -> None:
        seen = 0
        while seen < len(ids):
            items = await store.read_inbox("north", 0, 100)
            early.extend(
                [
                    item.id
                    for item in items[seen:]
                    if await status(store, ids[item.delivery.refers_to]) != given_status
                ]
            )
            seen = len(items)
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    for n, name in enumerate(ids):
        reference = delivery(n, publisher_id="north", distribution_id=f"ref{n}", refers_to=name)
        await store.deposit(reference, NOW, answer(f"RC-REF {n}", given_status, refers_to=name))
    await watching
    assert early == []


@given(
    answers=st.lists(
        st.tuples(
            st.integers(0, 5), st.sampled_from([Status.ACKNOWLEDGED, Status.REFUSED, None, Status.EXPIRED])
        ),
        max_size=12,
    )
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_last_word_is_the_last_new_answer(
    fresh_database: Callable[[], str], answers: list[tuple[int, Status | None]]
) -> None:
    """Whatever order answers come in, and however often each does."""

    async def run() -> None:
        async with opened(fresh_database()) as store:
            receipt_id = await forwarded(store)
            expected, seen = Status.FORWARDED, set()
            for number, given_status in answers:
                one = answer(f"{given_status} {number}", given_status)
                is_new = one.detail not in seen
                if given_status == Status.EXPIRED:
                    expected = Status.EXPIRED if expected == Status.FORWARDED else expected
                elif is_new and given_status is not None:
                    expected = given_status
                seen.add(one.detail)
                await answered(store, one)
            assert await status(store, receipt_id) == expected

    asyncio.run(run())


@pytest.mark.parametrize(
    ("given_status", "expected"),
    [(Status.REFUSED, "refused"), (Status.ACKNOWLEDGED, "acknowledged"), (None, "")],
)
async def test_a_webhook_s_event_says_what_an_answer_says(
    store: Store, given_status: Status | None, expected: str
) -> None:
    await store.deposit(delivery(1, notify=True), NOW, answer(status=given_status))
    await store.deposit(delivery(2, notify=True), NOW)
    events = await store.events.claim(NOW, 10, 60.0, {})
    assert [event.answer_status for event in events] == [expected, ""]


# what a recipient cannot be given


async def test_what_does_not_concern_its_recipient_stays_forwarded_with_a_cause(store: Store) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    await claimed(store)
    for cause in ("ambulances only", "ambulances only", "other"):  # the core may be faster than the mark
        await store.mark_not_applicable(ID, SENDER, NOW, cause)
    await store.mark_not_applicable(ID, "fr.fire.nexsis.sdisZ", NOW, "another's")
    await store.mark_forwarded(receipt.id, NOW)
    found = await receipt_of(store, receipt.id)
    assert (found.status, found.last_cause) == (Status.FORWARDED, "ambulances only")
    assert await timeline(store, receipt.id) == ["received", "not-applicable", "forwarded"]


async def test_a_step_is_noted_once(store: Store) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    for step, detail in (("a", "x"), ("a", "x"), ("a", "y"), ("b", "x")):
        await store.note(ID, SENDER, NOW, step, detail)
    await store.note("unknown", SENDER, NOW, "a", "x")
    assert await timeline(store, receipt.id) == ["received", "a", "a", "b"]


async def test_what_cannot_be_delivered_is_a_dead_letter_and_its_sender_is_answered_once(
    store: Store,
) -> None:
    receipt_id = await forwarded(store)
    error = submission(7, **ERROR)
    for n in range(3):
        await store.refuse_delivery(ID, SENDER, NOW + n, "no type", submission(7 + n, **ERROR))
    (letter,) = await store.dead_letters(10)
    assert (letter.id, letter.died_at, letter.cause) == (receipt_id, NOW, "no type")
    assert (await receipt_of(store, receipt_id)).last_cause == "no type"
    assert store.backlog() == 1
    jobs = await store.claim(NOW, 10)
    assert [job.submission for job in jobs] == [error]
    assert await store.usage(NOW) == [
        ("north", "ordinary", window, 1) for window in ("second", "minute", "day")
    ]
    await answered(store, answer("RS-ERROR e (600)", Status.REJECTED, answered_by="fr.health.hub"))
    assert await status(store, receipt_id) == Status.DEAD
    assert await timeline(store, receipt_id) == ["received", "forwarded", "dead"]
    assert await store.replay([receipt_id], NOW + 5) == 1
    assert await claimed(store, NOW + 5) == [receipt_id]
    await store.mark_forwarded(receipt_id, NOW + 6)
    await store.refuse_delivery(ID, SENDER, NOW + 7, "still none", error)
    assert [letter.cause for letter in await store.dead_letters(10)] == ["still none"]


async def test_what_cannot_be_delivered_before_the_attempt_has_ended_stays_dead(store: Store) -> None:
    receipt = await store.enqueue(submission(1, case_id="c"), NOW)
    second = await store.enqueue(submission(2, case_id="c"), NOW)
    await claimed(store)
    await store.refuse_delivery(ID, SENDER, NOW, "no type", None)
    assert await claimed(store) == [], "the lane is free when the attempt is over, not before"
    await store.mark_forwarded(receipt.id, NOW)
    assert await status(store, receipt.id) == Status.DEAD
    assert await claimed(store) == [second.id]
    assert store.backlog() == 1


@pytest.mark.parametrize("last", [Status.ACKNOWLEDGED, Status.REFUSED])
async def test_an_answered_message_is_no_dead_letter(store: Store, last: Status) -> None:
    receipt_id = await forwarded(store)
    await answered(store, answer(status=last))
    await store.refuse_delivery(ID, SENDER, NOW, "no type", None)
    await store.refuse_delivery("unknown", SENDER, NOW, "no type", submission(7, **ERROR))
    assert await status(store, receipt_id) == last
    assert await store.dead_letters(10) == []
    assert len(await claimed(store)) == 1, "the sender is answered wherever its message is"


async def test_a_refused_delivery_s_error_is_taken_when_the_backlog_is_full(database_url: str) -> None:
    async with opened(database_url, backlog_limit=0) as store:
        await store.refuse_delivery(ID, SENDER, NOW, "no type", submission(7, **ERROR))
        assert store.backlog() == 1


async def test_an_answer_makes_a_dead_letter_alive_again(store: Store) -> None:
    receipt_id = await forwarded(store)
    await store.refuse_delivery(ID, SENDER, NOW, "no type", None)
    await answered(store, answer())
    assert await status(store, receipt_id) == Status.ACKNOWLEDGED
    assert await store.dead_letters(10) == [] and await store.replay([receipt_id], NOW) == 0


# for whom a message was


async def test_for_whom_a_message_was(store: Store) -> None:
    await store.enqueue(submission(1), NOW)
    await store.deposit(delivery(2, recipient="fr.health.samu690"), NOW)
    assert await store.recipients(ID, SENDER, []) == {"fr.health.samu750"}
    assert await store.recipients(ID, "fr.fire.nexsis.sdisZ", ["south"]) == frozenset()
    other = "fr.health.samu440_2"
    assert await store.recipients(other, SENDER, ["north"]) == frozenset()
    assert await store.recipients(other, SENDER, ["north", "south"]) == {"fr.health.samu690"}


# later acknowledgements


async def test_a_later_acknowledgement_answers_once_more_and_an_earlier_one_does_not(store: Store) -> None:
    item = await store.deposit(delivery(1), NOW)

    async def acknowledge(rank: int, at: float = NOW) -> bool:
        reference = submission(rank, publisher_id="south", distribution_id=f"ref{rank}")
        return await store.acknowledge("south", item.id, at, reference, rank)

    assert [await acknowledge(rank, NOW + rank) for rank in (1, 0, 1, 3, 2, 3)] == [
        True,
        False,
        False,
        True,
        False,
        False,
    ]
    assert sorted(await asyncio.gather(*(acknowledge(4) for _ in range(5)))) == [False] * 4 + [True]
    assert not await store.acknowledge("south", item.id, NOW, None, 9)
    found = await store.inbox_item("south", item.id)
    assert found is not None and (found.reference, found.rank) == ("ref4", 4)
    assert found.acknowledged_at == NOW + 1, "it left the inbox once"
    jobs = await store.claim(NOW, 10)
    assert {job.submission.distribution_id for job in jobs} == {"ref1", "ref3", "ref4"}


async def test_what_was_taken_out_without_an_answer_is_never_answered(store: Store) -> None:
    item = await store.deposit(delivery(1), NOW)
    assert await store.acknowledge("south", item.id, NOW, None)
    assert not await store.acknowledge("south", item.id, NOW, submission(1, publisher_id="south"), 4)
    assert await claimed(store) == []


async def test_an_item_says_whether_it_is_an_exercise(store: Store) -> None:
    for number, given_status in enumerate(("Actual", "Exercise")):
        item = await store.deposit(delivery(number, distribution_status=given_status), NOW)
        assert await store.inbox_item("south", item.id) == item
        assert await store.deposit(delivery(number), NOW) == item
        assert item.delivery.distribution_status == given_status
