"""What asks the embedded store: functions over a connection that only reads."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from heapq import merge
from typing import Any

from gateway.model import Contribution, InboxItem, Receipt, Step, Submission
from gateway.store import rows, timeline
from gateway.store.expiry import NOT_ANSWERED
from gateway.store.interface import DeadLetter
from gateway.store.lanes import Entry

HOUR = 32  # a message's hour is its number without so many bits: 2^32 microseconds, some 72 minutes
HOURS = 2_000  # that one call of `list_messages` looks at
OWN = f"FROM messages WHERE seq >> {HOUR} = ? AND publisher_id = ? AND seq < ?"
LOOK = f"SELECT count(*), min(seq) FROM (SELECT seq {OWN} ORDER BY seq DESC LIMIT ?)"  # noqa: S608 - constant

# A number is at least its time of arrival. The rows that are looked at are bounded before any of them is left out.
SENT_ABOUT = f"""
SELECT seq, distribution_id, sender, recipient, message_type, model_version, media_type, received_at, 1 FROM (
    SELECT * FROM messages WHERE {rows.TOLD_OF_A_CASE} AND case_id = ? AND publisher_id = ? AND sender = ? AND seq > ?
    ORDER BY seq DESC LIMIT {rows.HISTORY_SCAN}
) WHERE received_at > ? AND (
    status NOT IN ('rejected', 'expired', 'dead') OR status = 'expired' AND instr(timeline, '{NOT_ANSWERED}') > 0
)
"""  # noqa: S608 - constant
DELIVERED_ABOUT = f"""
SELECT seq, distribution_id, sender, recipient, message_type, model_version, content_type, received_at, 0 FROM (
    SELECT * FROM inbox WHERE {rows.TOLD_OF_A_CASE} AND case_id = ? AND publisher_id = ? AND recipient = ? AND seq > ?
    ORDER BY seq DESC LIMIT {rows.HISTORY_SCAN}
) WHERE received_at > ? AND reference_rank % 2 <> 1
"""  # noqa: S608 - constant


def pending(connection: sqlite3.Connection) -> list[tuple[Entry, float | None]]:
    """Every message that waits to be forwarded, in the order of arrival, and when it is due."""
    found = connection.execute(
        "SELECT id, position, lane, publisher_id, urgent, attempts, next_at FROM messages"
        " WHERE status = 'received' ORDER BY position"
    )
    return [
        (Entry(message_id, position, lane, publisher_id, bool(urgent), attempts), next_at)
        for message_id, position, lane, publisher_id, urgent, attempts, next_at in found
    ]


def last_seq(connection: sqlite3.Connection) -> int:
    """The highest number given so far."""
    row = connection.execute(
        "SELECT max((SELECT coalesce(max(seq), 0) FROM messages), (SELECT coalesce(max(seq), 0) FROM inbox),"
        " (SELECT coalesce(max(position), 0) FROM messages WHERE status = 'received'))"
    ).fetchone()
    return int(row[0])


def submissions(connection: sqlite3.Connection, receipt_ids: Iterable[str]) -> dict[str, Submission]:
    """Messages with their content, by id; one whose content is gone is missing."""
    statement = f"SELECT {rows.SUBMISSION} FROM messages m JOIN contents c USING (seq) WHERE m.seq = ?"  # noqa: S608 - constant
    found = {i: connection.execute(statement, (rows.seq_of(i),)).fetchone() for i in receipt_ids}
    return {i: rows.submission(row) for i, row in found.items() if row is not None}


def message(
    connection: sqlite3.Connection, publisher_id: str, receipt_id: str
) -> tuple[Receipt, tuple[Step, ...]] | None:
    """A message of this publisher's and its timeline."""
    row = connection.execute(
        f"SELECT {rows.RECEIPT}, timeline FROM messages WHERE seq = ? AND id = ? AND publisher_id = ?",  # noqa: S608 - constant
        (rows.seq_of(receipt_id), receipt_id, publisher_id),
    ).fetchone()
    if row is None:
        return None
    receipt = _receipt(row)
    return receipt, (Step("received", receipt.received_at), *timeline.read(row[-1]))


