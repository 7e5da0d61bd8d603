"""What changes the embedded store: functions over its connection, each called inside a transaction."""

import sqlite3
from collections.abc import Sequence

import orjson

from gateway.errors import Refused
from gateway.model import Answer, Delivery, InboxItem, Receipt, Status, Step, Submission
from gateway.store import attempts, rows, timeline
from gateway.store.arrivals import DETAIL, Arrival, Stored, new, repeated
from gateway.store.interface import ErasedCase
from gateway.store.lanes import Entry

RANK = {
    Status.RECEIVED: 0,
    Status.FORWARDED: 1,
    Status.ACKNOWLEDGED: 3,
    Status.REFUSED: 3,
}  # a status only ever rises; others are 2
INSERT_MESSAGE = (
    "INSERT INTO messages VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,'received',0,NULL,'','','')"
    " ON CONFLICT (distribution_id, publisher_id) DO NOTHING"
)
INSERT_ITEM = (
    "INSERT INTO inbox VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,'',?,?)"
    " ON CONFLICT (publisher_id, distribution_id, sender) DO NOTHING"
)
INSERT_CONTENT = "INSERT INTO contents VALUES (?, ?)"
INSERT_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, 0)"
DELETE_EVENT = "DELETE FROM events WHERE seq = ?"
INSERT_EXPIRY = "INSERT INTO expiries VALUES (?, ?, NULL)"
DELETE_EXPIRY = "DELETE FROM expiries WHERE seq = ?"


def arrive(connection: sqlite3.Connection, arrivals: Sequence[Arrival]) -> list[Stored | Refused]:
    """Store the new ones among the arrivals; the receipts of all, or why one is refused (409)."""
    lanes = [rows.lane_of(connection, arrival.submission) for arrival in arrivals]
    values = [_values(arrival, lane) for arrival, lane in zip(arrivals, lanes, strict=True)]
    count = connection.executemany(INSERT_MESSAGE, values).rowcount
    if count == len(arrivals):
        connection.executemany(INSERT_CONTENT, [(a.seq, a.submission.body) for a in arrivals])
        return [new(arrival, lane) for arrival, lane in zip(arrivals, lanes, strict=True)]
    outcomes: list[Stored | Refused] = []
    for arrival, lane in zip(arrivals, lanes, strict=True):
        first = earlier_receipt(connection, arrival.submission, arrival.id)
        if first is None:
            connection.execute(INSERT_CONTENT, (arrival.seq, arrival.submission.body))
            outcomes.append(new(arrival, lane))
        else:
            outcomes.append(first if isinstance(first, Refused) else Stored(first, None))
    return outcomes


def _values(arrival: Arrival, lane: str) -> tuple[object, ...]:
    seq, public_id, s, spent = arrival
    return (
        seq, public_id, s.publisher_id, s.distribution_id, s.digest, s.media_type, s.message_type, s.model_version,
        s.sender, s.recipient, s.case_id, s.refers_to, s.urgent, s.quota, spent, s.received_at, s.expires_at, lane, seq,
    )  # fmt: skip


def earlier_receipt(
    connection: sqlite3.Connection, submission: Submission, own_id: str
) -> Receipt | Refused | None:
    """The receipt of the message that took this distributionID first, None where that is the one with `own_id`."""
    key = (submission.publisher_id, submission.distribution_id, submission.digest)
    found = find_receipt(connection, *key)
    return None if isinstance(found, Receipt) and found.id == own_id else found


PROBE_BYTES = 32_768  # of a message with its timeline and its places in the indexes


def find_receipt(
    connection: sqlite3.Connection, publisher_id: str, distribution_id: str, digest: bytes
) -> Receipt | Refused | None:
    """The receipt of a stored message as it stands, as a duplicate; Refused (409) where the digest differs."""
    row = connection.execute(
        f"SELECT {rows.RECEIPT}, timeline, digest FROM messages WHERE distribution_id = ? AND publisher_id = ?",  # noqa: S608 - constant
        (distribution_id, publisher_id),
    ).fetchone()
    if row is None:
        return None
    *values, noted, first_digest = row
    return repeated((*values, timeline.last_cause(noted), first_digest), digest)


