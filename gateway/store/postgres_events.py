"""Events in the shared store. Who sends one holds its row for a while, by the server's clock."""

import asyncio
import contextlib
from collections.abc import Mapping

from gateway.store import rows
from gateway.store.interface import PER_ENDPOINT, Endpoint, Event
from gateway.store.postgres_database import Connection
from gateway.store.postgres_engine import PostgresEngine

CLAIM_LOCK = (
    7_214  # the class of the advisory lock of who claims: one replica counts what is under way at a time
)
HELD = "held_until > statement_timestamp()"
# publishers that have events, each found by one look into the index; their due ones, as many as they have room for
CLAIM = f"""
WITH RECURSIVE publishers AS (
    (SELECT publisher_id FROM events ORDER BY publisher_id LIMIT 1)
    UNION ALL
    SELECT n.publisher_id FROM publishers p CROSS JOIN LATERAL (
        SELECT publisher_id FROM events WHERE publisher_id > p.publisher_id ORDER BY publisher_id LIMIT 1
    ) n
), free AS (
    SELECT p.publisher_id, greatest(0, least($2, coalesce(m.most, $2)) - (
        SELECT count(*) FROM events e WHERE e.publisher_id = p.publisher_id AND held_until IS NOT NULL AND {HELD}
    )) AS room
    FROM publishers p LEFT JOIN unnest($3::text[], $4::int[]) AS m (publisher_id, most) USING (publisher_id)
), due AS (
    SELECT d.seq, d.next_at, row_number() OVER (PARTITION BY f.publisher_id ORDER BY d.next_at, d.seq) AS rank
    FROM free f CROSS JOIN LATERAL (
        SELECT seq, next_at FROM events
        WHERE publisher_id = f.publisher_id AND next_at <= $1 AND (held_until IS NULL OR NOT {HELD})
        ORDER BY next_at, seq LIMIT f.room FOR UPDATE SKIP LOCKED
    ) d
), first AS (
    SELECT seq, row_number() OVER (ORDER BY rank, next_at, seq) AS turn FROM due ORDER BY turn LIMIT $5
), taken AS (
    UPDATE events e SET held_until = statement_timestamp() + $6 * interval '1 second'
    FROM first WHERE e.seq = first.seq RETURNING e.seq, e.publisher_id, e.attempts, first.turn
)
SELECT i.id, t.publisher_id, i.message_type, i.received_at, t.attempts, coalesce(d.url, ''), i.answer_status
FROM taken t JOIN inbox i USING (seq) LEFT JOIN disabled_endpoints d ON d.publisher_id = t.publisher_id ORDER BY t.turn
"""  # noqa: S608 - constant
ENDPOINTS = """
SELECT publisher_id, sum(n)::bigint, max(oldest), max(attempts), max(url), max(disabled_at) FROM (
    SELECT publisher_id, count(*) AS n, min(since) AS oldest, max(attempts) AS attempts, '' AS url,
        NULL::double precision AS disabled_at FROM events GROUP BY publisher_id
    UNION ALL SELECT publisher_id, 0, NULL, 0, url, disabled_at FROM disabled_endpoints
) told GROUP BY publisher_id ORDER BY publisher_id
"""
DISABLE = """
INSERT INTO disabled_endpoints VALUES ($1, $2, $3)
ON CONFLICT (publisher_id) DO UPDATE SET url = excluded.url, disabled_at = excluded.disabled_at
"""


class PostgresEvents:
    """The `Events` of one replica; what each operation promises is said there."""

    def __init__(self, engine: PostgresEngine) -> None:
        self._engine = engine

    async def claim(self, now: float, limit: int, hold: float, most: Mapping[str, int]) -> list[Event]:
        """Up to `limit` due events that no replica has under way."""
        self._engine.event_came.clear()
        return await self._engine.change(claim, now, limit, hold, most)

    async def wait_due(self, timeout: float) -> None:  # noqa: ASYNC109 - as in `Events`
        """Return when an event came through this replica."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._engine.event_came.wait()

    async def done(self, item_id: str) -> None:
        """Nothing more is to be told of this item."""
        await self._engine.ask(_execute, "DELETE FROM events WHERE seq = $1", rows.seq_of(item_id))

    async def put_off(self, item_id: str, next_at: float, attempts: int) -> None:
        """The next attempt is due at `next_at`."""
        statement = "UPDATE events SET next_at = $2, attempts = $3, held_until = NULL WHERE seq = $1"
        await self._engine.ask(_execute, statement, rows.seq_of(item_id), next_at, attempts)

    async def disable(self, publisher_id: str, url: str, now: float) -> None:
        """A webhook wants no events any more."""
        await self._engine.change(disable, publisher_id, url, now)

    async def enable(self, publisher_id: str) -> bool:
        """Forget that."""
        statement = "DELETE FROM disabled_endpoints WHERE publisher_id = $1"
        return bool(await self._engine.ask(_execute, statement, publisher_id))

    async def expire(self, before: float) -> int:
        """Give up the events of items that came before then."""
        return await self._engine.ask(_execute, "DELETE FROM events WHERE since < $1", before)

    async def endpoints(self) -> list[Endpoint]:
        """The publishers of which events wait or a webhook is disabled."""
        return await self._engine.ask(endpoints)


async def claim(
    connection: Connection, now: float, limit: int, hold: float, most: Mapping[str, int]
) -> list[Event]:
    """Up to `limit` due events, held for `hold` seconds."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, 0)", CLAIM_LOCK)
    found = await connection.fetch(CLAIM, now, PER_ENDPOINT, list(most), list(most.values()), limit, hold)
    return [Event(*row) for row in found]


async def disable(connection: Connection, publisher_id: str, url: str, now: float) -> None:
    """Note a webhook that wants no events, and forget those that wait for it."""
    await connection.execute(DISABLE, publisher_id, url, now)
    await connection.execute("DELETE FROM events WHERE publisher_id = $1", publisher_id)


async def endpoints(connection: Connection) -> list[Endpoint]:
    """The publishers of which events wait or a webhook is disabled."""
    return [Endpoint(*row) for row in await connection.fetch(ENDPOINTS)]


async def _execute(connection: Connection, statement: str, *values: object) -> int:
    return int((await connection.execute(statement, *values)).split()[-1])
