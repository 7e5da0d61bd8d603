"""Publisher A as a process: `python -m bench.fairness.flood PORT TOKEN BODY-FILE`.

Each line on standard input is a wish, `{"rate": 1000, "seconds": 5}`; it is answered by a line once it is fulfilled: how many
were sent, the answers by status, and how late the sending was at the 99th percentile (milliseconds).
"""

import asyncio
import os
import secrets
import sys
from collections import Counter
from pathlib import Path

import orjson
import uvloop

from bench.fairness.wire import Pool, Poster, paced

CONNECTIONS = 256
CORE = 1


async def flood(pool: Pool, poster: Poster, rate: float, seconds: float) -> dict[str, object]:
    """Send at that rate for so long, whatever the answers."""
    loop = asyncio.get_running_loop()
    answers: Counter[int] = Counter()
    late: list[float] = []

    async def send(due: float) -> None:
        late.append(loop.time() - due)
        _, request = poster.next()
        answers[(await pool.exchange(request)).status] += 1

    began = loop.time()
    await paced(rate, seconds, 1, send)
    late.sort()
    return {
        "sent": len(late),
        "seconds": loop.time() - began,
        "answers": {str(status): count for status, count in sorted(answers.items())},
        "late_p99_ms": late[len(late) * 99 // 100] * 1_000,
    }


async def obey(port: int, token: str, body: bytes) -> None:
    """Fulfil one wish after the other."""
    pool, poster = Pool(port, CONNECTIONS), Poster(token, body, secrets.token_hex(3))
    while line := await asyncio.to_thread(sys.stdin.readline):
        told = await flood(pool, poster, **orjson.loads(line))
        print(orjson.dumps(told).decode(), flush=True)
    pool.close()


def main() -> None:
    """The command line."""
    port, token, body = sys.argv[1:]
    os.sched_setaffinity(0, {CORE})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(obey(int(port), token, Path(body).read_bytes()))


if __name__ == "__main__":
    main()
