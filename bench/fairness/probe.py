"""Publisher B sends urgent cases, publisher C reads its inbox by long poll; both in this process, by one clock."""

import asyncio
import secrets
from collections import Counter
from dataclasses import dataclass, field

import orjson

from bench.fairness.wire import Pool, Poster, paced

CONNECTIONS = 64
PATIENCE = 30.0  # seconds for the last deliveries


@dataclass(slots=True)
class Seen:
    """Seconds from the moment that a request was due until its receipt, and until the item was read; answers by status."""

    receipt: list[float] = field(default_factory=list)
    delivery: list[float] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    missing: int = 0

    def add(self, other: "Seen") -> None:
        """Count another stretch in."""
        self.receipt += other.receipt
        self.delivery += other.delivery
        self.answers += other.answers
        self.missing += other.missing


class Probe:
    """B and C. `read` runs beside everything, from before the first message."""

    def __init__(self, port: int, sender: tuple[str, bytes], reader_token: str) -> None:
        self._pool = Pool(port, CONNECTIONS)
        self._poster = Poster(*sender, secrets.token_hex(3))
        self._reader = Pool(port, 1)
        self._reader_token = reader_token
        self._due: dict[str, float] = {}
        self._seen = Seen()

    async def stretch(self, rate: float, seconds: float, seed: int) -> Seen:
        """Send for so long, and wait until everything with a receipt was read."""
        self._seen, loop = Seen(), asyncio.get_running_loop()

        async def send(due: float) -> None:
            name, request = self._poster.next()
            self._due[name] = due
            answer = await self._pool.exchange(request)
            self._seen.answers[answer.status] += 1
            if answer.status == 202:
                self._seen.receipt.append(loop.time() - due)
            else:
                self._due.pop(name, None)

        await paced(rate, seconds, seed, send)
        end = loop.time() + PATIENCE
        while self._due and loop.time() < end:  # noqa: ASYNC110 - simpler than an event, and rough is enough
            await asyncio.sleep(0.05)
        self._seen.missing = len(self._due)
        self._due.clear()
        return self._seen

    async def read(self) -> None:
        """C's long poll, again and again, until it is cancelled."""
        cursor, loop = "0", asyncio.get_running_loop()
        while True:
            request = (
                f"GET /v1/inbox?wait=30&cursor={cursor} HTTP/1.1\r\nHost: bench.test\r\n"
                f"Authorization: Bearer {self._reader_token}\r\n\r\n"
            ).encode()
            answer = await self._reader.exchange(request)
            if answer.status != 200:
                raise RuntimeError(f"the inbox answers {answer.status}")
            now, page = loop.time(), orjson.loads(answer.body)
            cursor = page["cursor"]
            for item in page["items"]:
                due = self._due.pop(item["distributionID"].rpartition("_")[2], None)
                if due is not None:
                    self._seen.delivery.append(now - due)

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.close()
        self._reader.close()
