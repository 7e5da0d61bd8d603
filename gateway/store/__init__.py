"""Everything that must outlive the process: outbox, inbox, dead letters and idempotency.

`Store` says what a store can do; `open_store` opens the one that a URL names.
"""

import sqlite3

from gateway.errors import ConfigurationError, Unavailable
from gateway.settings import mask
from gateway.store.database import open_database
from gateway.store.interface import DeadLetter, ErasedCase, Store
from gateway.store.postgres import PostgresStore
from gateway.store.postgres_database import SCHEMES, open_postgres
from gateway.store.sqlite import SqliteStore

__all__ = ["DeadLetter", "ErasedCase", "Store", "open_store"]


async def open_store(database_url: str, *, backlog_limit: int, now: float) -> Store:
    """Open the store of `sqlite:///path` or `postgresql://…`. `backlog_limit` bounds the messages that wait to be forwarded.

    Raises ConfigurationError where the URL is of another kind, or the database cannot be used or, a file, is in use.
    """
    if database_url.startswith(SCHEMES):
        return await _open_shared(database_url, backlog_limit, now)
    database = open_database(database_url)
    try:
        store = SqliteStore(database, backlog_limit)
        await store.forget(now)
    except (sqlite3.Error, Unavailable) as error:
        database.close()
        raise ConfigurationError(f"{database_url}: the database cannot be used: {error}.") from None
    return store


async def _open_shared(database_url: str, backlog_limit: int, now: float) -> Store:
    store = PostgresStore(await open_postgres(database_url), backlog_limit)
    try:
        await store.start(now)
    except Unavailable as error:
        await store.close()
        cause = error.issues[0].diagnostics
        raise ConfigurationError(f"{mask(database_url)}: the database cannot be used: {cause}") from None
    return store
