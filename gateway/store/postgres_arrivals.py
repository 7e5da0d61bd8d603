"""Messages that arrive at the shared store: any number of them in one statement."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from gateway.errors import Refused
from gateway.model import Submission
from gateway.store import arrivals, rows
from gateway.store.arrivals import Stored
from gateway.store.postgres_database import Connection, plain
from gateway.store.postgres_reads import RECEIPT

# In the order of the arguments; `n` numbers the rows. Keys are taken in one order by all, so that nobody waits in a ring.
ARRIVE = """
WITH given AS (
    SELECT nextval('numbers') AS seq, g.* FROM (
        SELECT * FROM unnest(
            $1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::text[], $12::boolean[], $13::text[], $14::boolean[], $15::float8[], $16::float8[],
            $17::text[], $18::bytea[]
        ) WITH ORDINALITY AS u (
            own, publisher_id, distribution_id, digest, media_type, message_type, model_version, sender, recipient,
            case_id, refers_to, urgent, quota, spent, received_at, expires_at, lane, content, n
        ) ORDER BY n
    ) g
), stored AS (
    INSERT INTO messages (
        seq, id, publisher_id, distribution_id, digest, media_type, message_type, model_version, sender, recipient,
        case_id, refers_to, urgent, quota, spent, received_at, expires_at, lane
    )
    SELECT seq, lpad(to_hex(seq), 16, '0') || own, publisher_id, distribution_id, digest, media_type, message_type,
        model_version, sender, recipient, case_id, refers_to, urgent, quota, spent, received_at, expires_at, lane
    FROM given ORDER BY distribution_id, publisher_id, seq
    ON CONFLICT (distribution_id, publisher_id) DO NOTHING
    RETURNING seq, id, publisher_id, urgent, received_at, lane
), kept AS (
    INSERT INTO contents (seq, received_at, content)
    SELECT seq, g.received_at, g.content FROM given g JOIN stored USING (seq)
), queued AS (
    INSERT INTO queue (seq, position, lane, publisher_id, urgent, received_at)
    SELECT seq, seq, lane, publisher_id, urgent, received_at FROM stored
), opened AS (
    INSERT INTO lanes AS l (lane, publisher_id, position, urgent)
    SELECT lane, (array_agg(publisher_id ORDER BY seq))[1], min(seq), bool_or(urgent)
    FROM stored GROUP BY lane ORDER BY lane
    ON CONFLICT (lane) DO UPDATE SET
        publisher_id = CASE WHEN excluded.position < l.position THEN excluded.publisher_id ELSE l.publisher_id END,
        position = least(l.position, excluded.position),
        urgent = l.urgent OR excluded.urgent
    RETURNING lane, lease IS NULL AND due_at IS NULL AS ready
)
SELECT s.seq, s.id, o.ready FROM stored s JOIN opened o USING (lane)
"""
REFERRED = """
SELECT g.n, m.lane, i.recipient, i.case_id, i.sender
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS g (distribution_id, publisher_id, n)
LEFT JOIN messages m ON m.distribution_id = g.distribution_id AND m.publisher_id IS NOT DISTINCT FROM g.publisher_id
LEFT JOIN LATERAL (
    SELECT recipient, case_id, sender FROM inbox
    WHERE publisher_id = g.publisher_id AND distribution_id = g.distribution_id ORDER BY seq + 0 LIMIT 1
) i ON true
"""
EARLIER = f"""
SELECT {RECEIPT}, digest FROM messages WHERE distribution_id = $1 AND publisher_id IS NOT DISTINCT FROM $2
"""  # noqa: S608 - constant


class Incoming(NamedTuple):
    """A message to be stored if it is new."""

    submission: Submission
    spent: bool = True


class Outcome(NamedTuple):
    """What came of one, and whether its lane can be claimed at once."""

    stored: Stored
    ready: bool


async def arrive(connection: Connection, incoming: Sequence[Incoming]) -> list[Outcome | Refused]:
    """Store the new ones; the receipts of all, or why one is refused (409)."""
    lanes = await _lanes(connection, [i.submission for i in incoming])
    halves = [secrets.token_hex(8) for _ in incoming]
    columns = zip(
        *(_row(h, i, lane) for h, i, lane in zip(halves, incoming, lanes, strict=True)), strict=True
    )
    stored = {row[1][16:]: row for row in await connection.fetch(ARRIVE, *columns)}
    outcomes: list[Outcome | Refused] = []
    for half, one, lane in zip(halves, incoming, lanes, strict=True):
        row = stored.get(half)
        if row is not None:
            arrival = arrivals.Arrival(row[0], row[1], one.submission, one.spent)
            outcomes.append(Outcome(arrivals.new(arrival, lane), row[2]))
            continue
        s = one.submission
        first = await connection.fetchrow(EARLIER, s.distribution_id, s.publisher_id)
        found = arrivals.repeated(first, s.digest)
        outcomes.append(found if isinstance(found, Refused) else Outcome(Stored(found, None), ready=False))
    return outcomes


def _row(half: str, incoming: Incoming, lane: str) -> tuple[object, ...]:
    s = incoming.submission
    return (
        half, plain(s.publisher_id), plain(s.distribution_id), s.digest, plain(s.media_type), plain(s.message_type),
        plain(s.model_version), plain(s.sender), plain(s.recipient), plain(s.case_id), plain(s.refers_to), s.urgent,
        s.quota, incoming.spent, s.received_at, s.expires_at, plain(lane), s.body,
    )  # fmt: skip


async def _lanes(connection: Connection, submissions: Sequence[Submission]) -> list[str]:
    referring = [s for s in submissions if s.refers_to]
    if not referring:
        return [rows.lane(s) for s in submissions]
    ids = [plain(s.refers_to) for s in referring]
    found = await connection.fetch(REFERRED, ids, [plain(s.publisher_id) for s in referring])
    by_number = {row[0]: row for row in found}
    answers = iter(by_number[n] for n in range(1, len(referring) + 1))
    lanes = []
    for s in submissions:
        row = next(answers) if s.refers_to else None
        item = None if row is None or row[2] is None else (row[2], row[3], row[4])
        lanes.append(rows.lane(s, None if row is None else row[1], item))
    return lanes
