"""The conformance of a gateway: its contract as checks against any deployment, over HTTP alone.

Read `CHECKS`: the checks run in this order; those of `sweeps` judge every answer that the others got, and so run last.
"""

import contextlib

import httpx

from publishers.conformance.checks import Check, Progress, run_checks
from publishers.conformance.results import Result
from publishers.conformance.server import inbox, metadata, oauth, outages, quota, refusals, sending, sweeps
from publishers.conformance.server.bench import ServerBench
from publishers.conformance.server.wire import Target, Wire

CHECKS: tuple[Check[ServerBench], ...] = (
    *metadata.CHECKS,
    *oauth.CHECKS,
    *sending.CHECKS,
    *refusals.CHECKS,
    *inbox.CHECKS,
    *outages.CHECKS,
    *quota.CHECKS,
    *sweeps.CHECKS,
)
ROLES = ("server",)


async def certify(
    target: Target, progress: Progress, transport: httpx.AsyncBaseTransport | None = None
) -> tuple[Result, ...]:
    """Every check against the target. It sends and receives messages under the client's name, and clears up behind itself."""
    async with httpx.AsyncClient(
        base_url=target.url,
        timeout=60.0,
        trust_env=False,
        transport=transport,
        limits=httpx.Limits(max_connections=100),
    ) as http:
        bench = ServerBench(Wire(http), target)
        results = await run_checks(CHECKS, bench, progress)
        with contextlib.suppress(Exception):  # what the checks said stands, whatever clearing up meets
            await bench.clear()
        return results
