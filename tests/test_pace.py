"""The pace of what is not urgent: a step a turn of the event loop, lines in turn."""

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from gateway.app import create_app
from gateway.forward import ForwardPolicy, Way, forward
from gateway.model import Limits
from gateway.pace import (
    ADMITTED,
    AHEAD,
    CROWDED,
    DELIVERY,
    FORWARD,
    LOOK,
    PATIENCE,
    REQUEST,
    REST,
    SPREAD,
    Kind,
    Line,
    Pace,
)
from gateway.registry import Registry, RegistryHolder
from tests.house import NOW, MemoryCore, case, house, publisher
from tests.patience import GIVE_UP
from tests.store_samples import opened, submission
from tests.test_fairness import post
from tests.test_hostile import bundle_of


async def turns(count: int) -> None:
    """Let the event loop go round so often."""
    for _ in range(count):
        await asyncio.sleep(0)


async def walk(pace: Pace, publisher_id: str, steps: int, done: list[str], kind: Kind = REQUEST) -> None:
    for _ in range(steps):
        await pace.step((kind, publisher_id))
        done.append(publisher_id)


async def test_one_step_a_turn_whoever_waits() -> None:
    pace, done = Pace(), list[str]()
    walking = [asyncio.create_task(walk(pace, "loud", 1, done)) for _ in range(20)]
    counts = []
    for _ in range(30):
        await asyncio.sleep(0)
        counts.append(len(done))
    assert all(after - before <= 1 for before, after in itertools.pairwise(counts))
    assert counts[-1] == len(walking)


async def test_lines_step_in_turn() -> None:
    """A publisher's messages do not wait behind its own requests either."""
    pace, done = Pace(), list[str]()
    requests = [asyncio.create_task(walk(pace, "loud", 1, done)) for _ in range(50)]
    await turns(1)
    for _ in range(3):
        await pace.step((FORWARD, "loud"))
    assert len(done) <= 5
    await asyncio.gather(*requests)
    assert len(done) == 50


async def test_who_goes_away_takes_no_step_from_the_others() -> None:
    pace, done = Pace(), list[str]()
    gone, left = (asyncio.create_task(walk(pace, name, 1, done)) for name in ("gone", "left"))
    await turns(1)
    gone.cancel()
    await asyncio.wait_for(left, GIVE_UP)
    assert done == ["left"]


class Clock:
    """A clock that stands still unless it is told otherwise."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


NOBODY = itertools.count()


async def looks(pace: Pace) -> None:
    """Long enough for the pace to look at its clock once more, and then for whoever may step to do so."""
    await asyncio.sleep(2 * LOOK)
    await pace.step((REQUEST, f"nobody-{next(NOBODY)}"))  # a line that never stepped never rests
    await turns(3)


async def test_lines_rest_while_an_urgent_case_is_at_work() -> None:
    clock, done = Clock(), list[str]()
    pace = Pace(clock)
    walking = [asyncio.create_task(walk(pace, name, 3, done)) for name in ("loud", "quiet")]
    pace.urgent()
    await looks(pace)
    assert sorted(done) == ["loud", "quiet"]  # each line has its step, and no second one
    clock.now = REST
    pace.urgent()
    await looks(pace)
    assert sorted(done) == ["loud", "loud", "quiet", "quiet"]
    clock.now = REST + AHEAD  # the urgent case is through
    await looks(pace)
    assert all(task.done() for task in walking)


async def test_an_admitted_message_steps_aside_for_an_urgent_case_only() -> None:
    clock = Clock()
    pace = Pace(clock)
    await pace.step((ADMITTED, "lrm"))
    pace.urgent()
    aside = asyncio.create_task(pace.step_aside("lrm", 50, NOW))
    await looks(pace)
    assert not aside.done()
    clock.now = AHEAD
    await asyncio.wait_for(aside, GIVE_UP)
    aside = asyncio.create_task(pace.step_aside("lrm", 50, NOW))
    await turns(1)
    assert aside.done()  # in ordinary times it does not wait for as much as a turn


async def test_work_waits_for_urgent_cases_no_longer_than_its_patience() -> None:
    """However many urgent cases there are, they do not take from the others what they do not use."""
    clock, done = Clock(), list[str]()
    pace = Pace(clock)
    pace.urgent()
    messages = [asyncio.create_task(walk(pace, "message", 1, done, FORWARD)) for _ in range(10)]
    requests = [asyncio.create_task(walk(pace, "request", 1, done)) for _ in range(10)]
    await looks(pace)
    assert sorted(done) == ["message", "request"]
    for patience, left in ((PATIENCE[FORWARD], requests), (PATIENCE[REQUEST], [])):
        clock.now = patience
        pace.urgent()
        await looks(pace)
        await turns(20)
        assert all(task.done() for task in messages) and all(task.done() for task in requests) == (not left)


async def test_what_is_admitted_of_a_publisher_over_its_quota_is_spread() -> None:
    pace, done = Pace(Clock()), list[int]()

    async def admit(number: int) -> None:
        await pace.step_aside("loud", 10, NOW)
        done.append(number)

    pace.refused("loud", NOW)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(admit(number) for number in range(3)), pace.step_aside("quiet", 10, NOW))
    assert done == [0, 1, 2]
    assert loop.time() - began >= 2 / (SPREAD * 10) - 0.01  # a timer may ring some milliseconds early
    await asyncio.wait_for(pace.step_aside("quiet", 10, NOW), GIVE_UP)


async def steps_taken(pace: Pace, publisher_id: str, now: float) -> bool:
    """Whether a request waits for its turn."""
    waiting = asyncio.create_task(pace.step_if_crowded(publisher_id, now))
    await asyncio.sleep(0)
    waits = not waiting.done()
    await waiting
    return waits


async def test_a_refusal_makes_requests_take_steps_for_a_while() -> None:
    pace = Pace()
    assert not await steps_taken(pace, "loud", NOW)
    pace.refused("loud", NOW)
    assert await steps_taken(pace, "loud", NOW) and not await steps_taken(pace, "quiet", NOW)
    assert not await steps_taken(pace, "loud", NOW + CROWDED)
    pace.refused("loud", NOW)
    assert not await steps_taken(pace, "loud", NOW - 3_600)  # the clock was set back


async def test_a_request_overtakes_those_of_a_publisher_that_is_over_its_quota(tmp_path: Path) -> None:
    loud = publisher("loud", ("fr.health.samu440",), ("fr.health.samu440",), limits=Limits(per_second=1))
    peer = publisher("peer", ("fr.health.samu750",), ("fr.health.samu750",))
    async with house(tmp_path, (loud, peer)) as gateway:
        app = create_app(gateway.runtime)
        kind = {"Content-Type": "application/json"}
        of_loud, of_peer = kind | await gateway.token("loud"), kind | await gateway.token("peer")
        answered: list[str] = []

        async def send(name: str, number: int, headers: dict[str, str]) -> None:
            status = await post(app, case(number), headers)
            answered.append(f"{name} {status}")

        for number in (0, 1):
            await send("loud", number, of_loud)
        flood = [asyncio.create_task(send("loud", number, of_loud)) for number in range(2, 42)]
        wrong = asyncio.create_task(send("peer", 0, of_peer))  # that it is refused (403) takes no disk
        await wrong
        assert answered[:2] == ["loud 202", "loud 429"] and len(answered) < 10
        await asyncio.gather(*flood)
        assert answered.count("loud 429") == 41


class Counting(Pace):
    """A pace, and the steps that were taken."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Line] = []
        self.urgent_pieces = 0

    def urgent(self) -> None:
        self.urgent_pieces += 1
        super().urgent()

    async def step(self, line: Line) -> None:
        self.steps.append(line)
        await super().step(line)


