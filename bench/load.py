"""Load on one server, from processor core 1 where none is named: wrk where it is installed, else the generator of this project."""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.message import PLACE, template

CONNECTIONS = 32
LUA = Path(__file__).with_name("unique.lua")
LOAD_CORE = 1


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it: requests answered, those not answered 2xx, and how long they took."""

    requests: int
    seconds: float
    errors: int
    p50_ms: float
    p99_ms: float


def generator() -> str:
    """Which load generator is used."""
    return "wrk" if shutil.which("wrk") else "bench.generator"


def run(port: int, token: str, seconds: float, folder: Path, cores: Collection[int] = (LOAD_CORE,)) -> Load:
    """Closed loop over 32 kept-alive connections, no pipelining, from these processor cores.

    Raises RuntimeError where the generator fails.
    """
    body = folder / "message.json"
    body.write_bytes(template())
    prefix = secrets.token_hex(3)
    url = f"http://127.0.0.1:{port}/v1/messages"
    if generator() == "wrk":
        command = [
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{max(1, round(seconds))}s",
            "-s",
            str(LUA),
            url,
            "--",
        ]
        command += [str(body), PLACE.decode(), prefix, token]
    else:
        command = [sys.executable, "-m", "bench.generator", str(port), str(seconds), str(body), prefix, token]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 60,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()[-500:]}")
    return Load(**orjson.loads(done.stdout.strip().splitlines()[-1]))
