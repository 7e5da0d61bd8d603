"""The command line: `python -m bench.chaos --messages 5000 --cases 200 --kills 30 --seed 7`.

Prints seed, kills and finding; exits 1 where something was lost, overtaken, not delivered once, or over the quota.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from bench import postgres
from bench.chaos.play import Wanted, play


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--messages", type=int, default=5_000)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=7)
    told = parser.parse_args()
    wanted = Wanted(told.messages, told.cases, told.kills, told.seed)
    with tempfile.TemporaryDirectory(prefix="gateway-chaos-") as folder:
        try:
            found = asyncio.run(play(Path(folder), wanted))
        except postgres.NoServer as error:
            sys.stderr.write(f"chaos: {error}\n")
            return 1
    print(f"seed {wanted.seed}: {found}")
    return 0 if found.clean else 1


if __name__ == "__main__":
    sys.exit(main())
