"""Rows of a store as the gateway's values, and the ids that are made of their numbers."""

import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from gateway.errors import ErrorKind, Issue, Refused
from gateway.model import Answer, Delivery, InboxItem, Receipt, Status, Step, Submission

RECEIPT = (
    "id, distribution_id, status, message_type, model_version, received_at, quota, sender, recipient, case_id, attempts,"
    " answer, not_applicable"
)
CAUSES = ("retry", "rejected", "expired", "dead")  # steps of a timeline whose detail is a cause
SUBMISSION = (
    "m.publisher_id, m.distribution_id, m.digest, m.media_type, c.content, m.message_type, m.model_version, m.sender,"
    " m.recipient, m.case_id, m.refers_to, m.urgent, m.quota, m.received_at, m.expires_at"
)
# whether the publisher of the inbox item `i` sent an RC-REF or RS-ERROR about it. As the index says it; no other may serve
ANSWERED = (
    "EXISTS (SELECT 1 FROM messages a WHERE a.refers_to <> '' AND a.refers_to = i.distribution_id"
    " AND a.publisher_id || '' = i.publisher_id AND a.sender = i.recipient AND a.recipient = i.sender)"
)
NOT_ENDED = frozenset({"received", "forwarded"})  # statuses
ITEM = (
    f"(SELECT NOT {ANSWERED} FROM expiries x WHERE x.seq = i.seq AND x.expired_at IS NOT NULL),"  # noqa: S608 - constant
    " i.id, i.seq, i.acknowledged_at, i.reference, i.reference_rank, i.distribution_status, i.publisher_id, i.distribution_id, i.sender, i.recipient, i.message_type,"
    " i.model_version, i.content_type, c.content, i.case_id, i.refers_to, i.received_at, i.loss"
)
MAX_SEQ = 2**63 - 1
WINDOWS = {"second": 1.0, "minute": 60.0, "day": 86_400.0}
SCAN = 20_000  # messages that one call of `list_messages` looks at
PAGE_BYTES = 2_097_152  # of contents and losses in one page of an inbox; the first item always fits
HISTORY_BYTES = 2_097_152  # of contents in the history of a case: the one that reaches it is the last
HISTORY_SCAN = 1_000  # messages sent, and as many delivered, that are looked through for a history
# The types that the history of a case consists of: as the indexes say it, which serve no statement that says it otherwise.
# The most frequent one first, and no IN: SQLite would make a table of its list for every message that it stores.
TOLD_OF_A_CASE = (
    "(message_type = 'RS-EDA' OR message_type = 'RS-SR' OR message_type = 'RS-RI' OR message_type = 'RS-EDA-MAJ'"
    " OR message_type = 'RC-EDA' OR message_type = 'RC-RI')"
)
QUIET = -1  # the `reference_rank` of a quiet delivery, which nothing answers


def new_id(seq: int) -> str:
    """A public id: 32 hex digits that sort by arrival and whose second half cannot be guessed."""
    return f"{seq:016x}{secrets.token_hex(8)}"


def seq_of(public_id: str) -> int:
    """The number in a public id, -1 where it is none of ours. The id's second half is still to be compared."""
    try:
        seq = int(public_id[:16], 16)
    except ValueError:
        return -1
    return seq if 0 <= seq <= MAX_SEQ else -1


def seq_before(cursor: str | None) -> int:
    """The number before which the next page of messages begins. Raises Refused (400) for a cursor that is none."""
    if cursor is None:
        return MAX_SEQ
    if cursor.isascii() and cursor.isdigit() and len(cursor) < len(str(MAX_SEQ)):
        return int(cursor)
    raise Refused(
        Issue(ErrorKind.PARAMETER, "Use the cursor of the page before, or none.", "cursor", "/cursor")
    )


def delivered(delivery: Delivery) -> Step | None:
    """The step for the sender's timeline where the recipient's form does not say all of a message, with the paths."""
    if not delivery.loss:
        return None
    paths = dict.fromkeys(
        str(loss["path"]).rpartition("embeddedJsonContent.message.")[2] for loss in delivery.loss
    )
    form = f"{delivery.message_type} {delivery.model_version}, {delivery.content_type}"
    return Step("delivered", delivery.received_at, f"as {form}; not said as sent: {', '.join(paths)}")


