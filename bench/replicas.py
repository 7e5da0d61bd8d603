"""What a second replica costs: `python -m bench.replicas`, or as part of `python -m bench`.

One gateway, then two, on one PostgreSQL, in rounds that alternate; each replica has a processor core of its own, is loaded
by as many connections as the one alone, and what is accepted is translated, checked and handed to a core that says yes at
once. Counted is the processor time (user and system) of the gateways for each message, from the first request until the
last message is forwarded, and PostgreSQL's own apart. The ratio is messages per CPU-second of two replicas over those of
one, the median of the rounds.

Two busy processes on one machine take caches and time from each other and from PostgreSQL whatever they do. How much of
the ratio is that, two gateways tell that share nothing but the machine: each has a database of its own.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson

from bench import load, postgres

PORT = 8492
ONE, TWO, APART = "one_replica", "two_replicas", "two_apart"
CASES = {ONE: (1, 1), TWO: (2, 1), APART: (2, 2)}  # gateways and stores
RATIOS = {"cpu_two_replicas": TWO, "cpu_two_apart": APART}
FORWARDED = re.compile(r'^gateway_forward_total\{result="forwarded"\} (\S+)', re.MULTILINE)
PATIENCE = 120.0  # seconds for the rest of the messages to be forwarded


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU a message: of the gateways together, and of PostgreSQL; and the load's longest median wait."""

    gateway_us: float
    postgres_us: float
    messages: int
    p50_ms: float


@dataclass(frozen=True, slots=True)
class Replica:
    """One gateway that serves."""

    pid: int
    port: int
    token: str

    def cpu_seconds(self) -> float:
        """Processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def forwarded(self) -> float:
        """Messages that the core has from it."""
        text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", trust_env=False, timeout=30).text
        found = FORWARDED.search(text)
        return float(found[1]) if found else 0.0


@contextmanager
def replica(number: int, database: str, folder: Path) -> Iterator[Replica]:
    """A gateway of its own process. Raises RuntimeError where it does not start."""
    port = PORT + number
    command = [sys.executable, "-m", "bench.servers", "pipeline", "--port", str(port), "--data", str(folder)]
    command += ["--database", database, "--core", str(number)]
    with (
        (folder / f"log-{number}").open("wb") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(
                    f"a replica does not start: {(folder / f'log-{number}').read_text()[-2000:]}"
                )
            yield Replica(process.pid, port, orjson.loads(line)["token"])
        finally:
            process.kill()


def measure(server: postgres.Server, case: str, seconds: float) -> Cost:
    """One of CASES, on empty stores. Raises RuntimeError where a request was not answered 2xx."""
    count, stores = CASES[case]
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name, ExitStack() as stack:
        folder, databases = Path(name), [server.fresh() for _ in range(stores)]
        replicas = [stack.enter_context(replica(n, databases[n % stores], folder)) for n in range(count)]
        warm = _loaded(replicas, 1.0, folder)
        _drained(replicas, sum(one.requests for one in warm))
        gateways, database_cpu = sum(one.cpu_seconds() for one in replicas), server.cpu_seconds()
        done = _loaded(replicas, seconds, folder)
        messages = sum(one.requests for one in done)
        _drained(replicas, messages + sum(one.requests for one in warm))
        gateways = sum(one.cpu_seconds() for one in replicas) - gateways
        database_cpu = server.cpu_seconds() - database_cpu
        return Cost(
            gateways * 1e6 / messages,
            database_cpu * 1e6 / messages,
            messages,
            max(one.p50_ms for one in done),
        )


def _loaded(replicas: list[Replica], seconds: float, folder: Path) -> list[load.Load]:
    cores = os.sched_getaffinity(0)
    with ThreadPoolExecutor(len(replicas)) as threads:
        done = list(threads.map(lambda one: load.run(one.port, one.token, seconds, folder, cores), replicas))
    errors = sum(one.errors for one in done)
    if errors:
        raise RuntimeError(f"{errors} requests were not answered 2xx")
    return done


def _drained(replicas: list[Replica], messages: int) -> None:
    deadline = time.perf_counter() + PATIENCE
    while time.perf_counter() < deadline:
        # a request whose answer the load generator did not wait for is forwarded all the same
        if sum(one.forwarded() for one in replicas) >= messages:
            return
        time.sleep(0.05)
    raise RuntimeError(f"not everything was forwarded after {PATIENCE:.0f} seconds")


def figures(rounds: int, seconds: float) -> tuple[dict[str, dict[str, object]], dict[str, float]]:
    """Median, least and most of every figure, and the ratios RATIOS; nothing where PostgreSQL cannot be started."""
    costs: dict[str, list[Cost]] = {case: [] for case in CASES}
    try:
        with postgres.server() as server:
            for number in range(rounds):
                for case in list(CASES)[:: 1 if number % 2 == 0 else -1]:
                    cost = measure(server, case, seconds)
                    costs[case].append(cost)
                    print(
                        f"round {number + 1}: {case}, {cost.gateway_us:.0f} us a message, "
                        f"PostgreSQL {cost.postgres_us:.0f} us, {cost.messages} messages",
                        flush=True,
                    )
    except postgres.NoServer as error:
        print(f"two replicas: {error}")
        return {}, {}
    found: dict[str, dict[str, object]] = {}
    for case, measured in costs.items():
        found[f"{case}_cpu_us"] = _spread([one.gateway_us for one in measured])
        found[f"{case}_postgres_cpu_us"] = _spread([one.postgres_us for one in measured])
    return found, {name: _ratio(costs[ONE], costs[case]) for name, case in RATIOS.items()}


def _ratio(of: list[Cost], over: list[Cost]) -> float:
    # of one round, so that a machine that gets slower spoils nothing
    pairs = zip(of, over, strict=True)
    return round(statistics.median(one.gateway_us / other.gateway_us for one, other in pairs), 3)


def _spread(values: list[float]) -> dict[str, object]:
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
        "unit": "us of CPU a message",
    }


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.replicas", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    wanted = parser.parse_args()
    _, ratios = figures(wanted.rounds, wanted.seconds)
    for name, ratio in ratios.items():
        print(f"{name}: {ratio}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
