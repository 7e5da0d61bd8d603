"""A reader that is suspended, or whose token is revoked, while it waits for its inbox gets no patient any more."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.types import Message

from gateway.registry import Registry
from gateway.stream import events
from tests.house import PUBLISHERS, House, house, secret
from tests.patience import until
from tests.store_samples import NOW, delivery

Ends = Callable[[House, str], Awaitable[None]]


def request(token: dict[str, str]) -> Request:
    """That of a client which stays."""

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    headers = [(name.lower().encode(), value.encode()) for name, value in token.items()]
    return Request({"type": "http", "headers": headers}, receive)


async def suspend(gateway: House, _token: str) -> None:
    changed = tuple(replace(p, status="suspended") if p.id == "peer" else p for p in PUBLISHERS)
    gateway.runtime.registry.reload(lambda: Registry.of(changed))


async def revoke(gateway: House, token: str) -> None:
    answer = await gateway.client.post(
        "/oauth2/revoke", data={"token": token.removeprefix("Bearer ")}, auth=("peer", secret("peer"))
    )
    assert answer.status_code == 200, answer.text


async def let_expire(gateway: House, _token: str) -> None:
    gateway.clock.now += gateway.runtime.settings.access_token_seconds + 120


@pytest.mark.parametrize("end", [suspend, revoke, let_expire])
async def test_a_long_poll_that_was_open_before_delivers_nothing(tmp_path: Path, end: Ends) -> None:
    async with house(tmp_path) as gateway:
        token = await gateway.token("peer")
        poll = asyncio.create_task(gateway.client.get("/v1/inbox?wait=50", headers=token))
        await until(lambda: gateway.runtime.readers.open("peer") == 1)
        await end(gateway, token["Authorization"])
        await gateway.runtime.store.deposit(delivery(publisher_id="peer"), NOW)
        answer = await poll
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer ")
        assert b"number" not in answer.content


async def test_a_scope_that_is_taken_away_meanwhile_counts_too(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        token = await gateway.token("peer")
        poll = asyncio.create_task(gateway.client.get("/v1/inbox?wait=50", headers=token))
        await until(lambda: gateway.runtime.readers.open("peer") == 1)
        changed = tuple(replace(p, scopes=("message.send",)) if p.id == "peer" else p for p in PUBLISHERS)
        gateway.runtime.registry.reload(lambda: Registry.of(changed))
        await gateway.runtime.store.deposit(delivery(publisher_id="peer"), NOW)
        assert (await poll).status_code == 403


async def test_a_long_poll_of_a_publisher_in_good_standing_still_delivers(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        token = await gateway.token("peer")
        poll = asyncio.create_task(gateway.client.get("/v1/inbox?wait=50", headers=token))
        await until(lambda: gateway.runtime.readers.open("peer") == 1)
        await gateway.runtime.store.deposit(delivery(publisher_id="peer"), NOW)
        assert len((await poll).json()["items"]) == 1


@pytest.mark.parametrize("end", [suspend, revoke, let_expire])
async def test_a_stream_ends_between_two_items_of_one_page(tmp_path: Path, end: Ends) -> None:
    async with house(tmp_path) as gateway:
        for number in range(3):
            await gateway.runtime.store.deposit(delivery(number, publisher_id="peer"), NOW)
        token = await gateway.token("peer")
        publisher = gateway.runtime.registry.current.by_id("peer")
        assert publisher is not None
        stream = events(gateway.runtime, request(token), publisher, 0)
        assert b"event: message" in await anext(stream)
        await end(gateway, token["Authorization"])
        assert [event async for event in stream] == []
