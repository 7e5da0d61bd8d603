"""Whether each connection to PostgreSQL has a session of its own, as the shared store needs.

A pooler such as PgBouncer in transaction mode hands each transaction to any of its server connections: prepared statements,
advisory locks, LISTEN and SET are then another client's or nobody's. Some of that works by chance for a while, so that it
is found out at start and refused.
"""

from typing import TypeAlias

import asyncpg

from gateway.errors import ConfigurationError
from gateway.settings import mask

CONNECT_SECONDS = 5.0
ROUNDS = 3  # other clients of the pooler may take the connection that gives it away
LOST = (  # what a pooler without sessions leads to
    asyncpg.ConnectionDoesNotExistError,  # it is closed at BEGIN, in statement mode
    asyncpg.ProtocolViolationError,
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
)
REFUSED = "unsupported startup parameter"  # PgBouncer's words
WHAT_TO_DO = (
    "Set pool_mode = session in PgBouncer for this database and user, or connect to PostgreSQL itself."
)
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def require_sessions(url: str) -> None:
    """Raises ConfigurationError where a pooler gives this URL's connections no session of their own.

    Raises what asyncpg raises where there is no connection at all.
    """
    try:
        first = await _connect(url)
    except asyncpg.ProtocolViolationError as error:
        if REFUSED not in str(error):
            raise
        raise ConfigurationError(
            f"{mask(url)}: a connection pooler (PgBouncer) refuses a parameter of this URL: {error}. "
            "Leave it out of the URL and set it for the role (ALTER ROLE … SET), or connect to PostgreSQL itself."
        ) from None
    try:
        await first.execute("SELECT 1")  # a server that is going is none that refuses transactions
    except asyncpg.PostgresError:
        first.terminate()
        raise
    try:
        if await _server_of(first) == first.get_server_pid():
            return  # no pooler is in between: it would have told an id of its own
        second = await _connect(url)
        try:
            is_shared = any([await _share(first, second) for _ in range(ROUNDS)])
        finally:
            second.terminate()
    except LOST as error:
        raise _refusal(url, f"{type(error).__name__}, SQLSTATE {error.sqlstate}") from None
    finally:
        first.terminate()
    if is_shared:
        raise _refusal(url, "two connections met in one server process")


async def _share(first: Connection, second: Connection) -> bool:
    """Whether the second connection, in a transaction, is given the server process of the first, which is idle."""
    before = await _server_of(first)
    async with second.transaction():
        return before == int(await second.fetchval("SELECT pg_backend_pid()"))


async def _server_of(connection: Connection) -> int:
    async with (
        connection.transaction()
    ):  # in a transaction even an unnamed statement stays on one server connection
        return int(await connection.fetchval("SELECT pg_backend_pid()"))


async def _connect(url: str) -> Connection:
    return await asyncpg.connect(
        url, timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS, statement_cache_size=0
    )


def _refusal(url: str, seen: str) -> ConfigurationError:
    return ConfigurationError(
        f"{mask(url)}: a connection pooler in transaction or statement mode (PgBouncer pool_mode) is in between ({seen}); "
        f"the store needs sessions. {WHAT_TO_DO}"
    )
