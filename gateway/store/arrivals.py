"""What every store makes of a message that arrives: the receipt of a new one, the repeated receipt or the conflict."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.errors import ErrorKind, Issue, Refused
from gateway.model import Receipt, Status, Submission
from gateway.store import rows
from gateway.store.lanes import Entry

DETAIL = 1_000  # characters of a step's detail that are kept


class Arrival(NamedTuple):
    """A message to be stored under a number and an id that are its own if it is new."""

    seq: int
    id: str
    submission: Submission
    spent: bool = True


@dataclass(frozen=True, slots=True)
class Stored:
    """What came of an arrival: the receipt, and the entry of a new message in its lane."""

    receipt: Receipt
    entry: Entry | None


def new(arrival: Arrival, lane: str) -> Stored:
    """What comes of an arrival that is the first with its distributionID."""
    s = arrival.submission
    receipt = Receipt(
        arrival.id,
        s.distribution_id,
        Status.RECEIVED,
        s.message_type,
        s.model_version,
        s.received_at,
        s.quota,
        s.sender,
        s.recipient,
        s.case_id,
    )
    return Stored(receipt, Entry(arrival.id, arrival.seq, lane, s.publisher_id, s.urgent))


def repeated(row: Any, digest: bytes) -> Receipt | Refused:
    """The receipt of a stored message as a duplicate, Refused (409) where its digest is another.

    `row` has the columns RECEIPT, then the last cause and the digest.
    """
    if row[-1] == digest:
        return rows.receipt(row[:-1], duplicate=True)
    issue = Issue(
        ErrorKind.CONFLICT,
        "This distributionID was accepted with other bytes or another media type. Repeat the first message"
        " unchanged, or send this one with a new distributionID.",
        "distributionID",
        "/distributionID",
    )
    return Refused(issue)
