"""Spending against windows, the reserve, headers, in flight."""

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import ErrorKind, QuotaExceeded
from gateway.model import Limits, Publisher
from gateway.quota import ORDINARY, RESERVE, LocalQuota, MemoryCounters
from tests.quota_samples import DAY, NOW, header, publisher


def spend(quota: LocalQuota, who: Publisher, urgent: bool = False, now: float = NOW) -> str:
    """What a spend comes to: "ordinary", "reserve" or "refused"."""
    try:
        return quota.spend_now(who, urgent, now).quota
    except QuotaExceeded:
        return "refused"


@pytest.mark.parametrize(
    ("limit", "reserve", "extra"),
    [(50, 0.2, 10), (1, 0.2, 1), (3, 0.1, 1), (100, 0.07, 7), (100, 0.0, 0), (10, 1.0, 10), (7, 0.5, 4)],
)
def test_the_reserve_is_rounded_up_exactly(limit: int, reserve: float, extra: int) -> None:
    quota, who = LocalQuota(), publisher(per_second=limit, reserve=reserve)
    results = Counter(spend(quota, who, urgent=True) for _ in range(limit + extra + 3))
    assert results == Counter(ordinary=limit, reserve=extra, refused=3)


def test_a_changed_limit_shows_at_once() -> None:
    quota, who = LocalQuota(), publisher(per_minute=1)
    wider = replace(who, limits=replace(who.limits, per_minute=2))
    assert b'"minute";q=1;' in dict(quota.headers(who, NOW))[b"ratelimit-policy"]
    assert b'"minute";q=2;' in dict(quota.headers(wider, NOW))[b"ratelimit-policy"]


def test_headers_have_the_drafts_form() -> None:
    quota, who = LocalQuota(), publisher(per_second=50, per_minute=1_000, per_day=200_000)
    quota.spend_now(who, urgent=False, now=NOW + 18.5)
    assert quota.headers(who, NOW + 18.5) == [
        (b"ratelimit-policy", b'"burst";q=50;w=1, "minute";q=1000;w=60, "day";q=200000;w=86400'),
        (b"ratelimit", b'"burst";r=49;t=1, "minute";r=999;t=42, "day";r=199999;t=43182'),
    ]
    assert quota.headers(who, NOW + 18.5) == quota.headers(who, NOW + 18.0)


def test_nothing_remains_while_the_reserve_is_used() -> None:
    quota, who = LocalQuota(), publisher(per_second=1, reserve=1.0)
    assert [spend(quota, who, urgent=True) for _ in range(2)] == [ORDINARY, RESERVE]
    assert header(quota, who, NOW).startswith('"burst";r=0;t=1')


def test_a_restart_gives_nothing_back() -> None:
    quota, who = LocalQuota(), publisher(per_second=9, per_minute=9, per_day=9, reserve=0.5)
    rows = [
        ("lrm", "ordinary", "second", 2),
        ("lrm", "ordinary", "minute", 3),
        ("lrm", "ordinary", "day", 8),
        ("lrm", "reserve", "day", 1),
        ("gone", "ordinary", "day", 7),
    ]
    quota.rebuild(rows, NOW)
    assert header(quota, who, NOW) == '"burst";r=7;t=1, "minute";r=6;t=60, "day";r=0;t=43200'
    assert spend(quota, who) == "refused"
    assert spend(quota, who, urgent=True) == "reserve"


def test_a_snapshot_after_a_limit_was_lowered_shows_no_negative_rest() -> None:
    quota, who = LocalQuota(), publisher(per_second=9, reserve=0.5)
    for _ in range(9):
        quota.spend_now(who, urgent=False, now=NOW)
    narrow = replace(who, limits=replace(who.limits, per_second=2))
    shown = {row["name"]: row["remaining"] for row in quota.snapshot_now(narrow, NOW)}
    assert (shown["burst"], shown["burst-reserve"]) == (0, 0)


def test_requests_in_flight_are_bounded_for_each_publisher() -> None:
    quota, who = LocalQuota(), publisher(in_flight=2)
    with ExitStack() as stack:
        stack.enter_context(quota.in_flight(who))
        stack.enter_context(quota.in_flight(who))
        with pytest.raises(QuotaExceeded) as refused, quota.in_flight(who):
            pytest.fail("a third request came in")
        assert refused.value.headers == {"Retry-After": "1"}
        assert refused.value.issues[0].kind is ErrorKind.QUOTA
        with quota.in_flight(publisher("other", in_flight=1)):
            pass
    with quota.in_flight(who), quota.in_flight(who):
        pass


async def test_in_flight_never_leaks() -> None:
    quota, who = LocalQuota(), publisher(in_flight=4)
    holding = asyncio.Event()

    async def request(fails: bool) -> None:
        with quota.in_flight(who):
            if fails:
                raise LookupError
            holding.set()
            await asyncio.Event().wait()

    with pytest.raises(LookupError):
        await request(fails=True)
    task = asyncio.create_task(request(fails=False))
    await holding.wait()
    assert quota.snapshot_now(who, NOW)[-1]["remaining"] == 3
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert quota.snapshot_now(who, NOW)[-1]["remaining"] == 4


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Threads that change at nearly every instruction."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


