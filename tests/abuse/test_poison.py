"""Messages that the core always fails: they wait alone, whatever their number, and stop nobody."""

import asyncio
import io
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from gateway.core_breaker import LANES, OUTAGES, PROBE_SECONDS
from gateway.errors import CoreOutage
from gateway.forward import ForwardPolicy, Way
from gateway.forwarder import Forwarder
from gateway.model import Status
from gateway.observability import CORE_CIRCUIT, METRICS
from gateway.registry import Registry, RegistryHolder
from gateway.report import tell_of_waits
from gateway.store import FAILING, Store
from gateway.store.attempts import LISTED
from tests.house import Clock, case, house
from tests.patience import until, until_told
from tests.store_samples import NOW, opened, status, submission

QUICK = ForwardPolicy(retry_base=0.01, retry_max=0.04)
BODY = orjson.dumps(case())
POISON = orjson.dumps(case(location={"name": "poison"}))


class PoisonedCore:
    """A core that answers 503 to each message that holds poison, and takes everything else unless it is away.

    With `hangs` it does not answer to poison until the end.
    """

    def __init__(self) -> None:
        self.attempts: Counter[bool] = Counter()  # whether they held poison
        self.away = self.hangs = False
        self.hanging = 0
        self.answer = asyncio.Event()

    async def send(self, bundle: bytes) -> None:
        is_poisoned = b"poison" in bundle
        self.attempts[is_poisoned] += 1
        if is_poisoned and self.hangs:
            self.hanging += 1
            await self.answer.wait()
        if is_poisoned or self.away:
            raise CoreOutage("HTTP 503")


@asynccontextmanager
async def forwarding(
    store: Store,
    core: PoisonedCore,
    now: Callable[[], float] = time.time,
    policy: ForwardPolicy = QUICK,
) -> AsyncIterator[None]:
    """A forwarder at work for as long as the block runs."""
    forwarder = Forwarder(Way(store, core, RegistryHolder(Registry.of(())), policy, now))
    running = asyncio.create_task(forwarder.run())
    try:
        yield
    finally:
        forwarder.stop()
        core.answer.set()
        await running


def figure(name: str) -> float:
    found = METRICS.get_sample_value(name)
    assert found is not None
    return found


async def send(store: Store, number: int, body: bytes, *, urgent: bool, publisher_id: str = "north") -> str:
    now = time.time()
    one = submission(
        number, body=body, urgent=urgent, publisher_id=publisher_id, received_at=now, expires_at=now + 3_600
    )
    return (await store.enqueue(one, now)).id


async def arrives(store: Store, receipt_id: str, publisher_id: str = "north") -> None:
    async def now_is() -> Status:
        return await status(store, receipt_id, publisher_id)

    await until_told(now_is, lambda told: told == Status.FORWARDED)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
async def test_few_poisoned_lanes_never_open_the_circuit_and_delay_nobody(store: Store, count: int) -> None:
    core = PoisonedCore()
    async with forwarding(store, core):
        for number in range(count):
            await send(store, number, POISON, urgent=True)
        await until(lambda: core.attempts[True] > 3 * OUTAGES)
        assert figure("gateway_core_circuit_open") == 0
        urgent = await send(store, 1_000, BODY, urgent=True)
        ordinary = await send(store, 1_001, BODY, urgent=False)
        await arrives(store, urgent)
        await arrives(store, ordinary)
        assert figure("gateway_core_circuit_open") == 0


@pytest.mark.parametrize("count", [LANES, 30])
async def test_many_poisoned_lanes_open_it_and_a_healthy_message_closes_it(store: Store, count: int) -> None:
    core = PoisonedCore()
    async with forwarding(store, core):
        for number in range(count):
            await send(store, number, POISON, urgent=True)
        await until(lambda: figure("gateway_core_circuit_open") == 1)
        for number in range(3):  # again and again, for each publisher, urgent or not
            for publisher_id in ("north", "south"):
                for urgent in (False, True):
                    one = await send(
                        store, 1_000 + 10 * number + urgent, BODY, urgent=urgent, publisher_id=publisher_id
                    )
                    await arrives(store, one, publisher_id)


async def test_a_flood_of_new_poisoned_urgent_messages_does_not_stop_another_publisher(store: Store) -> None:
    core, enough = PoisonedCore(), asyncio.Event()

    async def flood() -> None:
        number = 0
        while not enough.is_set():
            number += 1
            await send(store, number, POISON, urgent=True, publisher_id="loud")
            await asyncio.sleep(0.005)

    async with forwarding(store, core):
        flooding = asyncio.create_task(flood())
        await until(lambda: figure("gateway_core_circuit_open") == 1)
        try:
            for number in range(3):
                one = await send(store, 100_000 + number, BODY, urgent=False, publisher_id="quiet")
                await arrives(store, one, "quiet")
        finally:
            enough.set()
            await flooding


async def test_once_the_core_is_back_everything_flows(store: Store) -> None:
    core = PoisonedCore()
    core.away = True
    async with forwarding(store, core):
        sent = [await send(store, number, BODY, urgent=number % 7 == 0) for number in range(60)]
        await until(lambda: figure("gateway_core_circuit_open") == 1)
        core.away = False
        for one in sent:
            await arrives(store, one)
        assert figure("gateway_core_circuit_open") == 0


