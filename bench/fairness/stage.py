"""The processes: a gateway of its own on processor core 0; everything else on core 1."""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson

from bench import postgres
from bench.chaos.processes import CoreProcess, answers
from bench.chaos.scene import WIDE, Scene, free_url
from bench.fairness.probe import Probe
from bench.message import PLACE
from publishers.sandbox import messages
from publishers.sandbox import publishers as demo

GATEWAY_CORE, LOAD_CORE = 0, 1
JsonObject = dict[str, Any]
IDS = {
    name: f"fr.health.samu00{number}" for number, name in enumerate(("loud", "urgent", "reader", "sink"), 1)
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What a scenario plays on."""

    scene: Scene
    http: httpx.AsyncClient
    tokens: dict[str, str]
    probe: Probe
    flood: "Flood"


class Flood:
    """The process of publisher A."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    async def run(self, rate: float, seconds: float) -> JsonObject:
        """Flood for so long; what came of it. Raises RuntimeError where the process is gone."""
        return await asyncio.to_thread(self._run, {"rate": rate, "seconds": seconds})

    def _run(self, wish: JsonObject) -> JsonObject:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(orjson.dumps(wish) + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the flood's process is gone")
        told: JsonObject = orjson.loads(line)
        return told


def body(sender: str, recipient: str, priority: str) -> bytes:
    """A case from one to the other, with `PLACE` where its name goes."""
    name = PLACE.decode()
    document = messages.case(IDS[sender], IDS[recipient], datetime.now(UTC), name, f".{name}")
    case = document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["createCaseHealth"]
    case["qualification"]["details"]["priority"] = priority
    return orjson.dumps(document)


@contextmanager
def flood(port: int, token: str, folder: Path) -> Iterator[Flood]:
    """Publisher A, ready to flood."""
    file = folder / "flood.json"
    file.write_bytes(body("loud", "sink", "P2"))
    # the core shares this processor core with the flood, and would have one of its own: the flood comes second
    command = ["nice", "-n", "10", sys.executable, "-m", "bench.fairness.flood", str(port), token, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Flood(process)
        finally:
            process.kill()


def make_scene(folder: Path, database: str, loud: Mapping[str, float]) -> Scene:
    """Keys and registrations of A ("loud", with these limits), B ("urgent"), C ("reader") and where A's messages go."""
    made = tuple(demo.demo(name, name, (ident,), (ident,), "json") for name, ident in IDS.items())
    demo.write(folder, made, demo.generate_keys())
    for one in made:
        limits: dict[str, Any] = dict(loud) if one.id == "loud" else WIDE
        (folder / "registry" / f"{one.id}.toml").write_text(demo.registration(one, limits=limits))
    url = free_url()
    return Scene(folder, made, database, "", url, (url,), free_url())


@contextmanager
def gateway(scene: Scene) -> Iterator["subprocess.Popen[bytes]"]:
    """`gateway serve` as in production, with its log in a file."""
    environ = scene.told(scene.front) | {"GATEWAY_LOG_LEVEL": "info", "GATEWAY_ACCESS_TOKEN_SECONDS": "3600"}
    command = ["taskset", "-c", str(GATEWAY_CORE), sys.executable, "-m", "gateway", "serve"]
    with (scene.folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stderr=log, stdout=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def opened(loud: Mapping[str, float], *, on_postgresql: bool) -> AsyncIterator[Stage]:
    """Everything at work, in a temporary folder. Raises NoServer, and RuntimeError where a server does not start."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-fairness-")))
        os.sched_setaffinity(0, {LOAD_CORE})  # the processes that are started here inherit it
        database = f"sqlite:///{folder / 'gateway.db'}"
        if on_postgresql:
            database = stack.enter_context(postgres.server()).url
        scene = make_scene(folder, database, loud)
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=30.0, trust_env=False))
        core = CoreProcess(scene, 0.0, 0)
        stack.callback(core.kill)
        await core.start(http)
        process = stack.enter_context(gateway(scene))
        await answers(http, f"{scene.front}/health/ready", process)
        tokens = {one.id: await token(http, scene.front, one) for one in scene.publishers}
        port = int(scene.front.rpartition(":")[2])
        probe = Probe(port, (tokens["urgent"], body("urgent", "reader", "P0")), tokens["reader"])
        stack.callback(probe.close)
        reading = asyncio.create_task(probe.read())
        stack.callback(reading.cancel)
        flooding = stack.enter_context(flood(port, tokens["loud"], folder))
        first_of_all()
        yield Stage(scene, http, tokens, probe, flooding)


def first_of_all() -> None:
    """From here on this process, which is the clock, waits for nobody on its processor core, where the system allows it."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


async def token(http: httpx.AsyncClient, gateway: str, publisher: demo.DemoPublisher) -> str:
    """An access token of a publisher's."""
    answer = await http.post(
        f"{gateway}/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(publisher.client_id, publisher.client_secret),
    )
    answer.raise_for_status()
    return str(answer.json()["access_token"])
