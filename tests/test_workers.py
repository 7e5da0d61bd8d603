"""Workers outlive what nobody foresaw: here, functions that are missing in the database for a while."""

import asyncpg
from structlog.testing import capture_logs

from gateway.observability import METRICS
from gateway.store.postgres_database import MIGRATIONS
from tests.house import case
from tests.patience import until, until_told
from tests.postgres_server import PostgresServer
from tests.test_store_gateways import gateways


async def test_what_fails_in_a_way_that_is_no_outage_is_tried_again(postgres: PostgresServer) -> None:
    url = postgres.fresh()
    async with gateways(url, 1) as (here,):
        database = await asyncpg.connect(url)
        before = failures()
        with capture_logs() as lines:
            await database.execute("DROP FUNCTION lease_lanes")
            sent = await here.send(case(1))
            assert sent.status_code == 202
            await until(lambda: [line for line in lines if line["event"] == "worker_failed"])
        assert not here.core.bundles and failures() > before
        await database.execute((MIGRATIONS / "0006_ordinary_room.sql").read_text())
        await database.close()
        await until(lambda: here.core.bundles)
        headers = await here.token()

        async def status() -> str:
            return str((await here.client.get(sent.headers["Location"], headers=headers)).json()["status"])

        await until_told(status, lambda told: told == "forwarded")


def failures() -> float:
    found = METRICS.get_sample_value("gateway_worker_failures_total", {"worker": "Forwarder"})
    assert found is not None
    return found
