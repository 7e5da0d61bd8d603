"""The gateway killed (SIGKILL) at random moments under load, while the core fails a third of the requests.

`python -m bench.kill --kills 30`. Publishers send in lanes, one message after the other, and repeat the same bytes until
they have a receipt; each receipt is written to a file and fsynced. At the end every message that has a receipt must be
among the core's arrivals, in its lane's order. What came twice is counted: at-least-once allows it. Exits 1 where
something was lost or out of order.
"""

import argparse
import asyncio
import contextlib
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson

from publishers.sandbox import environment, messages
from publishers.sandbox import publishers as demo

SENDER, RECIPIENT = "fr.health.samu440", "fr.health.samu750"
LANES = 24
PAUSE = 0.03  # seconds between two messages of a lane
START_PATIENCE, DRAIN_PATIENCE = 60.0, 120.0  # seconds
JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of it. `lost` and `out_of_order` are distributionIDs."""

    kills: int
    receipts: int
    arrivals: int
    doubled: int
    lost: tuple[str, ...]
    out_of_order: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.receipts} receipts, {self.arrivals} arrivals, {self.doubled} doubled, "
            f"{len(self.lost)} lost, {len(self.out_of_order)} out of order"
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """Where it happens: a folder with keys and one registration, and two free ports."""

    folder: Path
    publisher: demo.DemoPublisher
    gateway: str
    core: str

    @property
    def receipts(self) -> Path:
        """The file of receipts: a JSON line each."""
        return self.folder / "receipts"


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_scene(folder: Path) -> Scene:
    """Keys and one publisher that sends for and receives as everyone."""
    publisher = demo.demo("kill", "Everyone", ("fr.*",), ("*",), "json")
    demo.write(folder, (publisher,), demo.generate_keys())
    return Scene(folder, publisher, f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}")


@contextmanager
def core_process(scene: Scene) -> Iterator[None]:
    """The simulated core as a process of its own, with a journal."""
    command = [sys.executable, "-m", "publishers.sandbox.core", "--port", scene.core.rpartition(":")[2]]
    command += ["--gateway", scene.gateway, "--keys", str(scene.folder / "keys")]
    command += ["--journal", str(scene.folder / "journal")]
    with (scene.folder / "core.log").open("ab") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            yield
        finally:
            process.terminate()


@contextmanager
def gateway_process(scene: Scene) -> Iterator[subprocess.Popen[bytes]]:
    """The production server; killed at the end."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    told = environment(scene.gateway, scene.core, scene.folder)
    quick = {"GATEWAY_RETRY_BASE": "0.05", "GATEWAY_RETRY_MAX": "0.5", "GATEWAY_LOG_LEVEL": "warning"}
    command = [sys.executable, "-m", "gateway", "serve"]
    with (
        (scene.folder / "gateway.log").open("ab") as log,
        subprocess.Popen(command, env={**ours, **told, **quick}, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


async def ready(http: httpx.AsyncClient, url: str, process: subprocess.Popen[bytes] | None = None) -> None:
    """Until the URL answers 200. Raises RuntimeError where the process ends or patience does."""
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline and (process is None or process.poll() is None):
        with contextlib.suppress(httpx.HTTPError):
            if (await http.get(url)).status_code == 200:
                return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"{url} does not answer")


class Senders:
    """Publishers' software that sends lane by lane and keeps every receipt on disk."""

    def __init__(self, scene: Scene, http: httpx.AsyncClient) -> None:
        self._scene = scene
        self._http = http
        self._token = ""
        self._stop = asyncio.Event()
        self._file = scene.receipts.open("ab", buffering=0)

    def stop(self) -> None:
        """Send nothing new; what was begun is repeated until it has its receipt."""
        self._stop.set()

    async def run(self) -> None:
        """Send in all lanes until stopped."""
        with self._file:
            await asyncio.gather(*(self._lane(f"{number:03d}") for number in range(LANES)))

    async def _lane(self, lane: str) -> None:
        run = secrets.token_hex(4)
        for index in range(10**6):
            name = f"{run}-{lane}-{index:06d}"
            body = orjson.dumps(messages.case(SENDER, RECIPIENT, datetime.now(UTC), name, f".{run}{lane}"))
            receipt = await self._receipt(body)
            self._keep({"lane": f"{run}-{lane}", "index": index, **receipt})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), PAUSE)
            if self._stop.is_set():
                return

    async def _receipt(self, body: bytes) -> JsonObject:
        while True:
            with contextlib.suppress(httpx.TransportError):  # the gateway is dead, or dies just now
                if not self._token:
                    await self._authenticate()
                headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
                answer = await self._http.post(
                    f"{self._scene.gateway}/v1/messages", content=body, headers=headers
                )
                if answer.is_success:
                    receipt: JsonObject = answer.json()
                    return receipt
                if answer.status_code == 401:
                    self._token = ""
                elif answer.status_code < 500 and answer.status_code != 429:
                    raise RuntimeError(f"the gateway refuses the load: {answer.status_code} {answer.text}")
            await asyncio.sleep(0.05)

    async def _authenticate(self) -> None:
        publisher = self._scene.publisher
        answer = await self._http.post(
            f"{self._scene.gateway}/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(publisher.client_id, publisher.client_secret),
        )
        if answer.is_success:
            self._token = answer.json()["access_token"]

    def _keep(self, receipt: JsonObject) -> None:
        self._file.write(orjson.dumps(receipt) + b"\n")
        os.fsync(self._file.fileno())


