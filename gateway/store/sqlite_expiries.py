"""Inbox items whose message expires, in the embedded store."""

import sqlite3
from typing import NamedTuple

from gateway.model import Delivery, Step, Submission
from gateway.store import rows, timeline
from gateway.store.arrivals import Arrival, Stored
from gateway.store.engine import Engine
from gateway.store.expiry import Expired, Overdue, expired_step, said_by
from gateway.store.writes import DELETE_EXPIRY, arrive, deposit

OVERDUE = """
SELECT i.id, i.publisher_id, i.distribution_id, i.sender, i.recipient, i.case_id, i.distribution_status, x.expires_at
FROM expiries x JOIN inbox i USING (seq) WHERE x.expired_at IS NULL AND x.expires_at <= ?
ORDER BY x.expires_at LIMIT ?
"""
DUE = f"""
SELECT i.distribution_id, i.sender, i.recipient, i.acknowledged_at IS NOT NULL, {rows.ANSWERED}
FROM expiries x JOIN inbox i USING (seq) WHERE x.seq = ? AND i.id = ? AND x.expired_at IS NULL
"""  # noqa: S608 - constant
SENT = (
    "SELECT seq, id, status, answer FROM messages WHERE distribution_id = ? AND sender = ? AND recipient = ?"
)
EXPIRE = "UPDATE messages SET status = 'expired', timeline = timeline || ? WHERE seq = ?"


class Outcome(NamedTuple):
    """What came of an item, the messages that need no forwarding any more, and the RS-ERROR for the core, if it is new."""

    expired: Expired
    left: tuple[str, ...] = ()
    error: Stored | None = None


class SqliteExpiries:
    """The `Expiries` of one SQLite file; what each operation promises is said there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def overdue(self, now: float, limit: int) -> list[Overdue]:
        """Items past their expiry."""
        return await self._engine.read(overdue, now, limit)

    async def expire(self, item_id: str, now: float, cause: str, error: Delivery | Submission) -> Expired:
        """Flag an item, and tell its sender."""
        seq = self._engine.number(now)
        own = seq, rows.new_id(seq)

        def settle(outcome: Outcome) -> None:
            self._engine.leave_unless_under_way(outcome.left)
            if isinstance(error, Submission):
                if outcome.error is not None:
                    self._engine.arrived(Arrival(*own, error, spent=False), outcome.error)
            elif outcome.expired is Expired.TOLD:
                self._engine.delivered(error)

        outcome = await self._engine.do(
            lambda c: expire(c, item_id, own, expired_step(now, cause), error), settle
        )
        return outcome.expired


def overdue(connection: sqlite3.Connection, now: float, limit: int) -> list[Overdue]:
    """Items past their expiry, the longest overdue first."""
    return [Overdue(*row) for row in connection.execute(OVERDUE, (now, limit))]


def expire(
    connection: sqlite3.Connection,
    item_id: str,
    own: tuple[int, str],
    step: Step,
    error: Delivery | Submission,
) -> Outcome:
    """Flag an item, end its message and keep the RS-ERROR under the number and id `own`."""
    seq = rows.seq_of(item_id)
    due = connection.execute(DUE, (seq, item_id)).fetchone()
    if due is None:
        return Outcome(Expired.GONE)
    *key, acknowledged, answered = due
    sent = connection.execute(SENT, key).fetchall()
    if acknowledged or answered or any(answer for *_, answer in sent):
        connection.execute(DELETE_EXPIRY, (seq,))
        return Outcome(Expired.GONE if acknowledged else Expired.ANSWERED)
    connection.execute("UPDATE expiries SET expired_at = ? WHERE seq = ?", (step.at, seq))
    waiting = [(number, own_id) for number, own_id, status, _ in sent if status in rows.NOT_ENDED]
    if sent and not waiting:
        return Outcome(Expired.KNOWN)
    noted = timeline.write([step])
    connection.executemany(EXPIRE, [(noted, number) for number, _ in waiting])
    left = tuple(own_id for _, own_id in waiting)
    if isinstance(error, Delivery):
        deposit(connection, *own, error, said_by(error))
        return Outcome(Expired.TOLD, left)
    (stored,) = arrive(connection, [Arrival(*own, error, spent=False)])
    # refused is an RS-ERROR whose id is taken: by an earlier one
    return Outcome(Expired.TOLD, left, stored if isinstance(stored, Stored) else None)
