"""The run: replicas, core, PostgreSQL and Valkey are killed at random while five publishers send.

Among what they send are messages that the core always fails: nothing else may be lost for their sake.
"""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from bench import postgres, valkey
from bench.chaos import quota as quotas
from bench.chaos import scene as scenes
from bench.chaos.balancer import balancer
from bench.chaos.judge import Finding, judge, slowest
from bench.chaos.poison import Poison, look
from bench.chaos.processes import CoreProcess, Gateways, gateways
from bench.chaos.senders import Senders

REPLICAS, PUBLISHERS = 3, 5
FAILING = 0.33  # share of the core's answers
DRAIN_PATIENCE = 240.0  # seconds
GREEDY = 12  # cases that always want more than their publisher may
KILL_SECONDS = 5.0  # that a kill takes with the new start, about
ADMITTED = "SELECT publisher_id, floor(received_at)::bigint, count(*) FROM messages WHERE spent GROUP BY 1, 2"
JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much of it. `kills` are of all kinds together."""

    messages: int = 5_000
    cases: int = 200
    kills: int = 30
    seed: int = 7
    core_fails: float = FAILING
    poisoned: int = 8
    limits: tuple[tuple[str, int], ...] = tuple(scenes.LIMITS.items())


@dataclass(frozen=True, slots=True)
class Told:
    """The finding, how it came about, and what was admitted against the quota."""

    finding: Finding
    kills: Counter[str]
    tries: Counter[str]
    exits: int
    quota: quotas.Quota
    poison: Poison
    slowest: float
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether everything that was promised held."""
        return self.finding.clean and self.quota.clean and self.poison.clean and not self.exits

    def __str__(self) -> str:
        killed = ", ".join(f"{count} {name}" for name, count in sorted(self.kills.items()))
        answers = ", ".join(f"{name}: {count}" for name, count in sorted(self.tries.items()))
        return (
            f"{self.finding}\nkills: {killed or 'none'}; {self.exits} exits of their own; answers: {answers}\n"
            f"{self.poison}; the slowest of the others was at the core {self.slowest:.0f} s after its receipt\n"
            f"{self.quota}; {self.seconds:.0f} s"
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything at work."""

    scene: scenes.Scene
    http: httpx.AsyncClient
    database: postgres.Server
    valkey: valkey.Server
    gateways: Gateways
    core: CoreProcess


@asynccontextmanager
async def opened(folder: Path, wanted: Wanted) -> AsyncIterator[Stage]:
    """Three replicas that serve. Raises NoServer, and RuntimeError where a server does not start."""
    async with AsyncExitStack() as stack:
        database = stack.enter_context(postgres.server())
        counters = stack.enter_context(valkey.server())
        scene = scenes.make(folder, database.url, counters.url, REPLICAS, PUBLISHERS, dict(wanted.limits))
        limits = httpx.Limits(max_connections=400)
        http = await stack.enter_async_context(
            httpx.AsyncClient(timeout=20.0, trust_env=False, limits=limits)
        )
        core = CoreProcess(scene, wanted.core_fails, wanted.seed)
        stack.callback(core.kill)
        await core.start(http)
        await stack.enter_async_context(balancer(scene.front, scene.replicas))
        running = stack.enter_context(gateways(scene))
        for number in range(REPLICAS):
            await running.ready(http, number)
        yield Stage(scene, http, database, counters, running, core)


async def play(folder: Path, wanted: Wanted) -> Told:
    """The whole run in `folder`. Raises NoServer, and RuntimeError where a server does not start."""
    async with opened(folder, wanted) as stage:
        began = time.monotonic()
        senders = Senders(stage.scene, stage.http, wanted.cases, wanted.messages // wanted.cases)
        poisoned = await senders.poisoned(wanted.poisoned)
        sending = asyncio.create_task(senders.run(GREEDY))
        kills: Counter[str] = Counter()
        shaken: list[quotas.Span] = []
        chance = random.Random(wanted.seed)
        senders.pause = wanted.kills * KILL_SECONDS / (wanted.messages / wanted.cases)
        for number in range(wanted.kills):
            await asyncio.sleep(chance.uniform(0.1, 1.5))
            killed_at = time.time()
            name = await kill(stage, chance)
            kills[name] += 1
            if name == "postgresql":
                shaken.append((killed_at, time.time()))
            print(f"kill {number + 1}: {name} ({senders.receipts} receipts)", flush=True)
        senders.pause = 0.0
        senders.enough.set()
        await sending
        kept = senders.kept()
        finding = await drained(stage, senders, kept)
        poison = await look(senders, poisoned, stage.scene.replicas[0])
        late = slowest(kept, (await stage.http.get(f"{stage.scene.core}/arrivals")).json())
        spans = [*shaken, *quotas.all_alone(folder)]
        limit = dict(wanted.limits)["per_second"]
        quota = quotas.judge(await admitted(stage.scene.database), spans, limit, REPLICAS)
    seconds = time.monotonic() - began
    return Told(finding, kills, senders.tries, stage.gateways.exits, quota, poison, late, seconds)


async def kill(stage: Stage, chance: random.Random) -> str:
    """Kill something, and have it back. What it was."""
    what = chance.choices(("gateway", "core", "postgresql", "valkey"), (6, 2, 2, 3))[0]
    away = chance.uniform(0.0, 1.0)
    if what == "gateway":
        number = chance.randrange(REPLICAS)
        await stage.gateways.end(number, signal.SIGKILL)
        await asyncio.sleep(away)
        stage.gateways.start(number)
        if chance.random() < 0.5:  # else it may be killed again, or another with it, while it starts
            await stage.gateways.ready(stage.http, number)
    elif what == "core":
        await asyncio.to_thread(stage.core.kill)
        await asyncio.sleep(away)
        await stage.core.start(stage.http)
    elif what == "valkey":
        await asyncio.to_thread(stage.valkey.kill)
        await asyncio.sleep(away * 3)
        await asyncio.to_thread(stage.valkey.start)
    else:
        # a replica that starts without its database ends, and here nobody starts it again
        for number in range(REPLICAS):
            await stage.gateways.ready(stage.http, number)
        await asyncio.to_thread(stage.database.crash)
        await asyncio.sleep(away)
        await asyncio.to_thread(stage.database.start)
    return what


async def drained(stage: Stage, senders: Senders, receipts: list[JsonObject]) -> Finding:
    """The finding once it is clean, or patience is over; a message that came twice stays so."""
    for number in range(REPLICAS):
        await stage.gateways.ready(stage.http, number)
    deadline = time.monotonic() + DRAIN_PATIENCE
    while True:
        arrivals: list[JsonObject] = (await stage.http.get(f"{stage.scene.core}/arrivals")).json()
        inboxes: dict[str, list[str]] = {}
        for number, publisher in enumerate(stage.scene.publishers):
            items = await senders.inbox(publisher, stage.scene.replicas[number % REPLICAS])
            inboxes[publisher.id] = [item["distributionID"] for item in items]
        finding = judge(receipts, arrivals, inboxes)
        if not (finding.lost or finding.undelivered) or time.monotonic() > deadline:
            return finding
        await asyncio.sleep(1.0)


async def admitted(database: str) -> dict[tuple[str, int], int]:
    """How many messages of each publisher were admitted in each second."""
    connection = await asyncpg.connect(database)
    try:
        return {(row[0], row[1]): row[2] for row in await connection.fetch(ADMITTED)}
    finally:
        await connection.close()