@pytest.mark.parametrize(("priority", "steps"), [("P2", [(DELIVERY, "peer")]), ("P0", [])])
async def test_a_delivery_takes_steps_unless_it_is_urgent(
    tmp_path: Path, priority: str, steps: list[Line]
) -> None:
    async with house(tmp_path) as gateway:
        bundle = await bundle_of(gateway, case(qualification={"details": {"priority": priority}}))
        pace = Counting()
        app = create_app(replace(gateway.runtime, pace=pace))
        kind = {"Content-Type": "application/fhir+json"}
        assert await post(app, bundle, kind | await gateway.core_token(), "/core/$process-message") == 200
        assert pace.steps == steps and pace.urgent_pieces == (1 - len(steps))


@pytest.mark.parametrize("priority", ["P0", "P2"])
async def test_what_is_not_urgent_makes_way_for_an_urgent_message_within_its_quota(
    tmp_path: Path, priority: str
) -> None:
    limits = Limits(per_second=1, reserve=0.0)
    lrm = publisher("lrm", ("fr.health.samu440",), ("fr.health.samu750",), limits=limits)
    async with house(tmp_path, (lrm,)) as gateway:
        pace = Counting()
        app = create_app(replace(gateway.runtime, pace=pace))
        headers = {"Content-Type": "application/json"} | await gateway.token("lrm")
        said = {"details": {"priority": priority}}
        statuses = [await post(app, case(number, qualification=said), headers) for number in range(2)]
        assert statuses == [202, 429]
        assert pace.urgent_pieces == (priority == "P0")  # a refused one makes nobody wait


@pytest.mark.parametrize(("urgent", "steps"), [(False, [(FORWARD, "lrm")] * 2), (True, [])])
async def test_a_forward_takes_steps_unless_it_is_urgent(
    tmp_path: Path, urgent: bool, steps: list[Line]
) -> None:
    async with opened(tmp_path) as store:
        message = submission(1, publisher_id="lrm", urgent=urgent, body=orjson.dumps(case()))
        await store.enqueue(message, NOW)
        (job,) = await store.claim(NOW, 1)
        pace, registry = Counting(), RegistryHolder(Registry.of(()))
        way = Way(store, MemoryCore(), registry, ForwardPolicy(), lambda: NOW, pace)
        assert await forward(way, job) == "forwarded"
        assert pace.steps == steps and bool(pace.urgent_pieces) == urgent
