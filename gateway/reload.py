"""The registry read anew beside the requests: reading a thousand registrations takes more than a second.

It is read in a thread and swapped in as a whole by the event loop, so that a request sees the old one or the new one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateway.errors import ConfigurationError
from gateway.observability import log
from gateway.registry import Registry, RegistryHolder


@asynccontextmanager
async def reloading(
    holder: RegistryHolder, read: Callable[[], Registry]
) -> AsyncIterator[Callable[[], None]]:
    """A function that has the registry read anew by `read`, while the block runs.

    Asked while it is being read, it is read once more afterwards. A faulty one changes nothing and is reported in the log.
    """
    asked = asyncio.Event()
    working = asyncio.create_task(_work(holder, read, asked))
    try:
        yield asked.set
    finally:
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


async def _work(holder: RegistryHolder, read: Callable[[], Registry], asked: asyncio.Event) -> None:
    while True:
        await asked.wait()
        asked.clear()
        try:
            registry = await asyncio.to_thread(read)
        except ConfigurationError as error:
            log.error("registry_reload_failed", findings=str(error).splitlines())
        except Exception as error:  # noqa: BLE001 - the old registry stays, and the next change is read again
            log.error("registry_reload_failed", exc_info=error)
        else:
            holder.current = registry
            log.info("registry_reloaded", publishers=len(registry.publishers))
