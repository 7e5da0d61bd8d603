"""What the dearest bodies of one publisher cost another: `python -m bench.abuse [--seconds 2]`.

A sends urgent cases (P0), one every 20 ms: median and p95 of its receipts, quiet, and while B sends each of the dearest bodies
once, and ten times a second. Beside them the longest stall of the gateway's event loop, and the memory of all its processes
before, at the peak and 3 s afterwards. B's window in bytes is wide: what is shown is what a body costs, not how it is metered.
All in one run, on SQLite. Exits 1 where a p95 is over twice the quiet one and over 30 ms, or more than 64 MiB stay.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import uvicorn
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.fairness.wire import Pool
from bench.message import RECIPIENT, SENDER
from bench.servers import WIDE, YesCore
from gateway import service, workbench
from gateway.app import create_app
from gateway.edxl import xml_writer
from gateway.model import Publisher
from gateway.oauth2 import CoreClient, generate_signing_keys
from gateway.oauth2.tokens import access_token
from gateway.observability import configure_logging
from gateway.registry import Registry, RegistryHolder
from gateway.server import http_config
from gateway.settings import Settings
from publishers.sandbox import messages

ISSUER, OTHER = "http://bench.test", "fr.health.samu350"
SCOPES = ("message.send", "message.read", "inbox.read")
EVERY = 0.02  # seconds between two receipts of A
REST = 3.0  # seconds until memory is looked at again
RATES = (1, 10)  # a second
STAYS = 64 * 1_048_576
SLOW_MS, FACTOR = 30.0, 2.0


@dataclass(frozen=True, slots=True)
class Row:
    """One stretch: receipts of A in ms, the loop's longest stall in ms, memory in MiB, and B's answers by status."""

    p50: float
    p95: float
    most: float
    stall: float
    before: float
    peak: float
    after: float
    answers: dict[int, int]


# The bodies


def case(sender: str, name: str, **changes: Any) -> dict[str, Any]:
    """An RS-EDA of today with some members replaced."""
    made: dict[str, Any] = messages.case(sender, RECIPIENT, datetime.now(UTC), name, f".{name}")
    use_case = made["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["createCaseHealth"]
    use_case.update(changes)
    return made


def repeated(sender: str, name: str, size: int) -> bytes:
    """A case whose patient is repeated up to so many bytes."""
    made = case(sender, name)
    use_case = made["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["createCaseHealth"]
    each = orjson.dumps(use_case["patient"][0])
    use_case["patient"] *= min(500, size // len(each)) if size else 0
    return orjson.dumps(made)


@cache
def dearest() -> dict[str, tuple[str, str, Callable[[int], bytes]]]:
    """Path, media type and maker of each body, by name."""
    xml = xml_writer.encode(case(OTHER, "xml"), "v3").content
    end = b"</edxlDistribution>"
    validate, translate, send = "/v1/messages/$validate", "/v1/messages/$translate?to=fhir", "/v1/messages"
    json_type, xml_type = "application/json", "application/xml"
    items = orjson.dumps({"distributionID": "a" * 106_000, "content": [1] * 49_000})
    nested = b'{"content":[' + b",".join([b"[" * 60 + b"]" * 60] * 7_500) + b"]}"
    sender_ids = xml.replace(end, b"<senderID>a</senderID>" * 46_000 + end)
    foreign = xml.replace(end, b'<f:x xmlns:f="u"/>' * 47_000 + end)
    wrong = orjson.dumps(case(OTHER, "wrong", medicalNote=[{"freetext": 1, "zz": 2}] * 10_000))
    few = orjson.dumps(case(OTHER, "few", medicalNote=[{"freetext": 1, "zz": 2}] * 150))
    again, empty = repeated(OTHER, "again", 1_000_000), orjson.dumps(case(OTHER, "empty", patient=[{}] * 500))
    huge = repeated(OTHER, "huge", 1_000_000)[:-1] + b" " * 400_000 + b"}"
    return {
        "49,000 items, $translate": (translate, json_type, lambda _: items),
        "7,500 lists 60 deep, $validate": (validate, json_type, lambda _: nested),
        "46,000 repeated XML elements": (validate, xml_type, lambda _: sender_ids),
        "47,000 foreign XML elements": (validate, xml_type, lambda _: foreign),
        "300 kB of issues": (send, json_type, lambda _: wrong),
        "12 kB of issues": (send, json_type, lambda _: few),
        "500 patients, new": (send, json_type, lambda n: repeated(OTHER, f"bomb{n}", 1_000_000)),
        "500 patients, $translate": (translate, json_type, lambda _: huge),
        "500 patients, repeat": (send, json_type, lambda _: again),
        "500 empty patients to v2": (
            "/v1/messages/$translate?to=RS-EDA&version=v2",
            json_type,
            lambda _: empty,
        ),
    }


# The gateway


class Watched:
    """The gateway with a page of the bench's own: the longest stall of its loop since the page was last asked for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._longest = 0.0

    async def watch(self) -> None:
        """Look at the clock each millisecond."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            self._longest = max(self._longest, time.perf_counter() - before - 0.001)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["path"] != "/bench/stall":
            await self._app(scope, receive, send)
            return
        body, self._longest = b"%.3f" % (self._longest * 1_000), 0.0
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def serve(port: int, data: Path, workers: int) -> None:
    """Serve until interrupted; the first line printed has the access tokens."""
    signing = generate_signing_keys()
    publishers = [
        Publisher(sender, sender, sender, (sender,), (sender, *more), SCOPES, "v3", "json", (), WIDE)
        for sender, more in ((SENDER, (RECIPIENT,)), (OTHER, ()))
    ]
    settings = Settings(
        base_url=ISSUER,
        database_url=f"sqlite:///{data / 'gateway.db'}",
        stop_grace=0.2,
        heavy_workers=workers,
    )
    keys = service.Keys(signing, CoreClient("national-core", {"keys": []}))
    async with service.running(settings, RegistryHolder(Registry.of(publishers)), keys, YesCore()) as runtime:
        app = Watched(create_app(runtime))
        config = http_config(app, replace(settings, port=port), grace=0)
        server = uvicorn.Server(config)
        service.settle_memory()
        runtime.offload.start(workbench.warm)
        watching = asyncio.create_task(app.watch())
        task = asyncio.create_task(server.serve())
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has a flag, no event
            await asyncio.sleep(0.01)
        tokens = [
            access_token(
                signing, issuer=ISSUER, audience=ISSUER, client_id=publisher.client_id, scope=" ".join(SCOPES),
                now=time.time(), lifetime=3_600,
            )
            for publisher in publishers
        ]  # fmt: skip
        print(orjson.dumps(tokens).decode(), flush=True)
        await task
        watching.cancel()


def memory(pid: int) -> float:
    """MiB of a process and of all below it, shared pages counted once."""
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
            total += int(text.partition("\nPss:")[2].split()[0])
            for children in Path(f"/proc/{one}/task").glob("*/children"):  # of whichever thread made them
                waiting += map(int, children.read_text().split())
    return total / 1_024


# The measuring


@dataclass(frozen=True, slots=True)
class Bench:
    """A gateway that runs, and the ways to it of A and of B."""

    pid: int
    a: Pool
    b: Pool
    tokens: tuple[str, str]

    def request(self, who: int, path: str, media_type: str, body: bytes) -> bytes:
        """A whole request."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self.tokens[who]}\r\n"
            f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def stretch(self, seconds: float, name: str, rate: float) -> Row:
        """A's receipts for so many seconds while B sends what is named at this rate."""
        before = memory(self.pid)
        await self.stall()
        answers: dict[int, int] = {}
        peak = [before]
        beside = [asyncio.create_task(self.look(peak))]
        if rate:
            beside.append(asyncio.create_task(self.disturb(name, rate, answers)))
        took = await self.receipts(seconds)
        for task in beside:
            task.cancel()
        stall = await self.stall()
        await asyncio.sleep(REST if rate else 0.0)
        took.sort()
        return Row(
            statistics.median(took), took[int(len(took) * 0.95)], took[-1], stall, before, max(peak),
            memory(self.pid), answers,
        )  # fmt: skip

    async def look(self, peak: list[float]) -> None:
        """Take note of the memory, five times a second."""
        while True:
            peak.append(await asyncio.to_thread(memory, self.pid))
            await asyncio.sleep(0.2)

    async def stall(self) -> float:
        """The loop's longest stall since the last call, in ms."""
        answer = await self.a.exchange(b"GET /bench/stall HTTP/1.1\r\nHost: bench\r\n\r\n")
        return float(answer.body)

    async def receipts(self, seconds: float) -> list[float]:
        """Milliseconds of each receipt of an urgent case."""
        took: list[float] = []

        async def one() -> None:
            details = {"details": {"priority": "P0"}}
            body = orjson.dumps(case(SENDER, os.urandom(8).hex(), qualification=details))
            request = self.request(0, "/v1/messages", "application/json", body)
            begun = time.perf_counter()
            answer = await self.a.exchange(request)
            took.append((time.perf_counter() - begun) * 1_000)
            if answer.status != 202:
                raise RuntimeError(f"A got {answer.status}: {answer.body[:300]!r}")

        async with asyncio.TaskGroup() as group:
            for _ in range(round(seconds / EVERY)):
                group.create_task(one())
                await asyncio.sleep(EVERY)
        return took

    async def disturb(self, name: str, rate: float, answers: dict[int, int]) -> None:
        """Send B's body at a rate, whatever becomes of it."""
        path, media_type, make = dearest()[name]
        sent = set()

        async def one(body: bytes) -> None:
            answer = await self.b.exchange(self.request(1, path, media_type, body))
            answers[answer.status] = answers.get(answer.status, 0) + 1

        for number in range(10**6):
            sent.add(asyncio.create_task(one(make(number + int(rate) * 10**6))))
            await asyncio.sleep(1 / rate)


