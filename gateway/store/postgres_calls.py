"""Wake-up calls between replicas: by NOTIFY, over one connection that only listens."""

import asyncio
import contextlib
from collections.abc import Callable

import asyncpg

from gateway.store.postgres_database import Connection, Postgres


class Calls:
    """What one replica tells the others, and hears of them by `heard`: a publisher whose inbox has something new, "" where
    something can be claimed. A call may be lost with the connection; `heard` is not called for this replica's own.
    """

    def __init__(self, database: Postgres, heard: Callable[[str], None]) -> None:
        self._database = database
        self._heard = heard
        self._channel = f"gateway_{database.schema}"[:63]
        self._waiting: set[str] = set()
        self._attention = asyncio.Event()
        self._listener: asyncpg.Connection[asyncpg.Record] | None = None

    def tell(self, wake: str) -> None:
        """Call the others, by the next `send`."""
        self._waiting.add(wake)
        self._attention.set()

    async def listener(self) -> "tuple[asyncpg.Connection[asyncpg.Record], bool]":
        """The connection, and whether it is a new one: what was said meanwhile is not known. Raises what asyncpg raises."""
        if self._listener is not None and not self._listener.is_closed():
            return self._listener, False
        self._listener = await self._database.connect()
        # calls and renewed leases live by the moment: what a crash of the server takes of them is made good by the next look
        await self._listener.execute("SET synchronous_commit = off")
        self._listener.add_termination_listener(lambda _: self._attention.set())
        await self._listener.add_listener(self._channel, self._hear)
        return self._listener, True

    async def send(self, listener: Connection) -> None:
        """Make the calls that wait."""
        self._attention.clear()
        wakes, self._waiting = self._waiting, set()
        if wakes:
            statement = "SELECT pg_notify($1, wake) FROM unnest($2::text[]) AS wake"
            await listener.execute(statement, self._channel, list(wakes))

    async def wait(self, seconds: float) -> None:
        """Return when there is something to send or the connection is lost, after so long at the latest."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._attention.wait()

    def hang_up(self) -> None:
        """Let go of the connection."""
        if self._listener is not None:
            self._listener.terminate()
            self._listener = None

    def _hear(self, connection: object, pid: int, _channel: str, wake: object) -> None:
        mine = self._listener
        if mine is not None and connection is mine and not mine.is_closed() and pid != mine.get_server_pid():
            self._heard(str(wake))
