"""What every store promises of forwarding: claims, marks, acknowledgements and dead letters."""

import asyncio
from dataclasses import replace

import pytest

from gateway.model import Status, Step
from gateway.store import Store
from tests.patience import GIVE_UP
from tests.store_samples import NOW, answer, answered, claimed, delivery, status, submission, timeline


async def test_a_claim_gives_back_what_was_stored(store: Store) -> None:
    message = submission(1, body=bytes(range(256)), urgent=True)
    receipt = await store.enqueue(message, NOW)
    (job,) = await store.claim(NOW, 1)
    assert (job.id, job.submission, job.attempts) == (receipt.id, message, 0)


async def test_ordinary_lanes_have_a_bound_of_their_own(store: Store) -> None:
    for number in range(6):
        await store.enqueue(submission(number, urgent=number % 2 == 1), NOW)

    async def claimed_as_urgent(limit: int, ordinary: int) -> list[bool]:
        return [job.submission.urgent for job in await store.claim(NOW, limit, ordinary)]

    assert await claimed_as_urgent(1, 0) == [True]
    assert await claimed_as_urgent(9, 1) == [True, True, False]
    assert await claimed_as_urgent(9, 0) == []
    assert await claimed_as_urgent(1, 9) == [False]
    assert await claimed_as_urgent(9, 9) == [False]


async def test_a_retry_waits_and_counts(store: Store) -> None:
    first = await store.enqueue(submission(1, case_id="c"), NOW)
    await store.enqueue(submission(2, case_id="c"), NOW)
    await claimed(store)
    await store.mark_retry(first.id, NOW, NOW + 10, "HTTP 503")
    assert await claimed(store, NOW + 9) == []
    (job,) = await store.claim(NOW + 10, 5)
    assert (job.id, job.attempts) == (first.id, 1)
    assert await timeline(store, first.id) == ["received", "retry"]
    assert await status(store, first.id) == Status.RECEIVED


async def test_the_timeline_has_every_step(store: Store) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    await claimed(store)
    await store.mark_retry(receipt.id, NOW + 1, NOW + 2, "HTTP 503", [Step("translated", NOW + 0.5)])
    await claimed(store, NOW + 2)
    await store.mark_forwarded(receipt.id, NOW + 3, "200")
    await answered(store, answer("RC-REF r"), NOW + 4)
    found = await store.get("north", receipt.id)
    assert found is not None and found[0].status == Status.ACKNOWLEDGED
    assert found[1] == (
        Step("received", NOW),
        Step("translated", NOW + 0.5),
        Step("retry", NOW + 1, "HTTP 503"),
        Step("forwarded", NOW + 3, "200"),
        Step("acknowledged", NOW + 4, "RC-REF r"),
    )


@pytest.mark.parametrize("ending", [Status.REJECTED, Status.EXPIRED, Status.DEAD])
async def test_an_end_frees_the_lane_and_answers_the_sender(store: Store, ending: Status) -> None:
    first = await store.enqueue(submission(1, case_id="c"), NOW)
    second = await store.enqueue(submission(2, case_id="c"), NOW)
    await claimed(store)
    error = delivery(9, publisher_id="north", message_type="RS-ERROR")
    await store.reject(first.id, NOW + 1, ending, "refused", error)
    assert await status(store, first.id) == ending
    assert await claimed(store) == [second.id]
    (item,) = await store.read_inbox("north", 0, 10)
    assert item.delivery == error
    await store.reject(second.id, NOW + 1, ending, "refused", None)
    assert store.backlog() == 0
    assert len(await store.read_inbox("north", 0, 10)) == 1


async def test_an_acknowledgement_before_the_mark_stays(store: Store) -> None:
    receipt = await store.enqueue(submission(1, case_id="c"), NOW)
    second = await store.enqueue(submission(2, case_id="c"), NOW)
    await claimed(store)
    await answered(store, answer("RC-REF r"))
    assert await claimed(store) == [], "the lane is free when the attempt is over, not before"
    await store.mark_forwarded(receipt.id, NOW + 1)
    assert await status(store, receipt.id) == Status.ACKNOWLEDGED
    assert await claimed(store) == [second.id]


@pytest.mark.parametrize("mark", ["forward", "retry", "reject"])
async def test_an_acknowledged_message_is_neither_sent_again_nor_given_up(store: Store, mark: str) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    await store.enqueue(submission(2), NOW)
    await claimed(store)
    await answered(store, answer())
    if mark == "forward":
        await store.mark_forwarded(receipt.id, NOW)
    elif mark == "retry":
        await store.mark_retry(receipt.id, NOW, NOW + 1)
    else:
        await store.reject(receipt.id, NOW, Status.EXPIRED, "late", delivery(9, publisher_id="north"))
    assert await status(store, receipt.id) == Status.ACKNOWLEDGED
    assert store.backlog() == 1, "it left once"
    assert await store.read_inbox("north", 0, 10) == []


async def test_an_acknowledgement_ends_the_wait_for_a_retry(store: Store) -> None:
    receipt = await store.enqueue(submission(1, case_id="c"), NOW)
    second = await store.enqueue(submission(2, case_id="c"), NOW)
    await claimed(store)
    await store.mark_retry(receipt.id, NOW, NOW + 50)
    await answered(store, answer(), NOW + 1)
    assert await claimed(store, NOW + 1) == [second.id]


