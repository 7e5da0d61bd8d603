"""The quota that the settings ask for, with what it does beside requests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateway.quota import LocalQuota, Quota
from gateway.shared_quota.quota import SharedQuota, Usage
from gateway.shared_quota.valkey import Valkey


@asynccontextmanager
async def open_quota(url: str, usage: Usage, now: Callable[[], float]) -> AsyncIterator[Quota]:
    """A quota that goes on from what the store holds: shared at this `redis://` URL, or this process's own ("").

    A Valkey that is away stops nothing: it is waited for beside the requests. Raises Unavailable for the store.
    """
    if not url:
        quota = LocalQuota()
        quota.rebuild(await usage(now()), now())
        yield quota
        return
    shared = SharedQuota(Valkey(url), usage, now)
    try:
        await shared.start()
        looking_after = asyncio.create_task(shared.run())
        try:
            yield shared
        finally:
            looking_after.cancel()
            await asyncio.wait([looking_after])
    finally:
        await shared.close()
