"""Who forwards what: leases on lanes, shared by all replicas.

Who claims a lane gets a lease with a number of its own; a mark counts only where the lane still bears that number, so that
a replica that was thought dead cannot end what another has taken over. A lease that is not renewed runs out by the
server's clock. Order of locks, everywhere: lanes, sorted, then messages.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from gateway.model import Outgoing, Status, Step
from gateway.store import rows
from gateway.store.arrivals import DETAIL
from gateway.store.lanes import STEP_BACK
from gateway.store.postgres_database import Connection, plain

READY = "lease IS NULL AND due_at IS NULL"
# in order, so that the index passes over rows long gone
DUE = """
UPDATE lanes SET due_at = NULL WHERE lane = ANY(ARRAY(
    SELECT lane FROM lanes WHERE due_at <= $1 ORDER BY due_at LIMIT 1000 FOR UPDATE SKIP LOCKED
))
"""
ALL_DUE = """
UPDATE lanes SET due_at = NULL WHERE lane = ANY(ARRAY(
    SELECT lane FROM lanes WHERE due_at IS NOT NULL ORDER BY lane FOR UPDATE SKIP LOCKED
))
"""
LOST = """
UPDATE lanes SET lease = NULL, leased_seq = NULL, leased_until = NULL WHERE lane = ANY(ARRAY(
    SELECT lane FROM lanes WHERE lease IS NOT NULL AND leased_until < statement_timestamp()
    ORDER BY leased_until LIMIT 1000 FOR UPDATE SKIP LOCKED
))
"""
# publishers that have ready lanes, each found by one look into the index, starting after $2
PUBLISHERS = f"""
WITH RECURSIVE next AS (
    (SELECT publisher_id, 1 AS n FROM lanes WHERE {READY} AND urgent = $1 AND publisher_id > $2
     ORDER BY publisher_id LIMIT 1)
    UNION ALL
    SELECT f.publisher_id, next.n + 1 FROM next CROSS JOIN LATERAL (
        SELECT publisher_id FROM lanes WHERE {READY} AND urgent = $1 AND publisher_id > next.publisher_id
        ORDER BY publisher_id LIMIT 1
    ) f WHERE next.n < $3
)
SELECT publisher_id FROM next
"""  # noqa: S608 - constant
PICK = f"""
SELECT f.lane, p.publisher_id FROM unnest($2::text[]) WITH ORDINALITY AS p (publisher_id, turn)
CROSS JOIN LATERAL (
    SELECT lane, position FROM lanes WHERE {READY} AND urgent = $1 AND publisher_id = p.publisher_id
    ORDER BY position LIMIT $3 FOR UPDATE SKIP LOCKED
) f
ORDER BY row_number() OVER (PARTITION BY p.turn ORDER BY f.position), p.turn
"""  # noqa: S608 - constant
LEASE = """
UPDATE lanes l SET lease = nextval('leases'), leased_seq = h.seq,
    leased_until = statement_timestamp() + $2 * interval '1 second'
FROM unnest($1::text[]) AS g (lane)
CROSS JOIN LATERAL (SELECT seq FROM queue q WHERE q.lane = g.lane ORDER BY position LIMIT 1) h
WHERE l.lane = g.lane RETURNING l.lane, l.lease, l.leased_seq
"""
TAKEN = f"""
SELECT m.seq, m.id, m.attempts, c.seq IS NOT NULL, {rows.SUBMISSION}
FROM messages m LEFT JOIN contents c USING (seq) WHERE m.seq = ANY($1::bigint[])
"""  # noqa: S608 - constant
RENEW = """
UPDATE lanes SET leased_until = statement_timestamp() + $2 * interval '1 second'
WHERE lane IN (SELECT lane FROM lanes WHERE lane = ANY($3::text[]) AND lease = ANY($1::bigint[]) ORDER BY lane FOR UPDATE)
"""
HOLD = "SELECT lane, lease FROM lanes WHERE lane = ANY($1::text[]) ORDER BY lane FOR UPDATE"
# what stands first in a lane now; `due` where a retry waits
RELEASE = """
UPDATE lanes l SET lease = NULL, leased_seq = NULL, leased_until = NULL, due_at = g.due, publisher_id = h.publisher_id,
    position = h.position, urgent = EXISTS (SELECT 1 FROM queue u WHERE u.lane = l.lane AND u.urgent)
