"""What every store promises of inbox items whose message expires before anybody answers."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway.errors import Unavailable
from gateway.model import Delivery, Status, Submission
from gateway.store import NOT_ANSWERED, Expired, Store, sqlite_expiries
from tests.patience import until_told
from tests.postgres_server import PostgresServer
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
    url,
)

WAITING = "SELECT pid FROM pg_stat_activity WHERE {} = ANY (pg_blocking_pids(pid))"
ID, SENDER, RECIPIENT = "fr.health.samu440_1", "fr.health.samu440", "fr.health.samu750"
END = NOW + 60.0  # dateTimeExpires
LATE = END + 1.0
CAUSE = f"{NOT_ANSWERED} then"


async def delivered(store: Store, number: int = 1, **changes: Any) -> tuple[str, str]:
    """A message that the core took, and the item that it became: their ids."""
    receipt = await store.enqueue(submission(number), NOW)
    await claimed(store)
    await store.mark_forwarded(receipt.id, NOW)
    item = await store.deposit(delivery(number, **{"expires_at": END, **changes}), NOW)
    return receipt.id, item.id


def error(number: int = 1, **changes: Any) -> Delivery:
    """The RS-ERROR in the inbox of the sender's publisher."""
    values = {
        "publisher_id": "north",
        "distribution_id": f"fr.health.hub_{number}",
        "sender": "fr.health.hub",
    }
    about = {"recipient": SENDER, "message_type": "RS-ERROR", "refers_to": f"fr.health.samu440_{number}"}
    return delivery(number, **{**values, **about, "loss": (), **changes})


def for_core(number: int = 1) -> Submission:
    """The same for a sender behind the core."""
    values = {"publisher_id": "gateway", "distribution_id": f"fr.health.hub_{number}", "case_id": ""}
    about = {"sender": "fr.health.hub", "recipient": SENDER, "refers_to": f"fr.health.samu440_{number}"}
    return submission(number, message_type="RS-ERROR", **values, **about)


async def overdue(store: Store, now: float = LATE) -> list[str]:
    return [item.item_id for item in await store.expiries.overdue(now, 10)]


async def errors(store: Store) -> list[str]:
    return [item.delivery.distribution_id for item in await store.read_inbox("north", 0, 10)]


async def flags(store: Store) -> list[bool]:
    return [item.expired for item in await store.read_inbox("south", 0, 10)]


async def test_what_nobody_answered_is_flagged_and_its_sender_told_once(store: Store) -> None:
    receipt_id, item_id = await delivered(store)
    assert await overdue(store, END - 1.0) == []
    (found,) = await store.expiries.overdue(LATE, 10)
    assert (found.item_id, found.publisher_id, found.distribution_id) == (item_id, "south", ID)
    assert (found.sender, found.recipient, found.expires_at) == (SENDER, RECIPIENT, END)
    assert await store.expiries.expire(item_id, LATE, CAUSE, error()) is Expired.TOLD
    assert await status(store, receipt_id) == Status.EXPIRED
    shown = await store.get("north", receipt_id)
    assert shown is not None and shown[0].last_cause == CAUSE
    assert (await errors(store), await flags(store), await overdue(store)) == (
        ["fr.health.hub_1"],
        [True],
        [],
    )
    assert await store.expiries.expire(item_id, LATE, CAUSE, error(2)) is Expired.GONE
    assert (await timeline(store, receipt_id)).count("expired") == len(await errors(store)) == 1
    item = await store.inbox_item("south", item_id)
    assert item is not None and item.expired and item.delivery.content == b'{"number": 1}'


async def test_a_late_answer_sets_its_own_status_and_the_timeline_keeps_both(store: Store) -> None:
    receipt_id, item_id = await delivered(store)
    await store.expiries.expire(item_id, LATE, CAUSE, error())
    assert await store.acknowledge("south", item_id, LATE + 1, None)
    await answered(store, answer("RC-REF late"), LATE + 1)
    assert await status(store, receipt_id) == Status.ACKNOWLEDGED
    assert (await timeline(store, receipt_id))[-2:] == ["expired", "acknowledged"]
    assert (await flags(store), await overdue(store, LATE + 9)) == ([], [])


