"""A real PgBouncer in front of the test PostgreSQL."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.abuse.neighbours import program
from tests.patience import GIVE_UP
from tests.postgres_server import PostgresServer


@contextmanager
def pooled(server: PostgresServer, folder: Path, **options: str) -> Iterator[str]:
    """The URL of a fresh database of the server, by way of a PgBouncer with these options. Skips where it is not here."""
    pgbouncer = program("pgbouncer")
    name = f"pooled_{server.fresh().rpartition('_')[2]}"
    server.execute(f"CREATE DATABASE {name}")
    data = server.url.partition("host=")[2].partition("&")[0]
    port = free_port()
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "any",
        **options,
    }
    lines = ["[databases]", f"* = host={data} user=postgres", "[pgbouncer]"]
    config = folder / "pgbouncer.ini"
    config.write_text("\n".join([*lines, *(f"{key} = {value}" for key, value in settings.items())]) + "\n")
    owner = Path(data).owner()  # it does not run as root, and must reach the server's socket
    command = [pgbouncer, "-q", *(["-u", owner] if os.geteuid() == 0 else []), str(config)]
    with (folder / "pgbouncer.log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            wait_for(port, process, folder / "pgbouncer.log")
            yield f"postgresql://postgres@127.0.0.1:{port}/{name}"
        finally:
            process.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until it listens. Raises AssertionError, with what it said, where it ends first."""
    end = time.monotonic() + GIVE_UP
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"pgbouncer does not listen: {log.read_text()}")
