"""The PostgreSQL server: few connections, migrations, and its failures told as what they mean for a caller."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, TypeVar

import asyncpg

from gateway.errors import ConfigurationError, GatewayError
from gateway.settings import mask
from gateway.store.batches import unavailable
from gateway.store.postgres_sessions import CONNECT_SECONDS, require_sessions

SCHEMES = ("postgresql://", "postgres://")
MIGRATIONS = Path(__file__).with_name("migrations")
MIGRATION_LOCK = 7_213_480_115_094  # the advisory lock of those who migrate; any number that nobody else uses
TURN_SECONDS = 60.0  # that a replica waits for another that migrates
LOOK_AGAIN_SECONDS = 0.2
MIGRATION_SECONDS = 600.0  # that one statement of a migration may take
APART = "-- Outside a transaction."  # how a migration begins that makes indexes while others write
APPLIED = "INSERT INTO migrations (number, name) VALUES ($1, $2)"
# what a CREATE INDEX CONCURRENTLY that failed has left
HALF_MADE = """
SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace
"""
OLDEST_SERVER = 15
STATEMENT_SECONDS = 10.0  # after that a server counts as lost
ATTEMPTS = 3  # of a transaction that another one stood in the way of
WRITERS = 4  # connections: urgent arrivals, the other arrivals, marks, claims
READERS = 4  # connections for everything else
NAME = {
    "application_name": "gateway"
}  # the one parameter that is sent when connecting: a pooler drops or refuses others
SESSION = {
    "synchronous_commit": "on",  # a commit returns when it is on disk: a receipt survives a power cut
    # Every statement has its index; a plan made while a table was small must not read all of it when it has grown. Where
    # another index could serve too, and worse, it is written so that it cannot: `IS NOT DISTINCT FROM` uses none,
    # `ORDER BY seq + 0` sorts, and a row as `(publisher_id, seq)` wants one with these columns.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",  # it meets again and again what was deleted since the last vacuum
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}

Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)
Result = TypeVar("Result")


def plain(text: str) -> str:
    """The text as PostgreSQL can hold it: no NUL, no lone surrogate."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _encode(text: str) -> bytes:
    return text.replace("\0", "\ufffd").encode("utf-8", "replace")


def _decode(data: bytes) -> str:
    return bytes(data).decode()


def database_error(error: Exception) -> Exception:
    """A failure of the server or of the way to it as Unavailable, any other error without what it quotes.

    PostgreSQL's own text may quote values, so that only the condition's name and SQLSTATE are told.
    """
    if isinstance(error, GatewayError):
        return error
    cause = condition(error)
    if isinstance(error, _OUTAGES) and not isinstance(
        error, ValueError
    ):  # a value that asyncpg cannot encode
        return unavailable(f"The database answers {cause}.")
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        return RuntimeError(f"PostgreSQL cannot take a statement: {cause}.")
    return error


def tell(error: Exception) -> NoReturn:
    """Raise what a failure means for a caller, from the failure itself: the log names that one."""
    told = database_error(error)
    raise told from (None if told is error else error)


def condition(error: BaseException) -> str:
    """The class of an error and its SQLSTATE, where PostgreSQL gave one."""
    sqlstate = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} (SQLSTATE {sqlstate})" if sqlstate else type(error).__name__


_RACES = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,  # a migration came in between
)
_OUTAGES = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, statement cancelled
    asyncpg.InsufficientResourcesError,  # disk full, too many connections
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,  # damaged data
    asyncpg.ReadOnlySQLTransactionError,  # a standby
    asyncpg.InvalidAuthorizationSpecificationError,  # a password that is being changed
    *_RACES,
)