async def test_what_was_acknowledged_does_not_expire(store: Store) -> None:
    receipt_id, item_id = await delivered(store)
    assert await store.acknowledge("south", item_id, NOW, None)
    assert await overdue(store) == []
    assert await store.expiries.expire(item_id, LATE, CAUSE, error()) is Expired.GONE
    assert (await errors(store), await status(store, receipt_id)) == ([], Status.FORWARDED)


@pytest.mark.parametrize("kind", ["RC-REF", "RS-ERROR"])
async def test_what_the_recipients_own_software_answered_does_not_expire(store: Store, kind: str) -> None:
    receipt_id, item_id = await delivered(store)
    about = {"publisher_id": "south", "sender": RECIPIENT, "recipient": SENDER, "refers_to": ID}
    await store.enqueue(submission(9, message_type=kind, case_id="", **about), NOW)
    assert await store.expiries.expire(item_id, LATE, CAUSE, error()) is Expired.ANSWERED
    assert (await errors(store), await flags(store), await overdue(store)) == ([], [False], [])
    assert await status(store, receipt_id) == Status.FORWARDED


async def test_another_publishers_answer_is_none(store: Store) -> None:
    _, item_id = await delivered(store)
    about = {"sender": RECIPIENT, "recipient": SENDER, "refers_to": ID, "message_type": "RC-REF"}
    await store.enqueue(submission(8, publisher_id="west", **about), NOW)
    await store.enqueue(
        submission(9, publisher_id="south", **{**about, "recipient": "fr.health.samu690"}), NOW
    )
    assert await store.expiries.expire(item_id, LATE, CAUSE, error()) is Expired.TOLD


@pytest.mark.parametrize("given", [Status.ACKNOWLEDGED, Status.REFUSED, None])
async def test_what_an_answer_was_seen_to_does_not_expire(store: Store, given: Status | None) -> None:
    receipt_id, item_id = await delivered(store)
    await answered(store, answer("RC-REF early", given))
    before = await status(store, receipt_id)
    assert await store.expiries.expire(item_id, LATE, CAUSE, error()) is Expired.ANSWERED
    assert (await status(store, receipt_id), await errors(store)) == (before, [])


async def test_an_answer_after_it_takes_the_flag_away(store: Store) -> None:
    _, item_id = await delivered(store)
    await store.expiries.expire(item_id, LATE, CAUSE, error())
    about = {"publisher_id": "south", "sender": RECIPIENT, "recipient": SENDER, "refers_to": ID}
    await store.enqueue(submission(9, message_type="RC-REF", case_id="", **about), LATE)
    assert await flags(store) == [False]


async def test_who_had_an_error_about_a_message_gets_no_second_one(store: Store) -> None:
    receipt_id, item_id = await delivered(store)
    await store.refuse_delivery(ID, SENDER, NOW, "broken", None)
    assert await store.expiries.expire(item_id, LATE, CAUSE, error()) is Expired.KNOWN
    assert (await status(store, receipt_id), await errors(store)) == (Status.DEAD, [])
    assert (await flags(store), await overdue(store)) == ([True], [])


async def test_a_sender_behind_the_core_is_told_through_it(store: Store) -> None:
    item = await store.deposit(delivery(expires_at=END), NOW)
    assert await store.expiries.expire(item.id, LATE, CAUSE, for_core()) is Expired.TOLD
    (job,) = await store.claim(LATE, 10)
    assert (job.submission.message_type, job.submission.refers_to) == ("RS-ERROR", ID)
    assert store.backlog() == 1
    assert await store.expiries.expire(item.id, LATE, CAUSE, for_core()) is Expired.GONE
    assert await store.claim(LATE, 10) == []


async def test_a_message_that_waits_for_the_core_although_it_was_delivered_leaves_its_lane(
    store: Store,
) -> None:
    receipt = await store.enqueue(submission(), NOW)
    later = await store.enqueue(submission(2, case_id=submission().case_id), NOW)
    await claimed(store)
    item = await store.deposit(delivery(expires_at=END), NOW)  # the core has it, and its answer was lost
    await store.mark_retry(receipt.id, NOW, LATE + 99, "no answer")
    assert await store.expiries.expire(item.id, LATE, CAUSE, error()) is Expired.TOLD
    assert await status(store, receipt.id) == Status.EXPIRED
    assert (await claimed(store, LATE), store.backlog()) == ([later.id], 1)


