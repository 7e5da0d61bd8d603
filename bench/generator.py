"""A load generator for machines without wrk: raw sockets in one event loop, one request at a time on each connection.

`python -m bench.generator PORT SECONDS BODY-FILE PREFIX TOKEN`; prints the same JSON line as `unique.lua`.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import cast

import orjson
import uvloop

from bench.message import PLACE

CONNECTIONS = 32


class Names:
    """Names of 16 characters that are not repeated."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.encode()
        self._count = 0

    def next(self) -> bytes:
        """The next name."""
        self._count += 1
        return self._prefix + b"%0*d" % (16 - len(self._prefix), self._count)


class Connection(asyncio.Protocol):
    """Sends a request, waits for its answer, sends the next, until `until`."""

    def __init__(self, head: bytes, parts: list[bytes], names: Names, until: float) -> None:
        self.latencies: list[float] = []
        self.errors = 0
        self.closed = asyncio.get_running_loop().create_future()
        self._head = head
        self._parts = parts
        self._names = names
        self._until = until
        self._buffer = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it
        self._send()

    def data_received(self, data: bytes) -> None:
        """Note the answer once it is whole."""
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found or len(rest) < content_length(head):
            return
        now = time.perf_counter()
        self.latencies.append(now - self._sent_at)
        self.errors += not head.startswith(b"HTTP/1.1 2")
        self._buffer = b""
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        """End; a connection that is lost too early counts as an error."""
        self.errors += time.perf_counter() < self._until
        self.closed.set_result(None)

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.writelines([self._head, self._names.next().join(self._parts)])


def content_length(head: bytes) -> int:
    """The length of the body that follows an HTTP head, 0 where it names none."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def generate(port: int, seconds: float, body: bytes, prefix: str, token: str) -> dict[str, float]:
    """Load for so many seconds; what came of it."""
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    parts, names, started = body.split(PLACE), Names(prefix), time.perf_counter()
    until, loop = started + seconds, asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: Connection(head, parts, names, until), "127.0.0.1", port)
        for _ in range(CONNECTIONS)
    ]
    connections = [protocol for _, protocol in opened]
    await asyncio.gather(*(c.closed for c in connections))
    latencies = sorted(x for c in connections for x in c.latencies) or [0.0]
    return {
        "requests": len(latencies),
        "seconds": time.perf_counter() - started,
        "errors": sum(c.errors for c in connections),
        "p50_ms": latencies[len(latencies) // 2] * 1_000,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1_000,
    }


def main() -> None:
    """The command line."""
    port, seconds, body, prefix, token = sys.argv[1:]
    work = generate(int(port), float(seconds), Path(body).read_bytes(), prefix, token)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(orjson.dumps(runner.run(work)).decode())


if __name__ == "__main__":
    main()
