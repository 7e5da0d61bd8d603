"""HTTP/1.1 over raw sockets: one request at a time on each kept-alive connection, as many connections as it takes."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple, cast

from bench.generator import content_length
from bench.message import PLACE


class Answer(NamedTuple):
    """Status (0 where the connection broke) and body of an answer."""

    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[Answer] | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it

    async def exchange(self, request: bytes) -> Answer:
        """Send a request and wait for its answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        """Resolve the answer once it is whole; those of the servers measured all have a Content-Length."""
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if found and len(rest) >= content_length(head):
            self._buffer = b""
            self._resolve(Answer(int(head[9:12]), rest))

    def connection_lost(self, _error: Exception | None) -> None:
        """Whoever waits is told."""
        self.closed = True
        self._resolve(Answer(0, b""))

    def _resolve(self, answer: Answer) -> None:
        if self._answer is not None and not self._answer.done():  # whoever asked may be gone
            self._answer.set_result(answer)

    def close(self) -> None:
        """Let go."""
        self._transport.close()


class Pool:
    """Connections to one port, at most `most` of them."""

    def __init__(self, port: int, most: int) -> None:
        self._port = port
        self._room = asyncio.Semaphore(most)
        self._idle: list[Connection] = []

    async def exchange(self, request: bytes) -> Answer:
        """Send a request on an idle connection, or on a new one."""
        async with self._room:
            while self._idle and self._idle[-1].closed:
                self._idle.pop()
            if self._idle:
                connection = self._idle.pop()
            else:
                loop = asyncio.get_running_loop()
                _, connection = await loop.create_connection(Connection, "127.0.0.1", self._port)
            try:
                return await connection.exchange(request)
            finally:
                self._idle.append(connection)

    def close(self) -> None:
        """Let go of all."""
        for connection in self._idle:
            connection.close()


class Poster:
    """`POST /v1/messages`, each time with a fresh name in place of `PLACE`."""

    def __init__(self, token: str, body: bytes, prefix: str) -> None:
        self._head = (
            "POST /v1/messages HTTP/1.1\r\nHost: bench.test\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        self._parts = body.split(PLACE)
        self._prefix = prefix
        self._count = 0

    def next(self) -> tuple[str, bytes]:
        """The next name, of 16 characters, and its request."""
        self._count += 1
        name = f"{self._prefix}{self._count:0{16 - len(self._prefix)}d}"
        return name, self._head + name.encode().join(self._parts)


async def paced(rate: float, seconds: float, seed: int, send: Callable[[float], Awaitable[None]]) -> None:
    """Call `send` with the moment it was due, `rate` times a second at random intervals (Poisson), whatever comes of it."""
    chance, loop = random.Random(seed), asyncio.get_running_loop()
    due = loop.time()
    end, tasks = due + seconds, []
    while (due := due + chance.expovariate(rate)) < end:
        if (pause := due - loop.time()) > 0:
            await asyncio.sleep(pause)
        tasks.append(asyncio.ensure_future(send(due)))
    await asyncio.gather(*tasks)
