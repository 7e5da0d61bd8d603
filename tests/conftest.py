"""What holds for all tests: where everything must be there, a skip for want of a part is a failure.

Also the databases: `database_url` is a fresh one of each kind in turn, `store` an open store on it.
"""

import io
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from bench import valkey
from gateway.observability import configure_logging
from gateway.store import Store
from tests.postgres_server import PostgresServer, started
from tests.store_samples import opened, url
from tests.valkey_server import started as start_valkey

# how long an example takes is no mark of a test: a busy machine may be slow
settings.register_profile(
    "patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With TESTS_REQUIRE_ALL=1 a skipped test fails with its reason."""
    report = yield
    if os.environ.get("TESTS_REQUIRE_ALL") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped where every part must be there: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL server for all tests; each takes a schema of its own."""
    with started() as server:
        server.execute("ALTER SYSTEM SET fsync = off")  # faster; what needs a durable one starts its own
        server.execute("SELECT pg_reload_conf()")
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[valkey.Server]:
    """One Valkey server for all tests. Who stops one starts its own."""
    with start_valkey() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], str]:
    """Makes an empty database of each kind in turn and gives its URL."""
    if request.param == "sqlite":
        return lambda: url(tmp_path_factory.mktemp("store"))
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.fresh


@pytest.fixture
def database_url(fresh_database: Callable[[], str]) -> str:
    """An empty database of each kind in turn."""
    return fresh_database()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """A store of each kind in turn, on an empty database."""
    async with opened(database_url) as fresh:
        yield fresh


@pytest.fixture
def lines() -> Iterator[io.BytesIO]:
    """What is logged."""
    stream = io.BytesIO()
    before = structlog.get_config()
    configure_logging("debug", stream)
    yield stream
    structlog.configure(**before)
