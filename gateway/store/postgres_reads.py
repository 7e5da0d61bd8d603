"""What asks the shared store: functions over a connection."""

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from gateway.errors import Refused
from gateway.model import Contribution, InboxItem, Receipt, Step
from gateway.store import rows
from gateway.store.arrivals import repeated
from gateway.store.attempts import FAILING
from gateway.store.expiry import NOT_ANSWERED
from gateway.store.interface import DeadLetter
from gateway.store.postgres_database import Connection, plain

Sent = tuple[str, str, bytes]  # publisher, distributionID and digest of what was sent
# the columns of a receipt, and the last cause in its timeline
RECEIPT = f"""
{rows.RECEIPT}, (
    SELECT detail FROM steps WHERE message = messages.seq AND step IN {rows.CAUSES} ORDER BY number DESC LIMIT 1
)"""  # noqa: S608 - constant
INBOX = f"""
SELECT {rows.ITEM} FROM (
    SELECT seq, sum(size) OVER (ORDER BY seq) AS size, row_number() OVER (ORDER BY seq) AS n FROM (
        SELECT seq, octet_length(content) + octet_length(loss) AS size FROM inbox JOIN contents USING (seq)
        WHERE acknowledged_at IS NULL AND (publisher_id, seq) > ($1, $2) AND publisher_id <= $1
        ORDER BY publisher_id, seq LIMIT $3
    ) waiting
) page JOIN inbox i USING (seq) JOIN contents c USING (seq) WHERE n = 1 OR page.size <= {rows.PAGE_BYTES} ORDER BY i.seq
"""  # noqa: S608 - constant
OLDEST_LOOKED_AT = """
SELECT seq FROM messages WHERE (publisher_id, seq) < ($1, $2) AND publisher_id >= $1
ORDER BY publisher_id DESC, seq DESC LIMIT 1 OFFSET $3
"""
REPEATED = f"""
SELECT sent.n, m.* FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS sent (publisher, distribution, n)
CROSS JOIN LATERAL (
    SELECT {RECEIPT}, digest FROM messages
    WHERE distribution_id = distribution AND publisher_id IS NOT DISTINCT FROM publisher LIMIT 1
) m
"""  # noqa: S608 - constant
HAS_ITEMS = """
SELECT 1 FROM inbox WHERE acknowledged_at IS NULL AND (publisher_id, seq) > ($1, $2) AND publisher_id <= $1
ORDER BY publisher_id, seq LIMIT 1
"""
SENT_TO = "SELECT recipient FROM messages WHERE distribution_id = $1 AND ($2 = '' OR sender = $2)"
DEPOSITED_FOR = """
SELECT i.recipient FROM unnest($1::text[]) AS g (publisher_id)
JOIN inbox i ON i.publisher_id = g.publisher_id AND i.distribution_id = $2 AND ($3 = '' OR i.sender = $3)
"""
# `ABOUT` orders by the columns of its index, which no other index can serve, and bounds what is looked at before anything of it
# is left out.
ABOUT = f"""
SELECT * FROM {{table}} WHERE {rows.TOLD_OF_A_CASE}
AND (case_id, publisher_id, {{viewer}}, seq) >= ($1, $2, $3, 0)
AND (case_id, publisher_id, {{viewer}}, seq) <= ($1, $2, $3, {rows.MAX_SEQ})
ORDER BY case_id DESC, publisher_id DESC, {{viewer}} DESC, seq DESC LIMIT {rows.HISTORY_SCAN}
"""  # noqa: S608 - constant
CASE_HISTORY = f"""
WITH seen AS (
    SELECT seq, distribution_id, sender, recipient, message_type, model_version, media_type, received_at, true AS sent
    FROM ({ABOUT.format(table="messages", viewer="sender")}) m
    WHERE received_at > $4 AND (status NOT IN ('rejected', 'expired', 'dead') OR status = 'expired' AND EXISTS (
        SELECT 1 FROM steps WHERE message = m.seq AND step = 'expired' AND detail LIKE '{NOT_ANSWERED}%'
    ))
    UNION ALL
    SELECT seq, distribution_id, sender, recipient, message_type, model_version, content_type, received_at, false
    FROM ({ABOUT.format(table="inbox", viewer="recipient")}) i WHERE received_at > $4 AND reference_rank % 2 <> 1
)
SELECT distribution_id, sender, recipient, message_type, model_version, media_type, content, page.received_at, sent FROM (
    SELECT *, sum(size) OVER (ORDER BY seq DESC) - size AS before FROM (
        SELECT seen.*, octet_length(content) AS size FROM seen JOIN contents USING (seq) ORDER BY seq DESC LIMIT $5
    ) newest
) page JOIN contents c USING (seq) WHERE page.before < {rows.HISTORY_BYTES} ORDER BY seq DESC
"""  # noqa: S608 - constant
DEAD_LETTERS = """
SELECT m.id, m.publisher_id, m.distribution_id, m.message_type, m.recipient, m.received_at, s.at, s.detail
FROM dead d JOIN messages m USING (seq)
CROSS JOIN LATERAL (
    SELECT at, detail FROM steps WHERE message = d.seq AND step = 'dead' ORDER BY number DESC LIMIT 1
) s
ORDER BY d.seq DESC LIMIT $1
"""
# those that wait for their next attempt; the first ones to be due, so that an outage of a day does not make the count dear
WAITS = """
SELECT count(*) FILTER (WHERE m.attempts >= $1), min(m.received_at) FILTER (WHERE m.attempts >= $1),
    min(m.received_at) FILTER (WHERE m.attempts > 0), least(
        min(m.received_at) FILTER (WHERE m.attempts = 0 AND under_way), (
            SELECT received_at FROM queue WHERE lane = (
                SELECT lane FROM lanes WHERE lease IS NULL AND due_at IS NULL ORDER BY position LIMIT 1
            ) ORDER BY position LIMIT 1
        )
    )
FROM (
    (SELECT lane, false AS under_way FROM lanes WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1000)
    UNION ALL SELECT lane, true FROM lanes WHERE lease IS NOT NULL
) l
CROSS JOIN LATERAL (SELECT seq FROM queue q WHERE q.lane = l.lane ORDER BY q.position LIMIT 1) h
JOIN messages m ON m.seq = h.seq
"""
OLDEST_UNREAD = """
SELECT g.publisher_id, i.received_at FROM unnest($1::text[]) AS g (publisher_id) CROSS JOIN LATERAL (
    SELECT received_at FROM inbox WHERE publisher_id = g.publisher_id AND acknowledged_at IS NULL ORDER BY seq LIMIT 1
) i
"""
USAGE = """
SELECT publisher_id, quota, count(*) FILTER (WHERE received_at >= $1), count(*) FILTER (WHERE received_at >= $2), count(*)
FROM messages WHERE received_at >= $3 AND spent GROUP BY publisher_id, quota
"""
URGENT_CASES = """
SELECT publisher_id, case_id, max(received_at) FROM messages
WHERE received_at >= $1 AND urgent AND case_id <> '' GROUP BY publisher_id, case_id
"""


