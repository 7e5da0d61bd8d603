"""What is the shared store's own: its migrations, its texts, its errors, and how it claims."""

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigurationError, Refused, Unavailable
from gateway.model import Answer, Status, Step
from gateway.store import Store, open_store
from gateway.store.memory import LEAVE_OUT, Backlog
from gateway.store.postgres import PORTION, PostgresStore
from gateway.store.postgres_calls import Calls
from gateway.store.postgres_database import MIGRATIONS, Connection, database_error, open_postgres, plain
from tests.patience import until_told
from tests.postgres_server import PostgresServer
from tests.store_samples import NOW, answer, answered, claimed, delivery, opened, status, submission, timeline

WAITING = "SELECT pid FROM pg_stat_activity WHERE {} = ANY (pg_blocking_pids(pid))"


@pytest.fixture
def shared(postgres: PostgresServer) -> str:
    return postgres.fresh()


async def ask(url: str, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()


# opening and migrations


async def test_many_replicas_that_start_at_once_migrate_once(shared: str) -> None:
    databases = await asyncio.gather(*(open_postgres(shared) for _ in range(5)))
    for database in databases:
        await database.close()
    names = [row[0] for row in await ask(shared, "SELECT name FROM migrations ORDER BY number")]
    assert names == sorted(file.stem for file in MIGRATIONS.glob("*.sql")) != []


def with_one_more(tmp_path: Path, statements: str) -> Path:
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    (folder / "9999_newer.sql").write_text(statements)
    return folder


async def test_a_replica_of_the_version_before_goes_on_beside_a_newer_one(
    tmp_path: Path, shared: str
) -> None:
    newer = with_one_more(
        tmp_path,
        "ALTER TABLE messages ADD COLUMN color text NOT NULL DEFAULT ''; CREATE INDEX ON inbox (sender);",
    )
    async with opened(shared) as store:
        first = await store.enqueue(submission(1), NOW)
        await claimed(store)
        await (await open_postgres(shared, newer)).close()
        await store.mark_forwarded(first.id, NOW)
        second = await store.enqueue(submission(2), NOW)
        assert await claimed(store) == [second.id]
    async with opened(shared) as store:  # and starts on a database that is ahead
        assert await status(store, first.id) == Status.FORWARDED
        assert (await store.enqueue(submission(2), NOW)).duplicate


async def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, shared: str) -> None:
    broken = with_one_more(tmp_path, "CREATE TABLE half (n integer); SELECT 1 / 0;")
    with pytest.raises(ConfigurationError, match="cannot be used: DivisionByZeroError"):
        await open_postgres(shared, broken)
    assert await ask(shared, "SELECT 1 FROM migrations WHERE number = 9999") == []
    assert (await ask(shared, "SELECT to_regclass('half')"))[0][0] is None
    async with opened(shared) as store:
        await store.enqueue(submission(1), NOW)


APART = (
    "-- Outside a transaction.\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS newer ON messages (sender);"
)


async def test_an_index_is_made_beside_replicas_that_write(tmp_path: Path, shared: str) -> None:
    newer = with_one_more(tmp_path, APART.replace("UNIQUE ", ""))
    async with opened(shared) as store:
        await store.enqueue(submission(1), NOW)
        connection = await asyncpg.connect(shared)
        async with connection.transaction():  # it writes for long: nobody must queue behind who waits for it
            await connection.execute("UPDATE messages SET attempts = 0")
            migrating = asyncio.create_task(open_postgres(shared, newer))
            others = [asyncio.create_task(open_postgres(shared, newer)) for _ in range(2)]
            waiting = WAITING.format(connection.get_server_pid())
            await until_told(lambda: ask(shared, waiting))
            await store.enqueue(submission(2), NOW)
            assert not migrating.done()
        await connection.close()
        for database in await asyncio.gather(migrating, *others):
            await database.close()
    assert await ask(shared, "SELECT 1 FROM migrations WHERE number = 9999")