def probe(connection: sqlite3.Connection, now: float) -> None:
    """Write as much as a message needs, so that a file that is full is found out, and leave a line of it."""
    statement = "INSERT INTO probe VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at"
    connection.execute("INSERT INTO probe VALUES (2, zeroblob(?))", (PROBE_BYTES,))
    connection.execute("DELETE FROM probe WHERE id = 2")
    connection.execute(statement, (now,))


def advance(
    connection: sqlite3.Connection,
    seq: int,
    status: Status,
    steps: Sequence[Step],
    next_at: float | None = None,
) -> bool:
    """Raise a message's status, or count a failed attempt where it is RECEIVED, and note the steps.

    Returns whether the message stands as asked: False where it had already come further.
    """
    row = connection.execute("SELECT status FROM messages WHERE seq = ?", (seq,)).fetchone()
    if row is None:
        return False
    moves = status == Status.RECEIVED == row[0] or RANK.get(status, 2) > RANK.get(Status(row[0]), 2)
    connection.execute(
        "UPDATE messages SET status = ?, attempts = attempts + 1, next_at = ?, timeline = timeline || ?"
        " WHERE seq = ?",
        (status if moves else row[0], next_at, timeline.write(steps), seq),
    )
    return moves


def put_off(
    connection: sqlite3.Connection, seq: int, before: Sequence[Step], retry: Step, next_at: float
) -> bool:
    """Count an attempt in vain and note it after the steps `before`. Returns whether the message still waits."""
    row = connection.execute("SELECT attempts, timeline FROM messages WHERE seq = ?", (seq,)).fetchone()
    if row is None:
        return False
    number = row[0] + 1
    if attempts.takes_place(number):
        shorter = timeline.without_last(row[1], attempts.RETRY)
        connection.execute("UPDATE messages SET timeline = ? WHERE seq = ?", (shorter, seq))
    return advance(connection, seq, Status.RECEIVED, (*before, attempts.numbered(retry, number)), next_at)


def note_answer(connection: sqlite3.Connection, answer: Answer, now: float) -> list[str]:
    """Note an answer with the messages that it is about, once; the ids of those that need no forwarding any more."""
    step = rows.answer_step(answer, now)
    if answer.of_hub:
        connection.execute(
            "UPDATE messages SET status = ?, timeline = timeline || ?"
            " WHERE distribution_id = ? AND sender = ? AND status = 'forwarded'",
            (answer.status, timeline.write([step]), answer.refers_to, answer.sent_by),
        )
        return []
    found = connection.execute(
        "SELECT seq, id, timeline FROM messages WHERE distribution_id = ? AND recipient = ? AND sender = ?",
        (answer.refers_to, answer.answered_by, answer.sent_by),
    ).fetchall()
    for seq, _, noted in found:
        if not _is_noted(noted, step):
            connection.execute(
                "UPDATE messages SET status = coalesce(?, status), answer = ?, timeline = timeline || ? WHERE seq = ?",
                (answer.status, rows.answer_text(answer), timeline.write([step]), seq),
            )
    return [public_id for _, public_id, _ in found] if answer.status else []


def _is_noted(noted: str, step: Step) -> bool:
    return (step.step, step.detail[:DETAIL]) in {(one.step, one.detail) for one in timeline.read(noted)}


def note(connection: sqlite3.Connection, distribution_id: str, sender: str, step: Step) -> None:
    """Note a step with a message of this sender, once."""
    found = connection.execute(
        "SELECT seq, timeline FROM messages WHERE distribution_id = ? AND sender = ?",
        (distribution_id, sender),
    ).fetchall()
    connection.executemany(
        "UPDATE messages SET timeline = timeline || ? WHERE seq = ?",
        [(timeline.write([step]), seq) for seq, noted in found if not _is_noted(noted, step)],
    )


