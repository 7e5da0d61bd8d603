"""Who forwards what: leases on lanes, shared by all replicas.

Who claims a lane gets a lease with a number of its own; a mark counts only where the lane still bears that number, so that
a replica that was thought dead cannot end what another has taken over. A lease that is not renewed runs out by the
server's clock. Order of locks, everywhere: lanes, sorted, then messages.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple

from gateway.model import Outgoing, Status, Step
from gateway.store import attempts, rows
from gateway.store.arrivals import DETAIL
from gateway.store.lanes import STEP_BACK
from gateway.store.postgres_database import Connection, plain

LOST = """
UPDATE lanes SET lease = NULL, leased_seq = NULL, leased_until = NULL WHERE lane = ANY(ARRAY(
    SELECT lane FROM lanes WHERE lease IS NOT NULL AND leased_until < statement_timestamp()
    ORDER BY leased_until LIMIT 1000 FOR UPDATE SKIP LOCKED
))
"""
CLAIM = f"""
SELECT t.urgent_lane, m.lane, t.lease, m.seq, m.id, m.attempts, c.content IS NOT NULL, {rows.SUBMISSION}
FROM lease_lanes($1, $2, $3, $4, $5, $6, $7) AS t
CROSS JOIN LATERAL (SELECT (t.message).*) m CROSS JOIN LATERAL (SELECT t.content) c
"""  # noqa: S608 - constant
CLAIM_PROBE = f"""
SELECT m.lane, t.lease, m.seq, m.id, m.attempts, c.content IS NOT NULL, {rows.SUBMISSION}
FROM lease_probe($1, $2, $3, $4, $5) AS t
CROSS JOIN LATERAL (SELECT (t.message).*) m CROSS JOIN LATERAL (SELECT t.content) c
"""  # noqa: S608 - constant
MARK = "SELECT seq, moved, ready FROM settle_claims($1, $2, $3, $4, $5, $6, $7, $8, $9)"
MARK_LATE = MARK.replace("settle_claims", "settle_late_claims")
MINE = "SELECT lane FROM lanes WHERE lane = ANY($2::text[]) AND lease = ANY($1::bigint[]) ORDER BY lane FOR UPDATE"
RENEW = f"""
UPDATE lanes SET leased_until = statement_timestamp() + $3 * interval '1 second' WHERE lane IN ({MINE})
"""  # noqa: S608 - constant
GIVE_BACK = f"UPDATE lanes SET lease = NULL, leased_seq = NULL, leased_until = NULL WHERE lane IN ({MINE})"  # noqa: S608
HOLD = "SELECT lane, lease FROM lanes WHERE lane = ANY($1::text[]) ORDER BY lane FOR UPDATE"
CLOSE = "DELETE FROM lanes WHERE lane = ANY($1::text[])"
NOTE = """
INSERT INTO steps (message, step, at, detail)
SELECT message, step, at, detail FROM unnest($1::bigint[], $2::text[], $3::float8[], $4::text[])
WITH ORDINALITY AS g (message, step, at, detail, n) ORDER BY n
"""


class Held(NamedTuple):
    """A message that this replica forwards: its number, its lane and the lease on it, and the attempts made before."""

    seq: int
    lane: str
    lease: int
    attempts: int = 0


class Mark(NamedTuple):
    """What came of a claim: RECEIVED where it is to be tried again, at `next_at`."""

    held: Held
    status: Status
    steps: Sequence[Step]
    next_at: float | None = None


class Marked(NamedTuple):
    """Whether the message stands as asked, and whether its lane can be claimed now."""

    moved: bool
    ready: bool


class Taken(NamedTuple):
    """One claimed message; its content may be gone."""

    held: Held
    job: Outgoing
    complete: bool


class Turns:
    """Whose turn it is, for each class of urgency: the publisher that came last; and when it was taken.

    `probed` are the publishers that had a probe, the last one at the end.
    """

    def __init__(self) -> None:
        self.probed: dict[str, None] = {}
        self._last = {True: "", False: ""}
        self._claimed_at = float("-inf")

    def was_set_back(self, now: float) -> bool:
        """Whether this replica's clock was set back since the last claim: it would make the waits for a retry longer."""
        before, self._claimed_at = self._claimed_at, now
        return now < before - STEP_BACK

    def last(self, urgent: bool) -> str:
        """The publisher that came last, none at first."""
        return self._last[urgent]

    def came(self, urgent: bool, publisher_id: str) -> None:
        """A message of this publisher's was taken."""
        self._last[urgent] = publisher_id

    def was_probed(self, publisher_id: str) -> None:
        """A message of this publisher's is a probe."""
        self.probed.pop(publisher_id, None)
        self.probed[publisher_id] = None


