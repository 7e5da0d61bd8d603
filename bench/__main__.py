"""The benchmark, everything side by side in one run: `python -m bench`, or `make bench`.

The servers (`bench/servers.py`) run on processor core 0, the load on core 1, in rounds that alternate between them; each
measurement begins with a fresh server on an empty store. Prints a table and where the time of a receipt goes, and writes
`bench/results.json`. Ratios are ours over the bound or peer, 1.0 = equal, made of medians.
"""

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
from rich.console import Console
from rich.table import Table

from bench import load, replicas, steps, translation, validation
from bench.servers import CORE, KINDS

RESULTS = Path(__file__).with_name("results.json")
PORT = 8490
RATIOS = {
    "accept_bare": ("accept", "bare"),
    "accept_floor": ("accept", "floor"),
    "pipeline_bare": ("pipeline", "bare"),
    "forward": ("proxy_cpu_us", "forward_cpu_us"),  # messages per CPU-second: the core is no part of it
    "validate": ("validate", "validate_peer"),
    "translate": (translation.CONVERSION, "bare"),
    "cross": (translation.TO_FIRE, "bare"),
    "cross_back": (translation.TO_HEALTH, "bare"),
    **dict.fromkeys(replicas.RATIOS),
}
FORWARDED = re.compile(r'^gateway_forward_total\{result="forwarded"\} (\S+)', re.MULTILINE)
DRAIN = 120.0  # seconds for the rest of a pipeline's messages


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement: messages done a second, and the server's processor time for each in microseconds."""

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


def measure(kind: str, seconds: float) -> Measured:
    """One server, warmed up and then loaded. Raises RuntimeError where a request was not answered 2xx."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        if kind in {"forward", "proxy"}:
            stack.enter_context(_server(CORE, PORT + 1, folder, load.LOAD_CORE))
        pid, token = stack.enter_context(_server(kind, PORT, folder, 0))
        return _loaded(kind, pid, token, seconds, folder)


@contextmanager
def _server(kind: str, port: int, folder: Path, processor: int) -> Iterator[tuple[int, str]]:
    """A server's process id and an access token for it."""
    command = [sys.executable, "-m", "bench.servers", kind, "--port", str(port), "--data", str(folder)]
    command += ["--core", str(processor)]
    with (
        (folder / f"log-{kind}").open("wb") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as server,
    ):
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line:
                raise RuntimeError(f"{kind} does not start: {(folder / f'log-{kind}').read_text()[-2000:]}")
            yield server.pid, orjson.loads(line)["token"]
        finally:
            server.kill()


def _loaded(kind: str, pid: int, token: str, seconds: float, folder: Path) -> Measured:
    forwards = kind in {"pipeline", "client", "forward"}
    warm = load.run(PORT, token, 1, folder)
    if forwards:
        _drained(warm.requests)
    cpu = _cpu_seconds(pid)
    result = load.run(PORT, token, seconds, folder)
    ended, elapsed = time.perf_counter(), result.seconds  # of the load alone, without its generator's start
    if forwards:
        elapsed += _drained(warm.requests + result.requests) - ended
    if warm.errors or result.errors:
        raise RuntimeError(f"{kind}: {warm.errors + result.errors} requests were not answered 2xx")
    cpu_us = (_cpu_seconds(pid) - cpu) * 1e6 / result.requests
    return Measured(result.requests / elapsed, cpu_us, result.p50_ms, result.p99_ms)


def _drained(messages: int) -> float:
    """When (performance counter) so many messages were forwarded."""
    deadline = time.perf_counter() + DRAIN
    while time.perf_counter() < deadline:
        found = FORWARDED.search(
            httpx.get(f"http://127.0.0.1:{PORT}/metrics", trust_env=False, timeout=30).text
        )
        # a request whose answer the load generator did not wait for is forwarded all the same
        if found and float(found[1]) >= messages:
            return time.perf_counter()
        time.sleep(0.02)
    raise RuntimeError(f"not everything was forwarded after {DRAIN:.0f} seconds")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def figures(runs: dict[str, list[Measured]]) -> dict[str, dict[str, Any]]:
    """Median, least and most of every kind, of throughput, processor time and latency."""
    units = {"per_second": "messages/s", "cpu_us": "us of CPU a message", "p50_ms": "ms", "p99_ms": "ms"}
    found = {}
    for kind, measured in runs.items():
        for name, unit in units.items():
            values = [getattr(one, name) for one in measured]
            label = kind if name == "per_second" else f"{kind}_{name}"
            found[label] = {
                "median": round(statistics.median(values), 3),
                "min": round(min(values), 3),
                "max": round(max(values), 3),
                "unit": unit,
            }
    return found


def ratios(found: dict[str, dict[str, Any]]) -> dict[str, float | None]:
    """Ours over its bound, None where it was not measured."""
    pairs = {name: pair for name, pair in RATIOS.items() if pair and all(kind in found for kind in pair)}
    return {
        name: round(found[pairs[name][0]]["median"] / found[pairs[name][1]]["median"], 3)
        if name in pairs
        else None
        for name in RATIOS
    }


def machine() -> str:
    """What the figures were measured on."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return (
        f"{os.cpu_count()} cores, {model[1] if model else platform.machine()}, Python {platform.python_version()}, "
        f"load by {load.generator()}"
    )


def show(found: dict[str, dict[str, Any]], told: dict[str, float | None]) -> None:
    """The tables on the screen."""
    console = Console()
    table = Table("figure", "median", "min", "max", "unit")
    for name, row in found.items():
        table.add_row(name, *(f"{row[key]:,.2f}" for key in ("median", "min", "max")), row["unit"])
    console.print(table)
    ratio_table = Table("ratio", "ours / bound or peer")
    for name, value in told.items():
        ratio_table.add_row(name, "not measured" if value is None else f"{value:.3f}")
    console.print(ratio_table)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--no-steps", action="store_true", help="leave out where the time goes")
    wanted = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        sys.stderr.write("bench: two processor cores are needed\n")
        return 1
    runs: dict[str, list[Measured]] = {kind: [] for kind in wanted.kinds}
    try:
        for number in range(wanted.rounds):
            for kind, done in runs.items():
                done.append(measure(kind, wanted.seconds))
                print(
                    f"round {number + 1}: {kind} {done[-1].per_second:,.0f}/s, {done[-1].cpu_us:.0f} us",
                    flush=True,
                )
    except RuntimeError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    found = figures(runs) | translation.figures(wanted.rounds) | validation.figures()
    told = ratios(found)
    replicas_found, replicas_told = replicas.figures(wanted.rounds, wanted.seconds)
    found |= replicas_found
    told.update(replicas_told)
    show(found, told)
    if not wanted.no_steps:
        steps.main()
    results = {"machine": machine(), "date": datetime.now(UTC).isoformat(timespec="seconds")}
    RESULTS.write_bytes(
        orjson.dumps({**results, "figures": found, "ratios": told}, option=orjson.OPT_INDENT_2)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