def mark_not_applicable(
    connection: sqlite3.Connection, distribution_id: str, sender: str, step: Step
) -> None:
    """Note, once, that nothing in a message of this sender concerns its recipient."""
    connection.execute(
        "UPDATE messages SET not_applicable = ?, timeline = timeline || ?"
        " WHERE distribution_id = ? AND sender = ? AND not_applicable = ''",
        (step.detail[:DETAIL], timeline.write([step]), distribution_id, sender),
    )


def refuse_delivery(
    connection: sqlite3.Connection, distribution_id: str, sender: str, step: Step, error: Arrival | None
) -> tuple[list[str], Stored | None]:
    """Make the message of this sender a dead letter and store the RS-ERROR about it; the ids of the messages that became
    one, and what came of the RS-ERROR.
    """
    found = connection.execute(
        "UPDATE messages SET status = 'dead', timeline = timeline || ?"
        " WHERE distribution_id = ? AND sender = ? AND status IN ('received', 'forwarded') RETURNING id",
        (timeline.write([step]), distribution_id, sender),
    ).fetchall()
    outcomes = arrive(connection, [error]) if error else []
    # refused is an RS-ERROR whose id is taken: by the one of an earlier delivery
    stored = next((one for one in outcomes if isinstance(one, Stored)), None)
    return [public_id for (public_id,) in found], stored


def deposit(
    connection: sqlite3.Connection, seq: int, item_id: str, delivery: Delivery, answer: Answer | None = None
) -> InboxItem:
    """Keep a delivery, which may be an answer, under a number and an id; the first item where it was kept before."""
    d, item = delivery, rows.deposited(item_id, seq, delivery)
    loss = orjson.dumps(d.loss).decode()
    values = (
        seq, item_id, d.publisher_id, d.distribution_id, d.sender, d.recipient, d.message_type, d.model_version,
        d.content_type, d.case_id, d.refers_to, d.received_at, loss, item.acknowledged_at, d.distribution_status, item.rank,
        rows.answer_status(answer),
    )  # fmt: skip
    count = connection.execute(INSERT_ITEM, values).rowcount
    if count:
        connection.execute(INSERT_CONTENT, (seq, d.content))
        if d.quiet:
            return item
        _note_losses(connection, delivery)
        if d.notify:
            connection.execute(INSERT_EVENT, (seq, d.publisher_id, d.received_at, d.received_at))
        if d.expires_at is not None:
            connection.execute(INSERT_EXPIRY, (seq, d.expires_at))
        return item
    row = connection.execute(
        f"SELECT {rows.ITEM} FROM inbox i LEFT JOIN contents c USING (seq)"  # noqa: S608 - constant
        " WHERE i.publisher_id = ? AND i.distribution_id = ? AND i.sender = ?",
        (d.publisher_id, d.distribution_id, d.sender),
    ).fetchone()
    return rows.inbox_item(row)


def _note_losses(connection: sqlite3.Connection, delivery: Delivery) -> None:
    """Tell the sender, if its message lies here too, what its recipient was not told."""
    step = rows.delivered(delivery)
    if step is not None:
        connection.execute(
            "UPDATE messages SET timeline = timeline || ?"
            " WHERE distribution_id = ? AND recipient = ? AND sender = ?",
            (timeline.write([step]), delivery.distribution_id, delivery.recipient, delivery.sender),
        )


def acknowledge_item(
    connection: sqlite3.Connection,
    publisher_id: str,
    item_id: str,
    now: float,
    answer: Arrival | None,
    rank: int,
) -> Stored | bool:
    """Take an item out of the inbox and store the answer: what came of that, True without one, False where the item was out
    and the answer is no later one.
    """
    seq = rows.seq_of(item_id)
    found = connection.execute(
        "SELECT acknowledged_at, reference, reference_rank FROM inbox WHERE seq = ? AND id = ? AND publisher_id = ?",
        (seq, item_id, publisher_id),
    ).fetchone()
    if found is None or not rows.is_later(found, rank if answer else None):
        return False
    outcome: Stored | bool = True
    for stored in arrive(connection, [answer] if answer else []):
        if isinstance(stored, Refused):
            raise stored
        outcome = stored
    connection.execute(
        "UPDATE inbox SET acknowledged_at = coalesce(acknowledged_at, ?), reference = ?, reference_rank = ? WHERE seq = ?",
        (now, answer.submission.distribution_id if answer else "", rank, seq),
    )
    connection.execute(DELETE_EVENT, (seq,))
    connection.execute(DELETE_EXPIRY, (seq,))
    return outcome


