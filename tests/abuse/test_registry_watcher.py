"""The registry's watcher outlives whatever is in the folder: a suspension that comes later is applied."""

import asyncio
import io
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

from gateway import service
from gateway.observability import METRICS
from gateway.registry import fingerprint, watched
from gateway.runtime import Runtime
from tests.house import House, house
from tests.patience import until
from tests.test_registry import SMALLEST, write

EVERY = 0.02  # seconds
WITH_FILE = SMALLEST + 'jwks_file = "keys.json"\n'


def outdated() -> float | None:
    return METRICS.get_sample_value("gateway_registry_outdated")


@asynccontextmanager
async def watching(tmp_path: Path) -> AsyncIterator[tuple[House, Path]]:
    """A gateway on a folder of registrations that is watched as `gateway serve` does it."""
    folder = tmp_path / "registry"
    folder.mkdir()
    write(folder)
    async with house(tmp_path, registry_dir=folder) as gateway:
        runtime = gateway.runtime
        assert await service.reload(runtime)
        async with watched(folder, fingerprint(folder), lambda: service.reload(runtime), EVERY):
            yield gateway, folder


def status(runtime: Runtime) -> str:
    return runtime.registry.current.publishers[0].status


async def test_a_suspension_after_a_key_file_without_end_is_applied(
    tmp_path: Path, lines: io.BytesIO
) -> None:
    async with watching(tmp_path) as (gateway, folder):
        before = gateway.runtime.registry.current
        (folder / "keys.json").write_text("[" * 100_000)
        write(folder, text=WITH_FILE)
        await until(lambda: outdated() == 1)
        assert gateway.runtime.registry.current is before
        write(folder, text=SMALLEST + 'status = "suspended"\n')
        await until(lambda: status(gateway.runtime) == "suspended")
        assert outdated() == 0
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    failed = [line for line in told if line["event"] == "registry_reload_failed"]
    assert failed and "lrm.toml:5: " in failed[0]["findings"][0] and failed[0]["level"] == "error"


async def test_a_reading_that_failed_is_repeated_though_no_file_changes(tmp_path: Path) -> None:
    """What was in its way, such as no file descriptor left, shows in no file."""
    results = iter([False, False, True])
    readings: list[bool] = []
    done = asyncio.Event()

    async def read() -> bool:
        readings.append(next(results))
        if readings[-1]:
            done.set()
        return readings[-1]

    (tmp_path / "a.toml").write_text("one")
    async with watched(tmp_path, (), read, EVERY):
        async with asyncio.timeout(30):
            await done.wait()
    assert readings == [False, False, True]


async def test_a_defect_of_the_reader_keeps_the_registry_and_is_logged_once(
    tmp_path: Path, lines: io.BytesIO
) -> None:
    async with house(tmp_path) as gateway:
        nowhere = replace(gateway.runtime.settings, registry_dir=cast("Path", None))
        broken = replace(gateway.runtime, settings=nowhere)
        before = broken.registry.current
        assert [await service.reload(broken), await service.reload(broken)] == [False, False]
        assert broken.registry.current is before and outdated() == 1
        assert await service.reload(gateway.runtime) and outdated() == 0
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    failed = [line for line in told if line["event"] == "registry_reload_failed"]
    assert [(line["exception"], line["findings"]) for line in failed] == [
        ("AttributeError", ["AttributeError"])
    ]


def test_a_link_that_leads_nowhere_hides_no_change(tmp_path: Path) -> None:
    (tmp_path / "lost.toml").symlink_to(tmp_path / "none")
    file = tmp_path / "a.toml"
    file.write_text("one")
    before = fingerprint(tmp_path)
    os.utime(file, ns=(1, 1))
    assert fingerprint(tmp_path) != before != ()
