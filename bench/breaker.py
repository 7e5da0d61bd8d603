"""Who waits how long while the core fails single messages, a third of all, or everything: `python -m bench.breaker`.

The gateway's forwarder and store, and the simulated core, in one process; each row is a scenario with a store of its own. All
clocks in it go SPEED times as fast as the real one, so that ten minutes take half of one. Settings are the defaults.

Poisoned lanes have one P0 each, to which the core always answers 503. They come first, then it is quiet for four minutes.
Then healthy cases come every ten seconds: one P0, and one that is not urgent. The core that is away is so from the moment
the first healthy case comes, for two minutes, with a backlog of forty cases; the wait is then counted from its return.
"""

import argparse
import asyncio
import hashlib
import selectors
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import orjson

from gateway.core.fhir import FhirCore
from gateway.forward import ForwardPolicy, Way
from gateway.forwarder import Forwarder
from gateway.model import Submission
from gateway.oauth2 import TokenSource, load_private_key
from gateway.observability import configure_logging
from gateway.registry import Registry, RegistryHolder
from gateway.store import Store, open_store
from publishers.sandbox import messages
from publishers.sandbox import publishers as demo
from publishers.sandbox.core import NoScript, SimulatedCore, create_core
from publishers.sandbox.core import opening as core_opening
from publishers.sandbox.core.bundle import Bundle
from publishers.sandbox.core.faults import Fault

SPEED = 20.0
EPOCH = 1_795_514_400.0  # POSIX seconds, when each scenario begins
URL = "http://core.test"
SENDER, RECIPIENT = "fr.health.samu440", "fr.health.samu750"
QUIET, EVERY, CASES, END = 240.0, 10.0, 12, 480.0  # seconds; how many healthy cases of each kind
AWAY, BACKLOG = 120.0, 40  # seconds, messages
POISON = "poison"  # what the distributionID of a poisoned message holds
RETRY_BASE, RETRY_MAX = 1.0, 60.0  # the settings' defaults


class FastSelector(selectors.DefaultSelector):
    """Waits a fraction of the time that the loop asks for."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See `selectors.BaseSelector.select`."""
        return super().select(None if timeout is None else timeout / SPEED)


class FastLoop(asyncio.SelectorEventLoop):
    """An event loop of which the clock goes SPEED times as fast."""

    def __init__(self) -> None:
        super().__init__(FastSelector())

    def time(self) -> float:
        """Seconds."""
        return super().time() * SPEED


@dataclass(frozen=True, slots=True)
class Scenario:
    """`poisoned` lanes, the share of its answers that a core fails, whether it is away."""

    name: str
    poisoned: int = 0
    rate: float = 0.0
    away: bool = False


SCENARIOS = (
    Scenario("nothing fails"),
    *(Scenario(f"{count} poisoned lane{'s' * (count > 1)}", count) for count in (1, 2, 3, 4)),
    Scenario("20 poisoned lanes", 20),
    Scenario("the core fails a third", rate=0.33),
    Scenario("the core is away for 120 s", away=True),
)


@dataclass
class Core(NoScript):
    """The script of the core: what it always fails, and when it took each message that it took."""

    now: Callable[[], float]
    attempts: int = 0
    of_poisoned: Counter[str] = field(default_factory=Counter)
    taken: dict[str, float] = field(default_factory=dict)
    away_until: float = 0.0
    asked_while_away: int = 0

    def fault(self, bundle: Bundle) -> Fault | None:
        """See `Script`."""
        self.attempts += 1
        if self.now() < self.away_until:
            self.asked_while_away += 1
            return Fault(503, 1)
        if POISON in bundle.distribution_id:
            self.of_poisoned[bundle.distribution_id] += 1
            return Fault(503, 1)
        self.taken.setdefault(bundle.distribution_id, self.now())
        return None

    def deliveries(self, _bundle: Bundle) -> int:
        """Nothing is delivered: there is no recipient here."""
        return 0


@dataclass(frozen=True, slots=True)
class Row:
    """Seconds that healthy cases waited, inf where they were still waiting in the end, and what the core saw of poison."""

    name: str
    urgent: tuple[float, ...]
    ordinary: tuple[float, ...]
    poison_attempts: float  # on average of a lane
    asked_while_away: int

    def cells(self) -> tuple[str, ...]:
        """As text."""
        attempts = f"{self.poison_attempts:.0f}" if self.poison_attempts else "-"
        asked = str(self.asked_while_away) if self.asked_while_away else "-"
        return self.name, *_waits(self.urgent), *_waits(self.ordinary), attempts, asked


