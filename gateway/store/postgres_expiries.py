"""Inbox items whose message expires, in the shared store. Who expires an item holds its row: another replica finds it done."""

from typing import NamedTuple

from gateway.model import Delivery, Step, Submission
from gateway.store import postgres_lanes, rows
from gateway.store.expiry import Expired, Overdue, expired_step, said_by
from gateway.store.postgres_arrivals import Incoming, Outcome, arrive
from gateway.store.postgres_database import Connection
from gateway.store.postgres_engine import PostgresEngine
from gateway.store.postgres_writes import deposit, hold, leave

OVERDUE = """
SELECT i.id, i.publisher_id, i.distribution_id, i.sender, i.recipient, i.case_id, i.distribution_status, x.expires_at
FROM (
    SELECT seq, expires_at FROM expiries WHERE expired_at IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2
) x JOIN inbox i USING (seq) ORDER BY x.expires_at
"""
HOLD_ITEM = "SELECT acknowledged_at IS NOT NULL FROM inbox WHERE seq = $1 AND id = $2 FOR UPDATE"
# read when the row is held: what another replica did before is seen
DUE = f"""
SELECT i.distribution_id, i.sender, i.recipient, {rows.ANSWERED}
FROM expiries x JOIN inbox i USING (seq) WHERE x.seq = $1 AND x.expired_at IS NULL
"""  # noqa: S608 - constant
SENT = """
SELECT seq, lane, status, answer FROM messages WHERE distribution_id = $1 AND sender = $2 AND recipient = $3 ORDER BY seq + 0
"""
EXPIRE = """
UPDATE messages SET status = 'expired' WHERE seq = $1 AND status IN ('received', 'forwarded') AND answer = '' RETURNING seq
"""
FLAG = "UPDATE expiries SET expired_at = $2 WHERE seq = $1"
SETTLE = "DELETE FROM expiries WHERE seq = $1"


class Outcomes(NamedTuple):
    """What came of an item, how many messages need no forwarding any more, and the RS-ERROR for the core, if it is new."""

    expired: Expired
    left: int = 0
    error: Outcome | None = None


class PostgresExpiries:
    """The `Expiries` of one replica; what each operation promises is said there."""

    def __init__(self, engine: PostgresEngine) -> None:
        self._engine = engine

    async def overdue(self, now: float, limit: int) -> list[Overdue]:
        """Items past their expiry."""
        return await self._engine.ask(overdue, now, limit)

    async def expire(self, item_id: str, now: float, cause: str, error: Delivery | Submission) -> Expired:
        """Flag an item, and tell its sender."""
        outcome = await self._engine.change(expire, item_id, expired_step(now, cause), error)
        self._engine.left(outcome.left)
        if isinstance(error, Delivery):
            if outcome.expired is Expired.TOLD:
                self._engine.delivered(error)
        elif outcome.error is not None:
            self._engine.arrived(outcome.error, now)
        return outcome.expired


async def overdue(connection: Connection, now: float, limit: int) -> list[Overdue]:
    """Items past their expiry, the longest overdue first."""
    return [Overdue(*row) for row in await connection.fetch(OVERDUE, now, limit)]


async def expire(connection: Connection, item_id: str, step: Step, error: Delivery | Submission) -> Outcomes:
    """Flag an item, end its message and keep the RS-ERROR."""
    seq = rows.seq_of(item_id)
    acknowledged = await connection.fetchval(HOLD_ITEM, seq, item_id)
    due = None if acknowledged is None else await connection.fetchrow(DUE, seq)
    if due is None:
        return Outcomes(Expired.GONE)
    *key, answered = due
    sent = await connection.fetch(SENT, *key)
    if acknowledged or answered or any(row[3] for row in sent):
        await connection.execute(SETTLE, seq)
        return Outcomes(Expired.GONE if acknowledged else Expired.ANSWERED)
    if sent and not any(row[2] in rows.NOT_ENDED for row in sent):
        await connection.execute(FLAG, seq, step.at)
        return Outcomes(Expired.KNOWN)
    # first: an RS-ERROR's lane is that of its sender, whose name sorts before every case's, and lanes are locked in order
    (stored,) = (
        await arrive(connection, [Incoming(error, spent=False)]) if isinstance(error, Submission) else [None]
    )
    leases = await hold(connection, sent)
    ended = [row for row in sent if await connection.fetchrow(EXPIRE, row[0])]
    if (
        sent and not ended and isinstance(error, Delivery)
    ):  # it was answered under way: the next sweep sees it
        return Outcomes(Expired.GONE)
    await connection.execute(FLAG, seq, step.at)
    await postgres_lanes.note(connection, [(row[0], step) for row in ended])
    left = await leave(connection, ended, leases)
    if isinstance(error, Delivery):
        await deposit(connection, error, said_by(error))
    # refused is an RS-ERROR whose id is taken: by an earlier one
    return Outcomes(Expired.TOLD, left, stored if isinstance(stored, Outcome) else None)
