"""What changes the shared store beside arrivals and marks: functions called inside a transaction of their own."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
import orjson

from gateway.errors import Refused
from gateway.model import Answer, Delivery, InboxItem, Status, Step, Submission
from gateway.store import postgres_lanes, rows
from gateway.store.arrivals import DETAIL
from gateway.store.interface import ErasedCase
from gateway.store.postgres_arrivals import Incoming, Outcome, arrive
from gateway.store.postgres_database import Connection, plain
from gateway.store.postgres_lanes import Held, Mark, Marked

PUT = """
WITH put AS (
    SELECT seq, id FROM
    put_into_inbox_v2($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
), due AS (INSERT INTO expiries (seq, expires_at) SELECT seq, $19 FROM put WHERE $19::float8 IS NOT NULL)
SELECT seq, id FROM put
"""
# beside the inbox: no cursor can pass it by, and nobody is told
PUT_QUIET = f"""
WITH put AS (
    INSERT INTO inbox (
        seq, id, publisher_id, distribution_id, sender, recipient, message_type, model_version, content_type, case_id,
        refers_to, received_at, loss, distribution_status, acknowledged_at, reference_rank
    ) SELECT n, lpad(to_hex(n), 16, '0') || $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $11, {rows.QUIET}
    FROM nextval('numbers') AS n
    ON CONFLICT (publisher_id, distribution_id, sender) DO NOTHING RETURNING seq, id
), kept AS (INSERT INTO contents (seq, received_at, content) SELECT seq, $11, $14 FROM put)
SELECT seq, id FROM put
"""  # noqa: S608 - constant
KEPT = f"""
SELECT {rows.ITEM} FROM inbox i LEFT JOIN contents c USING (seq)
WHERE i.publisher_id = $1 AND i.distribution_id = $2 AND i.sender = $3
"""  # noqa: S608 - constant
ITEM = """
SELECT acknowledged_at, reference, reference_rank FROM inbox
WHERE seq = $1 AND id = $2 AND publisher_id IS NOT DISTINCT FROM $3 FOR UPDATE
"""
TAKE_OUT = """
WITH told AS (DELETE FROM events WHERE seq = $1), answered AS (DELETE FROM expiries WHERE seq = $1)
UPDATE inbox SET acknowledged_at = coalesce(acknowledged_at, $2), reference = $3, reference_rank = $4 WHERE seq = $1
"""
ANSWERED = """
SELECT seq, lane FROM messages WHERE distribution_id = $1 AND recipient = $2 AND sender = $3 ORDER BY seq + 0
"""
TAKE_ANSWER = """
UPDATE messages SET status = coalesce($4, status), answer = $5 WHERE seq = $1
AND NOT EXISTS (SELECT 1 FROM steps WHERE message = $1 AND step = $2 AND detail = $3) RETURNING seq
"""
SENT = "SELECT seq, lane FROM messages WHERE distribution_id = $1 AND sender = $2 ORDER BY seq + 0"
DIE = (
    "UPDATE messages SET status = 'dead' WHERE seq = $1 AND status IN ('received', 'forwarded') RETURNING seq"
)
LOCK = "SELECT seq FROM messages WHERE distribution_id = $1 AND sender = $2 ORDER BY seq + 0 FOR UPDATE"
NOTE_ONCE = """
INSERT INTO steps (message, step, at, detail) SELECT $1, $2, $3, $4
WHERE NOT EXISTS (SELECT 1 FROM steps WHERE message = $1 AND step = $2 AND detail = $4)
"""
NOT_APPLICABLE = """
UPDATE messages SET not_applicable = $3 WHERE distribution_id = $1 AND sender = $2 AND not_applicable = '' RETURNING seq
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
WITH told AS (DELETE FROM events WHERE seq = ANY ($1::bigint[])),
    left_unread AS (DELETE FROM expiries WHERE seq = ANY ($1::bigint[]))
UPDATE inbox SET loss = '[]', acknowledged_at = coalesce(acknowledged_at, $2) WHERE seq = ANY ($1::bigint[])
"""


Row = asyncpg.Record


class Ended(NamedTuple):
    """What came of a rejection, and whether its answer went into an inbox."""

    marked: Marked
    answered: bool


async def deposit(connection: Connection, delivery: Delivery, answer: Answer | None = None) -> InboxItem:
    """Keep a delivery, which may be an answer; the first item where it was kept before. One statement, but for that case."""
    d, step = delivery, rows.delivered(delivery)
    told = (
        secrets.token_hex(8), d.publisher_id, d.distribution_id, d.sender, d.recipient, d.message_type, d.model_version,
        d.content_type, d.case_id, d.refers_to, d.received_at, orjson.dumps(d.loss).decode(),
    )  # fmt: skip
    if d.quiet:
        row = await connection.fetchrow(PUT_QUIET, *told, d.distribution_status, d.content)
    else:
        row = await connection.fetchrow(
            PUT, *told, d.content, d.notify, step and step.step, step and plain(step.detail[:DETAIL]),
            d.distribution_status, rows.answer_status(answer), d.expires_at,
        )  # fmt: skip
    if row is None:
        return rows.inbox_item(await connection.fetchrow(KEPT, d.publisher_id, d.distribution_id, d.sender))
    return rows.deposited(row[1], row[0], delivery)


async def deposit_all(connection: Connection, deliveries: Sequence[Delivery]) -> InboxItem:
    """Keep several deliveries; the item of the first."""
    items = [await deposit(connection, one) for one in deliveries]
    return items[0]


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
    connection: Connection,
    publisher_id: str,
    item_id: str,
    now: float,
    answer: Submission | None,
    rank: int,
) -> Outcome | bool:
    """Take an item out of the inbox and store the answer: what came of that, True without one, False where the item was out
    and the answer is no later one.
    """
    seq = rows.seq_of(item_id)
    found = await connection.fetchrow(ITEM, seq, item_id, publisher_id)
    if found is None or not rows.is_later(found, rank if answer else None):
        return False
    await connection.execute(TAKE_OUT, seq, now, plain(answer.distribution_id) if answer else "", rank)
    if answer is None:
        return True
    (outcome,) = await arrive(connection, [Incoming(answer, spent=False)])
    if isinstance(outcome, Refused):
        raise outcome
    return outcome


class Answered(NamedTuple):
    """A delivery that is an answer: its item, and how many messages need no forwarding any more."""

    item: InboxItem
    left: int


async def deposit_answer(connection: Connection, delivery: Delivery, answer: Answer, now: float) -> Answered:
    """Note an answer with the messages that it is about, and keep the delivery that it is."""
    left = await note_answer(connection, answer, now)  # first: lanes are locked before inboxes
    return Answered(await deposit(connection, delivery, answer), left)


async def note_answer(connection: Connection, answer: Answer, now: float) -> int:
    """Note an answer with the messages that it is about, once; how many of them need no forwarding any more."""
    step = rows.answer_step(answer, now)
    if answer.of_hub:
        given_up = await connection.fetch(GIVE_UP, answer.refers_to, answer.sent_by, step.step)
        await postgres_lanes.note(connection, [(row[0], step) for row in given_up])
        return 0
    found = await connection.fetch(ANSWERED, answer.refers_to, answer.answered_by, answer.sent_by)
    leases = await hold(connection, found)
    told = plain(step.detail[:DETAIL]), answer.status, rows.answer_text(answer)
    noted = [row for row in found if await connection.fetchrow(TAKE_ANSWER, row[0], step.step, *told)]
    await postgres_lanes.note(connection, [(row[0], step) for row in noted])
    if answer.status is None:
        return 0
    await connection.execute("DELETE FROM dead WHERE seq = ANY ($1::bigint[])", [row[0] for row in noted])
    return await leave(connection, noted, leases)


async def hold(connection: Connection, messages: Sequence[Row]) -> dict[str, int | None]:
    """Lock the lanes of messages (seq, lane); the lease on each."""
    lanes = list({row[1] for row in messages})
    return {row[0]: row[1] for row in await connection.fetch(postgres_lanes.HOLD, lanes)}


async def leave(connection: Connection, messages: Sequence[Row], leases: dict[str, int | None]) -> int:
    """Take messages (seq, lane) out of the queue whose lanes are locked; how many were in it.

    The lane of one that is under way is left to the mark of that attempt.
    """
    waited = []
    for seq, *_ in messages:
        left = await connection.fetchrow("DELETE FROM queue WHERE seq = $1 RETURNING lane", seq)
        waited += [left[0]] if left is not None else []
    idle = [lane for lane in waited if leases.get(lane) is None]
    if idle:
        kept = {row[0] for row in await connection.fetch(TIDY, idle)}
        await connection.execute(postgres_lanes.CLOSE, [lane for lane in idle if lane not in kept])
    return len(waited)


async def note(connection: Connection, distribution_id: str, sender: str, step: Step) -> None:
    """Note a step with the messages of this id and sender, once."""
    for (seq,) in await connection.fetch(LOCK, distribution_id, sender):
        await connection.execute(NOTE_ONCE, seq, plain(step.step), step.at, plain(step.detail[:DETAIL]))


async def mark_not_applicable(connection: Connection, distribution_id: str, sender: str, step: Step) -> None:
    """Note, once, that nothing in a message of this sender concerns its recipient."""
    cause = plain(step.detail[:DETAIL])
    found = await connection.fetch(NOT_APPLICABLE, distribution_id, sender, cause)
    await postgres_lanes.note(connection, [(row[0], step) for row in found])


class Refusal(NamedTuple):
    """How many messages that waited became dead letters, and what came of the RS-ERROR, if it is new."""

    left: int
    error: Outcome | None


async def refuse_delivery(
    connection: Connection, distribution_id: str, sender: str, step: Step, error: Submission | None
) -> Refusal:
    """Make the message of this sender a dead letter and store the RS-ERROR about it."""
    # first: an RS-ERROR's lane is that of its sender, whose name sorts before every case's, and lanes are locked in order
    outcomes = await arrive(connection, [Incoming(error, spent=False)]) if error else []
    found = await connection.fetch(SENT, distribution_id, sender)
    leases = await hold(connection, found)
    dead = [row for row in found if await connection.fetchrow(DIE, row[0])]
    await connection.executemany(
        "INSERT INTO dead VALUES ($1) ON CONFLICT (seq) DO NOTHING", [(row[0],) for row in dead]
    )
    await postgres_lanes.note(connection, [(row[0], step) for row in dead])
    left = await leave(connection, dead, leases)
    # refused is an RS-ERROR whose id is taken: by the one of an earlier delivery
    return Refusal(left, next((one for one in outcomes if isinstance(one, Outcome)), None))


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