async def test_an_index_that_could_not_be_made_is_made_anew(tmp_path: Path, shared: str) -> None:
    async with opened(shared) as store:
        for number in (1, 2):
            await store.enqueue(submission(number), NOW)
    newer = with_one_more(tmp_path, APART)
    with pytest.raises(ConfigurationError, match="UniqueViolationError"):
        await open_postgres(shared, newer)
    assert await ask(shared, "SELECT 1 FROM migrations WHERE number = 9999") == []
    await ask(shared, "UPDATE messages SET sender = distribution_id RETURNING seq")
    await (await open_postgres(shared, newer)).close()
    assert await ask(shared, "SELECT 1 FROM migrations WHERE number = 9999")
    (made,) = await ask(shared, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'newer'::regclass")
    assert made[0]


def test_migrations_only_add() -> None:
    """A replica of the version before must be able to go on."""
    for file in MIGRATIONS.glob("*.sql"):
        code = "\n".join(line.partition("--")[0] for line in file.read_text().splitlines()).upper()
        outside = re.sub(
            r"\$\$.*?\$\$", "", code, flags=re.DOTALL
        )  # what a function does, it does when it is called
        assert not {"DROP", "RENAME", "TRUNCATE", "DELETE", "REPLACE"} & set(outside.split()), file.name


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://someone:secret@127.0.0.1:1/gateway",
        "postgresql://someone:secret@/gateway?host=/nowhere",
        "postgres://someone:secret@host.invalid/gateway",
        "postgresql://someone:secret@host:port/gateway",
    ],
)
async def test_a_server_that_cannot_be_reached_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used") as refusal:
        await open_store(url, backlog_limit=1, now=NOW)
    assert "secret" not in str(refusal.value) and "***" in str(refusal.value)


async def test_a_schema_that_is_not_there_is_refused(postgres: PostgresServer) -> None:
    with pytest.raises(ConfigurationError, match="search path"):
        await open_store(f"{postgres.url}&search_path=nowhere", backlog_limit=1, now=NOW)


async def test_a_commit_waits_for_the_disk_whatever_the_servers_default(shared: str) -> None:
    database = await open_postgres(f"{shared}&synchronous_commit=off")

    async def setting(connection: Connection) -> object:
        return await connection.fetchval("SHOW synchronous_commit")

    assert await database.write(setting) == await database.change(setting) == "on"
    await database.close()


async def test_a_wake_up_call_waits_for_no_disk(shared: str) -> None:
    database = await open_postgres(shared)
    calls = Calls(database, lambda _: None)
    listener, _ = await calls.listener()
    assert await listener.fetchval("SHOW synchronous_commit") == "off"
    calls.hang_up()
    await database.close()


# texts and errors


async def test_a_text_that_postgresql_cannot_hold_is_no_failure(shared: str) -> None:
    odd = "a\0b\ud800"
    async with opened(shared) as store:
        message = submission(
            1, distribution_id=odd, case_id=odd, refers_to=odd, recipient=odd, publisher_id=odd
        )
        receipt = await store.enqueue(message, NOW)
        assert (await store.enqueue(message, NOW)).duplicate
        assert await store.find_receipt(odd, odd, message.digest) is not None
        assert [r.id for r in (await store.list_messages(odd, case_id=odd, status=odd))[0]] == []
        assert [r.id for r in (await store.list_messages(odd, case_id=odd))[0]] == [receipt.id]
        assert await store.get(odd, odd) is None and await store.inbox_item(odd, odd) is None
        item = await store.deposit(delivery(1, distribution_id=odd, publisher_id=odd), NOW)
        assert (await store.inbox_item(odd, item.id)) is not None
        assert await store.remember_jti(odd, NOW, NOW) and not await store.remember_jti(odd, NOW, NOW)
        await answered(store, Answer(odd, odd, odd, Status.REFUSED, odd, error_distribution_id=odd))
        assert await store.replay([odd], NOW) == 0
        await claimed(store)
        await store.mark_retry(receipt.id, NOW, NOW, odd, [Step("translated", NOW, odd)])
        assert await timeline(store, receipt.id, odd) == ["received", "translated", "retry"]
        await store.wait_inbox(odd, 0, 5)


@given(st.text(alphabet=st.characters(codec=None, categories=None)))
@settings(max_examples=200, deadline=None)
def test_plain_changes_only_what_cannot_be_held(text: str) -> None:
    held = plain(text)
    assert "\0" not in held and held.encode().decode() == held and len(held) == len(text)
    assert plain(held) == held
    if "\0" not in text and text.isprintable():
        assert held == text


