"""Everything hostile together, for long: `python -m bench.hostile [--seconds 600]`.

A sends ten urgent cases (P0) a second, while B sends each of the dearest bodies of `bench.abuse` once a second, 200 connections
hold half a request, and 20 wrong secrets a second come to the token endpoint. Each minute: median, p95 and longest of A's
receipts, and the memory of all processes. Afterwards each message that has a receipt, A's and B's, is asked for. Exits 1 where
one is lost, or more than 64 MiB were added after the first minute.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import orjson

from bench.abuse import STAYS, Bench, case, dearest, memory, opened
from bench.message import SENDER

A_SECOND, MINUTE = 10, 60.0
HALF = b"POST /v1/messages HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"
WRONG = b"grant_type=client_credentials&client_id=nobody&client_secret=wrong"
TOKEN = (
    b"POST /oauth2/token HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(WRONG), WRONG)
)
HALVES, GUESSES = 200, 20  # connections at a time, tokens a second
ASKED_FOR = 120.0  # seconds after the load, at most, until everything is forwarded


class Load:
    """What was sent and answered so far: the receipts by sender, A's times in ms, and answers by status."""

    def __init__(self, bench: Bench, port: int) -> None:
        self._bench, self._port = bench, port
        self.receipts: set[tuple[int, str]] = set()
        self.took: list[float] = []
        self.answers: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Have it done beside what goes on."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait for all that was begun."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def send(self, who: int, path: str, media_type: str, body: bytes) -> None:
        """Send a body, and remember its receipt."""
        pool = (self._bench.a, self._bench.b)[who]
        begun = time.perf_counter()
        answer = await pool.exchange(self._bench.request(who, path, media_type, body))
        if who == 0:
            self.took.append((time.perf_counter() - begun) * 1_000)
        self.answers[f"{'AB'[who]} {answer.status}"] += 1
        if path == "/v1/messages" and answer.status in (200, 202):
            self.receipts.add((who, orjson.loads(answer.body)["id"]))

    async def urgent(self) -> None:
        """A's cases."""
        while True:
            details = {"details": {"priority": "P0"}}
            body = orjson.dumps(case(SENDER, os.urandom(8).hex(), qualification=details))
            self.begin(self.send(0, "/v1/messages", "application/json", body))
            await asyncio.sleep(1 / A_SECOND)

    async def dear(self, name: str) -> None:
        """One of B's bodies, once a second."""
        path, media_type, make = dearest()[name]
        number = 0
        while True:
            self.begin(self.send(1, path, media_type, make(number)))
            number += 1
            await asyncio.sleep(1)

    async def half(self) -> None:
        """A connection with half a request, and another when that is closed."""
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(HALF)
                while await reader.read(65_536):
                    pass
                writer.close()
            self.answers["half requests closed"] += 1

    async def guess(self) -> None:
        """Wrong secrets."""

        async def one() -> None:
            self.answers[f"token {(await self._bench.b.exchange(TOKEN)).status}"] += 1

        while True:
            self.begin(one())
            await asyncio.sleep(1 / GUESSES)

    async def lost(self) -> int:
        """How many of those with a receipt are not forwarded in the end."""
        left, end = self.receipts, time.monotonic() + ASKED_FOR
        while left and time.monotonic() < end:
            found = await asyncio.gather(*map(self._is_forwarded, left))
            left = {one for one, well in zip(left, found, strict=True) if not well}
        return len(left)

    async def _is_forwarded(self, receipt: tuple[int, str]) -> bool:
        who, message_id = receipt
        head = f"GET /v1/messages/{message_id} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self._bench.tokens[who]}\r\n\r\n"
        answer = await self._bench.a.exchange(head.encode())
        return answer.status == 200 and orjson.loads(answer.body)["status"] == "forwarded"


async def measure(port: int, seconds: float, workers: int) -> bool:
    """Print a line a minute, then what is lost. Whether all went well."""
    async with opened(port, workers) as bench:
        load = Load(bench, port)
        hostile = [
            load.urgent(),
            load.guess(),
            *(load.half() for _ in range(HALVES)),
            *map(load.dear, dearest()),
        ]
        tasks = [asyncio.create_task(one) for one in hostile]
        levels: list[float] = []
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(MINUTE, left))
            took, load.took = sorted(load.took), []
            levels.append(memory(bench.pid))
            p95 = took[int(len(took) * 0.95)]
            print(
                f"A: {len(took)} receipts, p50 {statistics.median(took):.1f}, p95 {p95:.1f}, most {took[-1]:.0f} ms; "
                f"{levels[-1]:.0f} MiB",
                flush=True,
            )
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        failed = [task.exception() for task in tasks if not task.cancelled()]
        await load.settle()
        lost, added = await load.lost(), max(levels) - levels[0]
        print(f"answers: {dict(sorted(load.answers.items()))}")
        print(f"{len(load.receipts)} with a receipt, {lost} lost; {added:.0f} MiB after the first minute")
        return not lost and not failed and added * 1_048_576 <= STAYS


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--port", type=int, default=8471)
    parser.add_argument("--workers", type=int, default=2)
    wanted = parser.parse_args()
    return 0 if asyncio.run(measure(wanted.port, wanted.seconds, wanted.workers)) else 1


if __name__ == "__main__":
    sys.exit(main())
