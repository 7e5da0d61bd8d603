"""What a gateway does beside answering requests, for as long as it runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from gateway import webhooks
from gateway.case_context import memory_of
from gateway.core import Core
from gateway.errors import GatewayError
from gateway.expiry import expire_overdue
from gateway.forward import ForwardPolicy, Way
from gateway.forwarder import Forwarder
from gateway.observability import WORKER_FAILURES, log
from gateway.replicas import follow
from gateway.report import report
from gateway.runtime import Runtime
from gateway.store import is_shared
from gateway.webhooks import Notifier, WebhookKeys, http_client

DAY = 86_400.0
EXPIRY_SECONDS = 5.0  # between two looks for what has expired in an inbox
SWEEP_SECONDS = 60.0  # between two sweeps of contents past their retention
AGAIN_SECONDS = 1.0  # until a worker that failed goes on


@asynccontextmanager
async def at_work(runtime: Runtime, core: Core) -> AsyncIterator[None]:
    """The workers of a running gateway. On leaving, what is under way is finished, within half of the grace time."""
    made = runtime.settings
    policy = ForwardPolicy(made.forward_concurrency, made.retry_base, made.retry_max)
    rooms = runtime.store, core, runtime.registry, policy, runtime.now, runtime.pace, runtime.offload
    workers: list[Forwarder | Notifier] = [Forwarder(Way(*rooms, memory_of(made)))]
    async with AsyncExitStack() as stack:
        if runtime.webhook_keys is not None:
            client = await stack.enter_async_context(http_client(allow_private=made.webhook_allow_private))
            workers.append(Notifier(webhook_way(runtime, runtime.webhook_keys, client)))
        working = [asyncio.create_task(keep_up(worker)) for worker in workers]
        beside = [asyncio.create_task(work) for work in (_sweep(runtime), _expire(runtime), report(runtime))]
        if is_shared(made.database_url):
            beside.append(asyncio.create_task(follow(runtime)))
        try:
            yield
        finally:
            for task in beside:
                task.cancel()
            for worker in workers:
                worker.stop()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*working), made.stop_grace / 2)


async def keep_up(worker: Forwarder | Notifier) -> None:
    """Run a worker until it is stopped. It expects outages; whatever else it fails of, what waits must not wait for good."""
    name = type(worker).__name__
    failures = WORKER_FAILURES.labels(name)
    while True:
        try:
            return await worker.run()
        except Exception as error:  # noqa: BLE001 - a gateway that gives receipts has to forward
            failures.inc()
            log.error("worker_failed", worker=name, exc_info=error)
            await asyncio.sleep(AGAIN_SECONDS)


def webhook_way(runtime: Runtime, keys: WebhookKeys, client: httpx.AsyncClient) -> webhooks.Way:
    """What telling of inbox items needs of a running gateway."""
    timeout = runtime.settings.webhook_timeout
    return webhooks.Way(runtime.store.events, runtime.registry, keys, client, timeout, runtime.now)


async def _expire(runtime: Runtime) -> None:
    """Tell the senders of what nobody answered in time, for as long as the gateway runs."""
    while True:
        try:
            await expire_overdue(runtime)
        except GatewayError as error:  # the database is away, of which requests tell
            log.warning("expiry_failed", exc_info=error)
        except Exception as error:  # noqa: BLE001 - the next sweep tries again
            WORKER_FAILURES.labels("Expiry").inc()
            log.error("expiry_failed", exc_info=error)
        await asyncio.sleep(EXPIRY_SECONDS)


async def _sweep(runtime: Runtime) -> None:
    """Erase health data that is past its retention, for as long as the gateway runs."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            await runtime.store.erase(runtime.now() - runtime.settings.retention_days * DAY)
        except Exception as error:  # noqa: BLE001 - the next sweep tries again
            log.error("erase_failed", exc_info=error)
