"""What takes long is done beside the event loop: others are answered meanwhile."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

from gateway import pages
from gateway.errors import ConfigurationError
from gateway.registry import Registry, RegistryHolder
from gateway.reload import reloading
from tests.house import PUBLISHERS, house

WAIT = 30.0  # seconds, where something must happen


class Ticks:
    """How many turns of the loop have passed."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(0.001)
            self.count += 1


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - a thread sets no event of the loop
        await asyncio.sleep(0.001)


async def test_the_contract_is_made_while_others_go_on(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        pages._contract.cache_clear()
        ticks = Ticks()
        ticking = asyncio.create_task(ticks.run())
        answers = await asyncio.gather(*(gateway.client.get("/openapi.json") for _ in range(3)))
        ticking.cancel()
        assert {answer.status_code for answer in answers} == {200}
        assert ticks.count > 20  # made in the loop, it was none
        assert pages._contract.cache_info().misses == 1


async def test_the_registry_is_read_in_a_thread_and_swapped_as_a_whole() -> None:
    holder, wanted = RegistryHolder(Registry.of([])), Registry.of(PUBLISHERS)
    begun, go_on = threading.Event(), threading.Event()

    def read() -> Registry:
        begun.set()
        assert go_on.wait(WAIT)
        return wanted

    async with reloading(holder, read) as reload, asyncio.timeout(WAIT):
        before = holder.current
        reload()
        assert await asyncio.to_thread(begun.wait, WAIT)
        assert holder.current is before  # the loop runs, and sees the old one
        go_on.set()
        await until(lambda: holder.current is not before)
    assert holder.current is wanted


async def test_what_changes_while_it_is_read_is_read_again() -> None:
    holder = RegistryHolder(Registry.of([]))
    times = 0
    begun, go_on = threading.Event(), threading.Event()

    def read() -> Registry:
        nonlocal times
        times += 1
        begun.set()
        assert go_on.wait(WAIT)
        if times == 2:
            raise ConfigurationError("a.toml:1: faulty")
        return Registry.of(PUBLISHERS[:times])

    async with reloading(holder, read) as reload, asyncio.timeout(WAIT):
        reload()
        assert await asyncio.to_thread(begun.wait, WAIT)
        reload()
        reload()
        go_on.set()
        await until(lambda: times == 2)
        reload()  # after a faulty one, which changes nothing
        await until(lambda: len(holder.current.publishers) == 3)
    assert times == 3
