"""What a gateway does beside answering requests, for as long as it runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.core import Core
from gateway.forward import Forwarder, ForwardPolicy, Way
from gateway.observability import log
from gateway.runtime import Runtime

DAY = 86_400.0
SWEEP_SECONDS = 60.0  # between two sweeps of contents past their retention


@asynccontextmanager
async def at_work(runtime: Runtime, core: Core) -> AsyncIterator[None]:
    """The workers of a running gateway. On leaving, what is under way is finished, within half of the grace time."""
    made = runtime.settings
    policy = ForwardPolicy(made.forward_concurrency, made.retry_base, made.retry_max)
    forwarder = Forwarder(Way(runtime.store, core, runtime.registry, policy, runtime.now))
    forwarding, sweeping = asyncio.create_task(forwarder.run()), asyncio.create_task(_sweep(runtime))
    try:
        yield
    finally:
        sweeping.cancel()
        forwarder.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(forwarding, made.stop_grace / 2)


async def _sweep(runtime: Runtime) -> None:
    """Erase health data that is past its retention, for as long as the gateway runs."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            await runtime.store.erase(runtime.now() - runtime.settings.retention_days * DAY)
        except Exception as error:  # noqa: BLE001 - the next sweep tries again
            log.error("erase_failed", exc_info=error)
