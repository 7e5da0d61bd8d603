"""Many messages through the SDK while everything fails: the core answers 503, the network loses requests and answers, a
proxy makes up errors, tokens live two seconds, and the gateway is killed. Every message must come to its recipient once, in
its case's order, and no exception may reach the caller. More: `SDK_MESSAGES=10000 pytest tests/sdk/test_sdk_storm.py`.
"""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from regulation_sdk import Ack, AsyncClient, Client, ClientSecret, RetryPolicy

from bench.kill import RECIPIENT, SENDER, Scene, core_process, make_scene, ready
from publishers.sandbox import environment, messages

MESSAGES = int(os.environ.get("SDK_MESSAGES", "1000"))
CASES = 10
PATIENT = RetryPolicy(deadline=240.0, timeout=10.0, first=0.05, most=1.0)
SILENT = Ack(reference=False)


class Weather:
    """What the network does to a request, at random: nothing, mostly."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.troubles = 0

    def before(self) -> httpx.Response | None:
        draw = self.chance.random()
        if draw < 0.05:
            self.troubles += 1
            raise httpx.ConnectError("no route")
        if draw < 0.10:
            self.troubles += 1
            wait = {"Retry-After": "0"} if draw < 0.07 else {}
            return httpx.Response(503 if draw < 0.08 else 502, text="<html>bad gateway</html>", headers=wait)
        return None

    def after(self) -> None:
        if self.chance.random() < 0.05:
            self.troubles += 1
            raise httpx.ReadError("connection reset")


class BadLine(httpx.HTTPTransport):
    def __init__(self, weather: Weather) -> None:
        super().__init__(trust_env=False)
        self.weather = weather

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        made_up = self.weather.before()
        if made_up:
            return made_up
        answer = super().handle_request(request)
        with contextlib.ExitStack() as stack:
            stack.callback(answer.close)
            self.weather.after()
            stack.pop_all()
        return answer


class AsyncBadLine(httpx.AsyncHTTPTransport):
    def __init__(self, weather: Weather) -> None:
        super().__init__(trust_env=False)
        self.weather = weather

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        made_up = self.weather.before()
        if made_up:
            return made_up
        answer = await super().handle_async_request(request)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(answer.aclose)
            self.weather.after()
            stack.pop_all()
        return answer


@contextmanager
def gateway(scene: Scene) -> Iterator[subprocess.Popen[bytes]]:
    """The production server with tokens of two seconds; killed at the end."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    quick = {
        "GATEWAY_RETRY_BASE": "0.02",
        "GATEWAY_RETRY_MAX": "0.2",
        "GATEWAY_LOG_LEVEL": "error",
        "GATEWAY_ACCESS_TOKEN_SECONDS": "2",
    }
    told = environment(scene.gateway, scene.core, scene.folder)
    with (
        (scene.folder / "gateway.log").open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve"], env={**ours, **told, **quick}, stderr=log
        ) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


async def live(scene: Scene, http: httpx.AsyncClient, done: asyncio.Event) -> int:
    """Let the gateway live and die until everything is done; how often it died."""
    deaths = 0
    while True:
        with gateway(scene) as process:
            await ready(http, f"{scene.gateway}/health/ready", process)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), 3.0 if deaths < 2 else 600.0)
        if done.is_set():
            return deaths
        deaths += 1


def bodies(case: int) -> list[dict[str, object]]:
    now = datetime.now(UTC)
    return [
        messages.case(SENDER, RECIPIENT, now, f"{case}-{number}", f".{case}")
        for number in range(MESSAGES // CASES)
    ]


def send_blocking(client: Client, case: int) -> None:
    for body in bodies(case):
        client.send(body)


async def send(client: AsyncClient, case: int) -> None:
    for body in bodies(case):
        await client.send(body)


async def read(client: AsyncClient, count: int) -> list[str]:
    """The distributionIDs that came to the recipient, in order of arrival."""
    seen: list[str] = []
    async for delivery in client.inbox(stream=True, ack=SILENT):
        async with delivery as item:
            seen.append(item.distribution_id)
        if len(seen) == count:
            break
    return seen


@contextlib.asynccontextmanager
async def scene_of(folder: Path) -> AsyncIterator[tuple[Scene, httpx.AsyncClient]]:
    scene = make_scene(folder)
    with core_process(scene):
        async with httpx.AsyncClient(timeout=10.0, trust_env=False) as http:
            await ready(http, f"{scene.core}/health/live")
            await http.post(f"{scene.core}/faults", json={"rate": 0.2, "status": 503, "seed": 5})
            yield scene, http


@pytest.mark.slow
async def test_all_messages_arrive_once_and_in_order(tmp_path: Path) -> None:
    weather, done = Weather(26), asyncio.Event()
    async with scene_of(tmp_path) as (scene, http):
        credentials = ClientSecret(scene.publisher.client_id, scene.publisher.client_secret)
        living = asyncio.create_task(live(scene, http, done))
        blocking = Client(scene.gateway, credentials, retry=PATIENT, transport=BadLine(weather))
        async with AsyncClient(
            scene.gateway, credentials, retry=PATIENT, transport=AsyncBadLine(weather)
        ) as client:
            half = CASES // 2
            sending = [
                *(asyncio.to_thread(send_blocking, blocking, case) for case in range(half)),
                *(send(client, case) for case in range(half, CASES)),
            ]
            reading = asyncio.create_task(read(client, MESSAGES))
            await asyncio.gather(*sending)
            async with asyncio.timeout(60 + MESSAGES * 0.2):
                seen = await reading
            assert [d.item.id async for d in client.inbox(follow=False)] == []
        blocking.close()
        done.set()
        deaths = await living
    print(f"{len(seen)} messages, {weather.troubles} troubles on the line, {deaths} deaths of the gateway")
    assert deaths > 0 and weather.troubles > MESSAGES // 20
    assert len(set(seen)) == len(seen) == MESSAGES
    for case in range(CASES):
        numbers = [int(name.rpartition("-")[2]) for name in seen if f"_{case}-" in name]
        assert numbers == sorted(numbers)