async def test_an_attempt_under_way_changes_nothing_of_it(store: Store) -> None:
    receipt = await store.enqueue(submission(), NOW)
    await claimed(store)
    item = await store.deposit(delivery(expires_at=END), NOW)
    assert await store.expiries.expire(item.id, LATE, CAUSE, error()) is Expired.TOLD
    await store.mark_forwarded(receipt.id, LATE)
    assert (await status(store, receipt.id), store.backlog()) == (Status.EXPIRED, 0)


@pytest.mark.parametrize("changes", [{"expires_at": None}, {"quiet": True, "expires_at": None}])
async def test_what_has_no_expiry_never_expires(store: Store, changes: dict[str, Any]) -> None:
    _, item_id = await delivered(store, **changes)
    assert await overdue(store, NOW + 1e9) == []
    assert await store.expiries.expire(item_id, LATE, CAUSE, error()) is Expired.GONE


async def test_the_longest_overdue_comes_first(store: Store) -> None:
    ids = [(await delivered(store, n, expires_at=END - n))[1] for n in (1, 2, 3)]
    assert await overdue(store) == ids[::-1]
    assert [item.item_id for item in await store.expiries.overdue(LATE, 2)] == ids[:0:-1]
    again = await store.deposit(delivery(1, expires_at=END + 1e6), NOW)  # the core brings it again
    assert again.id == ids[0] and await overdue(store) == ids[::-1]


async def test_all_of_it_is_kept_or_nothing(store: Store) -> None:
    receipt_id, item_id = await delivered(store)
    with pytest.raises(Exception):  # noqa: B017, PT011 - as the database says it
        await store.expiries.expire(item_id, LATE, CAUSE, error(content=None))
    assert (await status(store, receipt_id), await flags(store)) == (Status.FORWARDED, [False])
    assert (await errors(store), await overdue(store)) == ([], [item_id])
    assert "expired" not in await timeline(store, receipt_id)
    assert await store.expiries.expire(item_id, LATE, CAUSE, error()) is Expired.TOLD


async def test_it_outlives_a_restart(database_url: str) -> None:
    async with opened(database_url) as store:
        _, first = await delivered(store)
        receipt_id, second = await delivered(store, 2)
        await store.expiries.expire(first, LATE, CAUSE, error())
    async with opened(database_url, now=LATE) as store:
        assert (await overdue(store), await flags(store)) == ([second], [True, False])
        assert await store.expiries.expire(second, LATE, CAUSE, error(2)) is Expired.TOLD
        assert await status(store, receipt_id) == Status.EXPIRED


async def test_of_several_at_once_one_does_it(store: Store) -> None:
    _, item_id = await delivered(store)
    every = [store.expiries.expire(item_id, LATE, CAUSE, error()) for _ in range(8)]
    results = await asyncio.gather(*every)
    assert sorted(results) == [Expired.GONE] * 7 + [Expired.TOLD]
    assert len(await errors(store)) == 1


async def test_of_two_replicas_one_does_it(postgres: PostgresServer) -> None:
    database = postgres.fresh()
    async with opened(database) as here, opened(database) as there:
        every = [await delivered(here, n) for n in range(1, 21)]
        assert await overdue(here) == await overdue(there)
        replicas = [here, there] * len(every)
        results = await asyncio.gather(
            *(
                replica.expiries.expire(item_id, LATE, CAUSE, error(n))
                for n, (_, item_id) in enumerate(every, 1)
                for replica in replicas[:2]
            )
        )
        assert sorted(results) == [Expired.GONE] * 20 + [Expired.TOLD] * 20
        found = await here.read_inbox("north", 0, 100)
        assert len({item.delivery.distribution_id for item in found}) == len(found) == 20
        for receipt_id, _ in every:
            assert (await timeline(there, receipt_id)).count("expired") == 1


