"""The command line: `python -m bench.chaos --messages 5000 --cases 200 --kills 30 --seed 7`.

Kills, then the same messages at all replicas at once, then a rolling restart. Prints seed, kills and findings; exits 1 where
something was lost, overtaken, not delivered once, or over the quota, or a request failed in the rolling restart.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from bench import postgres
from bench.chaos.play import Wanted, play
from bench.chaos.quiet import rolling_restart, same_message

RESTARTED = (400, 40)  # messages at least, and cases, while the replicas restart


async def whole(wanted: Wanted, same: int) -> bool:
    """The kills, then the quieter checks, each with servers of its own; whether all is clean. Raises NoServer, RuntimeError."""
    with tempfile.TemporaryDirectory(prefix="gateway-chaos-") as name:
        folders = [Path(name) / part for part in ("kills", "same", "restart")]
        for folder in folders:
            folder.mkdir()
        killed = await play(folders[0], wanted)
        print(f"seed {wanted.seed}: {killed}", flush=True)
        everywhere = await same_message(folders[1], same)
        print(everywhere, flush=True)
        rolled = await rolling_restart(folders[2], *RESTARTED)
        print(rolled)
    return killed.clean and everywhere.clean and rolled.clean


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--messages", type=int, default=5_000)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--same", type=int, default=200, help="messages that go to all replicas at once")
    told = parser.parse_args()
    wanted = Wanted(told.messages, told.cases, told.kills, told.seed)
    try:
        found = asyncio.run(whole(wanted, told.same))
    except postgres.NoServer as error:
        sys.stderr.write(f"chaos: {error}\n")
        return 1
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
