"""Inbox items whose message expires: what a store does with those that nobody has answered by then."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.hub import HUB_ID
from gateway.model import Answer, Delivery, Status, Step, Submission

# how the step `expired` of a message begins that lay in its recipient's inbox: others were expired before they were delivered
NOT_ANSWERED = "delivered, and neither acknowledged nor answered by"


@dataclass(frozen=True, slots=True)
class Overdue:
    """An inbox item past its expiry. `expires_at`: POSIX seconds."""

    item_id: str
    publisher_id: str
    distribution_id: str
    sender: str
    recipient: str
    case_id: str
    distribution_status: str
    expires_at: float


class Expired(StrEnum):
    """What came of an item past its expiry."""

    TOLD = "told"  # flagged; its sender gets the RS-ERROR
    KNOWN = "known"  # flagged; its sender had an RS-ERROR about the message before
    ANSWERED = "answered"  # nothing is changed: an answer was seen
    GONE = "gone"  # nothing is changed: acknowledged meanwhile, or done before, maybe by another replica


class Expiries(Protocol):
    """Of which inbox items the sender is to be told that nobody answered: of a delivery with `expires_at`, once."""

    async def overdue(self, now: float, limit: int) -> list[Overdue]:
        """Up to `limit` items past their expiry that are neither acknowledged nor flagged, the longest overdue first."""

    async def expire(self, item_id: str, now: float, cause: str, error: Delivery | Submission) -> Expired:
        """Flag an item, make its message `expired` if it is here (`cause` is in its timeline), and keep the RS-ERROR: a Delivery
        in an inbox here, a Submission for the core. All or nothing, and once, however many replicas do it.

        A message counts as answered where its recipient sent an RC-REF or RS-ERROR about it, through here or not.
        """


def expired_step(now: float, cause: str) -> Step:
    """The step of the message's timeline."""
    return Step(Status.EXPIRED, now, cause)


def said_by(error: Delivery) -> Answer:
    """What an RS-ERROR about an expired message says, for those who are told of the item that it is."""
    return Answer(error.refers_to, HUB_ID, error.recipient, Status.EXPIRED, "")
