"""The two scenarios. Each gives quiet and disturbed times of publisher B's cases, measured in one run."""

import asyncio
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bench.chaos.scene import OPERATIONS, WIDE, free_url
from bench.fairness import stage as stages
from bench.fairness.probe import Seen

QUOTA = {"per_second": 50, "per_minute": 60_000, "per_day": 10_000_000, "in_flight": 64, "reserve": 0.2}
FLOOD_RATE, CASE_RATE = 1_000.0, 20.0  # a second
BACKLOG_RATE, BACKLOG = 3_000.0, 50_000
SLOW_MS = 250  # that the core takes over each message while it is slow
WARM_UP = 3.0  # seconds
JsonObject = dict[str, Any]


@dataclass(slots=True)
class Told:
    """What was measured: B's times without and with the disturbance, and what the disturber was answered."""

    quiet: Seen = field(default_factory=Seen)
    disturbed: Seen = field(default_factory=Seen)
    floods: list[JsonObject] = field(default_factory=list)


async def null_server() -> JsonObject:
    """The flood against a server that does nothing: what the generator itself can do."""
    with tempfile.TemporaryDirectory(prefix="gateway-null-") as folder:
        port = int(free_url().rpartition(":")[2])
        command = [sys.executable, "-m", "bench.servers", "bare", "--port", str(port), "--data", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: ASYNC220 - it is quick to start
            assert process.stdout is not None
            try:
                await asyncio.to_thread(process.stdout.readline)
                with stages.flood(port, "none", Path(folder)) as flood:
                    await flood.run(FLOOD_RATE, 0.5)
                    return await flood.run(FLOOD_RATE, 2.0)
            finally:
                process.kill()


async def flooded(stretches: int, seconds: float, *, on_postgresql: bool) -> Told:
    """A has a quota of 50 a second and sends 1,000: quiet and flooded stretches in turn."""
    told = Told()
    async with stages.opened(QUOTA, on_postgresql=on_postgresql) as stage:
        await stage.probe.stretch(CASE_RATE, WARM_UP, 0)
        for number in range(stretches):
            told.quiet.add(await stage.probe.stretch(CASE_RATE, seconds, number))
            flooding = asyncio.create_task(stage.flood.run(FLOOD_RATE, seconds + 1.0))
            await asyncio.sleep(0.5)
            told.disturbed.add(await stage.probe.stretch(CASE_RATE, seconds, number))
            told.floods.append(await flooding)
    return told


async def backlogged(seconds: float, *, on_postgresql: bool) -> Told:
    """The core is slow; B's cases before and after A, whose quota is wide, has put 50,000 messages before it."""
    told = Told()
    async with stages.opened(WIDE, on_postgresql=on_postgresql) as stage:
        fault = {"status": None, "latency_ms": SLOW_MS, "count": 1_000_000}
        (await stage.http.post(f"{stage.scene.core}/faults", json=fault)).raise_for_status()
        await stage.probe.stretch(CASE_RATE, WARM_UP, 0)
        told.quiet = await stage.probe.stretch(CASE_RATE, seconds, 1)
        told.floods.append(await stage.flood.run(BACKLOG_RATE, BACKLOG / BACKLOG_RATE))
        await asyncio.sleep(1.0)
        told.disturbed = await stage.probe.stretch(CASE_RATE, seconds, 1)
        told.floods[0]["backlog"] = await waiting(stage)
    return told


async def waiting(stage: stages.Stage) -> int:
    """How many messages wait for the core."""
    host, _, port = stage.scene.front.rpartition(":")
    text = (await stage.http.get(f"{host}:{int(port) + OPERATIONS}/metrics")).text
    return int(
        float(next(line.split()[1] for line in text.splitlines() if line.startswith("gateway_backlog ")))
    )


def percentile(values: list[float], share: float) -> float:
    """The value that so large a share stays below, in milliseconds."""
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1_000


def as_json(told: Told) -> JsonObject:
    """The figures: milliseconds, and the ratios of disturbed over quiet."""
    shown: JsonObject = {"floods": told.floods}
    for what in ("receipt", "delivery"):
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            quiet, disturbed = (percentile(getattr(s, what), share) for s in (told.quiet, told.disturbed))
            shown[f"{what}_{name}"] = {
                "quiet_ms": quiet,
                "disturbed_ms": disturbed,
                "ratio": disturbed / quiet if quiet else 0.0,
            }
    for name, seen in (("quiet", told.quiet), ("disturbed", told.disturbed)):
        answers = {str(status): count for status, count in sorted(seen.answers.items())}
        shown[name] = {"cases": len(seen.receipt), "missing": seen.missing, "answers": answers}
    return orjson.loads(orjson.dumps(shown))  # type: ignore[no-any-return]
