"""`python -m publishers.conformance.subjects NAME`: one of the clients, until its input ends."""

import os
import sys

from publishers.conformance.subjects.broken import BROKEN
from publishers.conformance.subjects.plain import PlainClient

CLIENTS: dict[str, type[PlainClient]] = {"plain": PlainClient, **BROKEN}


def main() -> int:
    """Serve; 2 where the name is none of theirs."""
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if name not in CLIENTS:
        sys.stderr.write(f"subjects: name one of {', '.join(CLIENTS)}\n")
        return 2
    CLIENTS[name](os.environ).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