HEAD = (
    "",
    "P0, median",
    "P0, longest",
    "others, median",
    "others, longest",
    "attempts a poisoned lane",
    "attempts while away",
)


def _waits(seconds: tuple[float, ...]) -> tuple[str, str]:
    return _seconds(statistics.median(seconds)), _seconds(max(seconds))


def _seconds(value: float) -> str:
    return "never" if value == float("inf") else f"{value:.1f} s"


async def play(scenario: Scenario, folder: Path) -> Row:
    """One scenario, from its beginning to its end."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    def now() -> float:
        return EPOCH + loop.time() - began

    core = Core(now)
    sent: dict[str, float] = {}
    async with forwarding(scenario, folder, core, now) as store:

        async def send(name: str, *, urgent: bool = False) -> None:
            submission = message(name, now(), urgent=urgent)
            sent[submission.distribution_id] = now()
            await store.enqueue(submission, now())

        for number in range(scenario.poisoned):
            await send(f"{POISON}-{number}", urgent=True)
        await asyncio.sleep(EPOCH + QUIET - now())
        if scenario.away:
            core.away_until = now() + AWAY
            for number in range(BACKLOG):
                await send(f"backlog-{number}")
        for number in range(CASES):
            await send(f"urgent-{number}", urgent=True)
            await send(f"ordinary-{number}")
            await asyncio.sleep(EVERY)
        await asyncio.sleep(EPOCH + END - now())

    def waits(kind: str) -> tuple[float, ...]:
        return tuple(
            core.taken.get(name, float("inf")) - max(at, core.away_until)
            for name, at in sent.items()
            if kind in name
        )

    poisoned = sum(core.of_poisoned.values()) / max(1, scenario.poisoned)
    return Row(scenario.name, waits("urgent"), waits("ordinary"), poisoned, core.asked_while_away)


def message(name: str, now: float, *, urgent: bool) -> Submission:
    """A case of its own, as it is stored."""
    document = messages.case(SENDER, RECIPIENT, datetime.fromtimestamp(now, UTC), name, f".{name}")
    body = orjson.dumps(document)
    return Submission(
        "north", document["distributionID"], hashlib.sha256(body).digest(), "application/json", body, "RS-EDA", "v3",
        SENDER, RECIPIENT, f"case.{name}", "", urgent, "ordinary", now, now + 86_400.0,
    )  # fmt: skip


@asynccontextmanager
async def forwarding(
    scenario: Scenario, folder: Path, script: Core, now: Callable[[], float]
) -> AsyncIterator[Store]:
    """A store of which the messages go to a simulated core for as long as the block runs."""
    demo.write(folder, (), demo.generate_keys())
    told = core_opening.settings(URL, "http://gateway.test", folder / "keys")
    simulated = SimulatedCore(told, httpx.AsyncClient(), now=now, script=script)
    if scenario.rate:
        simulated.faults.set(Fault(503, 0, rate=scenario.rate, seed=7))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(create_core(simulated)), timeout=None)
    key = load_private_key((folder / "keys" / "gateway.json").read_bytes())
    token = TokenSource(client, f"{URL}/oauth2/token", key, demo.GATEWAY_CLIENT, "", now)
    store = await open_store(f"sqlite:///{folder}/gateway.db", backlog_limit=10_000, now=now())
    way = Way(
        store,
        FhirCore(client, f"{URL}/fhir", token, now),
        RegistryHolder(Registry.of(())),
        ForwardPolicy(retry_base=RETRY_BASE, retry_max=RETRY_MAX),
        now,
    )
    forwarder = Forwarder(way)
    running = asyncio.create_task(forwarder.run())
    try:
        yield store
    finally:
        forwarder.stop()
        await running
        await store.close()
        await client.aclose()
        await simulated.close()


async def all_rows(folder: Path) -> list[Row]:
    """All scenarios side by side."""

    async def one(number: int, scenario: Scenario) -> Row:
        own = folder / str(number)
        own.mkdir()
        return await play(scenario, own)

    return list(await asyncio.gather(*(one(n, scenario) for n, scenario in enumerate(SCENARIOS))))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.breaker", description=__doc__)
    parser.parse_args()
    configure_logging("critical")
    with (
        tempfile.TemporaryDirectory(prefix="gateway-breaker-") as folder,
        asyncio.Runner(loop_factory=FastLoop) as runner,
    ):
        rows = runner.run(all_rows(Path(folder)))
    print("| " + " | ".join(HEAD) + " |")
    print("|" + "---|" * len(HEAD))
    for row in rows:
        print("| " + " | ".join(row.cells()) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
