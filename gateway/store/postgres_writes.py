"""What changes the shared store beside arrivals and marks: functions called inside a transaction of their own."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from gateway.errors import Refused
from gateway.model import Delivery, InboxItem, Status, Step, Submission
from gateway.store import postgres_lanes, rows
from gateway.store.arrivals import DETAIL
from gateway.store.interface import ErasedCase
from gateway.store.postgres_arrivals import Incoming, Outcome, arrive
from gateway.store.postgres_database import Connection, plain
from gateway.store.postgres_lanes import Held, Mark, Marked

PUT = """
SELECT seq, id FROM put_into_inbox($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""
KEPT = f"""
SELECT {rows.ITEM} FROM inbox i LEFT JOIN contents c USING (seq)
WHERE i.publisher_id = $1 AND i.distribution_id = $2 AND i.sender = $3
"""  # noqa: S608 - constant
WAITING = """
SELECT 1 FROM inbox
WHERE seq = $1 AND id = $2 AND publisher_id IS NOT DISTINCT FROM $3 AND acknowledged_at IS NULL FOR UPDATE
"""
TAKE_OUT = (
    "WITH told AS (DELETE FROM events WHERE seq = $1) UPDATE inbox SET acknowledged_at = $2 WHERE seq = $1"
)
ANSWERED = """
SELECT seq, lane FROM messages WHERE distribution_id = $1 AND recipient = $2 AND sender = $3 ORDER BY seq + 0
"""
ACKNOWLEDGE = """
UPDATE messages SET status = 'acknowledged' WHERE seq = $1
AND NOT EXISTS (SELECT 1 FROM steps WHERE message = $1 AND step = $2 AND detail = $3) RETURNING seq
"""
GIVE_UP = """
UPDATE messages SET status = $3 WHERE distribution_id = $1 AND sender = $2 AND status = 'forwarded' RETURNING seq
"""
# after messages have left it out of their turn: what stands first now; the wait for a retry ends with its message
TIDY = """
UPDATE lanes l SET due_at = CASE WHEN l.position = h.position THEN l.due_at END, publisher_id = h.publisher_id,
    position = h.position, urgent = EXISTS (SELECT 1 FROM queue u WHERE u.lane = l.lane AND u.urgent)
FROM unnest($1::text[]) AS g (lane)
CROSS JOIN LATERAL (SELECT publisher_id, position FROM queue q WHERE q.lane = g.lane ORDER BY position LIMIT 1) h
WHERE l.lane = g.lane RETURNING l.lane
"""
DEAD = """
SELECT seq, lane, publisher_id, urgent FROM messages
WHERE seq = $1 AND id = $2 AND status = 'dead' AND EXISTS (SELECT 1 FROM contents WHERE seq = $1)
"""
REOPEN = """
INSERT INTO lanes AS l (lane, publisher_id, position, urgent) VALUES ($1, $2, $3, $4)
ON CONFLICT (lane) DO UPDATE SET urgent = l.urgent OR excluded.urgent
"""
REVIVE = "UPDATE messages SET status = 'received', attempts = 0 WHERE seq = $1 AND status = 'dead' RETURNING received_at"
REQUEUE = """
INSERT INTO queue (seq, position, lane, publisher_id, urgent, received_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
ERASE = """
WITH old AS (
    SELECT c.seq FROM contents c LEFT JOIN messages m USING (seq) LEFT JOIN inbox i USING (seq)
    WHERE c.received_at < $1 AND (m.status <> 'received' OR i.acknowledged_at IS NOT NULL)
    ORDER BY c.received_at LIMIT $2
), emptied AS (UPDATE inbox SET loss = '[]' WHERE seq IN (SELECT seq FROM old))
DELETE FROM contents WHERE seq IN (SELECT seq FROM old)
"""


CASE = """
SELECT seq FROM messages WHERE case_id = $1 AND status <> 'received'
UNION ALL SELECT seq FROM inbox WHERE case_id = $1 AND ($2 OR acknowledged_at IS NOT NULL)
"""
LEFT = """
SELECT count(*) FROM contents
WHERE seq IN (SELECT seq FROM messages WHERE case_id = $1 UNION ALL SELECT seq FROM inbox WHERE case_id = $1)
"""
EMPTY = """
WITH told AS (DELETE FROM events WHERE seq = ANY ($1::bigint[]))
UPDATE inbox SET loss = '[]', acknowledged_at = coalesce(acknowledged_at, $2) WHERE seq = ANY ($1::bigint[])
"""


class Ended(NamedTuple):
    """What came of a rejection, and whether its answer went into an inbox."""

    marked: Marked
    answered: bool


async def deposit(connection: Connection, delivery: Delivery) -> InboxItem:
    """Keep a delivery; the first item where it was kept before. One statement, but for that case."""
    d, step = delivery, rows.delivered(delivery)
    row = await connection.fetchrow(
        PUT, secrets.token_hex(8), d.publisher_id, d.distribution_id, d.sender, d.recipient, d.message_type,
        d.model_version, d.content_type, d.case_id, d.refers_to, d.received_at, orjson.dumps(d.loss).decode(), d.content,
        d.notify, step and step.step, step and plain(step.detail[:DETAIL]),
    )  # fmt: skip
    if row is None:
        return rows.inbox_item(await connection.fetchrow(KEPT, d.publisher_id, d.distribution_id, d.sender))
    return InboxItem(row[1], row[0], delivery)


async def reject(
    connection: Connection, held: Held, now: float, status: Status, cause: str, answer: Delivery | None
) -> Ended:
    """End a message that is still held and answer its sender."""
    (marked,) = await postgres_lanes.mark(connection, [Mark(held, status, [Step(status, now, cause)])])
    if marked.moved and status == Status.DEAD:
        await connection.execute("INSERT INTO dead VALUES ($1) ON CONFLICT (seq) DO NOTHING", held.seq)
    if marked.moved and answer is not None:
        await deposit(connection, answer)
        return Ended(marked, answered=True)
    return Ended(marked, answered=False)


async def acknowledge_item(
    connection: Connection, publisher_id: str, item_id: str, now: float, answer: Submission | None
) -> Outcome | bool:
    """Take an item out of the inbox and store the answer: what came of that, True without one, False if it was out."""
    seq = rows.seq_of(item_id)
    if await connection.fetchrow(WAITING, seq, item_id, publisher_id) is None:
        return False
    await connection.execute(TAKE_OUT, seq, now)
    if answer is None:
        return True
    (outcome,) = await arrive(connection, [Incoming(answer, spent=False)])
    if isinstance(outcome, Refused):
        raise outcome
    return outcome


async def acknowledge_message(
    connection: Connection, distribution_id: str, recipient: str, sender: str, step: Step
) -> int:
    """Mark the messages of this sender that this recipient answered; how many waited. The same answer is noted once.

    The lane of one that is under way is left to the mark of that attempt.
    """
    found = await connection.fetch(ANSWERED, distribution_id, recipient, sender)
    lanes = list({row[1] for row in found})
    leases = {row[0]: row[1] for row in await connection.fetch(postgres_lanes.HOLD, lanes)}
    detail = plain(step.detail[:DETAIL])
    waited: list[str] = []
    for seq, lane in found:
        if await connection.fetchrow(ACKNOWLEDGE, seq, step.step, detail) is None:
            continue
        await postgres_lanes.note(connection, [(seq, step)])
        await connection.execute("DELETE FROM dead WHERE seq = $1", seq)
        left = await connection.fetchrow("DELETE FROM queue WHERE seq = $1 RETURNING lane", seq)
        waited += [lane] if left is not None else []
    idle = [lane for lane in waited if leases.get(lane) is None]
    if idle:
        kept = {row[0] for row in await connection.fetch(TIDY, idle)}
        await connection.execute(postgres_lanes.CLOSE, [lane for lane in idle if lane not in kept])
    return len(waited)


async def give_up_forwarded(connection: Connection, distribution_id: str, sender: str, step: Step) -> None:
    """Give the forwarded message of this sender the step as its status."""
    found = await connection.fetch(GIVE_UP, distribution_id, sender, step.step)
    await postgres_lanes.note(connection, [(row[0], step) for row in found])


async def replay(connection: Connection, receipt_ids: Sequence[str], now: float) -> int:
    """Put the dead letters among these ids back at the end of their lanes; how many."""
    count = 0
    for receipt_id in sorted(set(receipt_ids)):
        row = await connection.fetchrow(DEAD, rows.seq_of(receipt_id), receipt_id)
        if row is None:
            continue
        seq, lane, publisher_id, urgent = row
        position = await connection.fetchval("SELECT nextval('numbers')")
        await connection.execute(REOPEN, lane, publisher_id, position, urgent)
        received_at = await connection.fetchval(REVIVE, seq)
        if received_at is None:  # another replica was faster; a lane that is empty goes with the next claim
            continue
        await connection.execute(REQUEUE, seq, position, lane, publisher_id, urgent, received_at)
        await connection.execute("DELETE FROM dead WHERE seq = $1", seq)
        await postgres_lanes.note(connection, [(seq, Step("replayed", now))])
        count += 1
    return count


async def remember_jti(connection: Connection, key: str, expires_at: float) -> bool:
    """Whether the key is new."""
    statement = "INSERT INTO assertions VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING"
    return await connection.execute(statement, key, expires_at) == "INSERT 0 1"


async def forget_jtis(connection: Connection, now: float) -> None:
    """Forget the keys that no assertion, and the tokens that no request can use any more."""
    await connection.execute("DELETE FROM assertions WHERE expires_at < $1", now)
    await connection.execute("DELETE FROM revoked WHERE expires_at < $1", now)


async def revoke(connection: Connection, jti: str, expires_at: float, now: float) -> None:
    """Note a revoked token; repeating it changes nothing."""
    statement = "INSERT INTO revoked VALUES ($1, $2, $3) ON CONFLICT (jti) DO NOTHING"
    await connection.execute(statement, jti, expires_at, now)


async def erase(connection: Connection, before: float, limit: int) -> int:
    """Erase contents of settled messages and acknowledged items received before then, up to `limit`."""
    return int((await connection.execute(ERASE, before, limit)).split()[-1])


async def erase_case(connection: Connection, case_id: str, now: float, unread: bool) -> ErasedCase:
    """Erase contents of a case: of settled messages, of acknowledged items and, if `unread`, of the others."""
    found = [row[0] for row in await connection.fetch(CASE, case_id, unread)]
    await connection.execute(EMPTY, found, now)
    deleted = await connection.execute("DELETE FROM contents WHERE seq = ANY ($1::bigint[])", found)
    return ErasedCase(int(deleted.split()[-1]), await connection.fetchval(LEFT, case_id))


async def probe(connection: Connection, now: float) -> None:
    """Write something."""
    statement = "INSERT INTO probe VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = excluded.at"
    await connection.execute(statement, now)