async def _kill_again_and_again(
    scene: Scene, http: httpx.AsyncClient, kills: int, chance: random.Random
) -> None:
    for number in range(kills):
        with gateway_process(scene) as process:
            await ready(http, f"{scene.gateway}/health/ready", process)
            await asyncio.sleep(chance.uniform(0.1, 1.2))
        print(f"kill {number + 1}: the gateway is dead ({process.returncode})", flush=True)


async def _arrived(scene: Scene, http: httpx.AsyncClient, wanted: set[str]) -> list[JsonObject]:
    """The core's arrivals once all of `wanted` are among them, or patience is over."""
    deadline = time.monotonic() + DRAIN_PATIENCE
    while True:
        arrivals: list[JsonObject] = (await http.get(f"{scene.core}/arrivals")).json()
        if wanted <= {arrival["distributionID"] for arrival in arrivals} or time.monotonic() > deadline:
            return arrivals
        await asyncio.sleep(0.25)


def judge(kills: int, receipts: list[JsonObject], arrivals: list[JsonObject]) -> Finding:
    """What was lost, came twice, or overtook a message of its lane. Arrivals that are repeated must not go back either."""
    place = {r["distributionID"]: (r["lane"], r["index"]) for r in receipts}
    last: dict[str, int] = defaultdict(int)
    out_of_order = []
    for arrival in arrivals:
        lane, index = place.get(arrival["distributionID"], ("", 0))
        if index < last[lane]:
            out_of_order.append(arrival["distributionID"])
        last[lane] = max(last[lane], index)
    came = {arrival["distributionID"] for arrival in arrivals}
    lost = tuple(sorted(place.keys() - came))
    doubled = sum(bool(arrival["duplicate"]) for arrival in arrivals)
    return Finding(kills, len(receipts), len(arrivals), doubled, lost, tuple(out_of_order))


@contextlib.asynccontextmanager
async def _client() -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(timeout=10.0, trust_env=False, limits=limits) as http:
        yield http


async def play(folder: Path, kills: int, seed: int) -> Finding:
    """The whole test in `folder`, which must not hold one yet. Raises RuntimeError where a server does not start."""
    scene, chance = make_scene(folder), random.Random(seed)
    with core_process(scene):
        async with _client() as http:
            await ready(http, f"{scene.core}/health/live")
            await http.post(f"{scene.core}/faults", json={"rate": 0.33, "status": 503, "seed": seed})
            senders = Senders(scene, http)
            sending = asyncio.create_task(senders.run())
            await _kill_again_and_again(scene, http, kills, chance)
            with gateway_process(scene) as process:
                await ready(http, f"{scene.gateway}/health/ready", process)
                senders.stop()
                await sending
                receipts = [orjson.loads(line) for line in scene.receipts.read_bytes().splitlines()]
                arrivals = await _arrived(scene, http, {receipt["distributionID"] for receipt in receipts})
    return judge(kills, receipts, arrivals)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=7)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gateway-kill-") as folder:
        found = asyncio.run(play(Path(folder), wanted.kills, wanted.seed))
    print(found)
    return 1 if found.lost or found.out_of_order else 0


if __name__ == "__main__":
    sys.exit(main())
