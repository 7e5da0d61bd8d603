"""What is the embedded store's own: one process, durability, group commit, and a disk that fails."""

import asyncio
import random
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError, Unavailable
from gateway.model import Status, Step
from gateway.store import Store, open_store, reads
from gateway.store.database import WRITER_PRAGMAS
from gateway.store.memory import FreshMessages
from gateway.store.sqlite import PORTION, SqliteStore
from tests.patience import GIVE_UP
from tests.store_samples import NOW, answer, answered, delivery, opened, submission, timeline, url

ROOT = Path(__file__).parent.parent
CHILD = """
import asyncio, itertools, sys
sys.path[:0] = sys.argv[2:]
from tests.store_samples import NOW, submission
from gateway.store import open_store

async def main():
    store = await open_store(sys.argv[1], backlog_limit=10**9, now=NOW)
    numbers = itertools.count()
    async def send():
        for number in numbers:
            receipt = await store.enqueue(submission(number), NOW)
            sys.stdout.write(receipt.id + "\\n")
            sys.stdout.flush()
    await asyncio.gather(*(send() for _ in range(20)))

asyncio.run(main())
"""


def writer(store: Store) -> sqlite3.Connection:
    """The connection that writes; to be touched only while nothing is being written."""
    assert isinstance(store, SqliteStore)
    return store._engine._database.writer


# opening


async def test_commits_reach_the_disk_before_they_return(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        settings = {
            name: writer(store).execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "secure_delete")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}
    # and said by us: another build of SQLite may have another default
    assert {"journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"} <= set(WRITER_PRAGMAS)


async def test_the_database_is_its_users_only(tmp_path: Path) -> None:
    async with opened(tmp_path / "made" / "here") as store:
        await store.enqueue(submission(1), NOW)
        files = list((tmp_path / "made" / "here").iterdir())
        assert len(files) == 4
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path):
        program = [sys.executable, "-c", CHILD, url(tmp_path), str(ROOT)]
        child = await asyncio.create_subprocess_exec(*program, stderr=asyncio.subprocess.PIPE)
        try:
            _, errors = await asyncio.wait_for(child.communicate(), GIVE_UP)
        finally:
            if child.returncode is None:
                child.kill()
        assert child.returncode == 1
        assert b"ConfigurationError" in errors and b"another process" in errors
        with pytest.raises(ConfigurationError, match="another process"):
            await open_store(url(tmp_path), backlog_limit=1, now=NOW)
    async with opened(tmp_path):
        pass


@pytest.mark.parametrize("wrong", ["mysql://host/db", "sqlite:///", "gateway.db", ""])
async def test_a_url_of_another_kind_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        await open_store(wrong, backlog_limit=1, now=NOW)


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "gateway.db"
    file.write_bytes(b"not a database, but a file that is long enough to have a header" * 20)
    before = file.read_bytes()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"gateway\.db"):
            await open_store(url(tmp_path), backlog_limit=1, now=NOW)
    assert file.read_bytes() == before


async def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        writer(store).execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigurationError, match="schema version 99"):
        await open_store(url(tmp_path), backlog_limit=1, now=NOW)


VERSION_2 = """
ALTER TABLE messages DROP COLUMN answer;
ALTER TABLE messages DROP COLUMN not_applicable;
ALTER TABLE inbox DROP COLUMN distribution_status;
ALTER TABLE inbox DROP COLUMN reference;
ALTER TABLE inbox DROP COLUMN reference_rank;
ALTER TABLE inbox DROP COLUMN answer_status;
PRAGMA user_version = 2;
"""
VERSION_1 = f"""
{VERSION_2}
CREATE TABLE steps (
    message INTEGER NOT NULL, number INTEGER NOT NULL, step TEXT NOT NULL, at REAL NOT NULL, detail TEXT NOT NULL,
    PRIMARY KEY (message, number)
) WITHOUT ROWID;
INSERT INTO steps
    SELECT seq, key + 1, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
    FROM messages, json_each('[' || rtrim(timeline, ',') || ']') AS one;
ALTER TABLE messages DROP COLUMN timeline;
PRAGMA user_version = 1;
"""