async def test_a_probe_that_hangs_does_not_keep_the_next_one_waiting(tmp_path: Path) -> None:
    clock, core = Clock(), PoisonedCore()
    async with opened(tmp_path, now=clock.now) as store:

        async def stored(number: int) -> None:
            one = submission(number, body=POISON, received_at=clock.now, expires_at=clock.now + 3_600)
            await store.enqueue(one, clock.now)

        # no more than this, or another would still be on its way when the circuit opens
        for number in range(OUTAGES):
            await stored(number)
        async with forwarding(store, core, clock, ForwardPolicy(concurrency=2)):
            await until(lambda: figure("gateway_core_circuit_open") == 1)
            core.hangs = True
            for hanging in (1, 2):
                await stored(OUTAGES + hanging)
                clock.now += PROBE_SECONDS
                await until(lambda expected=hanging: core.hanging == expected)  # type: ignore[misc]


async def test_a_forwarder_shows_its_own_circuit_from_the_start(tmp_path: Path) -> None:
    CORE_CIRCUIT.set(1)  # what a forwarder before this one showed at its end
    async with opened(tmp_path) as store, forwarding(store, PoisonedCore()):
        assert figure("gateway_core_circuit_open") == 0


async def test_messages_that_expire_take_no_probe(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        gateway.core.trouble = [CoreOutage("HTTP 503")] * OUTAGES
        for number in range(OUTAGES + 5):
            if number == OUTAGES:
                await until(lambda: figure("gateway_core_circuit_open") == 1)
            await gateway.send(case(number, caseId=f"fr.health.samu440.DRFR{number}"))
        gateway.clock.now += 10 * 86_400  # all have expired; no time passes after that
        await until(lambda: gateway.runtime.store.backlog() == 0)
        assert gateway.core.bundles == []


async def test_a_day_of_attempts_is_a_short_timeline(store: Store) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    for number in range(1, 140):
        assert len(await store.claim(NOW + number, 1)) == 1
        await store.mark_retry(receipt.id, NOW + number, NOW + number + 1, "HTTP 503")
    found = await store.get("north", receipt.id)
    assert found is not None
    steps = found[1]
    assert [step.at for step in steps] == [NOW, *(NOW + number for number in range(1, LISTED + 1)), NOW + 139]
    assert {step.detail for step in steps[1:-1]} == {"HTTP 503"}
    assert (
        steps[-1].detail == f"HTTP 503 (attempt 139; of those before it only the first {LISTED} are listed)"
    )
    assert len(await store.claim(NOW + 200, 1)) == 1
    await store.mark_forwarded(receipt.id, NOW + 200)
    found = await store.get("north", receipt.id)
    assert found is not None
    assert [step.step for step in found[1]] == ["received", *["retry"] * (LISTED + 1), "forwarded"]


async def test_a_message_that_fails_again_and_again_is_counted_and_named(
    tmp_path: Path, lines: io.BytesIO
) -> None:
    core = PoisonedCore()
    async with opened(tmp_path, now=time.time()) as store, forwarding(store, core):
        poisoned = await send(store, 1, POISON, urgent=False)
        await until(lambda: store.failing(time.time())[0] == 1)
        tell_of_waits(store, time.time())
        assert figure("gateway_failing_messages") == 1
        assert core.attempts[True] >= FAILING
        assert figure("gateway_failing_message_seconds") > 0
        assert store.failing(time.time() + 1_000)[1] > 1_000 - 1
    named = [orjson.loads(line) for line in lines.getvalue().splitlines()]
    (told,) = [line for line in named if line["event"] == "message_keeps_failing"]
    assert told["receipt"] == poisoned


async def test_the_count_of_failing_messages_ends_with_them(store: Store) -> None:
    receipt = await store.enqueue(submission(1), NOW)
    for number in range(FAILING):
        assert store.failing(NOW)[0] == 0
        await store.claim(NOW + number, 1)
        await store.mark_retry(receipt.id, NOW + number, NOW + number + 1, "HTTP 503")
    await until(lambda: store.failing(NOW + 60)[0] == 1)
    assert store.failing(NOW + 60)[1] >= 60
    await store.claim(NOW + 60, 1)
    await store.mark_forwarded(receipt.id, NOW + 60)
    await until(lambda: store.failing(NOW + 60) == (0, 0.0))


async def test_what_failed_before_a_restart_is_no_new_message_after_it(database_url: str) -> None:
    async with opened(database_url) as store:
        tried = await store.enqueue(submission(1, urgent=True), NOW)
        for number in range(FAILING):
            await store.claim(NOW + number, 1)
            await store.mark_retry(tried.id, NOW + number, NOW + number + 1, "HTTP 503")
        new = await store.enqueue(submission(2), NOW)
    async with opened(database_url) as store:
        await until(lambda: store.failing(NOW)[0] == 1)
        probe = await store.claim_probe(NOW + 100, new_first=True)
        assert probe is not None and probe.id == new.id
