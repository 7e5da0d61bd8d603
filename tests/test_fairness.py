"""One publisher's flood or backlog is not another's: the order of turns in both stores, and what a refusal leaves behind."""

import asyncio
import gc
import random
from collections import Counter
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from starlette.types import ASGIApp, Message, Scope

from bench.fairness import scenes
from bench.fairness.probe import Seen
from gateway.app import create_app
from gateway.forward import ForwardPolicy, Way
from gateway.forwarder import HURRY, PORTION, Forwarder
from gateway.model import Limits, Outgoing
from gateway.registry import Registry, RegistryHolder
from gateway.store import Store
from tests.house import MemoryCore, case, house, publisher
from tests.patience import until
from tests.store_samples import NOW, submission

SEED = 20_261_124


async def fill(
    store: Store, publisher_id: str, count: int, chance: random.Random, urgent: float, **changes: Any
) -> None:
    """Messages of one publisher in random cases, each of the cases a lane."""
    for number in range(count):
        await store.enqueue(
            submission(
                number,
                publisher_id=publisher_id,
                distribution_id=f"{publisher_id}_{number}",
                case_id=f"{publisher_id}.{chance.randrange(count // 2)}",
                urgent=chance.random() < urgent,
                **changes,
            ),
            NOW,
        )


@pytest.mark.parametrize("urgent", [0.0, 0.3, 1.0])
async def test_an_urgent_case_overtakes_a_thousand_waiting_ones_of_another(
    store: Store, urgent: float
) -> None:
    await fill(store, "loud", 1_000, random.Random(SEED), urgent)
    await store.enqueue(submission(1, publisher_id="quiet", urgent=True, case_id="q"), NOW)
    jobs = await store.claim(NOW, 2)
    assert "quiet" in [job.submission.publisher_id for job in jobs]
    assert all(job.submission.publisher_id == "quiet" or urgent for job in jobs[:1])


async def test_publishers_take_turns_whatever_each_has_waiting(store: Store) -> None:
    chance, sizes = random.Random(SEED), {"loud": 1_000, "middle": 60, "quiet": 20}
    for name, count in sizes.items():
        await fill(store, name, count, chance, 1.0)
    taken: Counter[str] = Counter()
    for _ in range(10):
        for job in await store.claim(NOW, 3):
            taken[job.submission.publisher_id] += 1
            await store.mark_forwarded(job.id, NOW)
    assert taken == {"loud": 10, "middle": 10, "quiet": 10}


class Noting:
    """A store, and how much of it was claimed at a time."""

    def __init__(self, store: Store) -> None:
        self.limits: list[int] = []
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def claim(self, now: float, limit: int, ordinary: int) -> list[Outgoing]:
        self.limits.append(limit)
        return await self._store.claim(now, limit, ordinary)


@pytest.mark.parametrize(("waiting", "at_first"), [(20, PORTION), (HURRY + 20, 40)])
async def test_a_burst_sets_out_in_portions_and_a_backlog_at_full_speed(
    store: Store, waiting: int, at_first: int
) -> None:
    await fill(store, "loud", waiting, random.Random(SEED), 0.0)
    noting = Noting(store)
    registry = RegistryHolder(Registry.of(()))
    way = Way(cast("Store", noting), MemoryCore(), registry, ForwardPolicy(), lambda: NOW)
    forwarder = Forwarder(way)
    running = asyncio.create_task(forwarder.run())
    await until(lambda: store.backlog() == 0)
    forwarder.stop()
    await running
    assert noting.limits[0] == at_first
    assert {*noting.limits[-3:]} == {PORTION}


class StuckCore:
    """A core that answers nothing until it is told to, and knows how many wait for it."""

    def __init__(self) -> None:
        self.answering = asyncio.Event()
        self.waiting = 0

    async def send(self, bundle: bytes) -> None:
        self.waiting += 1
        await self.answering.wait()


async def test_an_urgent_case_sets_out_while_a_slow_core_holds_up_a_backlog(store: Store) -> None:
    core, body = StuckCore(), orjson.dumps(case())
    await fill(store, "loud", HURRY + 20, random.Random(SEED), 0.0, body=body)
    way = Way(store, core, RegistryHolder(Registry.of(())), ForwardPolicy(concurrency=8), lambda: NOW)
    forwarder = Forwarder(way)
    running = asyncio.create_task(forwarder.run())

    async def out(count: int) -> None:
        await until(lambda: core.waiting == count)

    await out(8)
    for number in range(3):  # one more than there are places for urgent messages alone
        await store.enqueue(submission(number, publisher_id="quiet", urgent=True, body=body), NOW)
        await out(min(9 + number, 10))
    await asyncio.sleep(0.05)
    assert core.waiting == 10
    core.answering.set()
    await until(lambda: store.backlog() == 0)
    forwarder.stop()
    await running


async def post(
    app: ASGIApp, document: dict[str, Any], headers: dict[str, str], path: str = "/v1/messages"
) -> int:
    """The status of a message that is posted without any client's machinery."""
    body, told = orjson.dumps(document), []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        told.append(message)

    scope: Scope = {
        "type": "http", "method": "POST", "path": path, "query_string": b"", "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    await app(scope, receive, send)
    return int(told[0]["status"])


async def test_a_refusal_leaves_nothing_to_the_garbage_collector(tmp_path: Path) -> None:
    """Or a flood of refusals stops everyone, for as long as the collector looks through them."""
    narrow = publisher("lrm", ("fr.health.samu440",), ("fr.health.samu440",), limits=Limits(per_second=1))
    peer = publisher("peer", ("fr.health.samu750",), ("fr.health.samu750",))
    async with house(tmp_path, (narrow, peer)) as gateway:
        headers = {"Content-Type": "application/json", **await gateway.token()}
        app = create_app(gateway.runtime)
        await post(app, case(0), headers)
        assert await post(app, case(1), headers) == 429
        gc.collect()
        gc.disable()
        try:
            statuses = {await post(app, case(number), headers) for number in range(2, 52)}
            assert statuses == {429}
            assert gc.collect() < 50 * 5  # the frames and locals of one refusal are some eighty objects
        finally:
            gc.enable()


def test_the_benchs_ratios() -> None:
    told = scenes.Told(Seen(receipt=[0.001] * 100, delivery=[0.01]), Seen(receipt=[0.001] * 98 + [0.004] * 2))
    shown = scenes.as_json(told)
    assert shown["receipt_p50"]["ratio"] == 1
    assert shown["receipt_p99"] == {"quiet_ms": 1.0, "disturbed_ms": 4.0, "ratio": 4.0}
    assert shown["delivery_p99"]["ratio"] == 0.0