async def test_a_database_of_version_1_is_taken_over_with_its_timelines(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        receipts = [await store.enqueue(submission(number), NOW) for number in range(3)]
        await store.claim(NOW, 2)
        for number, receipt in enumerate(receipts[:2]):
            before = [Step("translated", NOW + number / 7, 'é "\\\n\u2028,]')]
            await store.mark_forwarded(receipt.id, NOW + number / 3, before=before)
        known = [await store.get("north", receipt.id) for receipt in receipts]
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as connection:
        connection.executescript(VERSION_1)
    for _ in range(2):
        async with opened(tmp_path) as store:
            assert [await store.get("north", receipt.id) for receipt in receipts] == known
    async with opened(tmp_path) as store:
        (job,) = await store.claim(NOW, 5)
        await store.mark_forwarded(job.id, NOW)
        assert await timeline(store, job.id) == ["received", "forwarded"]


async def test_a_database_of_version_2_is_taken_over_with_its_inbox(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enqueue(submission(1), NOW)
        items = [await store.deposit(delivery(number), NOW) for number in range(2)]
        await store.acknowledge("south", items[0].id, NOW, None)
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as connection:
        connection.executescript(VERSION_2)
    for _ in range(2):
        async with opened(tmp_path) as store:
            assert await store.read_inbox("south", 0, 10) == items[1:]
    async with opened(tmp_path) as store:
        await answered(store, answer(status=Status.REFUSED))
        (receipt,), _ = await store.list_messages("north")
        assert (receipt.status, receipt.answer is None) == (Status.REFUSED, False)
        reference = submission(5, publisher_id="south")
        assert not await store.acknowledge("south", items[0].id, NOW, reference, 2), (
            "it was answered without one"
        )
        assert await store.acknowledge("south", items[1].id, NOW, reference, 2)


async def test_a_path_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        await open_store(f"sqlite:///{tmp_path}/file/gateway.db", backlog_limit=1, now=NOW)


async def test_a_restart_takes_up_what_was_under_way(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        first, second, third = [await store.enqueue(submission(n, case_id="c"), NOW) for n in (1, 2, 3)]
        assert [job.id for job in await store.claim(NOW, 5)] == [first.id]
        await store.mark_retry(first.id, NOW, NOW + 10)
        await store.claim(NOW + 10, 5)
        await store.mark_retry(first.id, NOW + 10, NOW + 20)
    async with opened(tmp_path) as store:
        assert store.backlog() == 3
        assert await store.claim(NOW + 19, 5) == []
        (job,) = await store.claim(NOW + 20, 5)
        assert (job.id, job.attempts, job.submission) == (first.id, 2, submission(1, case_id="c"))
        await store.reject(first.id, NOW + 20, Status.DEAD, "", None)
        await store.replay([first.id], NOW + 20)
        await store.claim(NOW + 20, 5)
    async with opened(tmp_path) as store:
        order = []
        while jobs := await store.claim(NOW + 20, 5):
            order += [job.id for job in jobs]
            await store.mark_forwarded(jobs[0].id, NOW + 20)
        assert order == [second.id, third.id, first.id]


# crash


@pytest.mark.parametrize("seed", range(3))
def test_every_receipt_that_left_a_killed_process_is_in_the_database(tmp_path: Path, seed: int) -> None:
    program = [sys.executable, "-c", CHILD, url(tmp_path), str(ROOT)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        receipts = [child.stdout.readline().strip()]
        time.sleep(random.Random(seed).uniform(0.01, 0.3))
        child.kill()
        receipts += child.stdout.read().split()
    assert len(receipts) > 20 and len(receipts[0]) == 32

    async def look() -> None:
        async with opened(tmp_path, backlog_limit=10**9) as store:
            found = [await store.get("north", receipt_id) for receipt_id in receipts if len(receipt_id) == 32]
            assert None not in found
            assert store.backlog() >= len(found)
            for receipt in (one[0] for one in found if one is not None):
                asked = receipt.sender, receipt.case_id, 0.0, 10
                (said,) = await store.case_history("north", *asked)
                assert said.distribution_id == receipt.distribution_id

    asyncio.run(look())


async def test_a_receipt_waits_for_the_commit(tmp_path: Path) -> None:
    """While another connection holds the database, nothing is given out, and nothing is there."""
    async with opened(tmp_path) as store:
        writer(store).execute("PRAGMA busy_timeout = 10000")
        other = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        receipt = asyncio.create_task(store.enqueue(submission(1), NOW))
        await asyncio.sleep(0.1)
        assert not receipt.done()
        assert other.execute("SELECT count(*) FROM messages").fetchone() == (0,)
        other.execute("ROLLBACK")
        await receipt
        assert other.execute("SELECT count(*) FROM messages").fetchone() == (1,)
        other.close()


# a disk that fails


async def test_a_full_disk_accepts_nothing_and_recovers(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        kept = await store.enqueue(submission(0), NOW)
        pages = writer(store).execute("PRAGMA page_count").fetchone()[0]
        writer(store).execute(f"PRAGMA max_page_count = {pages + 2}")
        large = [submission(n, body=b"x" * 60_000) for n in range(1, 9)]
        outcomes = await asyncio.gather(*(store.enqueue(m, NOW) for m in large), return_exceptions=True)
        assert all(isinstance(o, Unavailable) and o.headers == {"Retry-After": "5"} for o in outcomes)
        assert "SQLITE_FULL" in str(outcomes[0].issues[0].diagnostics)  # type: ignore[union-attr]
        assert (store.backlog(), [r.id for r in (await store.list_messages("north"))[0]]) == (1, [kept.id])
        with pytest.raises(Unavailable):
            await store.deposit(delivery(1, content=b"x" * 60_000), NOW)
        writer(store).execute("PRAGMA max_page_count = 100000")
        receipts = await asyncio.gather(*(store.enqueue(m, NOW) for m in large))
        assert not any(receipt.duplicate for receipt in receipts)
        assert store.backlog() == 9


async def test_what_fits_on_a_nearly_full_disk_is_accepted(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enqueue(submission(0), NOW)
        pages = writer(store).execute("PRAGMA page_count").fetchone()[0]
        writer(store).execute(f"PRAGMA max_page_count = {pages + 2}")
        messages = [submission(1), submission(2, body=b"x" * 50_000), submission(3)]
        outcomes = await asyncio.gather(*(store.enqueue(m, NOW) for m in messages), return_exceptions=True)
        assert [isinstance(outcome, Unavailable) for outcome in outcomes] == [False, True, False]


async def test_a_read_only_database_accepts_nothing_and_still_answers(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        first = await store.enqueue(submission(1), NOW)
        writer(store).execute("PRAGMA query_only = ON")
        with pytest.raises(Unavailable):
            await store.enqueue(submission(2), NOW)
        assert not await store.is_writable(NOW)
        assert await store.get("north", first.id) is not None
        assert await store.find_receipt("north", first.distribution_id, submission(1).digest) is not None
        writer(store).execute("PRAGMA query_only = OFF")
        assert await store.is_writable(NOW)
        assert not (await store.enqueue(submission(2), NOW)).duplicate


async def test_a_mark_that_cannot_be_written_leaves_the_message_to_be_tried_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        receipt = await store.enqueue(submission(1), NOW)
        await store.claim(NOW, 1)
        writer(store).execute("PRAGMA query_only = ON")
        with pytest.raises(Unavailable):
            await store.mark_forwarded(receipt.id, NOW)
        writer(store).execute("PRAGMA query_only = OFF")
        assert await store.claim(NOW + 4, 1) == []
        assert [job.id for job in await store.claim(NOW + 5, 1)] == [receipt.id]


async def test_content_that_is_gone_ends_as_a_dead_letter(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        receipt = await store.enqueue(submission(1, case_id="c"), NOW)
        second = await store.enqueue(submission(2, case_id="c"), NOW)
        writer(store).execute("DELETE FROM contents WHERE seq = (SELECT min(seq) FROM contents)")
    async with opened(tmp_path) as store:
        assert await store.claim(NOW, 5) == []
        assert [letter.id for letter in await store.dead_letters(5)] == [receipt.id]
        assert [job.id for job in await store.claim(NOW, 5)] == [second.id]


async def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for n in range(50):
            await store.enqueue(submission(n), NOW)
    file = tmp_path / "gateway.db"
    file.write_bytes(file.read_bytes()[:8192] + b"\xff" * (file.stat().st_size - 8192))
    with pytest.raises(ConfigurationError, match="malformed"):
        await open_store(url(tmp_path), backlog_limit=1, now=NOW)


# erasing


async def test_erased_content_is_nowhere_in_the_file(tmp_path: Path) -> None:
    secret = b"a made-up name that shall be forgotten" * 200
    async with opened(tmp_path) as store:
        receipt = await store.enqueue(submission(1, body=secret), NOW)
        await store.claim(NOW, 1)
        await store.mark_forwarded(receipt.id, NOW)
        await store.erase(NOW + 1)
    assert secret[:38] not in (tmp_path / "gateway.db").read_bytes()


async def test_erasing_goes_on_until_all_is_done(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        count = PORTION + 3
        items = await asyncio.gather(*(store.deposit(delivery(n), NOW) for n in range(count)))
        await asyncio.gather(*(store.acknowledge("south", item.id, NOW, None) for item in items))
        assert await store.erase(NOW + 1) == count


# reading pages


async def test_a_rare_filter_gives_short_pages_and_a_cursor_instead_of_a_long_search(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        rare = await store.enqueue(submission(0, case_id="rare"), NOW)
        await asyncio.gather(*(store.enqueue(submission(n), NOW) for n in range(1, 25)))
        pages: list[list[str]] = []
        cursor = None
        while not pages or cursor:
            page, cursor = reads.list_messages(
                writer(store), "north", {"case_id": "rare"}, cursor, 100, scan=10
            )
            pages.append([receipt.id for receipt in page])
        assert pages == [[], [], [rare.id]]


async def test_pages_go_back_over_silent_months(tmp_path: Path) -> None:
    hour = 2**reads.HOUR / 1e6  # seconds
    async with opened(tmp_path) as store:
        old = await store.enqueue(submission(0), NOW - 2 * reads.HOURS * hour)
        new = await store.enqueue(submission(1), NOW)
        await store.enqueue(submission(2, publisher_id="east"), NOW - 5 * reads.HOURS * hour)
        pages: list[list[str]] = []
        cursor = None
        while not pages or cursor:
            page, cursor = await store.list_messages("north", cursor=cursor, limit=1)
            pages.append([receipt.id for receipt in page])
        assert [receipt_id for page in pages for receipt_id in page] == [new.id, old.id]
        assert len(pages) < 8


async def test_pages_are_read_by_an_index_of_hours(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        plan = writer(store).execute(f"EXPLAIN QUERY PLAN {reads.LOOK}", (0, "north", 1, 10)).fetchall()
        assert any(
            "USING COVERING INDEX messages_by_hour (<expr>=? AND publisher_id=?" in row[3] for row in plan
        )


def test_fresh_messages_are_kept_within_a_bound() -> None:
    fresh = FreshMessages(100)
    for n, size in enumerate((60, 50, 40)):
        fresh.add(str(n), submission(n, body=b"x" * size))
    assert [fresh.get(str(n)) is not None for n in range(3)] == [True, False, True]
    fresh.drop("0")
    fresh.drop("0")
    fresh.add("3", submission(3, body=b"x" * 60))
    assert fresh.get("3") is not None
