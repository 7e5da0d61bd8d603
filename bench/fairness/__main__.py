"""The command line: `python -m bench.fairness [--database postgresql] [--scenario flood|backlog]`.

B's urgent cases (20 a second) while A floods (1,000 a second, of which its quota admits 50), and while 50,000 messages of A's
wait for a slow core. Prints p50 and p99 of receipt and of delivery, quiet and disturbed,
by one clock in one run, and exits 1 where a p99 grows by more than half, or a case is not delivered.
"""

import argparse
import asyncio
import sys
from typing import Any

import orjson
import uvloop

from bench import postgres
from bench.fairness import scenes

WANTED = 1.5  # disturbed p99 over quiet p99, at most
JsonObject = dict[str, Any]


async def play(scenario: str, stretches: int, seconds: float, *, on_postgresql: bool) -> JsonObject:
    """The figures of the scenarios asked for."""
    told: JsonObject = {"null server": await scenes.null_server()}
    if scenario in ("all", "flood"):
        found = await scenes.flooded(stretches, seconds, on_postgresql=on_postgresql)
        told["flood"] = scenes.as_json(found)
    if scenario in ("all", "backlog"):
        found = await scenes.backlogged(2 * seconds, on_postgresql=on_postgresql)
        told["backlog"] = scenes.as_json(found)
    return told


def table(name: str, shown: JsonObject) -> str:
    """One scenario for people."""
    lines = [f"{name}: {shown['quiet']['cases']} cases quiet, {shown['disturbed']['cases']} disturbed"]
    lines += [f"  flood: {orjson.dumps(flood).decode()}" for flood in shown["floods"]]
    for row, value in shown.items():
        if "ratio" in value:
            figures = f"{value['quiet_ms']:8.2f} ms quiet {value['disturbed_ms']:8.2f} ms disturbed"
            lines.append(f"  {row:<12} {figures}   x {value['ratio']:.2f}")
    return "\n".join(lines)


def is_fair(shown: JsonObject) -> bool:
    """Whether both p99 stayed in bounds and every case arrived."""
    ratios = [shown[f"{what}_p99"]["ratio"] for what in ("receipt", "delivery")]
    refused = [
        status for name in ("quiet", "disturbed") for status in shown[name]["answers"] if status != "202"
    ]
    missing = shown["quiet"]["missing"] + shown["disturbed"]["missing"]
    return max(ratios) <= WANTED and not missing and not refused


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.fairness", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--scenario", choices=("all", "flood", "backlog"), default="all")
    parser.add_argument(
        "--stretches", type=int, default=12, help="of each kind; a p99 wants a thousand cases"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="that each stretch takes")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    work = play(
        wanted.scenario, wanted.stretches, wanted.seconds, on_postgresql=wanted.database == "postgresql"
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            told = runner.run(work)
    except postgres.NoServer as error:
        sys.stderr.write(f"fairness: {error}\n")
        return 1
    if wanted.json:
        print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    else:
        print(f"generator against a null server: {orjson.dumps(told.pop('null server')).decode()}")
        print("\n".join(table(f"{name} on {wanted.database}", shown) for name, shown in told.items()))
    found = [shown for name, shown in told.items() if name != "null server"]
    return 0 if all(map(is_fair, found)) else 1


if __name__ == "__main__":
    sys.exit(main())
