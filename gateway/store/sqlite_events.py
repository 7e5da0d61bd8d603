"""Events in the embedded store. Which are under way is known in memory: what was when a process died is due again at once."""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Mapping

from gateway.store import rows
from gateway.store.engine import Engine, wait_for
from gateway.store.interface import PER_ENDPOINT, Endpoint, Event
from gateway.store.writes import DELETE_EVENT

# publishers that have events, each found by one look into the index
PUBLISHERS = """
WITH RECURSIVE next (publisher_id) AS (
    SELECT min(publisher_id) FROM events
    UNION ALL
    SELECT (SELECT min(publisher_id) FROM events e WHERE e.publisher_id > next.publisher_id)
    FROM next WHERE next.publisher_id IS NOT NULL
)
SELECT publisher_id FROM next WHERE publisher_id IS NOT NULL
"""
DUE = """
SELECT e.next_at, i.id, e.publisher_id, i.message_type, i.received_at, e.attempts, coalesce(d.url, ''), i.answer_status
FROM events e JOIN inbox i USING (seq) LEFT JOIN disabled_endpoints d ON d.publisher_id = e.publisher_id
WHERE e.publisher_id = ? AND e.next_at <= ? ORDER BY e.next_at, e.seq LIMIT ?
"""
ENDPOINTS = """
SELECT publisher_id, sum(n), max(oldest), max(attempts), max(url), max(disabled_at) FROM (
    SELECT publisher_id, count(*) AS n, min(since) AS oldest, max(attempts) AS attempts, '' AS url, NULL AS disabled_at
    FROM events GROUP BY publisher_id
    UNION ALL SELECT publisher_id, 0, NULL, 0, url, disabled_at FROM disabled_endpoints
) GROUP BY publisher_id ORDER BY publisher_id
"""

Held = dict[str, set[str]]  # publisher -> ids of the items


class SqliteEvents:
    """The `Events` of one SQLite file; what each operation promises is said there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: dict[str, tuple[str, float]] = {}  # item -> publisher, and until when by the loop's clock

    async def claim(self, now: float, limit: int, hold: float, most: Mapping[str, int]) -> list[Event]:
        """Up to `limit` due events."""
        self._engine.event_came.clear()
        clock = asyncio.get_running_loop().time()
        self._held = {item: kept for item, kept in self._held.items() if kept[1] > clock}
        held: Held = defaultdict(set)
        for item, (publisher_id, _) in self._held.items():
            held[publisher_id].add(item)
        # one that ends while this is read was held before, so that it is not taken for one that waits
        found = await self._engine.read(due, now, limit, held, most)
        self._held.update((event.item_id, (event.publisher_id, clock + hold)) for event in found)
        return found

    async def wait_due(self, timeout: float) -> None:  # noqa: ASYNC109 - as in `Events`
        """Return when an event came."""
        await wait_for(self._engine.event_came.wait(), timeout)

    async def done(self, item_id: str) -> None:
        """Nothing more is to be told of this item."""
        await self._engine.do(
            lambda connection: connection.execute(DELETE_EVENT, (rows.seq_of(item_id),)).rowcount,
            lambda _: self._release(item_id),
        )

    async def put_off(self, item_id: str, next_at: float, attempts: int) -> None:
        """The next attempt is due at `next_at`."""
        statement = "UPDATE events SET next_at = ?, attempts = ? WHERE seq = ?"
        values = next_at, attempts, rows.seq_of(item_id)
        await self._engine.do(
            lambda connection: connection.execute(statement, values).rowcount,
            lambda _: self._release(item_id),
        )

    async def disable(self, publisher_id: str, url: str, now: float) -> None:
        """A webhook wants no events any more."""
        await self._engine.do(lambda connection: disable(connection, publisher_id, url, now))

    async def enable(self, publisher_id: str) -> bool:
        """Forget that."""
        statement = "DELETE FROM disabled_endpoints WHERE publisher_id = ?"
        return bool(await self._engine.do(lambda c: c.execute(statement, (publisher_id,)).rowcount))

    async def expire(self, before: float) -> int:
        """Give up the events of items that came before then."""
        statement = "DELETE FROM events WHERE since < ?"
        return await self._engine.do(lambda c: c.execute(statement, (before,)).rowcount, heavy=True)

    async def endpoints(self) -> list[Endpoint]:
        """The publishers of which events wait or a webhook is disabled."""
        return await self._engine.read(endpoints)

    def _release(self, item_id: str) -> None:
        self._held.pop(item_id, None)


def due(
    connection: sqlite3.Connection, now: float, limit: int, held: Held, most: Mapping[str, int]
) -> list[Event]:
    """Up to `limit` due events, the first of every publisher before the second of any."""
    found: list[tuple[int, float, Event]] = []
    for (publisher_id,) in connection.execute(PUBLISHERS).fetchall():
        mine = held.get(publisher_id, set())
        room = min(PER_ENDPOINT, most.get(publisher_id, PER_ENDPOINT)) - len(mine)
        if room <= 0:
            continue
        waiting = connection.execute(DUE, (publisher_id, now, room + len(mine))).fetchall()
        free = [(next_at, Event(*values)) for next_at, *values in waiting if values[0] not in mine]
        found += [(rank, next_at, event) for rank, (next_at, event) in enumerate(free[:room])]
    return [event for _, _, event in sorted(found, key=lambda one: one[:2])[:limit]]


def disable(connection: sqlite3.Connection, publisher_id: str, url: str, now: float) -> None:
    """Note a webhook that wants no events, and forget those that wait for it."""
    connection.execute(
        "INSERT INTO disabled_endpoints VALUES (?, ?, ?)"
        " ON CONFLICT (publisher_id) DO UPDATE SET url = excluded.url, disabled_at = excluded.disabled_at",
        (publisher_id, url, now),
    )
    connection.execute("DELETE FROM events WHERE publisher_id = ?", (publisher_id,))


def endpoints(connection: sqlite3.Connection) -> list[Endpoint]:
    """The publishers of which events wait or a webhook is disabled."""
    return [Endpoint(*row) for row in connection.execute(ENDPOINTS)]