class Connections:
    """Some connections to one server, made when they are needed."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self.pool = pool
        self._returns: set[asyncio.Task[None]] = set()  # the loop itself holds no task

    async def use(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """What `work` gives by one of them, tried again where another transaction stood in its way."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                # the pool's own timeout makes a task of every acquisition
                async with asyncio.timeout(STATEMENT_SECONDS):
                    connection = await self.pool.acquire()
                try:
                    return await work(connection)
                finally:
                    self._give_back(connection)
            except _RACES as race:
                if attempt == ATTEMPTS:
                    tell(race)
            except Exception as error:  # noqa: BLE001 - told as what it means
                tell(error)
        raise AssertionError

    def _give_back(self, connection: Any) -> None:
        # beside what goes on: nobody waits for it, and the pool ends one that is broken
        task = asyncio.create_task(self.pool.release(connection, timeout=STATEMENT_SECONDS))
        self._returns.add(task)
        task.add_done_callback(self._given_back)

    def _given_back(self, task: asyncio.Task[None]) -> None:
        self._returns.discard(task)
        if not task.cancelled():
            task.exception()

    async def close(self) -> None:
        """Let go of all of them."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self.pool.close()
        except Exception:  # noqa: BLE001 - a server that is gone says no goodbye
            self.pool.terminate()


@dataclass(frozen=True, slots=True)
class Postgres:
    """The connections of one replica. `schema` names the channel by which replicas wake each other."""

    url: str
    writers: Connections
    readers: Connections
    schema: str

    async def write(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """What `work` gives by one of the few writers. Each of its statements is a transaction of its own."""
        return await self.writers.use(work)

    async def ask(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """The same beside the writers, for what comes one by one."""
        return await self.readers.use(work)

    async def change(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """The same where the statements hold together: in one transaction."""

        async def whole(connection: Connection) -> Result:
            async with connection.transaction():
                return await work(connection)

        return await self.readers.use(whole)

    async def connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        """One more connection. Raises what asyncpg raises."""
        return await _connect(self.url)

    async def close(self) -> None:
        """Let go of all connections."""
        for connections in (self.writers, self.readers):
            await connections.close()


async def _prepare(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.execute("; ".join(f"SET {name} = {value}" for name, value in SESSION.items()))
    await connection.set_type_codec(
        "text", schema="pg_catalog", format="binary", encoder=_encode, decoder=_decode
    )


async def _keep(_connection: object) -> None:
    """Nothing is to be reset in a connection that comes back: no session state is used."""


async def _connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    connection = await asyncpg.connect(
        url,
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        server_settings=NAME,
    )
    await _prepare(connection)
    return connection


async def open_postgres(url: str, migrations: Path = MIGRATIONS) -> Postgres:
    """Connect to `postgresql://…` and bring its tables up to date.

    Raises ConfigurationError where that cannot be done.
    """
    try:
        await require_sessions(url)
        connection = await _connect(url)
        try:
            if connection.get_server_version().major < OLDEST_SERVER:
                raise ConfigurationError(f"{mask(url)}: PostgreSQL {OLDEST_SERVER} or newer is needed.")
            schema = await connection.fetchval("SELECT current_schema()")
            if schema is None:
                raise ConfigurationError(f"{mask(url)}: the search path names no schema that exists.")
            await migrate(connection, migrations)
        finally:
            await connection.close()
        return Postgres(url, await _connections(url, WRITERS), await _connections(url, READERS), str(schema))
    except (*_OUTAGES, asyncpg.PostgresError, ValueError) as error:
        cause = getattr(error, "strerror", None) or condition(error)
        raise ConfigurationError(f"{mask(url)}: the database cannot be used: {cause}.") from None


async def _connections(url: str, size: int) -> Connections:
    pool = await asyncpg.create_pool(
        url,
        min_size=0,  # a lost server is found out by who needs it
        max_size=size,
        max_inactive_connection_lifetime=0,
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        server_settings=NAME,
        init=_prepare,
        reset=_keep,
    )
    return Connections(pool)


async def migrate(connection: Connection, folder: Path) -> None:
    """Run the numbered files that this database has not seen, one replica at a time: in one transaction each, but those that
    begin with APART.

    A database that is ahead of the folder is left as it is: a newer version runs beside this one.
    """
    files = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))  # noqa: ASYNC240 - a few names, at start
    await _take_turn(connection)
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, name text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        done = {row[0] for row in await connection.fetch("SELECT number FROM migrations")}
        for file in files:
            number, text = int(file.name[:4]), file.read_text()
            if number in done:
                continue
            if text.startswith(APART):
                await _apply_apart(connection, text)
                await connection.execute(APPLIED, number, file.stem)
                continue
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '5s'")  # nobody queues long behind us
                await connection.execute(text, timeout=MIGRATION_SECONDS)
                await connection.execute(APPLIED, number, file.stem)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", MIGRATION_LOCK)


async def _take_turn(connection: Connection) -> None:
    """Hold the lock of those who migrate. Who waits for it in the database itself would be waited for by an index that is being
    made CONCURRENTLY. Raises TimeoutError.
    """
    async with asyncio.timeout(TURN_SECONDS):
        while not await connection.fetchval(  # noqa: ASYNC110 - it is in the database
            "SELECT pg_try_advisory_lock($1)", MIGRATION_LOCK
        ):
            await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def _apply_apart(connection: Connection, text: str) -> None:
    """Run statements that no transaction may hold, one by one. Each can be repeated: one before may have failed."""
    for (index,) in await connection.fetch(HALF_MADE):
        await connection.execute(f"DROP INDEX CONCURRENTLY {index}", timeout=MIGRATION_SECONDS)
    for statement in text.split(";"):
        if statement.strip():
            await connection.execute(statement, timeout=MIGRATION_SECONDS)