FROM unnest($1::text[], $2::float8[]) AS g (lane, due)
CROSS JOIN LATERAL (SELECT publisher_id, position FROM queue q WHERE q.lane = g.lane ORDER BY position LIMIT 1) h
WHERE l.lane = g.lane RETURNING l.lane, l.due_at
"""
CLOSE = "DELETE FROM lanes WHERE lane = ANY($1::text[])"
MARK = """
UPDATE messages m SET status = CASE WHEN m.status = 'received' THEN g.status ELSE m.status END, attempts = m.attempts + 1
FROM unnest($1::bigint[], $2::text[]) AS g (seq, status) WHERE m.seq = g.seq RETURNING m.seq, m.status
"""
NOTE = """
INSERT INTO steps (message, step, at, detail)
SELECT message, step, at, detail FROM unnest($1::bigint[], $2::text[], $3::float8[], $4::text[])
WITH ORDINALITY AS g (message, step, at, detail, n) ORDER BY n
"""


class Held(NamedTuple):
    """A message that this replica forwards: its number, its lane and the lease on it."""

    seq: int
    lane: str
    lease: int


class Mark(NamedTuple):
    """What came of a claim: RECEIVED where it is to be tried again, at `next_at`."""

    held: Held
    status: Status
    steps: Sequence[Step]
    next_at: float | None = None


class Marked(NamedTuple):
    """Whether the mark counted, whether the message stands as asked, and whether its lane can be claimed now."""

    counted: bool
    moved: bool
    ready: bool


class Taken(NamedTuple):
    """One claimed message; its content may be gone."""

    held: Held
    job: Outgoing
    complete: bool


class Turns:
    """Whose turn it is, for each class of urgency: the publisher that came last; and when it was taken."""

    def __init__(self) -> None:
        self._last = {True: "", False: ""}
        self._claimed_at = float("-inf")

    def was_set_back(self, now: float) -> bool:
        """Whether this replica's clock was set back since the last claim: it would make the waits for a retry longer."""
        before, self._claimed_at = self._claimed_at, now
        return now < before - STEP_BACK

    async def pick(self, connection: Connection, urgent: bool, room: int) -> tuple[list[str], bool]:
        """Up to `room` ready lanes, locked: publishers in turn, each one's longest waiting first; whether there are more."""
        last = self._last[urgent]
        publishers = [row[0] for row in await connection.fetch(PUBLISHERS, urgent, last, room)]
        if last and len(publishers) < room:
            before = await connection.fetch(PUBLISHERS, urgent, "", room - len(publishers))
            publishers += [row[0] for row in before if row[0] not in publishers]
        if not publishers:
            return [], False
        share = -(-room // len(publishers))
        found = (await connection.fetch(PICK, urgent, publishers, share))[:room]
        if found:
            self._last[urgent] = found[-1][1]
        counts = Counter(row[1] for row in found)
        return [row[0] for row in found], any(count == share for count in counts.values())


async def take_over(connection: Connection) -> None:
    """Free what was leased to a replica that gave no sign of life for so long."""
    await connection.execute(LOST)


async def claim(connection: Connection, turns: Turns, now: float, limit: int, lease: float) -> list[Taken]:
    """Up to `limit` due messages, each the first of its lane, leased for `lease` seconds: urgent lanes first."""
    if turns.was_set_back(now):
        await connection.execute(ALL_DUE)
    await connection.execute(DUE, now)
    held: list[Held] = []
    for urgent in (True, False):
        more = True
        while more and len(held) < limit:
            lanes, more = await turns.pick(connection, urgent, limit - len(held))
            held += await _lease(connection, lanes, lease)
    rows_of = {row[0]: row for row in await connection.fetch(TAKEN, [h.seq for h in held])} if held else {}
    return [_taken(one, rows_of[one.seq]) for one in held]


async def _lease(connection: Connection, lanes: Sequence[str], lease: float) -> list[Held]:
    if not lanes:
        return []
    found = {row[0]: Held(row[2], row[0], row[1]) for row in await connection.fetch(LEASE, lanes, lease)}
    empty = [lane for lane in lanes if lane not in found]  # what was in it was acknowledged under way
    if empty:
        await connection.execute(CLOSE, empty)
    return [found[lane] for lane in lanes if lane in found]


def _taken(held: Held, row: Iterable[Any]) -> Taken:
    _, message_id, attempts, complete, *values = row
    values[4] = values[4] or b""
    return Taken(held, Outgoing(message_id, rows.submission(values), attempts), complete)


async def renew(connection: Connection, held: Sequence[Held], lease: float) -> None:
    """Hold what is under way for `lease` seconds more."""
    await connection.execute(RENEW, [h.lease for h in held], lease, [h.lane for h in held])


async def give_back(connection: Connection, held: Sequence[Held]) -> None:
    """What is under way is due again at once, as if nothing had been."""
    valid = await _hold(connection, held)
    await release(connection, {h.lane: None for h in valid})


async def mark(connection: Connection, marks: Sequence[Mark]) -> list[Marked]:
    """Write what came of claims, those that are still held."""
    valid = set(await _hold(connection, [m.held for m in marks]))
    counted = [m for m in marks if m.held in valid]
    if not counted:
        return [Marked(counted=False, moved=False, ready=False) for _ in marks]
    found = await connection.fetch(MARK, [m.held.seq for m in counted], [str(m.status) for m in counted])
    stands = {row[0]: row[1] for row in found}
    await note(connection, [(m.held.seq, step) for m in counted for step in m.steps])
    again = {m.held: m.next_at for m in counted if stands[m.held.seq] == m.status == Status.RECEIVED}
    gone = [m.held.seq for m in counted if m.held not in again]
    await connection.execute("DELETE FROM queue WHERE seq = ANY($1::bigint[])", gone)
    ready = await release(connection, {m.held.lane: again.get(m.held) for m in counted})
    return [
        Marked(m.held in valid, m.held in valid and stands[m.held.seq] == m.status, m.held.lane in ready)
        for m in marks
    ]


async def _hold(connection: Connection, held: Sequence[Held]) -> list[Held]:
    """Those whose lease is still theirs; their lanes are locked."""
    leases = {row[0]: row[1] for row in await connection.fetch(HOLD, [h.lane for h in held])}
    return [h for h in held if leases.get(h.lane) == h.lease]


async def release(connection: Connection, due: dict[str, float | None]) -> set[str]:
    """Free locked lanes, each until a retry is due; empty ones go. Gives those that can be claimed now."""
    found = await connection.fetch(RELEASE, list(due), list(due.values()))
    empty = due.keys() - {row[0] for row in found}
    if empty:
        await connection.execute(CLOSE, list(empty))
    return {row[0] for row in found if row[1] is None}


async def note(connection: Connection, steps: Sequence[tuple[int, Step]]) -> None:
    """Note steps at the end of messages' timelines."""
    if steps:
        await connection.execute(
            NOTE,
            [seq for seq, _ in steps],
            [step.step for _, step in steps],
            [step.at for _, step in steps],
            [plain(step.detail[:DETAIL]) for _, step in steps],
        )