async def find_receipts(connection: Connection, sent: Sequence[Sent]) -> list[Receipt | Refused | None]:
    """The receipts of stored messages as they stand, as duplicates; Refused (409) where the digest differs."""
    publishers, ids, digests = zip(*sent, strict=True)
    found = {
        row[0]: tuple(row)[1:]
        for row in await connection.fetch(REPEATED, [*map(plain, publishers)], [*map(plain, ids)])
    }
    return [repeated(found[n], digest) if n in found else None for n, digest in enumerate(digests, 1)]


async def message(
    connection: Connection, publisher_id: str, receipt_id: str
) -> tuple[Receipt, tuple[Step, ...]] | None:
    """A message of this publisher's and its timeline."""
    seq = rows.seq_of(receipt_id)
    row = await connection.fetchrow(
        f"SELECT {RECEIPT} FROM messages WHERE seq = $1 AND id = $2 AND publisher_id = $3",  # noqa: S608 - constant
        seq,
        receipt_id,
        publisher_id,
    )
    if row is None:
        return None
    receipt = rows.receipt(row)
    steps = await connection.fetch(
        "SELECT step, at, detail FROM steps WHERE message = $1 ORDER BY number", seq
    )
    return receipt, (Step("received", receipt.received_at), *(Step(*step) for step in steps))


async def list_messages(
    connection: Connection,
    publisher_id: str,
    filters: dict[str, str],
    cursor: str | None,
    limit: int,
    scan: int = rows.SCAN,
) -> tuple[list[Receipt], str | None]:
    """One page of receipts, newest first; `filters` are columns and the values asked for."""
    before, last = rows.seq_before(cursor), 0
    if filters:
        last = await connection.fetchval(OLDEST_LOOKED_AT, publisher_id, before, scan - 1) or 0
    wanted = "".join(f" AND {column} = ${n}" for n, column in enumerate(filters, 5))
    page = await connection.fetch(
        f"SELECT seq, {RECEIPT} FROM messages"  # noqa: S608 - columns are the caller's constants
        f" WHERE (publisher_id, seq) < ($1, $2) AND (publisher_id, seq) >= ($1, $3){wanted}"
        " ORDER BY publisher_id DESC, seq DESC LIMIT $4",
        publisher_id,
        before,
        last,
        limit + 1,
        *filters.values(),
    )
    receipts = [rows.receipt(row[1:]) for row in page[:limit]]
    if len(page) > limit:
        return receipts, str(page[limit - 1][0])
    return receipts, str(last) if last else None


