"""What an operator does to the store from the command line: SQLite while the gateway is stopped, PostgreSQL at any time."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from gateway.model import JsonObject, iso
from gateway.settings import Settings
from gateway.store import Store, open_store


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    """The store of the settings. Raises ConfigurationError where a running gateway holds its file."""
    store = await open_store(settings.database_url, backlog_limit=settings.backlog_limit, now=time.time())
    try:
        yield store
    finally:
        await store.close()


async def dead_letters(settings: Settings, limit: int) -> list[JsonObject]:
    """The newest dead letters, without their content."""
    async with opened(settings) as store:
        return [
            {
                "id": letter.id,
                "publisher": letter.publisher_id,
                "distributionID": letter.distribution_id,
                "messageType": letter.message_type,
                "recipient": letter.recipient,
                "receivedAt": iso(letter.received_at),
                "diedAt": iso(letter.died_at),
                "cause": letter.cause,
            }
            for letter in await store.dead_letters(limit)
        ]


async def replay(settings: Settings, receipt_ids: Sequence[str]) -> int:
    """Put dead letters back at the end of their lanes; how many were."""
    async with opened(settings) as store:
        return await store.replay(receipt_ids, time.time())
