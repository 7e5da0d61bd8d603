"""A registry folder that changes without a signal."""

import asyncio
import os
from pathlib import Path

from gateway.registry import fingerprint, watched

EVERY = 0.02  # seconds
WAIT = 30.0


class Seen:
    """How often a change was told."""

    def __init__(self) -> None:
        self.times = 0
        self.came = asyncio.Event()

    async def __call__(self) -> bool:
        self.times += 1
        self.came.set()
        return True

    async def next(self) -> None:
        async with asyncio.timeout(WAIT):
            await self.came.wait()
        self.came.clear()


async def test_each_change_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("one")
    seen = Seen()
    async with watched(tmp_path, fingerprint(tmp_path), seen, EVERY):
        await asyncio.sleep(EVERY * 5)
        assert seen.times == 0
        (tmp_path / "b.toml").write_text("new")
        await seen.next()
        await asyncio.sleep(EVERY * 5)
        assert seen.times == 1
        (tmp_path / "b.toml").unlink()
        await seen.next()
    (tmp_path / "c.toml").write_text("too late")
    await asyncio.sleep(EVERY * 5)
    assert seen.times == 2


async def test_what_is_asked_for_is_read_though_nothing_changed_and_once_more_after_a_reading(
    tmp_path: Path,
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    times = 0

    async def read() -> bool:
        nonlocal times
        times += 1
        begun.set()
        await go_on.wait()
        return True

    async with watched(tmp_path, fingerprint(tmp_path), read, 60.0) as ask, asyncio.timeout(WAIT):
        ask()
        await begun.wait()
        ask()
        ask()
        begun.clear()
        go_on.set()
        await begun.wait()
    assert times == 2


async def test_a_change_before_it_watches_is_told(tmp_path: Path) -> None:
    known, seen = fingerprint(tmp_path), Seen()
    (tmp_path / "a.toml").write_text("one")
    async with watched(tmp_path, known, seen, EVERY):
        await seen.next()


def test_the_same_size_at_another_time_is_a_change(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("one")
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    os.utime(file, ns=(1, 1))
    assert fingerprint(tmp_path) != before


def test_a_mounted_config_map_that_is_replaced_is_a_change(tmp_path: Path) -> None:
    """Kubernetes swaps a link to a folder; the files are links through it."""
    for version in ("..1", "..2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.toml").write_text("same")
        os.utime(tmp_path / version / "a.toml", ns=(5, 5 if version == "..1" else 6))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.toml").symlink_to("..data/a.toml")
    before = fingerprint(tmp_path)
    (tmp_path / "next").symlink_to("..2")
    (tmp_path / "next").replace(tmp_path / "..data")
    assert fingerprint(tmp_path) != before


def test_a_folder_that_is_gone_looks_like_nothing(tmp_path: Path) -> None:
    assert fingerprint(tmp_path / "none") == ()
