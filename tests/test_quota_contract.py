"""What every quota does, be it counted by one process or together with others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import valkey
from gateway.errors import ErrorKind, QuotaExceeded
from gateway.quota import LocalQuota, Quota
from gateway.shared_quota import SharedQuota, Valkey
from tests.quota_samples import DAY, NOW, WIDE, header, publisher, spend

PATIENCE = 20.0  # seconds: a slow machine is no dead Valkey here


async def nothing_used(_now: float) -> Iterable[tuple[str, str, str, int]]:
    return []


@asynccontextmanager
async def replicas(server: valkey.Server, count: int) -> AsyncIterator[list[SharedQuota]]:
    """Quotas that share one emptied Valkey."""
    server.ask("FLUSHALL")
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(count):
            quota = SharedQuota(Valkey(server.url, PATIENCE), nothing_used, lambda: NOW)
            stack.push_async_callback(quota.close)
            await quota.start()
            assert quota.is_shared
            made.append(quota)
        yield made


@pytest.fixture(params=["local", "shared"])
async def quota(request: pytest.FixtureRequest) -> AsyncIterator[Quota]:
    """Each kind of quota, fresh."""
    if request.param == "local":
        yield LocalQuota()
        return
    async with replicas(request.getfixturevalue("valkey_server"), 1) as (one,):
        yield one


async def test_exactly_the_limit_is_admitted(quota: Quota) -> None:
    who = publisher(per_second=5)
    assert [await spend(quota, who) for _ in range(9)] == ["ordinary"] * 5 + ["refused"] * 4


async def test_exactly_the_limit_is_admitted_at_once(quota: Quota) -> None:
    who = publisher(per_second=50)
    results = await asyncio.gather(*(spend(quota, who) for _ in range(90)))
    assert results == ["ordinary"] * 50 + ["refused"] * 40
    assert header(quota, who, NOW).startswith('"burst";r=0;t=1')


@pytest.mark.parametrize(
    ("window", "length"), [("per_second", 1), ("per_minute", 60), ("per_day", DAY)], ids=str
)
async def test_a_window_is_whole_again_at_its_end(quota: Quota, window: str, length: int) -> None:
    who = publisher("lrm", **{window: 1})
    start = NOW // length * length
    assert await spend(quota, who, now=start) == "ordinary"
    assert await spend(quota, who, now=start + length - 0.001) == "refused"
    assert await spend(quota, who, now=start + length) == "ordinary"


async def test_publishers_do_not_share(quota: Quota) -> None:
    assert await spend(quota, publisher("one", per_second=1)) == "ordinary"
    assert await spend(quota, publisher("other", per_second=1)) == "ordinary"


async def test_a_refused_spend_consumes_nothing(quota: Quota) -> None:
    who = publisher(per_second=2, per_minute=3)
    await asyncio.gather(*(spend(quota, who) for _ in range(9)))
    assert [await spend(quota, who, now=NOW + 1) for _ in range(2)] == ["ordinary", "refused"]
    assert header(quota, who, NOW + 1) == (
        f'"burst";r=1;t=1, "minute";r=0;t=59, "day";r={WIDE - 3};t={DAY // 2 - 1}'
    )


async def test_the_reserve_is_for_urgent_messages_and_bounded(quota: Quota) -> None:
    who, later = publisher(per_second=10, per_minute=12, reserve=0.2), NOW + 1
    results = await asyncio.gather(*(spend(quota, who) for _ in range(20)))
    assert Counter(results) == {"ordinary": 10, "refused": 10}
    urgent = await asyncio.gather(*(spend(quota, who, urgent=True) for _ in range(3)))
    assert urgent == ["reserve", "reserve", "refused"]
    assert await spend(quota, who, now=later) == "refused"
    urgent = [await spend(quota, who, urgent=True, now=later) for _ in range(4)]
    assert urgent == ["reserve", "reserve", "reserve", "refused"]


async def test_urgent_messages_within_the_limits_are_ordinary(quota: Quota) -> None:
    who = publisher(per_second=2, reserve=1.0)
    results = await asyncio.gather(*(spend(quota, who, urgent=True) for _ in range(5)))
    assert results == ["ordinary", "ordinary", "reserve", "reserve", "refused"]


async def test_a_refusal_says_what_is_spent_and_how_long_to_wait(quota: Quota) -> None:
    who = publisher(per_second=1, per_minute=1)
    await quota.spend(who, urgent=False, now=NOW)
    with pytest.raises(QuotaExceeded) as refused:
        await quota.spend(who, urgent=False, now=NOW + 0.25)
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "60"})
    assert refused.value.issues[0].kind is ErrorKind.QUOTA
    assert refused.value.issues[0].diagnostics == (
        "Spent: 1 in 1 s (burst), 1 in 60 s (minute); the reserve is kept for cases of priority P0 or P1. "
        "Send the same message again after 60 s."
    )


async def test_retry_after_is_of_the_window_that_refuses(quota: Quota) -> None:
    who = publisher(per_second=1)
    await quota.spend(who, urgent=True, now=NOW)
    with pytest.raises(QuotaExceeded) as refused:
        await quota.spend(who, urgent=True, now=NOW + 0.999)
    assert refused.value.headers == {"Retry-After": "1"}


async def test_a_changed_limit_works_at_once(quota: Quota) -> None:
    who = publisher(per_minute=1)
    assert [await spend(quota, who) for _ in range(2)] == ["ordinary", "refused"]
    wider = replace(who, limits=replace(who.limits, per_minute=2))
    assert [await spend(quota, wider) for _ in range(2)] == ["ordinary", "refused"]
    assert await spend(quota, who) == "refused"


async def test_what_is_given_back_can_be_spent_again(quota: Quota) -> None:
    who = publisher(per_second=1)
    spent = await quota.spend(who, urgent=False, now=NOW)
    await quota.give_back(who, spent, NOW + 0.5)
    assert [await spend(quota, who) for _ in range(2)] == ["ordinary", "refused"]


async def test_giving_back_late_leaves_the_newer_windows_alone(quota: Quota) -> None:
    who = publisher(per_second=2, per_minute=9)
    spent = await quota.spend(who, urgent=False, now=NOW)
    await quota.spend(who, urgent=False, now=NOW + 1)
    await quota.give_back(who, spent, NOW + 1)
    assert header(quota, who, NOW + 1).startswith('"burst";r=1;t=1, "minute";r=8;t=59')


async def test_the_snapshot_shows_every_limit(quota: Quota) -> None:
    who = publisher(per_second=2, per_minute=5, per_day=10, in_flight=3, reserve=0.5)
    for _ in range(3):
        await quota.spend(who, urgent=True, now=NOW)
    with quota.in_flight(who):
        shown = await quota.snapshot(who, NOW)
    assert [tuple(row.values()) for row in shown] == [
        ("burst", 2, 1, 0, 1),
        ("minute", 5, 60, 2, 60),
        ("day", 10, 86_400, 7, 43_200),
        ("burst-reserve", 1, 1, 0, 1),
        ("minute-reserve", 3, 60, 3, 60),
        ("day-reserve", 5, 86_400, 5, 43_200),
        ("in-flight", 3, 0, 2, 0),
    ]


# of several replicas


async def test_one_replica_shows_what_was_spent_at_another(valkey_server: valkey.Server) -> None:
    who = publisher(per_day=10)
    async with replicas(valkey_server, 2) as (here, there):
        await asyncio.gather(*(spend(here, who) for _ in range(3)))
        assert (await there.snapshot(who, NOW))[2]["remaining"] == 7
        await spend(there, who)
        assert '"day";r=6;' in header(there, who, NOW)


async def test_a_request_that_goes_away_costs_nothing(valkey_server: valkey.Server) -> None:
    who = publisher(per_day=1)
    async with replicas(valkey_server, 1) as (quota,):
        gone = asyncio.create_task(spend(quota, who))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        await quota.snapshot(who, NOW)  # after the call that spent, and the one that gave back
        assert await spend(quota, who) == "ordinary"


async def test_counters_are_gone_after_their_windows(valkey_server: valkey.Server) -> None:
    async with replicas(valkey_server, 1) as (quota,):
        await spend(quota, publisher())
    left = {key: valkey_server.ask("TTL", key) for key in valkey_server.ask("KEYS", "*lrm*")}
    assert sorted(left.values()) == [11, 70, 86_410]


SPENDERS = st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.integers(0, 3)), max_size=40)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spenders=SPENDERS,
    reserve=st.sampled_from([0.0, 0.2, 0.5]),
    per_second=st.integers(1, 8),
    per_day=st.integers(1, 24),
)
async def test_two_replicas_admit_exactly_what_one_would(
    valkey_server: valkey.Server,
    spenders: list[tuple[int, bool, int]],
    reserve: float,
    per_second: int,
    per_day: int,
) -> None:
    """Whoever spends where and however many at one time: as many are admitted as one process would admit in a row."""
    who = publisher(per_second=per_second, per_day=per_day, reserve=reserve)
    async with replicas(valkey_server, 2) as both:

        async def one(replica: int, urgent: bool, turns: int) -> str:
            for _ in range(turns):
                await asyncio.sleep(0)
            return await spend(both[replica], who, urgent)

        for urgent in (False, True):  # in a mix the order decides how many are urgent
            results = await asyncio.gather(*(one(r, u, n) for r, u, n in spenders if u is urgent))
            if not urgent:
                alone = LocalQuota()
            expected = [await spend(alone, who, u) for _, u, _ in spenders if u is urgent]
            assert Counter(results) == Counter(expected)