async def test_an_answer_to_another_sender_does_not_acknowledge(store: Store) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    await answered(store, answer(sent_by="fr.fire.nexsis.sdisZ"))
    assert await status(store, receipt.id) == Status.RECEIVED
    assert await claimed(store) == [receipt.id]


async def test_only_the_recipient_acknowledges_and_the_same_answer_counts_once(store: Store) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    await answered(store, answer(answered_by="fr.health.samu999"))
    assert await status(store, receipt.id) == Status.RECEIVED
    for detail in ("RC-REF a", "RC-REF a", "RC-REF b"):
        await answered(store, answer(detail))
    assert await timeline(store, receipt.id) == ["received", "acknowledged", "acknowledged"]
    await answered(store, answer(refers_to="never-seen"))


@pytest.mark.parametrize("status_given", [Status.EXPIRED, Status.REJECTED])
async def test_what_the_hub_gives_up_is_said_until_its_recipient_answers(
    store: Store, status_given: Status
) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    hub = answer("RS-ERROR e (500)", status_given, answered_by="fr.health.hub")
    await answered(store, hub)
    assert await status(store, receipt.id) == Status.RECEIVED, "the core does not have it yet"
    await claimed(store)
    await store.mark_forwarded(receipt.id, NOW)
    await answered(store, replace(hub, sent_by="fr.fire.nexsis.sdisZ", detail="another's"))
    for _ in range(2):
        await answered(store, hub)
    assert await status(store, receipt.id) == status_given
    assert await timeline(store, receipt.id) == ["received", "forwarded", status_given]
    await answered(store, answer())
    assert await status(store, receipt.id) == Status.ACKNOWLEDGED


async def test_wait_due_wakes_for_a_message_a_freed_lane_and_a_retry(store: Store) -> None:
    async def due_within(seconds: float) -> list[str]:
        async with asyncio.timeout(seconds):
            await store.wait_due(3_600)
        return await claimed(store, NOW + 1)

    waiting = asyncio.create_task(due_within(5))
    await asyncio.sleep(0)
    first = await store.enqueue(submission(1, case_id="c"), NOW)
    assert await waiting == [first.id]
    second = await store.enqueue(submission(2, case_id="c"), NOW)
    waiting = asyncio.create_task(due_within(5))
    await asyncio.sleep(0)
    await store.mark_forwarded(first.id, NOW)
    assert await waiting == [second.id]
    waiting = asyncio.create_task(due_within(5))
    await asyncio.sleep(0)
    await store.mark_retry(second.id, NOW, NOW + 0.05)
    assert await waiting == [second.id]
    await store.wait_due(0.01)  # nothing comes: it returns


async def test_wait_due_for_what_is_urgent_lets_the_rest_wait(store: Store) -> None:
    waiting = asyncio.create_task(store.wait_due(3_600, urgent=True))
    await store.enqueue(submission(1), NOW)
    await store.wait_due(3_600)
    assert not waiting.done()
    urgent = await store.enqueue(submission(2, urgent=True), NOW)
    async with asyncio.timeout(GIVE_UP):
        await waiting
        await store.wait_due(3_600, urgent=True)  # nor is it missed
    assert urgent.id in await claimed(store)
    waiting = asyncio.create_task(store.wait_due(3_600, urgent=True))
    await asyncio.sleep(0.01)
    assert not waiting.done(), "what was claimed is no news"
    waiting.cancel()


async def test_wait_due_does_not_miss_what_came_before_it(store: Store) -> None:
    assert await claimed(store) == []
    await store.enqueue(submission(1), NOW)
    async with asyncio.timeout(GIVE_UP):
        await store.wait_due(3_600)


async def test_the_age_of_the_oldest(store: Store) -> None:
    assert store.oldest_due_age(NOW) == 0.0
    await store.enqueue(submission(1), NOW)
    await store.enqueue(submission(2), NOW + 3)
    assert store.oldest_due_age(NOW + 10) == pytest.approx(10.0)


async def test_dead_letters_are_listed_and_put_back_at_the_end_of_their_lane(store: Store) -> None:
    dead, other = [await store.enqueue(submission(n, case_id="c"), NOW + n) for n in (1, 2)]
    await claimed(store)
    await store.reject(dead.id, NOW + 5, Status.DEAD, "no mapping", None)
    (letter,) = await store.dead_letters(10)
    assert (letter.id, letter.publisher_id, letter.died_at, letter.cause) == (
        dead.id,
        "north",
        NOW + 5,
        "no mapping",
    )
    assert await store.replay([dead.id, other.id, "unknown", dead.id], NOW + 6) == 1
    assert await store.dead_letters(10) == []
    assert await claimed(store) == [other.id]
    await store.mark_forwarded(other.id, NOW + 7)
    (job,) = await store.claim(NOW + 7, 5)
    assert (job.id, job.attempts, job.submission) == (dead.id, 0, submission(1, case_id="c"))
    await store.mark_forwarded(dead.id, NOW + 8)
    assert await timeline(store, dead.id) == ["received", "dead", "replayed", "forwarded"]
    assert await store.replay([dead.id], NOW + 9) == 0