async def test_an_answer_and_the_sweep_at_the_same_moment(store: Store) -> None:
    every = [await delivered(store, n) for n in range(1, 21)]
    for n, (receipt_id, item_id) in enumerate(every, 1):
        reference = answer(f"RC-REF {n}", refers_to=f"fr.health.samu440_{n}")
        result, _, _ = await asyncio.gather(
            store.expiries.expire(item_id, LATE, CAUSE, error(n)),
            store.acknowledge("south", item_id, LATE, None),
            answered(store, reference, LATE),
        )
        assert await status(store, receipt_id) == Status.ACKNOWLEDGED
        told = f"fr.health.hub_{n}" in await errors(store)
        assert told == (result is Expired.TOLD) == ("expired" in await timeline(store, receipt_id))
        for left in await store.read_inbox("north", 0, 10):
            await store.acknowledge("north", left.id, LATE, None)


async def test_an_older_replica_that_acknowledges_leaves_nothing_to_expire(postgres: PostgresServer) -> None:
    database = postgres.fresh()
    async with opened(database) as store:
        receipt_id, item_id = await delivered(store)
        connection = await asyncpg.connect(database)
        await connection.execute("UPDATE inbox SET acknowledged_at = $1", NOW)  # it knows no expiries
        await connection.close()
        assert await store.expiries.expire(item_id, LATE, CAUSE, error()) is Expired.GONE
        assert (await status(store, receipt_id), await overdue(store)) == (Status.FORWARDED, [])


async def test_what_is_erased_unread_does_not_expire(store: Store) -> None:
    await delivered(store)
    await store.erase_case(delivery().case_id, NOW, unread=True)
    assert await overdue(store) == []


async def test_what_expired_in_an_inbox_stays_in_the_history_of_its_case(store: Store) -> None:
    _, item_id = await delivered(store)
    asked = "north", SENDER, delivery().case_id, NOW - 1, 10
    before = await store.case_history(*asked)
    await store.expiries.expire(item_id, LATE, CAUSE, error())
    assert await store.case_history(*asked) == before != []


async def test_a_webhook_says_that_the_message_expired(store: Store) -> None:
    _, item_id = await delivered(store)
    await store.expiries.expire(item_id, LATE, CAUSE, error(notify=True))
    (event,) = await store.events.claim(LATE, 10, 60.0, {})
    assert (event.publisher_id, event.message_type, event.answer_status) == ("north", "RS-ERROR", "expired")


async def test_a_file_from_before_gets_what_it_lacks(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.deposit(delivery(), NOW)
    with sqlite3.connect(url(tmp_path).removeprefix("sqlite:///")) as file:
        file.execute("DROP TABLE expiries")
        file.execute("DROP INDEX messages_by_reference")
    file.close()
    async with opened(tmp_path) as store:
        assert (await overdue(store, NOW + 1e9), await flags(store)) == ([], [False])
        _, item_id = await delivered(store, 2)
        assert await overdue(store) == [item_id]


@pytest.mark.parametrize("query", [sqlite_expiries.OVERDUE, sqlite_expiries.DUE])
async def test_no_look_scans_a_table(tmp_path: Path, query: str) -> None:
    async with opened(tmp_path):
        file = sqlite3.connect(url(tmp_path).removeprefix("sqlite:///"))
        plan = [row[3] for row in file.execute(f"EXPLAIN QUERY PLAN {query}", (1, 1))]
        file.close()
    assert plan and not [line for line in plan if line.startswith("SCAN") and "INDEX" not in line], plan
    assert "messages_by_reference" in str(plan) or "expiries_due" in str(plan)


async def test_a_session_that_dies_in_the_middle_changes_nothing(postgres: PostgresServer) -> None:
    database = postgres.fresh()
    async with opened(database) as store:
        receipt_id, item_id = await delivered(store)
        other = await asyncpg.connect(database)
        async with other.transaction():
            await other.execute("SELECT 1 FROM messages FOR UPDATE")
            attempt = asyncio.create_task(store.expiries.expire(item_id, LATE, CAUSE, error()))
            held = WAITING.format(other.get_server_pid())
            (blocked,) = await until_told(lambda: other.fetch(held), bool)
            await other.execute("SELECT pg_terminate_backend($1)", blocked[0])
            with pytest.raises(Unavailable):
                await attempt
        await other.close()
        assert (await status(store, receipt_id), await flags(store)) == (Status.FORWARDED, [False])
        assert (await errors(store), await overdue(store)) == ([], [item_id])
        assert await store.expiries.expire(item_id, LATE, CAUSE, error()) is Expired.TOLD