def _receipt(row: Sequence[Any]) -> Receipt:
    *values, noted = row  # the columns RECEIPT and the timeline
    return rows.receipt((*values, timeline.last_cause(noted)))


def list_messages(
    connection: sqlite3.Connection,
    publisher_id: str,
    filters: dict[str, str],
    cursor: str | None,
    limit: int,
    scan: int = rows.SCAN,
) -> tuple[list[Receipt], str | None]:
    """One page of receipts, newest first; `filters` are columns and the values asked for."""
    before = rows.seq_before(cursor)
    wanted = "".join(f" AND {column} = ?" for column in filters)
    page: list[tuple[Any, ...]] = []
    hours = _hours(connection, before)
    for hour in hours[:HOURS]:
        own = hour, publisher_id, before
        looked_at, last = connection.execute(LOOK, (*own, scan)).fetchone()
        if not looked_at:
            continue
        page += connection.execute(
            f"SELECT seq, {rows.RECEIPT}, timeline {OWN} AND seq >= ?{wanted} ORDER BY seq DESC LIMIT ?",
            (*own, last, *filters.values(), limit + 1 - len(page)),
        ).fetchall()
        if len(page) > limit:
            return [_receipt(row[1:]) for row in page[:limit]], str(page[limit - 1][0])
        scan -= looked_at
        if not scan:
            return [_receipt(row[1:]) for row in page], str(last)
    later = hours[HOURS:]
    return [_receipt(row[1:]) for row in page], str((later.start + 1) << HOUR) if later else None


def _hours(connection: sqlite3.Connection, before: int) -> range:
    """The hours that have messages before this number, newest first; empty ones among them."""
    statement = "SELECT (SELECT min(seq) FROM messages), (SELECT max(seq) FROM messages WHERE seq < ?)"
    oldest, newest = connection.execute(statement, (before,)).fetchone()
    return range(0) if newest is None else range(newest >> HOUR, (oldest >> HOUR) - 1, -1)


def inbox(connection: sqlite3.Connection, publisher_id: str, cursor: int, limit: int) -> list[InboxItem]:
    """Unacknowledged items after the cursor, oldest first."""
    found = connection.execute(
        f"SELECT {rows.ITEM} FROM inbox i JOIN contents c USING (seq)"  # noqa: S608 - constant
        " WHERE i.publisher_id = ? AND i.acknowledged_at IS NULL AND i.seq > ? ORDER BY i.seq LIMIT ?",
        (publisher_id, cursor, limit),
    )
    items: list[InboxItem] = []
    size = 0
    with closing(found):  # a cursor left open would hold back the checkpoint
        for row in found:
            item = rows.inbox_item(row)
            size += len(item.delivery.content) + len(row[-1])
            if items and size > rows.PAGE_BYTES:
                break
            items.append(item)
    return items


def has_items(connection: sqlite3.Connection, publisher_id: str, cursor: int) -> bool:
    """Whether `inbox` would find something."""
    statement = "SELECT 1 FROM inbox WHERE publisher_id = ? AND acknowledged_at IS NULL AND seq > ? LIMIT 1"
    return connection.execute(statement, (publisher_id, cursor)).fetchone() is not None


def inbox_item(connection: sqlite3.Connection, publisher_id: str, item_id: str) -> InboxItem | None:
    """One item of this publisher's."""
    row = connection.execute(
        f"SELECT {rows.ITEM} FROM inbox i LEFT JOIN contents c USING (seq)"  # noqa: S608 - constant
        " WHERE i.seq = ? AND i.id = ? AND i.publisher_id = ? AND i.reference_rank <> ?",
        (rows.seq_of(item_id), item_id, publisher_id, rows.QUIET),
    ).fetchone()
    return None if row is None else rows.inbox_item(row)