def replay(connection: sqlite3.Connection, positions: dict[str, int], now: float) -> list[Entry]:
    """Put the dead letters among these ids back, at the given positions; their entries."""
    entries, step = [], timeline.write([Step("replayed", now)])
    for public_id, position in positions.items():
        seq = rows.seq_of(public_id)
        row = connection.execute(
            "UPDATE messages SET status = 'received', position = ?, attempts = 0, next_at = NULL,"
            " timeline = timeline || ?"
            " WHERE seq = ? AND id = ? AND status = 'dead' AND seq IN (SELECT seq FROM contents WHERE seq = ?)"
            " RETURNING lane, publisher_id, urgent",
            (position, step, seq, public_id, seq),
        ).fetchone()
        if row is not None:
            entries.append(Entry(public_id, position, row[0], row[1], bool(row[2])))
    return entries


def erase(connection: sqlite3.Connection, before: float, limit: int) -> int:
    """Erase contents of settled messages and acknowledged items received before then, up to `limit`."""
    found = connection.execute(
        "SELECT c.seq FROM contents c LEFT JOIN messages m USING (seq) LEFT JOIN inbox i USING (seq)"
        " WHERE c.seq < ? AND (m.status <> 'received' OR i.acknowledged_at IS NOT NULL) LIMIT ?",
        (int(before * 1e6), limit),
    ).fetchall()
    connection.executemany("DELETE FROM contents WHERE seq = ?", found)
    connection.executemany("UPDATE inbox SET loss = '[]' WHERE seq = ?", found)
    return len(found)


def erase_case(connection: sqlite3.Connection, case_id: str, now: float, unread: bool) -> ErasedCase:
    """Erase contents of a case: of settled messages, of acknowledged items and, if `unread`, of the others."""
    found = connection.execute(
        "SELECT seq FROM messages WHERE case_id = ?1 AND status <> 'received'"
        " UNION ALL SELECT seq FROM inbox WHERE case_id = ?1 AND (?2 OR acknowledged_at IS NOT NULL)",
        (case_id, unread),
    ).fetchall()
    erased = connection.executemany("DELETE FROM contents WHERE seq = ?", found).rowcount if found else 0
    connection.executemany(
        "UPDATE inbox SET loss = '[]', acknowledged_at = coalesce(acknowledged_at, ?) WHERE seq = ?",
        [(now, seq) for (seq,) in found],
    )
    connection.executemany(DELETE_EVENT, found)
    connection.executemany(DELETE_EXPIRY, found)
    (left,) = connection.execute(
        "SELECT count(*) FROM contents WHERE seq IN (SELECT seq FROM messages WHERE case_id = ?1"
        " UNION ALL SELECT seq FROM inbox WHERE case_id = ?1)",
        (case_id,),
    ).fetchone()
    return ErasedCase(erased, left)


def remember_jti(connection: sqlite3.Connection, key: str, expires_at: float) -> bool:
    """Whether the key is new."""
    statement = "INSERT INTO assertions VALUES (?, ?) ON CONFLICT (jti) DO NOTHING"
    return connection.execute(statement, (key, expires_at)).rowcount == 1


def forget_jtis(connection: sqlite3.Connection, now: float) -> None:
    """Forget the keys that no assertion, and the tokens that no request can use any more."""
    connection.execute("DELETE FROM assertions WHERE expires_at < ?", (now,))
    connection.execute("DELETE FROM revoked WHERE expires_at < ?", (now,))


def revoke(connection: sqlite3.Connection, jti: str, expires_at: float, now: float) -> None:
    """Note a revoked token; repeating it changes nothing."""
    statement = "INSERT INTO revoked VALUES (?, ?, ?) ON CONFLICT (jti) DO NOTHING"
    connection.execute(statement, (jti, expires_at, now))