async def test_a_message_at_fault_fails_alone_and_is_not_quoted(shared: str) -> None:
    async with opened(shared) as store:
        faulty = submission(2, digest="a made-up secret", body=b"x")
        outcomes = await asyncio.gather(
            *(store.enqueue(m, NOW) for m in (submission(1), faulty, submission(3))), return_exceptions=True
        )
        assert [isinstance(outcome, RuntimeError) for outcome in outcomes] == [False, True, False]
        assert "made-up" not in str(outcomes[1])
        assert (store.backlog(), len(await claimed(store))) == (2, 2)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (asyncpg.DiskFullError("x"), Unavailable),
        (asyncpg.TooManyConnectionsError("x"), Unavailable),
        (asyncpg.AdminShutdownError("x"), Unavailable),
        (asyncpg.CannotConnectNowError("x"), Unavailable),
        (asyncpg.ReadOnlySQLTransactionError("x"), Unavailable),
        (asyncpg.DeadlockDetectedError("x"), Unavailable),
        (asyncpg.InterfaceError("x"), Unavailable),
        (ConnectionRefusedError("x"), Unavailable),
        (TimeoutError(), Unavailable),
        (asyncpg.UniqueViolationError("Key (name)=(a made-up secret) exists"), RuntimeError),
        (asyncpg.UndefinedTableError("a made-up secret"), RuntimeError),
        (KeyError("a defect"), KeyError),
    ],
    ids=lambda one: getattr(one, "__name__", type(one).__name__),
)
def test_errors_are_told_as_what_they_mean(error: Exception, told: type[Exception]) -> None:
    found = database_error(error)
    assert type(found) is told
    assert "made-up" not in str(found)
    if isinstance(found, Unavailable):
        assert type(error).__name__ in found.issues[0].diagnostics and found.headers == {"Retry-After": "5"}


async def test_transactions_in_each_others_way_are_tried_again(shared: str) -> None:
    """Two that take the same two locks in opposite order: one is ended by the server, and does its work all the same."""
    database = await open_postgres(shared)
    both = asyncio.Barrier(2)
    tries = []

    def taking(first: int, second: int) -> Callable[[Connection], Awaitable[int]]:
        async def work(connection: Connection) -> int:
            tries.append(first)
            await connection.execute("SELECT pg_advisory_xact_lock($1)", first)
            if len(tries) <= 2:
                await both.wait()
            await connection.execute("SELECT pg_advisory_xact_lock($1)", second)
            return first

        return work

    done = await asyncio.gather(database.change(taking(1, 2)), database.change(taking(2, 1)))
    assert list(done) == [1, 2]
    assert len(tries) == 3
    await database.close()


async def test_a_read_only_server_accepts_nothing_and_still_answers(
    postgres: PostgresServer, shared: str
) -> None:
    async with opened(shared) as store:
        first = await store.enqueue(submission(1), NOW)
    async with opened(shared) as store:
        assert isinstance(store, PostgresStore)
        pools = (store._engine.database.writers.pool, store._engine.database.readers.pool)
        for pool in pools:
            async with pool.acquire() as connection:
                await connection.execute("SET default_transaction_read_only = on")
        with pytest.raises(Unavailable, match="overloaded"):
            await store.enqueue(submission(2), NOW)
        assert not await store.is_writable(NOW)
        assert await store.get("north", first.id) is not None
        for pool in pools:
            await pool.expire_connections()
        assert await store.is_writable(NOW)
        assert not (await store.enqueue(submission(2), NOW)).duplicate


async def test_an_open_claim_whose_content_is_gone_ends_as_a_dead_letter(shared: str) -> None:
    async with opened(shared) as store:
        receipt = await store.enqueue(submission(1, case_id="c"), NOW)
        second = await store.enqueue(submission(2, case_id="c"), NOW)
        await ask(shared, "DELETE FROM contents WHERE seq = (SELECT min(seq) FROM contents)")
        assert await claimed(store) == []
        assert [letter.id for letter in await store.dead_letters(5)] == [receipt.id]
        assert await claimed(store) == [second.id]


async def test_a_closed_store_says_so(shared: str) -> None:
    async with opened(shared) as store:
        pass
    for operation in (store.enqueue(submission(1), NOW), store.get("north", "0" * 32), store.claim(NOW, 1)):
        with pytest.raises(Unavailable):
            await operation
    assert not await store.is_writable(NOW)


async def test_erasing_goes_on_until_all_is_done(shared: str) -> None:
    async with opened(shared) as store:
        for n in range(PORTION + 3):
            await store.enqueue(submission(n), NOW)
        while jobs := await store.claim(NOW, 100):
            await asyncio.gather(*(store.mark_forwarded(job.id, NOW) for job in jobs))
        assert await store.erase(NOW + 1) == PORTION + 3
        assert await ask(shared, "SELECT 1 FROM contents") == []


# claiming


async def test_a_claim_is_full_where_one_publisher_has_more_lanes_than_others(shared: str) -> None:
    async with opened(shared) as store:
        names = [("a", 12), ("b", 1), ("c", 3), ("d", 0)]
        for name, count in names:
            for n in range(count):
                await store.enqueue(
                    submission(n, publisher_id=name, distribution_id=f"{name}{n}", case_id=f"{name}{n}"), NOW
                )
        jobs = [job.submission.distribution_id for job in await store.claim(NOW, 10)]
        assert len(jobs) == len(set(jobs)) == 10
        assert jobs[:3] == ["a0", "b0", "c0"] and {"c1", "c2"} <= set(jobs)
        assert [job.submission.publisher_id for job in await store.claim(NOW, 100)] == ["a"] * 6