Claim = Callable[
    [Connection, Turns, float], Awaitable[list[Taken]]
]  # a claim: connection, turns, seconds of the lease


async def take_over(connection: Connection) -> None:
    """Free what was leased to a replica that gave no sign of life for so long."""
    await connection.execute(LOST)


async def claim(
    connection: Connection, turns: Turns, lease: float, now: float, room: tuple[int, int]
) -> list[Taken]:
    """Due messages, each the first of its lane, leased for `lease` seconds: urgent lanes first; of each kind, publishers in
    turn, each one's longest waiting first. `room`: how many, and how many of them from ordinary lanes.
    """
    last = turns.last(urgent=True), turns.last(urgent=False)
    found = await connection.fetch(CLAIM, now, turns.was_set_back(now), *last, *room, lease)
    taken = []
    for urgent, *row in found:
        taken.append(_taken(row))
        turns.came(urgent, taken[-1].job.submission.publisher_id)
    return taken


async def claim_probe(
    connection: Connection, turns: Turns, lease: float, now: float, *, new_first: bool
) -> list[Taken]:
    """One due message or none, leased for `lease` seconds, chosen as `Store.claim_probe` says."""
    probed = list(turns.probed)
    found = await connection.fetch(CLAIM_PROBE, now, turns.was_set_back(now), probed, new_first, lease)
    taken = [_taken(row) for row in found]
    for one in taken:
        turns.was_probed(one.job.submission.publisher_id)
    return taken


def _taken(row: Iterable[Any]) -> Taken:
    lane, lease, seq, message_id, tries, complete, *values = row
    values[4] = values[4] or b""
    job = Outgoing(message_id, rows.submission(values), tries, lane)
    return Taken(Held(seq, lane, lease, tries), job, complete)


async def renew(connection: Connection, held: Sequence[Held], lease: float) -> None:
    """Hold what is under way for `lease` seconds more."""
    await connection.execute(RENEW, [h.lease for h in held], [h.lane for h in held], lease)


async def give_back(connection: Connection, held: Sequence[Held]) -> None:
    """What is under way is due again at once, as if nothing had been."""
    await connection.execute(GIVE_BACK, [h.lease for h in held], [h.lane for h in held])


async def mark(connection: Connection, marks: Sequence[Mark]) -> list[Marked]:
    """Write what came of claims, those that are still held."""
    steps = _columns([(m.held.seq, step) for m in marks for step in m.steps])
    claims = [m.held.seq for m in marks], [m.held.lane for m in marks], [m.held.lease for m in marks]
    asked = [str(m.status) for m in marks], [m.next_at for m in marks]
    is_late = any(m.next_at is not None and attempts.takes_place(m.held.attempts + 1) for m in marks)
    statement = MARK_LATE if is_late else MARK
    found = {row[0]: Marked(*row[1:]) for row in await connection.fetch(statement, *claims, *asked, *steps)}
    return [found.get(m.held.seq, Marked(moved=False, ready=False)) for m in marks]


async def note(connection: Connection, steps: Sequence[tuple[int, Step]]) -> None:
    """Note steps at the end of messages' timelines."""
    if steps:
        await connection.execute(NOTE, *_columns(steps))


def _columns(steps: Sequence[tuple[int, Step]]) -> tuple[list[int], list[str], list[float], list[str]]:
    return (
        [seq for seq, _ in steps],
        [step.step for _, step in steps],
        [step.at for _, step in steps],
        [plain(step.detail[:DETAIL]) for _, step in steps],
    )