@contextlib.asynccontextmanager
async def opened(port: int, workers: int) -> AsyncIterator[Bench]:
    """A gateway as a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "bench.abuse",
            "--serve",
            str(port),
            "--data",
            folder,
            "--workers",
            str(workers),
        ]
        with (Path(folder) / "log").open("wb") as log:
            gateway = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)  # noqa: ASYNC220 - at the start
        try:
            assert gateway.stdout is not None
            first = await asyncio.to_thread(gateway.stdout.readline)
            a, b = Pool(port, 100), Pool(port, 200)
            bench = Bench(gateway.pid, a, b, tuple(orjson.loads(first)))
            await asyncio.sleep(REST)  # the workers get warm
            yield bench
            a.close()
            b.close()
        finally:
            gateway.terminate()
            gateway.wait()


async def measure(port: int, seconds: float, workers: int, names: list[str]) -> dict[str, Row]:
    """The figures by name and rate; "quiet" first and last."""
    rows: dict[str, Row] = {}
    async with opened(port, workers) as bench:
        await bench.stretch(1.0, "", 0)  # warms up
        rows["quiet"] = await bench.stretch(2 * seconds, "", 0)
        for name in names or dearest():
            for rate in RATES:
                rows[f"{name}, {rate}/s"] = await bench.stretch(seconds, name, rate)
        rows["quiet again"] = await bench.stretch(2 * seconds, "", 0)
    return rows


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.abuse", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each stretch")
    parser.add_argument("--port", type=int, default=8470)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", action="append", default=[], help="a body's name; may be repeated")
    parser.add_argument("--serve", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.serve:
        configure_logging("warning")
        with (
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            contextlib.suppress(KeyboardInterrupt),
        ):
            runner.run(serve(wanted.serve, wanted.data, wanted.workers))
        return 0
    rows = asyncio.run(measure(wanted.port, wanted.seconds, wanted.workers, wanted.only))
    print(
        f"{'':40} {'p50':>7} {'p95':>7} {'max':>7} {'stall':>7}  ms   {'before':>6} {'peak':>6} {'after':>6} MiB"
    )
    for name, row in rows.items():
        print(
            f"{name:40} {row.p50:7.2f} {row.p95:7.2f} {row.most:7.1f} {row.stall:7.1f}       "
            f"{row.before:6.0f} {row.peak:6.0f} {row.after:6.0f}      {row.answers or ''}"
        )
    Path("bench/abuse.json").write_bytes(
        orjson.dumps({n: asdict(r) for n, r in rows.items()}, option=orjson.OPT_NON_STR_KEYS)
    )
    bound = max(SLOW_MS, FACTOR * rows["quiet"].p95)
    stays = rows["quiet again"].after - rows["quiet"].before
    slow = [name for name, row in rows.items() if row.p95 > bound]
    print(
        f"p95 at most {bound:.1f} ms: {', '.join(slow) or 'all'}{' are over' if slow else ''}; {stays:.0f} MiB stay"
    )
    return 1 if slow or stays * 1_048_576 > STAYS else 0


if __name__ == "__main__":
    sys.exit(main())
