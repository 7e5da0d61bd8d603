"""What takes long is done beside the event loop: others are answered meanwhile."""

import asyncio
import os
from pathlib import Path

from gateway import pages, service
from tests.house import house
from tests.test_registry import SMALLEST

WAIT = 30.0  # seconds, where something must happen


class Ticks:
    """How many turns of the loop have passed."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(0.001)
            self.count += 1


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


async def test_the_registry_is_read_beside_the_loop_and_swapped_as_a_whole(tmp_path: Path) -> None:
    """A folder whose one file is a pipe: whoever reads it waits until somebody writes."""
    folder = tmp_path / "registry"
    folder.mkdir()
    async with house(tmp_path, registry_dir=folder) as gateway, asyncio.timeout(WAIT):
        before = gateway.runtime.registry.current
        os.mkfifo(folder / "lrm.toml")
        reading = asyncio.create_task(service.reload(gateway.runtime))
        assert (await gateway.client.get("/health/live")).status_code == 200  # the loop runs
        assert gateway.runtime.registry.current is before and not reading.done()
        await asyncio.to_thread((folder / "lrm.toml").write_text, SMALLEST)
        assert await reading
        assert [one.id for one in gateway.runtime.registry.current.publishers] == ["lrm"]