def recipients(
    connection: sqlite3.Connection, distribution_id: str, sender: str, publisher_ids: Sequence[str]
) -> frozenset[str]:
    """For whom a message of this sender was."""
    key = (distribution_id, sender, sender)
    found = connection.execute(
        "SELECT recipient FROM messages WHERE distribution_id = ? AND (? = '' OR sender = ?)", key
    ).fetchall()
    statement = "SELECT recipient FROM inbox WHERE publisher_id = ? AND distribution_id = ? AND (? = '' OR sender = ?)"
    if not found:
        found = [
            row for one in publisher_ids for row in connection.execute(statement, (one, *key)).fetchall()
        ]
    return frozenset(recipient for (recipient,) in found)


def case_history(
    connection: sqlite3.Connection, publisher_id: str, inbox_id: str, case_id: str, since: float, limit: int
) -> list[Contribution]:
    """What a publisher sent as an id about a case and what that id was delivered of it, newest first."""
    key = case_id, publisher_id, inbox_id, int(since * 1e6) - 1, since
    history: list[Contribution] = []
    room = rows.HISTORY_BYTES
    with (
        closing(connection.execute(SENT_ABOUT, key)) as sent,
        closing(connection.execute(DELIVERED_ABOUT, key)) as delivered,
    ):
        for row in merge(sent, delivered, reverse=True):
            if len(history) >= limit or room <= 0:
                break
            kept = connection.execute("SELECT content FROM contents WHERE seq = ?", row[:1]).fetchone()
            if kept is not None:
                history.append(Contribution(*(*row[1:7], kept[0], row[7], bool(row[8]))))
                room -= len(kept[0])
    return history


def dead_letters(connection: sqlite3.Connection, limit: int) -> list[DeadLetter]:
    """The newest dead letters."""
    found = connection.execute(
        "SELECT id, publisher_id, distribution_id, message_type, recipient, received_at, timeline FROM messages"
        " WHERE status = 'dead' ORDER BY seq DESC LIMIT ?",
        (limit,),
    )
    return [_dead_letter(row) for row in found]


def _dead_letter(row: Iterable[Any]) -> DeadLetter:
    *values, noted = row  # as in DeadLetter, to `received_at`
    step = next(step for step in reversed(timeline.read(noted)) if step.step == "dead")  # the last time
    return DeadLetter(*(*values, step.at, step.detail))


def usage(connection: sqlite3.Connection, now: float) -> list[tuple[str, str, str, int]]:
    """What was accepted in the current windows. A number is at least its time of arrival, which bounds the search."""
    second, minute, day = rows.windows(now)
    found = connection.execute(
        "SELECT publisher_id, quota, sum(received_at >= ?), sum(received_at >= ?), count(*) FROM messages"
        " NOT INDEXED WHERE seq >= ? AND received_at >= ? AND spent GROUP BY publisher_id, quota",
        (second, minute, int(day * 1e6), day),
    )
    return rows.usage(found)


def urgent_cases(connection: sqlite3.Connection, since: float) -> list[tuple[str, str, float]]:
    """The last urgent message of each case."""
    return connection.execute(
        "SELECT publisher_id, case_id, max(received_at) FROM messages"
        " NOT INDEXED WHERE seq >= ? AND received_at >= ? AND urgent AND case_id <> '' GROUP BY publisher_id, case_id",
        (int(since * 1e6), since),
    ).fetchall()


def revoked(connection: sqlite3.Connection, since: float) -> list[tuple[str, float]]:
    """The tokens that were revoked since then, and when they expire."""
    return connection.execute(
        "SELECT jti, expires_at FROM revoked WHERE revoked_at >= ?", (since,)
    ).fetchall()


def oldest_unread(connection: sqlite3.Connection, publisher_ids: Sequence[str]) -> dict[str, float]:
    """When the oldest item came that each publisher has not acknowledged."""
    statement = "SELECT received_at FROM inbox WHERE publisher_id = ? AND acknowledged_at IS NULL ORDER BY seq LIMIT 1"
    found = {name: connection.execute(statement, (name,)).fetchone() for name in publisher_ids}
    return {name: row[0] for name, row in found.items() if row is not None}
