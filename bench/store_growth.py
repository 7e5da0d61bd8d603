"""What a full store costs: `python -m bench.store_growth [--messages 1000000] [--store sqlite|postgresql]`.

Receipts, status look-ups, and claims with their marks are timed on a store with 1,000 finished messages and on one with
many, for each kind of store, in turns; then requests for a message's status, GET /v1/messages/{id}, to a gateway on each.
The ratio is time with many over time with few: 1.0 is no growth, up to 1.15 is wanted. The messages are put in by SQL, as
`enqueue` and `mark_forwarded` would have left them.
"""

import argparse
import asyncio
import itertools
import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import asyncpg

from bench import asgi, postgres
from bench.servers import PUBLISHER, gateway, token_for_bench
from gateway.app import create_app
from gateway.oauth2 import generate_signing_keys
from gateway.observability import configure_logging
from gateway.store import Store, open_store
from tests.store_samples import NOW, submission

FEW = 1_000
ROUNDS = 15
OPERATIONS = 200  # of each kind in one round
AT_ONCE = 32
BODY = b"x" * 2_900
PUBLISHERS = 20
MONTH = 30 * 86_400.0  # seconds over which the stored messages came
FIRST = int((NOW - MONTH) * 1e6)  # numbers are microseconds
FILL_SQLITE = f"""
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count),
m(i, seq) AS (SELECT i, {FIRST} + i * :step FROM n)
INSERT INTO messages SELECT seq, printf('%016x%016x', seq, seq), 'p' || (i % {PUBLISHERS}), 'fr.health.samu440_old' || i,
    zeroblob(32), 'application/json', 'RS-EDA', 'v3', 'fr.health.samu440', 'fr.health.samu750', 'case' || i, '', 0,
    'ordinary', 1, {NOW - 100_000}, {NOW}, 'fr.health.samu750' || char(9) || 'case' || i, seq, 'forwarded', 1, NULL, '["forwarded",{NOW},""],', '', '' FROM m;
"""
FILL_POSTGRES = f"""
INSERT INTO messages SELECT seq, lpad(to_hex(seq), 16, '0') || lpad(to_hex(seq), 16, '0'), 'p' || (i % {PUBLISHERS}),
    'fr.health.samu440_old' || i, decode(repeat('00', 32), 'hex'), 'application/json', 'RS-EDA', 'v3',
    'fr.health.samu440', 'fr.health.samu750', 'case' || i, '', false, 'ordinary', true, {NOW - 100_000}, {NOW},
    'fr.health.samu750' || chr(9) || 'case' || i, 'forwarded', 1
FROM (SELECT i, {FIRST} + i * $2::bigint AS seq FROM generate_series(1, $1::bigint) i) m
"""


@dataclass(frozen=True, slots=True)
class Growth:
    """Microseconds an operation with few and with many stored messages: medians of rounds in turns."""

    store: str
    operation: str
    messages: int
    few: float
    many: float

    @property
    def ratio(self) -> float:
        """Time with many over time with few."""
        return self.many / self.few


def step(count: int) -> int:
    """Microseconds between two of so many stored messages."""
    return int(MONTH * 1e6) // (count + 1)


def receipt_id(i: int, count: int) -> str:
    """The id of the i-th of so many stored messages."""
    seq = FIRST + i * step(count)
    return f"{seq:016x}{seq:016x}"


