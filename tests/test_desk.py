"""The operator's desk: orders to a gateway that runs."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from gateway import desk, operator
from gateway.errors import ConfigurationError
from gateway.model import Status
from gateway.settings import Settings
from gateway.store import ErasedCase, Store
from tests.store_samples import NOW, claimed, opened, status, submission, timeline, url
from tests.test_store_sqlite import writer

LATER = NOW + 60


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: its name is short enough for a socket, however the tests are run."""
    monkeypatch.chdir(tmp_path)
    return Path()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Store]:
    """A store with its desk open, as a gateway has it."""
    async with opened(folder) as store, desk.opened(url(folder), store, lambda: LATER):
        yield store


async def cli(*arguments: str) -> tuple[int, str, str]:
    environ = {
        **os.environ,
        "GATEWAY_DATABASE_URL": url(Path()),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *arguments, env=environ,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_dead_letters_are_listed_and_put_back_while_the_gateway_runs(folder: Path) -> None:
    async with running(folder) as store:
        letter = await store.enqueue(submission(1), NOW)
        await store.claim(NOW, 1)
        await store.reject(letter.id, NOW, Status.DEAD, "It could not be translated.", None)
        code, out, err = await cli("dead-letters", "--json")
        assert code == 0, err
        assert [(one["id"], one["cause"]) for one in orjson.loads(out)] == [
            (letter.id, "It could not be translated.")
        ]
        assert (await cli("replay", letter.id))[:2] == (0, "1 of 1 put back\n")
        assert (await cli("replay", letter.id))[:2] == (1, "0 of 1 put back\n")
        assert await claimed(store, LATER) == [letter.id], "the running gateway forwards it"
        assert (await timeline(store, letter.id))[-1] == "replayed"


async def test_a_case_is_erased_while_the_gateway_runs(folder: Path) -> None:
    async with running(folder) as store:
        done = await store.enqueue(submission(1, case_id="ours"), NOW)
        await store.claim(NOW, 1)
        await store.mark_forwarded(done.id, NOW)
        assert (await cli("erase", "--case", "ours"))[:2] == (0, "1 contents erased, 0 left\n")
        assert await status(store, done.id) is Status.FORWARDED


async def test_the_desk_is_the_owners_alone_and_goes_with_the_gateway(folder: Path) -> None:
    path = desk.socket_of(url(folder))
    assert path is not None
    async with running(folder):
        assert path.is_socket() and path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()
    made = Settings(database_url=url(folder))
    assert await operator.erase_case(made, "ours", unread=False) == ErasedCase(0, 0)


async def test_what_a_killed_gateway_left_is_in_nobodys_way(folder: Path) -> None:
    path = desk.socket_of(url(folder))
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert await operator.dead_letters(Settings(database_url=url(folder)), 10) == []
    async with running(folder):
        assert await desk.ask(url(folder), {"do": "replay", "ids": []}) == {"replayed": 0}


@pytest.mark.parametrize("line", [b"", b"\n", b"[]\n", b"{}\n", b'{"do":"shutdown"}\n', b'{"do":"erase"}\n'])
async def test_what_is_no_order_is_answered(folder: Path, line: bytes) -> None:
    async with running(folder):
        reader, sender = await asyncio.open_unix_connection(desk.socket_of(url(folder)))
        sender.write(line)
        sender.write_eof()
        told = orjson.loads(await reader.read())
        sender.close()
        assert "does not know this order" in told["problem"]


async def test_a_database_that_takes_nothing_is_told(folder: Path) -> None:
    async with running(folder) as store:
        writer(store).execute("PRAGMA query_only = ON")
        with pytest.raises(ConfigurationError, match="The database answers"):
            await desk.ask(url(folder), {"do": "erase", "case": "x", "unread": True})


async def test_without_a_socket_the_gateway_runs_all_the_same(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    async with running(deep) as store:
        assert await store.is_writable(NOW)
        assert await desk.ask(url(deep), {"do": "replay", "ids": []}) is None


def test_postgresql_needs_no_desk() -> None:
    assert desk.socket_of("postgresql://user@host/name") is None


async def test_an_endless_order_ends_without_harm(folder: Path) -> None:
    async with running(folder):
        with pytest.raises(ConfigurationError, match="stopped before it answered"):
            await desk.ask(url(folder), {"do": "replay", "ids": ["x" * 2_000_000]})
        assert await desk.ask(url(folder), {"do": "replay", "ids": []}) == {"replayed": 0}
