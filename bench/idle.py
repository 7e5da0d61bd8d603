"""What idle connections cost: `python -m bench.idle [--connections 2000]`, bounded to about 20 s.

Prints the gateway's memory (RSS, of /proc) and the median time of a request without and with so many open connections that
say nothing, in one run.
"""

import argparse
import asyncio
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
import orjson

from bench.chaos.processes import answers
from bench.chaos.scene import WIDE
from bench.fairness import stage as stages

REQUESTS = 300


def memory_kb(pid: int) -> int:
    """The resident memory of a process, in kB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:")))


def open_files(pid: int) -> int:
    """How many files a process has open."""
    return len([*Path(f"/proc/{pid}/fd").iterdir()])


async def median_ms(http: httpx.AsyncClient, url: str) -> float:
    """The median time of a request, one at a time."""
    times = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        (await http.get(url)).raise_for_status()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1_000


async def measure(connections: int) -> dict[str, float]:
    """The figures."""
    with tempfile.TemporaryDirectory(prefix="gateway-idle-") as name:
        folder = Path(name)
        scene = stages.make_scene(folder, f"sqlite:///{folder / 'gateway.db'}", WIDE)
        async with httpx.AsyncClient(timeout=30.0, trust_env=False) as http:
            with stages.gateway(scene) as process:
                await answers(http, f"{scene.front}/health/ready", process)
                url, port = f"{scene.front}/health/live", int(scene.front.rpartition(":")[2])
                await median_ms(http, url)
                before, quiet = memory_kb(process.pid), await median_ms(http, url)
                opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]
                full = await median_ms(http, url)
                after = memory_kb(process.pid)
                files = open_files(process.pid)
                for _, writer in opened:
                    writer.close()
    return {
        "connections": connections,
        "open_files": files,
        "memory_kb_without": before,
        "memory_kb_with": after,
        "kb_each": (after - before) / connections,
        "median_ms_without": quiet,
        "median_ms_with": full,
        "ratio": full / quiet,
    }


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--connections", type=int, default=2_000)
    wanted = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted.connections + 100:
        sys.stderr.write(f"idle: only {hard} files may be open (ulimit -Hn); ask for fewer connections.\n")
        return 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the gateway inherits it
    print(orjson.dumps(asyncio.run(measure(wanted.connections)), option=orjson.OPT_INDENT_2).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
