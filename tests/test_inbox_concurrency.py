"""Many clients of one publisher at its inbox at the same time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import translation
from gateway.edxl import json_codec
from tests.house import House, case, house
from tests.patience import until

ITEMS = 10
READERS = 50
WAITERS = 60  # fewer than limits.in_flight


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as running:
        yield running


async def deposit(gateway: House, number: int) -> None:
    """One case in the peer's inbox, as the core would put it there."""
    bundle = translation.to_fhir(json_codec.message(case(number), "v3"))
    assert (await gateway.deliver(bundle)).status_code == 200


async def references(gateway: House, expected: int) -> list[str]:
    """The distributionIDs that the RC-REFs which reached the core refer to; more than expected would still come."""
    await until(lambda: len(gateway.core.bundles) >= expected)
    await asyncio.sleep(0.1)
    documents = [translation.from_fhir(bundle) for bundle in gateway.core.bundles]
    messages = [json_codec.message(document, "v3") for document in documents]
    assert {message.message_type for message in messages} == {"RC-REF"}
    return [message.body["distributionID"] for message in messages]


async def test_readers_and_ackers_of_the_same_items(gateway: House) -> None:
    for number in range(ITEMS):
        await deposit(gateway, number)
    headers = await gateway.token("peer")

    async def read_and_ack() -> list[httpx.Response]:
        page = (await gateway.client.get("/v1/inbox", headers=headers)).json()
        paths = [f"/v1/inbox/{item['id']}/ack" for item in page["items"]]
        return await asyncio.gather(*(gateway.client.post(path, headers=headers) for path in paths))

    answers = [a for some in await asyncio.gather(*(read_and_ack() for _ in range(READERS))) for a in some]
    assert len(answers) > ITEMS
    assert {answer.status_code for answer in answers} == {200}
    told: dict[str, set[str]] = {}
    for answer in answers:
        told.setdefault(answer.json()["id"], set()).add(answer.json()["reference"])
    assert [len(ids) for ids in told.values()] == [1] * ITEMS  # every acker is told of the same RC-REF
    assert await gateway.inbox("peer") == []
    assert Counter(await references(gateway, ITEMS)) == {f"fr.health.samu440_{n}": 1 for n in range(ITEMS)}


async def test_one_message_wakes_every_waiter(gateway: House) -> None:
    headers = await gateway.token("peer")

    async def wait() -> list[dict[str, Any]]:
        answer = await gateway.client.get("/v1/inbox?wait=30", headers=headers)
        return list(answer.json()["items"])

    waiting = [asyncio.create_task(wait()) for _ in range(WAITERS)]
    await asyncio.sleep(0.2)
    assert not any(task.done() for task in waiting)
    await deposit(gateway, 1)
    pages = await asyncio.wait_for(asyncio.gather(*waiting), 20)  # before they end by themselves
    assert [[item["distributionID"] for item in page] for page in pages] == [
        ["fr.health.samu440_1"]
    ] * WAITERS
