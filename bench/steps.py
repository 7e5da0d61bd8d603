"""Where the time of a receipt goes: each step of `gateway.receive.post_message` by itself, in one process, without HTTP.

`python -m bench.steps`; with `--profile` the functions that take the most, by cProfile over the whole path.
"""

import argparse
import asyncio
import contextlib
import cProfile
import hashlib
import io
import pstats
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from bench import asgi
from bench import validation as judging
from bench.message import body
from bench.servers import PUBLISHER, gateway, token_for_bench
from gateway import edxl, intake, translation, validation
from gateway.app import create_app
from gateway.edxl import facts
from gateway.model import Message, Submission
from gateway.oauth2 import generate_signing_keys
from gateway.observability import configure_logging
from gateway.runtime import Runtime

MESSAGES, AT_ONCE = 1_920, 32


def main() -> None:
    """The command line, and the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.steps", description=__doc__)
    parser.add_argument("--profile", action="store_true")
    wanted, _others = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name, (Path(name) / "log").open("wb") as log:
        configure_logging("info", log)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_profile(Path(name)) if wanted.profile else _table(Path(name)))
    judging.show()


async def _table(folder: Path) -> None:
    signing = generate_signing_keys()
    async with gateway("accept", folder, signing) as runtime:
        token = f"Bearer {token_for_bench(signing)}"
        await runtime.guard.authenticate(token, time.time(), "message.send")
        table = Table("step of a receipt", "us of CPU a message")
        for name, seconds in [*_pure(runtime), *await _awaited(runtime, token)]:
            table.add_row(name, f"{seconds * 1e6:.1f}")
        Console().print(table)


def _pure(runtime: Runtime) -> list[tuple[str, float]]:
    raw = body("a" * 16)
    message = intake.decode(raw, edxl.JSON, "v3")
    bundle = translation.to_fhir(message)
    now = time.time()
    steps: dict[str, Callable[[], Any]] = {
        "read the JSON and make the message": lambda: intake.decode(raw, edxl.JSON, "v3"),
        "  of which orjson": lambda: orjson.loads(raw),
        "urgency": lambda: runtime.urgent_cases.is_urgent(
            PUBLISHER.id, facts.priority(message), facts.case_id(message), now
        ),
        "spend quota": lambda: _at_once(runtime.quota.spend(PUBLISHER, urgent=False, now=now)),
        "judge: structure, coherence, codes": lambda: validation.judge(message, strict_codes=False),
        "  of which structure": lambda: validation.is_valid(message),
        "what the store keeps, with its digest": lambda: submission(message, raw, now),
        "RateLimit headers": lambda: runtime.quota.headers(PUBLISHER, now),
        "(forward) translate to the Bundle": lambda: translation.to_fhir(message),
        "(forward) canonical check": lambda: translation.canonical_issues(bundle),
        "(forward) write the Bundle": lambda: orjson.dumps(bundle),
        "(deliver) translate from the Bundle": lambda: translation.from_fhir(bundle),
    }
    return [(name, _each(step)) for name, step in steps.items()]


def _at_once(step: Coroutine[Any, Any, Any]) -> None:
    """Run what never waits."""
    with contextlib.suppress(StopIteration):
        step.send(None)


def submission(message: Message, raw: bytes, now: float) -> Submission:
    """What the store is given of the bench's message."""
    envelope, digest = message.envelope, hashlib.sha256(raw).digest()
    return Submission(
        PUBLISHER.id, envelope.distribution_id, digest, edxl.JSON, raw, message.message_type, message.model_version,
        envelope.sender_id, envelope.address, facts.case_id(message), "", False, "ordinary", now, now + 86_400.0,
    )  # fmt: skip


def _message(name: str) -> Message:
    return intake.decode(body(name), edxl.JSON, "v3")


def _each(step: Callable[[], Any]) -> float:
    """The least mean of five runs, in seconds."""
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(400):
            step()
        best = min(best, (time.perf_counter() - started) / 400)
    return best


async def _awaited(runtime: Runtime, token: str) -> list[tuple[str, float]]:
    now = time.time()

    async def authenticate() -> None:
        await runtime.guard.authenticate(token, now, "message.send")

    waiting = [
        submission(_message(f"s{number:015d}"), body(f"s{number:015d}"), now) for number in range(MESSAGES)
    ]
    bodies = [body(f"w{number:015d}") for number in range(MESSAGES)]

    async def enqueue() -> None:
        await runtime.store.enqueue(waiting.pop(), now)

    async def whole() -> None:
        await asgi.request(app, "POST", "/v1/messages", token, 202, bodies.pop())

    app = create_app(runtime)
    return [
        ("authenticate (cached token)", await _together(authenticate)),
        (f"store and wait for the commit ({AT_ONCE} at once)", await _together(enqueue)),
        (f"the whole path as ASGI calls ({AT_ONCE} at once)", await _together(whole)),
    ]


async def _together(step: Callable[[], Awaitable[None]]) -> float:
    """Mean processor time of a step, all threads, `AT_ONCE` of them under way, in seconds."""

    async def one_lane() -> None:
        for _ in range(MESSAGES // AT_ONCE):
            await step()

    started = time.process_time()
    await asyncio.gather(*(one_lane() for _ in range(AT_ONCE)))
    return (time.process_time() - started) / MESSAGES


async def _profile(folder: Path) -> None:
    signing = generate_signing_keys()
    async with gateway("accept", folder, signing) as runtime:
        app, token, names = create_app(runtime), f"Bearer {token_for_bench(signing)}", iter(range(10**9))

        async def whole() -> None:
            await asgi.request(app, "POST", "/v1/messages", token, 202, body(f"p{next(names):015d}"))

        await _together(whole)
        with cProfile.Profile() as profile:
            await _together(whole)
    text = io.StringIO()
    pstats.Stats(profile, stream=text).sort_stats("tottime").print_stats(35)
    print(text.getvalue())


if __name__ == "__main__":
    main()
