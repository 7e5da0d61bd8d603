"""Group commit: one transaction for all, and a failing operation fails alone."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.errors import Unavailable
from gateway.store import open_store
from gateway.store.batches import BATCH
from gateway.store.commit import GroupCommit
from tests.store_samples import LIMIT, NOW, opened, submission, url
from tests.test_store_sqlite import writer

# group commit


def counting(tmp_path: Path) -> tuple[GroupCommit[int], list[list[int]], list[int]]:
    """A writer whose operations are numbers: a negative one fails in the middle of its work."""
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    connection.execute("CREATE TABLE numbers (n INTEGER)")
    batches: list[list[int]] = []
    settled: list[int] = []

    def apply(connection: sqlite3.Connection, operations: Sequence[int]) -> list[int | Exception]:
        batches.append(list(operations))
        for number in operations:
            connection.execute("INSERT INTO numbers VALUES (?)", (abs(number),))
            if number < 0:
                raise ValueError(number)
        return list(operations)

    return GroupCommit(connection, apply, lambda number, _: settled.append(number)), batches, settled


async def test_operations_asked_for_together_are_one_transaction(tmp_path: Path) -> None:
    commit, batches, settled = counting(tmp_path)
    assert await asyncio.gather(*(commit.submit(n) for n in range(30))) == list(range(30))
    assert batches == [list(range(30))] and settled == list(range(30))
    await asyncio.gather(*(commit.submit(n) for n in range(BATCH + 1)))
    assert [len(batch) for batch in batches[1:]] == [BATCH, 1]
    await commit.close()
    commit._connection.close()


async def test_a_failing_operation_fails_alone_and_leaves_nothing(tmp_path: Path) -> None:
    commit, _, _ = counting(tmp_path)
    outcomes = await asyncio.gather(*(commit.submit(n) for n in (1, -2, 3)), return_exceptions=True)
    assert [isinstance(outcome, ValueError) for outcome in outcomes] == [False, True, False]
    await commit.close()
    assert commit._connection.execute("SELECT n FROM numbers ORDER BY n").fetchall() == [(1,), (3,)]
    commit._connection.close()


async def test_a_caller_that_goes_away_stops_nobody(tmp_path: Path) -> None:
    commit, _, settled = counting(tmp_path)
    futures = [commit.submit(n) for n in range(3)]
    futures[1].cancel()
    assert (await futures[0], await futures[2], settled) == (0, 2, [0, 1, 2])
    await commit.close()
    commit._connection.close()


async def test_closing_finishes_what_is_pending_and_takes_nothing_more(tmp_path: Path) -> None:
    commit, _, _ = counting(tmp_path)
    futures = [commit.submit(n) for n in range(3)]
    await commit.close()
    assert [future.result() for future in futures] == [0, 1, 2]
    with pytest.raises(Unavailable):
        commit.submit(4)
    commit._connection.close()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = await open_store(url(tmp_path), backlog_limit=LIMIT, now=NOW)
    await store.close()
    with pytest.raises(Unavailable):
        await store.enqueue(submission(1), NOW)
    with pytest.raises(Unavailable):
        await store.get("north", "0" * 32)
    assert not await store.is_writable(NOW)


async def test_a_batch_whose_commit_fails_is_tried_again_one_by_one(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    connection.executescript(
        "PRAGMA foreign_keys = ON; CREATE TABLE known (n INTEGER PRIMARY KEY); INSERT INTO known VALUES (1), (3);"
        "CREATE TABLE numbers (n INTEGER REFERENCES known DEFERRABLE INITIALLY DEFERRED);"
    )

    def apply(connection: sqlite3.Connection, operations: Sequence[int]) -> list[int | Exception]:
        for number in operations:
            connection.execute("INSERT INTO numbers VALUES (?)", (number,))
        return list(operations)

    commit = GroupCommit[int](connection, apply, lambda _number, _outcome: None)
    outcomes = await asyncio.gather(*(commit.submit(n) for n in (1, 2, 3)), return_exceptions=True)
    assert [isinstance(outcome, sqlite3.IntegrityError) for outcome in outcomes] == [False, True, False]
    await commit.close()
    assert connection.execute("SELECT n FROM numbers ORDER BY n").fetchall() == [(1,), (3,)]
    connection.close()


async def test_messages_that_cannot_be_read_back_are_claimed_again_later(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        receipt = await store.enqueue(submission(1), NOW)
    async with opened(tmp_path) as store:  # nothing is in memory now
        writer(store).execute("ALTER TABLE contents RENAME TO hidden")
        with pytest.raises(Unavailable, match="overloaded"):
            await store.claim(NOW, 1)
        writer(store).execute("ALTER TABLE hidden RENAME TO contents")
        assert [job.id for job in await store.claim(NOW, 1)] == [receipt.id]


async def test_marking_what_the_store_does_not_know_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        receipt = await store.enqueue(submission(1), NOW)
        await store.mark_forwarded("0" * 32, NOW)
        await store.mark_retry("0" * 32, NOW, NOW + 1)
        assert await store.get("north", "0" * 32) is None
        assert [job.id for job in await store.claim(NOW, 10)] == [receipt.id]
