"""What an operator does to the store from the command line, beside a running gateway or without one."""

import time
from collections.abc import Sequence

from gateway import desk, registry
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


async def webhooks(settings: Settings) -> list[JsonObject]:
    """The webhooks of the registrations and how each does, and publishers without one that something still waits for."""
    told = {one["publisher"]: one for one in (await order(settings, {"do": "webhooks"}))["endpoints"]}
    registered = registry.load(settings.registry_dir, exclusive_senders=False, private_webhooks=True)
    urls = {one.id: one.webhook for one in registered.publishers if one.webhook}
    return [_webhook(name, urls.get(name, ""), told.get(name, {})) for name in sorted({*urls, *told})]


def _webhook(publisher: str, url: str, told: JsonObject) -> JsonObject:
    """`disabledAt` is None also where another URL was disabled than the present one: that is lifted by the next event."""
    disabled = told.get("disabledAt") if told.get("disabledUrl") == url else None
    facts = {
        "waiting": told.get("waiting", 0),
        "oldest": told.get("oldest"),
        "attempts": told.get("attempts", 0),
    }
    return {"publisher": publisher, "url": url, **facts, "disabledAt": disabled}


async def enable_webhook(settings: Settings, publisher_id: str) -> bool:
    """Call a webhook again that answered 410; whether it was disabled."""
    return bool((await order(settings, {"do": "enable-webhook", "publisher": publisher_id}))["enabled"])