def fill_sqlite(path: Path, count: int) -> None:
    """Finished messages in a closed database."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(FILL_SQLITE, {"count": count, "step": step(count)})
    connection.execute("INSERT INTO contents SELECT seq, ? FROM messages", (BODY,))
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with path.open("rb+") as file:
        os.fsync(file)  # or the first receipts would wait for all of it


async def fill_postgres(url: str, count: int) -> None:
    """Finished messages in a database that has its tables."""
    connection = await asyncpg.connect(url)
    await connection.execute(FILL_POSTGRES, count, step(count))
    await connection.execute("INSERT INTO contents SELECT seq, received_at, $1 FROM messages", BODY)
    await connection.execute(
        "INSERT INTO steps (message, step, at, detail) SELECT seq, 'forwarded', received_at, '' FROM messages"
    )
    await connection.execute("SELECT setval('numbers', $1)", int(NOW * 1e6))
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")
    await connection.close()


class Subject:
    """One open store and how far its messages are numbered."""

    def __init__(self, store: Store, stored: int) -> None:
        self.store = store
        self._stored = stored
        self._next = 0
        self._receipts: list[str] = []
        self._now = NOW

    async def receipts(self) -> None:
        """Store OPERATIONS messages."""
        numbers = iter(range(self._next, self._next + OPERATIONS))
        self._next += OPERATIONS
        self._receipts = []

        async def send() -> None:
            for n in numbers:
                message = submission(
                    n,
                    publisher_id=f"p{n % PUBLISHERS}",
                    distribution_id=f"fr.health.samu440_new{n}",
                    body=BODY,
                )
                self._receipts.append((await self.store.enqueue(message, self._now)).id)

        await asyncio.gather(*(send() for _ in range(AT_ONCE)))

    async def claims(self) -> None:
        """Claim them and mark them as forwarded."""
        while jobs := await self.store.claim(self._now, AT_ONCE):
            await asyncio.gather(*(self.store.mark_forwarded(job.id, self._now) for job in jobs))

    async def look_ups(self) -> None:
        """Look up OPERATIONS of the old messages, spread over all."""
        numbers = iter(range(1, self._stored + 1, max(1, self._stored // OPERATIONS)))

        async def look() -> None:
            for i in numbers:
                assert await self.store.get(f"p{i % PUBLISHERS}", receipt_id(i, self._stored)) is not None

        await asyncio.gather(*(look() for _ in range(AT_ONCE)))


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    """Microseconds an operation."""
    start = time.perf_counter()
    await work()
    return (time.perf_counter() - start) / OPERATIONS * 1e6


async def compare(kind: str, urls: tuple[str, str], messages: int) -> list[Growth]:
    """Both stores in turns, round by round; the first round warms up."""
    stores = [await open_store(url, backlog_limit=10**9, now=NOW) for url in urls]
    subjects = [Subject(store, count) for store, count in zip(stores, (FEW, messages), strict=True)]
    found: dict[str, tuple[list[float], list[float]]] = {}
    for _ in range(ROUNDS + 1):
        for times, subject in enumerate(subjects):
            for work in (subject.receipts, subject.claims, subject.look_ups):
                found.setdefault(work.__name__, ([], []))[times].append(await timed(work))
    for store in stores:
        await store.close()
    found["requests"] = await requests(urls, messages)
    return [
        Growth(kind, name, messages, statistics.median(few[1:]), statistics.median(many[1:]))
        for name, (few, many) in found.items()
    ]


async def requests(urls: tuple[str, str], messages: int) -> tuple[list[float], list[float]]:
    """Status requests to a gateway on each store, in turns: their times in microseconds. The first round warms up."""
    signing = generate_signing_keys()
    token, own = f"Bearer {token_for_bench(signing)}", replace(PUBLISHER, id="p0")
    times: tuple[list[float], list[float]] = ([], [])
    async with AsyncExitStack() as stack:
        apps = [
            create_app(
                await stack.enter_async_context(gateway("accept", Path(), signing, url, publisher=own))
            )
            for url in urls
        ]

        async def ask(number: int) -> None:
            stored = (FEW, messages)[number]
            numbers = range(PUBLISHERS, stored + 1, PUBLISHERS * max(1, stored // PUBLISHERS // OPERATIONS))
            for i in itertools.islice(itertools.cycle(numbers), OPERATIONS):
                path = f"/v1/messages/{receipt_id(i, stored)}"
                await asgi.request(apps[number], "GET", path, token, 200)

        for _ in range(ROUNDS + 1):
            for number, found in enumerate(times):
                found.append(await timed(partial(ask, number)))
    return times


async def sqlite_growth(messages: int) -> list[Growth]:
    """SQLite, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="gateway-growth-") as folder:
        paths = [Path(folder) / f"{name}.db" for name in ("few", "many")]
        urls = tuple(f"sqlite:///{path}" for path in paths)
        for path, url, count in zip(paths, urls, (FEW, messages), strict=True):
            await (await open_store(url, backlog_limit=1, now=NOW)).close()
            fill_sqlite(path, count)
        return await compare("sqlite", (urls[0], urls[1]), messages)


async def postgres_growth(server: postgres.Server, messages: int) -> list[Growth]:
    """PostgreSQL, a server of its own with its defaults."""
    urls = (server.fresh(), server.fresh())
    for url, count in zip(urls, (FEW, messages), strict=True):
        await (await open_store(url, backlog_limit=1, now=NOW)).close()
        await fill_postgres(url, count)
    return await compare("postgresql", urls, messages)


@contextmanager
def measured(kind: str, messages: int) -> Iterator[list[Growth]]:
    """The growth of one kind of store."""
    if kind == "sqlite":
        yield asyncio.run(sqlite_growth(messages))
        return
    with postgres.server() as server:
        yield asyncio.run(postgres_growth(server, messages))


def main() -> None:
    """Print a line for each store and operation."""
    parser = argparse.ArgumentParser(description="What a full store costs.")
    parser.add_argument("--messages", type=int, default=1_000_000, help="stored messages")
    parser.add_argument("--store", choices=("sqlite", "postgresql"), help="one kind only")
    parser.add_argument("--json", action="store_true", help="one JSON line a figure")
    chosen = parser.parse_args()
    configure_logging("warning")
    for kind in (chosen.store,) if chosen.store else ("sqlite", "postgresql"):
        with measured(kind, chosen.messages) as found:
            for one in found:
                if chosen.json:
                    figures = {"store": kind, "operation": one.operation, "messages": one.messages}
                    print(json.dumps({**figures, "few_us": one.few, "many_us": one.many, "ratio": one.ratio}))
                else:
                    print(
                        f"{kind:11} {one.operation:9} {one.few:7.0f} µs with {FEW:,}, {one.many:7.0f} µs with"
                        f" {one.messages:,}: ratio {one.ratio:.2f}"
                    )


if __name__ == "__main__":
    main()
