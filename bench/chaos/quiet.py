"""The quieter checks: the same message at several replicas at one moment, and a rolling restart under load."""

import asyncio
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.chaos import scene as scenes
from bench.chaos.judge import Finding
from bench.chaos.play import REPLICAS, Wanted, drained, opened
from bench.chaos.senders import Senders

WIDE = tuple(scenes.WIDE.items())
RESTART_SECONDS = 15.0  # that a restart takes, or less: the messages are spread over so long
FINE = frozenset({"200", "202", "ConnectError"})  # refused connections: the client goes to the next replica


@dataclass(frozen=True, slots=True)
class Same:
    """`several_ids`: messages that were given more than one receipt id; `first`: how many answers were a 202."""

    times: int
    several_ids: int
    first: int
    finding: Finding

    @property
    def clean(self) -> bool:
        """One receipt and one delivery of each message."""
        one_each = self.first == self.finding.arrivals == self.times
        return one_each and not self.several_ids and self.finding.clean

    def __str__(self) -> str:
        return (
            f"the same message at {REPLICAS} replicas at one moment, {self.times} times: {self.first} answers 202, "
            f"{self.several_ids} messages with several receipt ids; {self.finding}"
        )


async def same_message(folder: Path, times: int) -> Same:
    """Send each of `times` messages through all replicas at the same moment."""
    async with opened(folder, Wanted(core_fails=0.0, limits=WIDE)) as stage:
        senders = Senders(stage.scene, stage.http, 0, 0)
        await senders.run()
        sender, peer = stage.scene.publishers[:2]
        await senders.token(sender, stage.scene.replicas[0])
        several = first = 0
        receipts = []
        for number in range(times):
            body = senders.body(sender, peer, f"same-{number:04d}", f".{number:04d}")
            answers = await asyncio.gather(*(senders.post(sender, body, r) for r in stage.scene.replicas))
            several += len({answer.json()["id"] for answer in answers}) > 1
            first += sum(answer.status_code == 202 for answer in answers)
            receipts.append({**answers[0].json(), "lane": str(number), "index": 0, "recipient": peer.id})
        return Same(times, several, first, await drained(stage, senders, receipts))


@dataclass(frozen=True, slots=True)
class Rolled:
    """`restarts` under load: receipts were given meanwhile. `failed` counts the requests that reached a replica and got no
    receipt from it.
    """

    restarts: int
    tries: Counter[str]
    failed: int
    finding: Finding

    @property
    def clean(self) -> bool:
        """Every replica restarted under load; the client saw nothing worse than a refused connection."""
        return self.restarts == REPLICAS and not self.failed and self.finding.clean

    def __str__(self) -> str:
        answers = ", ".join(f"{name}: {count}" for name, count in sorted(self.tries.items()))
        return (
            f"rolling restart: {self.restarts} of {REPLICAS} under load, {self.failed} requests failed, "
            f"answers {answers}; {self.finding}"
        )


async def rolling_restart(folder: Path, messages: int, cases: int) -> Rolled:
    """SIGTERM, wait and start again, one replica after the other, while publishers send."""
    async with opened(folder, Wanted(core_fails=0.0, limits=WIDE)) as stage:
        senders = Senders(stage.scene, stage.http, cases, messages // cases)
        senders.pause = REPLICAS * RESTART_SECONDS / (messages / cases)
        sending = asyncio.create_task(senders.run())
        restarts = 0
        for number in range(REPLICAS):
            before = senders.receipts
            await stage.gateways.end(number, signal.SIGTERM)
            stage.gateways.start(number)
            await stage.gateways.ready(stage.http, number)
            restarts += senders.receipts > before
        senders.pause = 0.0
        senders.enough.set()
        await sending
        finding = await drained(stage, senders, senders.kept())
    failed = sum(count for name, count in senders.tries.items() if name not in FINE)
    return Rolled(restarts, senders.tries, failed, finding)