async def inbox(connection: Connection, publisher_id: str, cursor: int, limit: int) -> list[InboxItem]:
    """Unacknowledged items after the cursor, oldest first."""
    return [rows.inbox_item(row) for row in await connection.fetch(INBOX, publisher_id, cursor, limit)]


async def has_items(connection: Connection, publisher_id: str, cursor: int) -> bool:
    """Whether `inbox` would find something."""
    return await connection.fetchrow(HAS_ITEMS, publisher_id, cursor) is not None


async def inbox_item(connection: Connection, publisher_id: str, item_id: str) -> InboxItem | None:
    """One item of this publisher's."""
    row = await connection.fetchrow(
        f"SELECT {rows.ITEM} FROM inbox i LEFT JOIN contents c USING (seq)"  # noqa: S608 - constant
        " WHERE i.seq = $1 AND i.id = $2 AND i.publisher_id IS NOT DISTINCT FROM $3 AND i.reference_rank <> $4",
        rows.seq_of(item_id),
        item_id,
        publisher_id,
        rows.QUIET,
    )
    return None if row is None else rows.inbox_item(row)


async def recipients(
    connection: Connection, distribution_id: str, sender: str, publisher_ids: Sequence[str]
) -> frozenset[str]:
    """For whom a message of this sender was."""
    found = await connection.fetch(SENT_TO, distribution_id, sender)
    if not found:
        found = await connection.fetch(DEPOSITED_FOR, list(publisher_ids), distribution_id, sender)
    return frozenset(row[0] for row in found)


async def case_history(
    connection: Connection, publisher_id: str, inbox_id: str, case_id: str, since: float, limit: int
) -> list[Contribution]:
    """What a publisher sent as an id about a case and what that id was delivered of it, newest first."""
    found = await connection.fetch(CASE_HISTORY, case_id, publisher_id, inbox_id, since, limit)
    return [Contribution(*row) for row in found]


async def dead_letters(connection: Connection, limit: int) -> list[DeadLetter]:
    """The newest dead letters."""
    return [DeadLetter(*row) for row in await connection.fetch(DEAD_LETTERS, limit)]


async def usage(connection: Connection, now: float) -> list[tuple[str, str, str, int]]:
    """What was accepted in the current windows."""
    return rows.usage(await _fetch_by_time(connection, USAGE, *rows.windows(now)))


async def urgent_cases(connection: Connection, since: float) -> list[tuple[str, str, float]]:
    """The last urgent message of each case."""
    return [(row[0], row[1], row[2]) for row in await _fetch_by_time(connection, URGENT_CASES, since)]


async def _fetch_by_time(connection: Connection, query: str, *times: float) -> list[asyncpg.Record]:
    async with connection.transaction():
        # the index over time can be read in no other way
        await connection.execute("SET LOCAL enable_bitmapscan = on")
        return await connection.fetch(query, *times)


async def revoked(connection: Connection, since: float) -> list[tuple[str, float]]:
    """The tokens that were revoked since then, and when they expire."""
    found = await connection.fetch("SELECT jti, expires_at FROM revoked WHERE revoked_at >= $1", since)
    return [(row[0], row[1]) for row in found]


async def waiting(connection: Connection) -> tuple[int, float | None]:
    """How many messages wait or are under way, and when the oldest of them came."""
    row = await connection.fetchrow(
        "SELECT count(*), (SELECT received_at FROM queue ORDER BY seq LIMIT 1) FROM queue"
    )
    assert row is not None
    return row[0], row[1]


class Waits(NamedTuple):
    """How many messages failed again and again, and when the oldest came of these, of those tried in vain, and of those that
    no retry keeps back.
    """

    failing: int = 0
    failing_since: float | None = None
    tried_since: float | None = None
    ready_since: float | None = None


async def waits(connection: Connection) -> Waits:
    """What waits, and since when. Of lanes that wait for a retry, the thousand that are due first are looked at."""
    row = await connection.fetchrow(WAITS, FAILING)
    assert row is not None
    return Waits(*row)


async def oldest_unread(connection: Connection, publisher_ids: Sequence[str]) -> dict[str, float]:
    """When the oldest item came that each publisher has not acknowledged."""
    return {row[0]: row[1] for row in await connection.fetch(OLDEST_UNREAD, list(publisher_ids))}


async def wal_bytes(connection: Connection) -> int | None:
    """The size of the write-ahead log. Only members of pg_monitor may see it."""
    if not await connection.fetchval("SELECT has_function_privilege('pg_ls_waldir()', 'EXECUTE')"):
        return None
    size: int = await connection.fetchval("SELECT coalesce(sum(size), 0)::bigint FROM pg_ls_waldir()")
    return size
