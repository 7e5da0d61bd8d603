"""Everything that must outlive the process: outbox, inbox, dead letters and idempotency.

`Store` says what a store can do; `open_store` opens the one that a URL names.
"""

import sqlite3

from gateway.errors import ConfigurationError, Unavailable
from gateway.store.database import open_database
from gateway.store.interface import DeadLetter, Store
from gateway.store.sqlite import SqliteStore

__all__ = ["DeadLetter", "Store", "open_store"]


async def open_store(database_url: str, *, backlog_limit: int, now: float) -> Store:
    """Open the store of `sqlite:///path`. `backlog_limit` bounds the messages that wait to be forwarded.

    Raises ConfigurationError where the URL is of another kind, or the file cannot be used or is in use.
    """
    database = open_database(database_url)
    try:
        store = SqliteStore(database, backlog_limit)
        await store.forget(now)
    except (sqlite3.Error, Unavailable) as error:
        database.close()
        raise ConfigurationError(f"{database_url}: the database cannot be used: {error}.") from None
    return store
