"""What strangers' connections cost the others: `python -m bench.connections [--connections 10000] [--seconds 50]`.

A publisher sends 20 messages a second, half of them on connections of their own: for 8 s alone, then while another process holds
connections to the gateway from many addresses of the loopback interface, a third each with half a head, with a body of a byte a
second, and silent, and opens each again that is closed. Prints receipts (milliseconds, failures) without and with them, and the
gateway's memory (RSS, of /proc) and open files.
"""

import argparse
import asyncio
import contextlib
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import orjson

from bench.chaos.processes import answers
from bench.chaos.scene import WIDE, Scene
from bench.fairness import stage as stages
from bench.idle import memory_kb, open_files
from publishers.sandbox import messages

QUIET = 8.0  # seconds
RATE = 20.0  # messages a second
ADDRESSES = 250  # of strangers
HALF_HEAD = b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nX-Filler: " + b"y" * 8_000
SLOW_BODY = b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\ngrant_type"


@dataclass
class Receipts:
    """Times of receipts in seconds, and requests that got none."""

    times: list[float] = field(default_factory=list)
    failed: int = 0

    def told(self) -> dict[str, float]:
        """As the table shows them."""
        ordered = sorted(self.times)
        return {
            "receipts": len(ordered),
            "failed": self.failed,
            "p50_ms": ordered[len(ordered) // 2] * 1_000,
            "p99_ms": ordered[len(ordered) * 99 // 100] * 1_000,
            "max_ms": ordered[-1] * 1_000,
        }


async def send(scene: Scene, token: str, seconds: float) -> Receipts:
    """Send at RATE for so long. A failure is sent again once, as a publisher's software does, and counted."""
    told, headers = Receipts(), {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    sender, recipient = (one.sender_ids[0] for one in scene.publishers[:2])
    end, number = time.perf_counter() + seconds, 0

    async def one(http: httpx.AsyncClient, body: bytes) -> None:
        began = time.perf_counter()
        for _ in range(2):
            try:
                (
                    await http.post(f"{scene.front}/v1/messages", content=body, headers=headers)
                ).raise_for_status()
            except httpx.HTTPError:
                told.failed += 1
            else:
                told.times.append(time.perf_counter() - began)
                return

    async with httpx.AsyncClient(timeout=30.0, trust_env=False) as kept, asyncio.TaskGroup() as sending:
        while time.perf_counter() < end:
            name = uuid.uuid4().hex[:16]
            body = orjson.dumps(messages.case(sender, recipient, datetime.now(UTC), name, f".{name}"))
            if number % 2:
                sending.create_task(one(kept, body))
            else:
                sending.create_task(alone(one, body))
            number += 1
            await asyncio.sleep(1 / RATE)
    return told


async def alone(one: Callable[[httpx.AsyncClient, bytes], Awaitable[None]], body: bytes) -> None:
    """One message on a connection of its own."""
    async with httpx.AsyncClient(timeout=30.0, trust_env=False) as http:
        await one(http, body)


async def stranger(port: int, number: int, end: float) -> None:
    """One connection, opened again whenever it is closed."""
    loop = asyncio.get_running_loop()
    address = (f"127.0.{1 + number % ADDRESSES}.1", 0)
    while loop.time() < end:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(end - loop.time()):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=address)
                try:
                    writer.write((b"", HALF_HEAD, SLOW_BODY)[number % 3])
                    if number % 3 == 2:
                        while not reader.at_eof() and not writer.is_closing():
                            writer.write(b"y")
                            await asyncio.sleep(1.0)
                    await reader.read()
                finally:
                    writer.close()
        await asyncio.sleep(5.0)


async def strangers(port: int, connections: int, seconds: float) -> None:
    """All of them, opened within the first seconds."""
    end = asyncio.get_running_loop().time() + seconds
    async with asyncio.TaskGroup() as all_of_them:
        for number in range(connections):
            all_of_them.create_task(stranger(port, number, end))
            if number % 20 == 19:
                await asyncio.sleep(0.01)


@contextlib.contextmanager
def crowd(port: int, connections: int, seconds: float) -> Iterator["subprocess.Popen[bytes]"]:
    """The strangers' process."""
    command = [sys.executable, "-m", "bench.connections", "--strangers-at", str(port)]
    command += ["--connections", str(connections), "--seconds", str(seconds)]
    with subprocess.Popen(command) as process:
        try:
            yield process
        finally:
            process.kill()


async def measure(connections: int, seconds: float) -> dict[str, object]:
    """The figures."""
    with tempfile.TemporaryDirectory(prefix="gateway-connections-") as name:
        folder = Path(name)
        scene = stages.make_scene(folder, f"sqlite:///{folder / 'gateway.db'}", WIDE)
        async with httpx.AsyncClient(timeout=30.0, trust_env=False) as http:
            with stages.gateway(scene) as process:
                await answers(http, f"{scene.front}/health/ready", process)
                token = await stages.token(http, scene.front, scene.publishers[0])
                quiet = await send(scene, token, QUIET)
                before, most, files = memory_kb(process.pid), 0, 0
                with crowd(int(scene.front.rpartition(":")[2]), connections, seconds):
                    sending = asyncio.create_task(send(scene, token, seconds))
                    while not sending.done():
                        most = max(most, memory_kb(process.pid))
                        files = max(files, open_files(process.pid))
                        await asyncio.sleep(0.5)
                after = memory_kb(process.pid)
    return {
        "connections": connections,
        "open_files": files,
        "memory_kb": {"before": before, "most": most, "after": after},
        "quiet": quiet.told(),
        "crowded": sending.result().told(),
    }


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.connections", description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=50.0)
    parser.add_argument("--strangers-at", type=int, default=0, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted.connections + 200:
        sys.stderr.write(f"connections: only {hard} files may be open (ulimit -Hn); ask for fewer.\n")
        return 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the gateway inherits it
    if wanted.strangers_at:
        asyncio.run(strangers(wanted.strangers_at, wanted.connections, wanted.seconds))
        return 0
    told = asyncio.run(measure(wanted.connections, wanted.seconds))
    print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
