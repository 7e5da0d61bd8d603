"""A connection pooler in front of PostgreSQL: in session mode the store works, in any other it is refused by name."""

import io
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway.errors import ConfigurationError, Unavailable
from gateway.observability import log
from gateway.store import open_store
from gateway.store.postgres_database import SESSION, Connection, open_postgres
from gateway.store.postgres_sessions import require_sessions
from tests.house import case
from tests.patience import until
from tests.pgbouncer import pooled
from tests.postgres_server import PostgresServer
from tests.store_samples import LIMIT, NOW, submission
from tests.test_store_gateways import gateways

IGNORED = {"ignore_startup_parameters": f"extra_float_digits,search_path,{','.join(SESSION)}"}


async def refusal(url: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        await open_store(url, backlog_limit=LIMIT, now=NOW)
    return str(refused.value)


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        IGNORED,
        {**IGNORED, "default_pool_size": "1"},
        {**IGNORED, "server_round_robin": "1", "min_pool_size": "5"},
    ],
    ids=["as it comes", "parameters ignored", "one connection", "round robin"],
)
async def test_a_pooler_without_sessions_is_refused_by_name(
    postgres: PostgresServer, tmp_path: Path, mode: str, options: dict[str, str]
) -> None:
    with pooled(postgres, tmp_path, pool_mode=mode, **options) as url:
        said = await refusal(url)
        assert "PgBouncer pool_mode" in said and "Set pool_mode = session in PgBouncer" in said
        assert url.rpartition("/")[2] in said
        checked = await asyncpg.connect(
            f"{postgres.url.replace('/postgres?', '/' + url.rpartition('/')[2] + '?')}"
        )
        assert await checked.fetchval("SELECT to_regclass('migrations')") is None  # nothing was begun
        await checked.close()


async def test_a_parameter_that_the_pooler_refuses_is_named(postgres: PostgresServer, tmp_path: Path) -> None:
    with pooled(postgres, tmp_path, pool_mode="session") as url:
        said = await refusal(f"{url}?search_path=public")
    assert "PgBouncer" in said and "search_path" in said and "ALTER ROLE" in said


@pytest.mark.parametrize("options", [{}, IGNORED], ids=["as it comes", "parameters ignored"])
async def test_in_session_mode_the_store_works(
    postgres: PostgresServer, tmp_path: Path, options: dict[str, str]
) -> None:
    with pooled(postgres, tmp_path, pool_mode="session", **options) as url:
        async with gateways(url, 2) as (here, there):
            assert (await here.send(case(1))).status_code == 202
            assert (await there.send(case(2))).status_code == 202
            await until(lambda: len(here.core.bundles) == 2)


async def test_in_session_mode_each_connection_has_its_settings(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """A pooler drops what is sent when connecting: a receipt would be worth what the server's default is."""
    postgres.execute("ALTER ROLE postgres SET synchronous_commit = off")
    try:
        with pooled(postgres, tmp_path, pool_mode="session", **IGNORED) as url:
            database = await open_postgres(url)

            async def settings(connection: Connection) -> dict[str, Any]:
                return {name: await connection.fetchval(f"SHOW {name}") for name in SESSION}

            assert await database.write(settings) == await database.ask(settings) == SESSION
            await database.close()
    finally:
        postgres.execute("ALTER ROLE postgres RESET synchronous_commit")


async def test_without_a_pooler_nothing_is_refused(postgres: PostgresServer) -> None:
    await require_sessions(postgres.url)


# what is logged of a database's failure


async def test_a_statement_that_fails_is_logged_by_class_and_sqlstate(
    postgres: PostgresServer, lines: io.BytesIO
) -> None:
    url = postgres.fresh()
    async with gateways(url, 1) as (here,):
        database = await asyncpg.connect(url)
        await database.execute("DROP FUNCTION lease_lanes")
        await database.close()
        await here.send(case(1))
        await until(lambda: b"worker_failed" in lines.getvalue())
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    failed = next(line for line in told if line["event"] == "worker_failed")
    assert (failed["exception"], failed["sqlstate"]) == ("UndefinedFunctionError", "42883")
    assert "RuntimeError" not in lines.getvalue().decode()
    assert "lease_lanes" not in lines.getvalue().decode()


async def test_an_outage_is_logged_by_class_and_sqlstate(postgres: PostgresServer, lines: io.BytesIO) -> None:
    store = await open_store(postgres.fresh(), backlog_limit=LIMIT, now=NOW)

    async def slow(connection: Connection) -> None:
        await connection.execute("SET LOCAL statement_timeout = 1")
        await connection.execute("SELECT pg_sleep(60)")

    with pytest.raises(Unavailable) as outage:
        await store._engine.database.change(slow)  # type: ignore[attr-defined]
    assert "QueryCanceledError (SQLSTATE 57014)" in outage.value.issues[0].diagnostics
    log.error("worker_failed", exc_info=outage.value)
    (line,) = [json.loads(one) for one in lines.getvalue().splitlines() if b"worker_failed" in one]
    assert (line["exception"], line["sqlstate"]) == ("QueryCanceledError", "57014")
    assert (await store.enqueue(submission(1), NOW)).id
    await store.close()
