"""What a replica takes over from the others on the same database: urgent cases, and access tokens that were revoked."""

import asyncio

from gateway.observability import log
from gateway.runtime import Runtime

LOOK_SECONDS = 1.0
OVERLAP = 15.0  # seconds that each look goes back behind the last: clocks differ, and a commit takes its time


async def follow(runtime: Runtime, every: float = LOOK_SECONDS) -> None:
    """Look every so many seconds, for as long as the gateway runs. A database that is away is asked again."""
    last, failing = runtime.now(), False
    while True:
        await asyncio.sleep(every)
        try:
            last = await look(runtime, last - OVERLAP)
        except Exception as error:  # noqa: BLE001 - the next look takes up what this one missed
            if not failing:
                log.warning("replicas_not_followed", exc_info=error)
            failing = True
        else:
            failing = False


async def look(runtime: Runtime, since: float) -> float:
    """Take over what came since then. Returns when it was looked. Raises Unavailable."""
    now = runtime.now()
    runtime.guard.revoke_all(await runtime.store.revoked(since))
    runtime.urgent_cases.rebuild(await runtime.store.urgent_cases(since))
    return now