class SlowCounters(MemoryCounters):
    """Counters that let other threads run between reading and writing."""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        count = self.get(key)
        time.sleep(0)
        return super().incr(key, expiry, count + amount - self.get(key))


@pytest.mark.usefixtures("eager_switching")
def test_exactly_the_limits_are_admitted_among_threads() -> None:
    quota, who = LocalQuota(SlowCounters()), publisher(per_second=900, per_minute=1_000, reserve=0.1)
    start = threading.Barrier(8)

    def work(number: int) -> Counter[str]:
        start.wait()
        return Counter(spend(quota, who, urgent=number % 2 == 0) for _ in range(400))

    with ThreadPoolExecutor(8) as pool:
        results = sum(pool.map(work, range(8)), Counter[str]())
    assert results == Counter(ordinary=900, reserve=90, refused=3_200 - 990)
    assert header(quota, who, NOW).startswith('"burst";r=0;t=1, "minute";r=10;t=60')


@pytest.mark.usefixtures("eager_switching")
def test_in_flight_is_exact_among_threads() -> None:
    quota, who = LocalQuota(), publisher(in_flight=3)
    inside, most, lock = 0, 0, threading.Lock()

    def work(_number: int) -> None:
        nonlocal inside, most
        for _ in range(300):
            try:
                with quota.in_flight(who):
                    with lock:
                        inside += 1
                        most = max(most, inside)
                    with lock:
                        inside -= 1
            except QuotaExceeded:
                continue

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert most <= 3
    assert quota.snapshot_now(who, NOW)[-1]["remaining"] == 3


async def test_exactly_the_limit_is_admitted_among_tasks() -> None:
    quota, who = LocalQuota(), publisher(per_minute=500)

    async def work() -> str:
        await asyncio.sleep(0)
        return spend(quota, who)

    results = await asyncio.gather(*(work() for _ in range(700)))
    assert Counter(results) == {"ordinary": 500, "refused": 200}


class Model:
    """The rule as a newcomer would write it: a list of all admitted instants."""

    def __init__(self, limits: Limits) -> None:
        self.windows = {1: limits.per_second, 60: limits.per_minute, DAY: limits.per_day}
        self.reserve = Fraction(str(limits.reserve))
        self.admitted: list[float] = []

    def count(self, length: int, now: float) -> int:
        return sum(1 for at in self.admitted if at // length == now // length)

    def spend(self, urgent: bool, now: float) -> str:
        used = {length: self.count(length, now) for length in self.windows}
        result = "ordinary"
        for length, limit in self.windows.items():
            if used[length] >= limit:
                result = "reserve"
                if not urgent or used[length] >= limit + ceil(limit * self.reserve):
                    return "refused"
        self.admitted.append(now)
        return result


@example(steps=[(True, 0.0)] * 5, reserve=0.07, per_second=1, per_minute=2, per_day=3)
@given(
    steps=st.lists(
        st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.9, 7.0, 59.0, 60.0, 9_000.0])), max_size=60
    ),
    reserve=st.sampled_from([0.0, 0.07, 0.2, 0.5, 1.0]),
    per_second=st.integers(1, 3),
    per_minute=st.integers(1, 6),
    per_day=st.integers(1, 12),
)
def test_spending_is_as_the_model_says(
    steps: list[tuple[bool, float]], reserve: float, per_second: int, per_minute: int, per_day: int
) -> None:
    who = publisher(per_second=per_second, per_minute=per_minute, per_day=per_day, reserve=reserve)
    quota, model, now = LocalQuota(), Model(who.limits), NOW
    for urgent, pause in steps:
        now += pause
        assert spend(quota, who, urgent, now) == model.spend(urgent, now)
        shown = {row["window"]: row for row in quota.snapshot_now(who, now)[:3]}
        for length, limit in model.windows.items():
            assert shown[length]["remaining"] == max(limit - model.count(length, now), 0)
            assert shown[length]["reset"] == ceil((now // length + 1) * length - now)


@given(
    keys=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([1, 60]), st.sampled_from([0, 1, 30])))
)
def test_counters_live_as_long_as_they_must(keys: list[tuple[str, int, int]]) -> None:
    clock = [0.0]
    counters = MemoryCounters(lambda: clock[0])
    made: dict[str, tuple[float, int]] = {}
    for name, expiry, pause in keys:
        clock[0] += pause
        key = f"{name}{expiry}"
        born, count = made.get(key, (clock[0], 0))
        is_alive = count > 0 and clock[0] < born + expiry
        counted = counters.incr(key, expiry)
        assert counted == count + 1 if is_alive else counted in (1, count + 1)
        made[key] = (clock[0] if counted == 1 else born, counted)
        assert counters.get(key) == counted


def test_memory_does_not_grow_with_time() -> None:
    clock = [NOW]
    counters = MemoryCounters(lambda: clock[0])
    quota = LocalQuota(counters)
    who = [publisher(str(n)) for n in range(20)]
    sizes = []
    for _ in range(400):
        clock[0] += 1
        for one in who:
            quota.spend_now(one, urgent=False, now=clock[0])
        sizes.append(len(counters))
    assert max(sizes[200:]) <= max(sizes[:200]) <= 20 * (12 + 3 + 1)