async def test_turns_go_round_from_claim_to_claim(shared: str) -> None:
    async with opened(shared) as store:
        for name in "abc":
            for n in range(3):
                await store.enqueue(
                    submission(n, publisher_id=name, distribution_id=f"{name}{n}", case_id=f"{name}{n}"), NOW
                )
        turns = [[job.submission.publisher_id for job in await store.claim(NOW, 2)] for _ in range(5)]
        assert turns == [["a", "b"], ["c", "a"], ["b", "c"], ["a", "b"], ["c"]]


async def step(store: Store, held: list[str], what: str, number: int, flag: bool, at: int) -> None:
    """One thing that can happen to the messages of four cases."""
    pick = held.pop(number % len(held)) if held and what in ("forward", "retry", "die") else None
    match what:
        case "come":
            await store.enqueue(submission(at, case_id=f"c{number}", urgent=flag), NOW)
        case "claim":
            held += await claimed(store, limit=number + 1)
        case "forward" if pick:
            await store.mark_forwarded(pick, NOW)
        case "retry" if pick:
            await store.mark_retry(pick, NOW, NOW + (1 if flag else 0))
        case "die" if pick:
            await store.reject(pick, NOW, Status.DEAD, "", None)
        case "replay":
            await store.replay([letter.id for letter in await store.dead_letters(2)], NOW)
        case "refuse":
            await store.refuse_delivery(f"fr.health.samu440_{at // 2}", "fr.health.samu440", NOW, "", None)
        case "answer":
            sent = f"fr.health.samu440_{at // 2}"
            await answered(store, answer(refers_to=sent))


@given(
    plan=st.lists(
        st.tuples(
            st.sampled_from(["come", "claim", "forward", "retry", "die", "replay", "answer", "refuse"]),
            st.integers(0, 3),
            st.booleans(),
        ),
        min_size=3,
        max_size=40,
    )
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_waits_is_always_in_one_lane_and_every_lane_knows_its_head(
    postgres: PostgresServer, plan: list[tuple[str, int, bool]]
) -> None:
    """Whatever happens, the lanes say what the queue holds, and the backlog counts it."""
    url = postgres.fresh()

    async def run() -> None:
        async with opened(url) as store:
            held: list[str] = []
            for at, (what, number, flag) in enumerate(plan):
                await step(store, held, what, number, flag, at)
                (row,) = await ask(url, STATE)
                assert dict(row) == {"waiting": store.backlog(), "strayed": 0, "wrong": 0, "unmarked": 0}

    asyncio.run(run())


STATE = """
SELECT (SELECT count(*) FROM queue) AS waiting,
    (SELECT count(*) FROM queue WHERE lane NOT IN (SELECT lane FROM lanes)) AS strayed,
    (SELECT count(*) FROM lanes l CROSS JOIN LATERAL (
        SELECT min(position) AS position, (array_agg(publisher_id ORDER BY position))[1] AS publisher_id,
            bool_or(urgent) AS urgent
        FROM queue q WHERE q.lane = l.lane
     ) q WHERE lease IS NULL AND (l.position, l.publisher_id, l.urgent)
        IS DISTINCT FROM (q.position, q.publisher_id, q.urgent)) AS wrong,
    (SELECT count(*) FROM messages m FULL JOIN queue q USING (seq)
     WHERE (m.status = 'received') IS DISTINCT FROM (q.seq IS NOT NULL)) AS unmarked
"""


# the estimate of the backlog


async def test_a_count_that_changes_run_into_is_left_out_but_not_for_ever() -> None:
    backlog = Backlog()

    async def counted() -> tuple[int, float | None]:
        backlog.add(1, NOW)  # something settles while the count is made
        return 100, NOW - 9

    for n in range(LEAVE_OUT):
        await backlog.count(counted)
        assert (len(backlog), backlog.oldest) == (n + 1, NOW)
    await backlog.count(counted)
    assert (len(backlog), backlog.oldest) == (100, NOW - 9)


async def test_a_conflict_is_found_in_any_replica(shared: str) -> None:
    async with opened(shared) as here, opened(shared) as there:
        await here.enqueue(submission(1), NOW)
        with pytest.raises(Refused):
            await there.enqueue(submission(1, digest=b"other"), NOW)
        assert there.backlog() == 0
