"""Events under deposits, claims, answers, acknowledgements and deaths in random order: none lost, none too many at once."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store import PER_ENDPOINT, Event, Store
from tests.store_samples import NOW, delivery, opened

PUBLISHERS = ("north", "south", "west")
HOLD = 600.0  # seconds: longer than any run
STEPS = st.one_of(
    st.tuples(st.just("deposit"), st.sampled_from(PUBLISHERS), st.integers(1, 6)),
    st.tuples(
        st.just("claim"), st.integers(1, 9), st.dictionaries(st.sampled_from(PUBLISHERS), st.integers(0, 3))
    ),
    st.tuples(st.sampled_from(["done", "put_off", "acknowledge"]), st.integers(0, 99), st.none()),
    st.tuples(st.just("later"), st.integers(1, 8), st.none()),
)


@dataclass
class World:
    """What a right store would have."""

    now: float = NOW
    numbers: int = 0
    due: dict[str, tuple[str, float, int]] = field(default_factory=dict)  # item: publisher, when, attempts
    held: set[str] = field(default_factory=set)

    def free(self, publisher: str) -> list[str]:
        """The due events of a publisher that nobody has, first of all first."""
        mine = [(when, item) for item, (owner, when, _) in self.due.items() if owner == publisher]
        return [item for when, item in sorted(mine) if when <= self.now and item not in self.held]

    def under_way(self) -> Counter[str]:
        return Counter(self.due[item][0] for item in self.held)


async def step(store: Store, world: World, what: tuple[Any, ...]) -> None:
    kind, first, second = what
    items = sorted(world.due)
    if kind == "later":
        world.now += first
    elif kind == "deposit":
        for _ in range(second):
            world.numbers += 1
            given = delivery(world.numbers, notify=True, publisher_id=first, received_at=world.now)
            world.due[(await store.deposit(given, world.now)).id] = first, world.now, 0
    elif kind == "claim":
        await claim(store, world, first, second)
    elif items:
        item = items[first % len(items)]
        publisher, _, attempts = world.due[item]
        if kind == "put_off":
            world.due[item] = publisher, world.now + 3, attempts + 1
            await store.events.put_off(item, world.now + 3, attempts + 1)
        else:
            del world.due[item]
            if kind == "done":
                await store.events.done(item)
            else:
                assert await store.acknowledge(publisher, item, world.now, None)
                if item in world.held:  # the attempt that is under way ends all the same
                    await store.events.done(item)
        world.held.discard(item)


async def claim(store: Store, world: World, limit: int, most: dict[str, int]) -> None:
    free = {publisher: world.free(publisher) for publisher in PUBLISHERS}
    before = world.under_way()
    room = {p: max(0, min(PER_ENDPOINT, most.get(p, PER_ENDPOINT)) - before[p]) for p in PUBLISHERS}
    events = await store.events.claim(world.now, limit, HOLD, most)
    got: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        got[event.publisher_id].append(event)
        assert event.attempts == world.due[event.item_id][2]
    possible = {p: free[p][: room[p]] for p in PUBLISHERS}
    assert len(events) == min(limit, sum(map(len, possible.values())))
    for p in PUBLISHERS:  # in their order, and nobody gets a second one before another's first
        assert [event.item_id for event in got[p]] == possible[p][: len(got[p])]
        for other in PUBLISHERS:
            assert len(got[p]) <= len(got[other]) + 1 or len(got[other]) == len(possible[other])
    world.held |= {event.item_id for event in events}
    assert all(count <= PER_ENDPOINT for count in world.under_way().values())


@given(steps=st.lists(STEPS, min_size=1, max_size=40), dies=st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_event_is_told_and_no_publisher_waits_for_another(
    fresh_database: Callable[[], str], steps: list[tuple[Any, ...]], dies: bool
) -> None:
    database = fresh_database()

    async def drain(store: Store, world: World) -> None:
        for item in world.held:
            await store.events.done(item)
        told = []
        while events := await store.events.claim(world.now + 1_000, 5, HOLD, {}):
            told += [event.item_id for event in events]
            for event in events:
                await store.events.done(event.item_id)
        assert sorted(told) == sorted(world.due.keys() - world.held)
        assert await store.events.endpoints() == []

    async def run() -> None:
        world = World()
        async with opened(database) as store:
            for what in steps:
                await step(store, world, what)
            if not dies:
                await drain(store, world)
        if dies and database.startswith("sqlite"):
            world.held.clear()
            async with opened(database) as store:
                await drain(store, world)

    asyncio.run(run())