def windows(now: float) -> list[float]:
    """When the current second, minute and day began."""
    return [now // length * length for length in WINDOWS.values()]


def usage(found: Iterable[Any]) -> list[tuple[str, str, str, int]]:
    """Counts that are not 0, from rows of publisher, quota and one count a window."""
    return [
        (publisher_id, quota, window, count)
        for publisher_id, quota, *counts in found
        for window, count in zip(WINDOWS, counts, strict=True)
        if count
    ]


def receipt(row: Any, *, duplicate: bool = False) -> Receipt:
    """A Receipt from the columns RECEIPT and the last cause in the timeline."""
    message_id, distribution_id, status, *values, answer, not_applicable, cause = row
    told = orjson.loads(answer) if answer else None
    last_cause = not_applicable or cause or ""
    found = Receipt(message_id, distribution_id, Status(status), *values)
    return replace(found, last_cause=last_cause, answer=told, duplicate=duplicate)


def answer_text(answer: Answer) -> str:
    """What a store keeps of a recipient's answer: the receipt's `answer`, in JSON."""
    told = {
        "step": answer.step or None,
        "refused": answer.refused,
        "errorDistributionID": answer.error_distribution_id.encode("utf-8", "replace").decode() or None,
    }
    return orjson.dumps(told).decode()


def answer_status(answer: Answer | None) -> str:
    """What a store keeps of an answer with the item that it is."""
    return "" if answer is None or answer.status is None else answer.status


def answer_step(answer: Answer, now: float) -> Step:
    """The step of the answered message's timeline: its new status, or `answered` where that stays."""
    return Step(answer.status or "answered", now, answer.detail)


def submission(row: Any) -> Submission:
    """A Submission from the columns SUBMISSION."""
    values = list(row)
    values[11] = bool(values[11])
    return Submission(*values)


def inbox_item(row: Any) -> InboxItem:
    """An InboxItem from the columns ITEM."""
    expired, item_id, cursor, acknowledged_at, reference, rank, status, *values = row
    values[7] = values[7] or b""
    values[-1] = tuple(orjson.loads(values[-1]))
    delivery = replace(Delivery(*values), distribution_status=status, quiet=rank == QUIET)
    return InboxItem(item_id, cursor, delivery, acknowledged_at, reference, rank, bool(expired))


def deposited(item_id: str, seq: int, delivery: Delivery) -> InboxItem:
    """The item that a delivery is which was not kept before. A quiet one is out of the inbox from the start."""
    if delivery.quiet:
        return InboxItem(item_id, seq, delivery, delivery.received_at, rank=QUIET)
    return InboxItem(item_id, seq, delivery)


def is_later(item: Any, rank: int | None) -> bool:
    """Whether an acknowledgement changes an item: the first one does; after that a refusal (an odd rank) where none was the last
    answer, and a higher rank where the item was answered. `rank` is None where nothing is to be answered. Nothing changes a
    quiet delivery.
    """
    acknowledged_at, reference, last = item
    if last == QUIET:
        return False
    if acknowledged_at is None:
        return True
    if rank is None:
        return False
    is_refusal, was_refused = rank % 2 == 1, bool(reference) and last % 2 == 1
    return (is_refusal and not was_refused) or (bool(reference) and rank > last)


def lane_of(connection: sqlite3.Connection, message: Submission) -> str:
    """The lane (recipient, case) of a message; of what an RC-REF or RS-ERROR refers to; else that of its sender.

    What is referred to is looked for among the publisher's own messages, then among those in its inbox.
    """
    if not message.refers_to:
        return lane(message)
    key = (message.refers_to, message.publisher_id)
    row = connection.execute(
        "SELECT lane FROM messages WHERE distribution_id = ? AND publisher_id = ?", key
    ).fetchone()
    item = None
    if row is None:
        item = connection.execute(
            "SELECT recipient, case_id, sender FROM inbox WHERE distribution_id = ? AND publisher_id = ?"
            " ORDER BY seq LIMIT 1",
            key,
        ).fetchone()
    return lane(message, None if row is None else row[0], item)


def lane(message: Submission, referred: str | None = None, item: tuple[str, str, str] | None = None) -> str:
    """The lane of a message that refers to a message in the lane `referred`, or to an inbox item of that recipient, case
    and sender.
    """
    if not message.refers_to:
        return case_lane(message.recipient, message.case_id, message.sender)
    if referred is not None:
        return referred
    return case_lane(*item) if item is not None else case_lane("", "", message.sender)


def case_lane(recipient: str, case_id: str, sender: str) -> str:
    """The name of a lane. A recipient is never empty, so that no case's lane is a sender's."""
    return f"{recipient}\t{case_id}" if case_id else f"\t{sender}"
