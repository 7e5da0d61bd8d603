"""What holds across replicas: quotas, urgent cases, revoked tokens, and an inbox that is read elsewhere."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from structlog.testing import capture_logs

from bench import valkey
from gateway import replicas
from gateway.errors import Unavailable
from gateway.model import Limits, Submission
from gateway.oauth2 import generate_signing_keys
from tests.house import CASE, PUBLISHERS, House, case, publisher, secret
from tests.patience import until
from tests.postgres_server import PostgresServer, started
from tests.store_samples import submission
from tests.streams import streaming
from tests.test_store_gateways import gateways

LIMIT = 12
LIMITED = (publisher("lrm", ("fr.health.samu440",), (), limits=Limits(per_second=LIMIT, reserve=0.5)),)
JSON = {"Content-Type": "application/json"}
WAIT = 30.0  # seconds
UNDISTURBED = 5  # tries to have a run in which Valkey answers in time
URGENT = str(CASE["caseId"])
LIMITED_DAY = (
    publisher("lrm", ("fr.health.samu440",), (), limits=Limits(per_day=LIMIT, reserve=0.0)),
    *PUBLISHERS[1:],
)


@pytest.fixture
async def pair(postgres: PostgresServer) -> AsyncIterator[list[House]]:
    async with gateways(postgres.fresh(), 2, (*LIMITED, *PUBLISHERS[1:])) as both:
        yield both


async def post(at: House, number: int, token: dict[str, str], **body: Any) -> httpx.Response:
    """Send a case message."""
    return await at.client.post(
        "/v1/messages", content=orjson.dumps(case(number, **body)), headers=JSON | token
    )


async def revoke(at: House, token: dict[str, str]) -> int:
    """Hand a token of `lrm` back."""
    form = {"token": token["Authorization"].removeprefix("Bearer ")}
    return (await at.client.post("/oauth2/revoke", data=form, auth=("lrm", secret("lrm")))).status_code


async def welcome(at: House, token: dict[str, str]) -> int:
    """What a token is answered."""
    return (await at.client.get("/v1/quota", headers=token)).status_code


# revoked tokens


async def test_a_revoked_token_is_refused_here_at_once_and_there_soon(pair: list[House]) -> None:
    here, there = pair
    token, other = await here.token(), await here.token()
    assert [await welcome(at, token) for at in pair] == [200, 200]
    assert await revoke(here, token) == 200
    assert await welcome(here, token) == 401
    async with asyncio.timeout(WAIT):
        while await welcome(there, token) != 401:  # noqa: ASYNC110 - it is asked
            await asyncio.sleep(0.05)
    assert [await welcome(at, other) for at in pair] == [200, 200]


async def test_a_revoked_token_stays_so_after_a_restart(database_url: str) -> None:
    signing = generate_signing_keys()
    async with gateways(database_url, 1, signing=signing) as (first,):
        token = await first.token()
        assert await revoke(first, token) == 200
    async with gateways(database_url, 1, signing=signing) as (again,):
        assert await welcome(again, token) == 401
        assert await welcome(again, await again.token()) == 200


# urgent cases


async def test_a_case_that_became_urgent_at_one_replica_uses_the_reserve_at_another(
    pair: list[House],
) -> None:
    here, there = pair
    token = await here.token()
    urgent = await post(here, 0, token, qualification={"details": {"priority": "P0"}})
    assert urgent.status_code == 202
    await until(lambda: there.runtime.urgent_cases.is_urgent("lrm", "", URGENT, there.clock()))
    answers = [await post(there, n, token) for n in range(1, LIMIT + 2)]
    assert [answer.status_code for answer in answers] == [202] * (LIMIT + 1)
    assert answers[-1].json()["quota"] == "reserve"


async def test_a_database_that_is_away_is_said_once_and_followed_again() -> None:
    with started() as server:
        async with gateways(server.fresh(), 1) as (at,):
            with capture_logs() as lines:
                following = asyncio.create_task(replicas.follow(at.runtime, every=0.02))
                await asyncio.to_thread(server.crash)
                await until(lambda: [line for line in lines if line["event"] == "replicas_not_followed"])
                await asyncio.sleep(0.5)
                said = [line["event"] for line in lines].count("replicas_not_followed")
            await asyncio.to_thread(server.start)
            assert said <= 2, "by this one and by the gateway's own worker, once each"
            message = submission(1, publisher_id="lrm", case_id="c", urgent=True, received_at=at.clock())
            async with asyncio.timeout(WAIT):
                while not await stored(at, message):  # noqa: ASYNC110 - it is asked
                    await asyncio.sleep(0.05)
            await until(lambda: at.runtime.urgent_cases.is_urgent("lrm", "", "c", at.clock()))
            assert not following.done()
            following.cancel()


async def stored(at: House, message: Submission) -> bool:
    """Whether the store takes a message now."""
    try:
        await at.runtime.store.enqueue(message, at.clock())
    except Unavailable:
        return False
    return True


# quotas


async def test_two_gateways_admit_exactly_the_limit(
    postgres: PostgresServer, valkey_server: valkey.Server
) -> None:
    for _ in range(UNDISTURBED):
        valkey_server.ask("FLUSHALL")
        with capture_logs() as lines:
            async with gateways(postgres.fresh(), 2, LIMITED_DAY, quota_url=valkey_server.url) as both:
                token = await both[0].token()
                answers = await asyncio.gather(*(post(both[n % 2], n, token) for n in range(3 * LIMIT)))
                shown = [(await quota_of(at, token))[2]["remaining"] for at in both]
        if not [line for line in lines if line["event"] == "quota_not_shared"]:
            assert Counter(answer.status_code for answer in answers) == {202: LIMIT, 429: 2 * LIMIT}
            assert shown == [0, 0]
            return
    pytest.fail("the machine is too slow: Valkey does not answer in time")


async def quota_of(at: House, token: dict[str, str]) -> list[dict[str, Any]]:
    """What `GET /v1/quota` shows."""
    limits: list[dict[str, Any]] = (await at.client.get("/v1/quota", headers=token)).json()["limits"]
    return limits


async def test_a_repeat_costs_nothing_wherever_it_comes(
    postgres: PostgresServer, valkey_server: valkey.Server
) -> None:
    valkey_server.ask("FLUSHALL")
    async with gateways(postgres.fresh(), 2, LIMITED_DAY, quota_url=valkey_server.url) as both:
        token = await both[0].token()
        answers = [await post(both[n % 2], 1, token) for n in range(6)]
        assert [answer.status_code for answer in answers] == [202] + [200] * 5
        assert (await quota_of(both[0], token))[2]["remaining"] == LIMIT - 1


# an inbox that is read at another replica


async def test_a_stream_at_one_replica_tells_what_came_to_the_other(pair: list[House]) -> None:
    here, there = pair
    await here.send(case(1))
    await until(lambda: here.core.bundles)
    async with streaming(there, await there.token("peer")) as sent, asyncio.timeout(WAIT):
        while b"waiting" not in await sent.get():
            pass
        assert (await here.deliver(here.core.bundles[0])).status_code == 200
        while b"event: message" not in (piece := await sent.get()):
            pass
        assert piece.startswith(b"id: ")
