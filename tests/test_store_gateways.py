"""Two whole gateways on one PostgreSQL: a publisher may speak to either."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from gateway import service
from gateway.app import create_app
from gateway.model import Publisher
from gateway.oauth2 import CoreClient, SigningKeys, client_assertion, generate_signing_keys
from gateway.registry import Registry, RegistryHolder
from gateway.settings import Settings
from tests.house import ASSERTION, BASE, PUBLISHERS, Clock, House, MemoryCore, case
from tests.patience import until
from tests.postgres_server import PostgresServer


@asynccontextmanager
async def gateways(
    url: str,
    count: int,
    publishers: tuple[Publisher, ...] = PUBLISHERS,
    signing: SigningKeys | None = None,
    **more: Any,
) -> AsyncIterator[list[House]]:
    """Replicas with the same keys and the same core."""
    clock, core, core_key = Clock(), MemoryCore(), ECKey.generate_key("P-256", auto_kid=True)
    keys = service.Keys(
        signing or generate_signing_keys(),
        CoreClient("national-core", {"keys": [core_key.as_dict(private=False)]}),
    )
    settings = Settings(base_url=BASE, database_url=url, **more)
    async with AsyncExitStack() as stack:
        houses = []
        for _ in range(count):
            registry = RegistryHolder(Registry.of(publishers))
            runtime = await stack.enter_async_context(
                service.running(settings, registry, keys, core, now=clock)
            )
            transport = httpx.ASGITransport(create_app(runtime))
            client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=BASE))
            houses.append(House(runtime, client, core, clock, core_key))
        yield houses


@pytest.fixture
async def pair(postgres: PostgresServer) -> AsyncIterator[list[House]]:
    async with gateways(postgres.fresh(), 2) as both:
        yield both


async def test_what_one_replica_took_the_other_knows(pair: list[House]) -> None:
    here, there = pair
    token = await here.token()
    sent = await here.send(case(1))
    again = await there.client.post(
        "/v1/messages",
        content=sent.request.content,
        headers={"Content-Type": "application/json", **token},
    )
    assert (sent.status_code, again.status_code) == (202, 200)
    assert again.json()["id"] == sent.json()["id"] and again.headers["Idempotent-Replayed"] == "true"
    await until(lambda: here.core.bundles)
    await until(lambda: here.runtime.store.backlog() + there.runtime.store.backlog() == 0)
    status = (await there.client.get(sent.headers["Location"], headers=token)).json()["status"]
    assert status == "forwarded"
    assert len(here.core.bundles) == 1, "both forwarders share one core"


async def test_a_delivery_to_one_replica_is_read_and_answered_at_the_other(pair: list[House]) -> None:
    here, there = pair
    await here.send(case(1))
    await until(lambda: here.core.bundles)
    poll = asyncio.create_task(there.inbox("peer", "?wait=30"))
    await asyncio.sleep(0.05)
    assert (await here.deliver(here.core.bundles[0])).status_code == 200
    async with asyncio.timeout(20):  # before the poll ends by itself
        (item,) = await poll
    headers = {"Content-Type": "application/json", **await there.token("peer")}
    done = await there.client.post(
        f"/v1/inbox/{item['id']}/ack", content=b'{"step": "INTEGRE"}', headers=headers
    )
    assert done.status_code == 200 and done.json()["acknowledged"]
    assert await here.inbox("peer") == []
    await until(lambda: len(here.core.bundles) == 2)


async def test_an_assertion_serves_at_one_replica_only(pair: list[House]) -> None:
    here, there = pair
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION,
        "client_assertion": client_assertion(here.core_key, "national-core", BASE, here.clock()),
    }
    assert (await here.client.post("/oauth2/token", data=form)).status_code == 200
    replayed = await there.client.post("/oauth2/token", data=form)
    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_client")
