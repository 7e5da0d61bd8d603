"""Quotas shared in Valkey, when Valkey is slow, dead, empty or back."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from bench import valkey
from gateway.errors import ErrorKind, Issue, Unavailable
from gateway.model import Publisher
from gateway.observability import METRICS
from gateway.quota import Spent
from gateway.shared_quota import SharedQuota, Valkey, open_quota
from tests.patience import until
from tests.quota_samples import NOW, header, publisher, spend
from tests.valkey_server import started

PATIENCE = 20.0  # seconds: a slow machine is no dead Valkey, where a test is not about that


@dataclass
class Store:
    """What the store says was accepted in the day; `away` makes it unavailable."""

    used: Counter[str] = field(default_factory=Counter)
    away: bool = False

    async def usage(self, _now: float) -> list[tuple[str, str, str, int]]:
        if self.away:
            raise Unavailable(Issue(ErrorKind.OVERLOADED, "away"))
        return [(name, "ordinary", "day", count) for name, count in self.used.items()]


@pytest.fixture
def own_server() -> Iterator[valkey.Server]:
    """A server that may be stopped."""
    with started() as server:
        yield server


@asynccontextmanager
async def replica(url: str, store: Store, patience: float = PATIENCE) -> AsyncIterator[SharedQuota]:
    """A quota at work, as `open_quota` has it."""
    quota = SharedQuota(Valkey(url, patience), store.usage, lambda: NOW)
    await quota.start()
    looking_after = asyncio.create_task(quota.run())
    try:
        yield quota
    finally:
        looking_after.cancel()
        await asyncio.wait([looking_after])
        await quota.close()


async def until_shared(quota: SharedQuota, shared: bool) -> None:
    """Wait until the quota has seen that Valkey is there, or away."""
    await until(lambda: quota.is_shared is shared)


async def admitted(quota: SharedQuota, who: Publisher, store: Store, times: int) -> int:
    """How many of so many spends at one time are admitted; the store notes them."""
    results = await asyncio.gather(*(spend(quota, who) for _ in range(times)))
    store.used[who.id] += results.count("ordinary")
    return results.count("ordinary")


def gauge(server: valkey.Server) -> float | None:
    return METRICS.get_sample_value("gateway_quota_shared", {"server": f"127.0.0.1:{server.port}"})


async def test_a_dead_valkey_is_counted_without_and_taken_up_again(own_server: valkey.Server) -> None:
    store, who = Store(), publisher(per_day=100)
    async with AsyncExitStack() as stack:
        here, there = [await stack.enter_async_context(replica(own_server.url, store)) for _ in range(2)]
        assert await admitted(here, who, store, 30) + await admitted(there, who, store, 20) == 50
        assert gauge(own_server) == 1
        own_server.kill()
        with capture_logs() as lines:
            alone = await admitted(here, who, store, 10) + await admitted(there, who, store, 10)
            assert alone == 20, "nobody is refused for the sake of a dead Valkey"
            assert not here.is_shared and not there.is_shared and gauge(own_server) == 0
            await asyncio.sleep(0.3)
            assert [line["event"] for line in lines] == ["quota_not_shared"] * 2
            own_server.start()
            await until_shared(here, shared=True)
            await until_shared(there, shared=True)
            assert [line["event"] for line in lines[2:]] == ["quota_shared"] * 2
        assert gauge(own_server) == 1
        assert await admitted(here, who, store, 50) + await admitted(there, who, store, 50) == 30


async def test_while_it_is_away_each_replica_admits_the_limit_at_most(own_server: valkey.Server) -> None:
    store, who = Store(), publisher(per_day=20)
    async with AsyncExitStack() as stack:
        both = [await stack.enter_async_context(replica(own_server.url, store)) for _ in range(2)]
        assert await admitted(both[0], who, store, 5) == 5
        own_server.kill()
        counts = [await admitted(one, who, store, 50) for one in both]
        assert counts == [15, 20], "the first had seen what was spent, the other had not"
        own_server.start()
        for one in both:
            await until_shared(one, shared=True)
        assert [await admitted(one, who, store, 50) for one in both] == [0, 0]


async def test_a_valkey_that_forgot_gives_no_day_anew(own_server: valkey.Server) -> None:
    store, who = Store(), publisher(per_day=20)
    async with replica(own_server.url, store) as quota:
        assert await admitted(quota, who, store, 15) == 15
        store.used[who.id] += 3  # by replicas that are no more
        own_server.ask("FLUSHALL")
        await admitted(quota, who, store, 1)
        await until_shared(quota, shared=True)
        assert await admitted(quota, who, store, 9) == 1
        assert (await quota.snapshot(who, NOW))[2]["remaining"] == 0


async def test_a_valkey_that_restarts_between_two_calls_is_noticed(own_server: valkey.Server) -> None:
    store, who = Store(), publisher(per_day=20)
    async with replica(own_server.url, store) as quota:
        assert await admitted(quota, who, store, 15) == 15
        own_server.kill()
        own_server.start()
        assert await admitted(quota, who, store, 9) == 5
        await until_shared(quota, shared=True)
        assert await admitted(quota, who, store, 9) == 0


async def test_a_start_takes_up_what_the_store_holds(own_server: valkey.Server) -> None:
    store, who = Store(Counter(lrm=7)), publisher(per_day=10)
    async with replica(own_server.url, store) as quota:
        assert quota.is_shared
        assert '"day";r=3;' in header(quota, who, NOW)
        assert await admitted(quota, who, store, 9) == 3


async def test_a_start_without_valkey_serves_and_finds_it_later(own_server: valkey.Server) -> None:
    store, who = Store(Counter(lrm=7)), publisher(per_day=10)
    own_server.kill()
    async with replica(own_server.url, store) as quota:
        assert not quota.is_shared and gauge(own_server) == 0
        assert await admitted(quota, who, store, 1) == 1
        own_server.start()
        await until_shared(quota, shared=True)
        assert await admitted(quota, who, store, 9) == 2


async def test_it_is_not_taken_up_while_the_store_cannot_say_what_was_used(own_server: valkey.Server) -> None:
    store, who = Store(), publisher(per_day=10)
    async with replica(own_server.url, store) as quota:
        assert await admitted(quota, who, store, 4) == 4
        store.away = True
        own_server.ask("FLUSHALL")
        await admitted(quota, who, store, 1)
        await asyncio.sleep(0.5)
        assert not quota.is_shared
        assert await admitted(quota, who, store, 9) == 5
        store.away = False
        await until_shared(quota, shared=True)
        assert await admitted(quota, who, store, 9) == 0


async def test_a_dead_valkey_is_seen_without_any_request(own_server: valkey.Server) -> None:
    async with replica(own_server.url, Store()) as quota:
        own_server.kill()
        await until_shared(quota, shared=False)


async def test_a_server_that_takes_no_writes_is_away(own_server: valkey.Server) -> None:
    """A replica that a failover left behind."""
    store, who = Store(), publisher(per_day=10)
    async with replica(own_server.url, store) as quota:
        own_server.ask("REPLICAOF", "127.0.0.1", "1")
        assert await admitted(quota, who, store, 12) == 10
        await until_shared(quota, shared=False)
        own_server.ask("REPLICAOF", "NO", "ONE")
        await until_shared(quota, shared=True)
        assert await admitted(quota, who, store, 3) == 0


async def test_a_silent_valkey_holds_up_the_requests_of_one_moment_only(own_server: valkey.Server) -> None:
    store, who = Store(), publisher(per_day=10_000)
    async with replica(own_server.url, store, patience=0.05) as quota:
        await until_shared(quota, shared=True)
        assert not at_once(quota, who)
        own_server.pause()
        try:
            async with asyncio.timeout(30):
                assert await admitted(quota, who, store, 50) == 50
            await until_shared(quota, shared=False)
            assert at_once(quota, who), "nobody waits for it any more"
        finally:
            own_server.resume()
        await until_shared(quota, shared=True)
        assert await admitted(quota, who, store, 1) == 1


async def test_a_listener_that_never_answers_stops_no_start_and_no_request() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        store, who = Store(), publisher(per_day=10)
        quota = SharedQuota(Valkey(url, 0.05), store.usage, lambda: NOW)
        async with asyncio.timeout(30):
            await quota.start()
        assert not quota.is_shared
        assert at_once(quota, who)
        assert await admitted(quota, who, store, 12) == 9
        await quota.close()


def at_once(quota: SharedQuota, who: Publisher) -> bool:
    """Whether a spend is answered without anything being waited for."""
    spending = quota.spend(who, urgent=False, now=NOW)
    try:
        spending.send(None)
    except StopIteration:
        return True
    spending.close()
    return False


async def test_what_was_spent_before_it_came_back_is_not_given_back_to_it(own_server: valkey.Server) -> None:
    store, who = Store(), publisher(per_day=10)
    own_server.kill()
    async with replica(own_server.url, store) as quota:
        spent: Spent = await quota.spend(who, urgent=False, now=NOW)
        own_server.start()
        await until_shared(quota, shared=True)
        await quota.give_back(who, spent, NOW)
        assert await admitted(quota, who, store, 20) == 9, "one too few, rather than one too many"


async def test_what_was_spent_together_can_be_given_back_alone(own_server: valkey.Server) -> None:
    store, who = Store(), publisher(per_day=1)
    async with replica(own_server.url, store) as quota:
        spent = await quota.spend(who, urgent=False, now=NOW)
        own_server.kill()
        await until_shared(quota, shared=False)
        assert await spend(quota, who) == "refused"
        await quota.give_back(who, spent, NOW)
        assert [await spend(quota, who) for _ in range(2)] == ["ordinary", "refused"]


async def test_the_password_is_in_no_log_line(own_server: valkey.Server) -> None:
    own_server.kill()
    with capture_logs() as lines:
        async with open_quota(own_server.url, Store().usage, lambda: NOW):
            pass
    assert [line["event"] for line in lines] == ["quota_not_shared"]
    assert own_server.password not in str(lines)
