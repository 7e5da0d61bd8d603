"""What an operator does to the store from the command line, beside a running gateway or without one."""

import time
from collections.abc import Sequence

from gateway import desk
from gateway.model import JsonObject
from gateway.settings import Settings
from gateway.store import ErasedCase, open_store


async def order(settings: Settings, wanted: JsonObject) -> JsonObject:
    """Have the gateway that holds the database do it; where none does, open the store.

    Raises ConfigurationError where the database cannot be used.
    """
    answer = await desk.ask(settings.database_url, wanted)
    if answer is not None:
        return answer
    now = time.time()
    store = await open_store(settings.database_url, backlog_limit=settings.backlog_limit, now=now)
    try:
        return await desk.perform(store, wanted, now)
    finally:
        await store.close()


async def dead_letters(settings: Settings, limit: int) -> list[JsonObject]:
    """The newest dead letters, without their content."""
    told = await order(settings, {"do": "dead-letters", "limit": limit})
    return list(told["letters"])


async def replay(settings: Settings, receipt_ids: Sequence[str]) -> int:
    """Put dead letters back at the end of their lanes; how many were."""
    return int((await order(settings, {"do": "replay", "ids": list(receipt_ids)}))["replayed"])


async def erase_case(settings: Settings, case_id: str, *, unread: bool) -> ErasedCase:
    """Erase the content of a case, with `unread` also what its publishers have not acknowledged."""
    done = await order(settings, {"do": "erase", "case": case_id, "unread": unread})
    return ErasedCase(done["erased"], done["left"])
