"""What can be killed: the gateways and the core, each a process of its own."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from bench.chaos.scene import POISON, Scene

START_PATIENCE = 60.0  # seconds


class Gateways:
    """The replicas by number. `exits` counts the ends that nobody ordered."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.exits = 0

    def start(self, number: int) -> None:
        """Start a replica, without waiting for it."""
        command = [sys.executable, "-m", "gateway", "serve"]
        with (self._scene.folder / f"gateway-{number}.log").open("ab") as log:
            environ = self._scene.told(self._scene.replicas[number])
            self._processes[number] = subprocess.Popen(command, env=environ, stderr=log, stdout=log)

    def pid(self, number: int) -> int:
        """The process id of a replica."""
        return self._processes[number].pid

    async def end(self, number: int, how: signal.Signals) -> None:
        """Send it a signal and wait until it is gone."""
        process = self._processes[number]
        self.exits += process.poll() is not None
        process.send_signal(how)
        await asyncio.to_thread(process.wait, START_PATIENCE)

    async def ready(self, http: httpx.AsyncClient, number: int) -> None:
        """Until it serves. Raises RuntimeError where it does not start."""
        await answers(http, f"{self._scene.replicas[number]}/health/ready", self._processes[number])

    def close(self) -> None:
        """Kill all."""
        for process in self._processes.values():
            self.exits += process.poll() is not None
            process.kill()
            process.wait()


@contextmanager
def gateways(scene: Scene) -> Iterator[Gateways]:
    """All replicas, starting."""
    running = Gateways(scene)
    try:
        for number in range(len(scene.replicas)):
            running.start(number)
        yield running
    finally:
        running.close()


class CoreProcess:
    """The simulated core with a journal, failing a share of the requests, and poisoned messages always."""

    def __init__(self, scene: Scene, rate: float, seed: int) -> None:
        self._scene = scene
        self._fault: dict[str, Any] = {"rate": rate, "status": 503, "seed": seed}
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, http: httpx.AsyncClient) -> None:
        """Start it on its journal, and wait until it answers."""
        command = [sys.executable, "-m", "publishers.sandbox.core", "--gateway", self._scene.front]
        command += ["--port", self._scene.core.rpartition(":")[2], "--poison", POISON]
        command += [
            "--keys",
            str(self._scene.folder / "keys"),
            "--journal",
            str(self._scene.folder / "journal"),
        ]
        with (self._scene.folder / "core.log").open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log)  # noqa: ASYNC220 - its end is waited for in other places
        await answers(http, f"{self._scene.core}/health/live", self._process)
        if self._fault["rate"]:
            (await http.post(f"{self._scene.core}/faults", json=self._fault)).raise_for_status()

    def kill(self) -> None:
        """It dies at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


async def answers(http: httpx.AsyncClient, url: str, process: subprocess.Popen[bytes]) -> None:
    """Until the URL answers 200. Raises RuntimeError where the process ends or patience does."""
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if (await http.get(url)).status_code == 200:
                return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"{url} does not answer")
