"""Everything that must outlive the process: outbox, inbox, dead letters and idempotency.

`Store` says what a store can do; `open_store` opens the one that a URL names.
"""

import sqlite3

from gateway.errors import ConfigurationError, Unavailable
from gateway.settings import mask
from gateway.store.attempts import FAILING
from gateway.store.database import open_database
from gateway.store.expiry import NOT_ANSWERED, Expired, Expiries, Overdue
from gateway.store.interface import PER_ENDPOINT, DeadLetter, Endpoint, ErasedCase, Event, Events, Store
from gateway.store.postgres import PostgresStore
from gateway.store.postgres_database import SCHEMES, open_postgres
from gateway.store.rows import HISTORY_BYTES, HISTORY_SCAN
from gateway.store.sqlite import SqliteStore

__all__ = [
    "FAILING",
    "HISTORY_BYTES",
    "HISTORY_SCAN",
    "NOT_ANSWERED",
    "PER_ENDPOINT",
    "DeadLetter",
    "Endpoint",
    "ErasedCase",
    "Event",
    "Events",
    "Expired",
    "Expiries",
    "Overdue",
    "Store",
    "is_shared",
    "open_store",
]


def is_shared(database_url: str) -> bool:
    """Whether a database of this URL serves several replicas."""
    return database_url.startswith(SCHEMES)


async def open_store(database_url: str, *, backlog_limit: int, now: float) -> Store:
    """Open the store of `sqlite:///path` or `postgresql://…`. `backlog_limit` bounds the messages that wait to be forwarded.

    Raises ConfigurationError where the URL is of another kind, or the database cannot be used or, a file, is in use.
    """
    if is_shared(database_url):
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
