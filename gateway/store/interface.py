"""What a store can do. Every implementation passes the same tests.

Times are POSIX seconds, given by the caller; timeouts are seconds. An operation that changes something has happened
durably when it returns; it raises Unavailable (503, Retry-After), having changed nothing, when the database cannot
take it now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.model import (
    Answer,
    Contribution,
    Delivery,
    InboxItem,
    Outgoing,
    Receipt,
    Status,
    Step,
    Submission,
)
from gateway.store.expiry import Expiries


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up and can be put back: `cause` is the last step's detail."""

    id: str
    publisher_id: str
    distribution_id: str
    message_type: str
    recipient: str
    received_at: float
    died_at: float
    cause: str


@dataclass(frozen=True, slots=True)
class ErasedCase:
    """How many contents of a case were erased, and how many are left because somebody still waits for them."""

    erased: int
    left: int


PER_ENDPOINT = 4  # events of one publisher under way at one time, in all replicas


@dataclass(frozen=True, slots=True)
class Event:
    """An inbox item of which its publisher is to be told. `disabled_url` is the webhook that refused all of them for good."""

    item_id: str
    publisher_id: str
    message_type: str
    received_at: float
    attempts: int  # before this one
    disabled_url: str = ""
    answer_status: str = ""  # of an RC-REF or RS-ERROR: the status that it gives the message that it answers


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A publisher's events that wait (how many, since when, the most attempts of one), and what is disabled since when."""

    publisher_id: str
    waiting: int = 0
    oldest: float | None = None
    attempts: int = 0
    disabled_url: str = ""
    disabled_at: float | None = None


class Events(Protocol):
    """Of which inbox items a webhook is to tell: of a delivery with `notify`, until that is done or the item is out of the
    inbox.
    """

    async def claim(self, now: float, limit: int, hold: float, most: Mapping[str, int]) -> list[Event]:
        """Up to `limit` due events, the first of every publisher before the second of any.

        Of one publisher at most PER_ENDPOINT are under way at one time, or as many as `most` says of it. Each stays so until
        one of the next three names it, or for `hold` seconds: who claimed it may have died. One claim of a store at a time.
        """

    async def wait_due(self, timeout: float) -> None:  # noqa: ASYNC109 - callers poll in steps of their own
        """Return when an event came, at the latest after `timeout`."""

    async def done(self, item_id: str) -> None:
        """Nothing more is to be told of this item."""

    async def put_off(self, item_id: str, next_at: float, attempts: int) -> None:
        """So many attempts were made in vain; the next is due at `next_at`."""

    async def disable(self, publisher_id: str, url: str, now: float) -> None:
        """A webhook wants no events any more: those that wait are gone, later ones bear it as their `disabled_url`."""

    async def enable(self, publisher_id: str) -> bool:
        """Forget that; whether there was anything to forget."""

    async def expire(self, before: float) -> int:
        """Give up the events of items that came before then; how many there were."""

    async def endpoints(self) -> list[Endpoint]:
        """The publishers of which events wait or a webhook is disabled, by id."""


class Store(Protocol):
    """Outbox, inbox, dead letters and idempotency."""

    @property
    def events(self) -> Events:
        """What webhooks are to tell of the inbox."""

    @property
    def expiries(self) -> Expiries:
        """Of which items of the inbox the sender is to be told that nobody answered."""

    async def close(self) -> None:
        """Finish what is under way, then let go of the database."""

    async def is_writable(self, now: float) -> bool:
        """Whether a change reaches the disk: it is tried."""

    # the outbox, for the publisher

    async def enqueue(self, submission: Submission, now: float) -> Receipt:
        """Keep a message and put it at the end of its lane.

        The same publisher's distributionID again: with the same digest the first receipt as it stands now, with
        `duplicate`; with another digest Refused (409). Raises Unavailable also where the backlog is full.
        """

    async def find_receipt(self, publisher_id: str, distribution_id: str, digest: bytes) -> Receipt | None:
        """The receipt that `enqueue` would repeat, None for a new message. Raises Refused (409) as `enqueue` does."""

    async def get(self, publisher_id: str, receipt_id: str) -> tuple[Receipt, tuple[Step, ...]] | None:
        """A message of this publisher's and its timeline, oldest step first."""

    async def list_messages(
        self,
        publisher_id: str,
        *,
        status: str | None = None,
        message_type: str | None = None,
        case_id: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> tuple[list[Receipt], str | None]:
        """Receipts of this publisher's, newest first, and the cursor of the next page (None = the last one).

        One call looks at a bounded number of messages, so that a page under a rare filter may be short or empty and
        still have a next one. New messages do not shift the pages. Raises Refused (400) for a cursor of another kind.
        """

    # the outbox, for the forwarder

    async def claim(self, now: float, limit: int, ordinary: int | None = None) -> list[Outgoing]:
        """Up to `limit` due messages, at most one a lane; each stays claimed until one of the next four names it.

        At most `ordinary` of them come from lanes without an urgent message; where it is None, that has no bound.
        """

    async def claim_probe(self, now: float, *, new_first: bool) -> Outgoing | None:
        """One due message, claimed as by `claim`, to find out whether the core is back; None where nothing is due.

        With `new_first`: from a lane whose first message was never tried, of these an urgent one, where there is any; of equal
        ones, the publisher's that this gateway probed for longest ago. Otherwise that publisher comes first, with the best
        that it has. A lane that was probed for in vain comes after those that wait as it does.
        """

    async def wait_due(self, timeout: float, *, urgent: bool = False) -> None:  # noqa: ASYNC109 - callers poll in steps of their own
        """Return when something may have become claimable, at the latest after `timeout`.

        With `urgent`: when an urgent message came to this gateway since the last claim.
        """

    async def mark_forwarded(
        self, receipt_id: str, now: float, detail: str = "", before: Sequence[Step] = ()
    ) -> None:
        """The core has it. `before` are steps of the timeline that came first, such as `translated`."""

    async def mark_retry(
        self, receipt_id: str, now: float, next_at: float, detail: str = "", before: Sequence[Step] = ()
    ) -> None:
        """The attempt failed; the next is due at `next_at`, and its lane waits until then.

        The timeline lists the first attempts and the last one; what is between them is not (`attempts`).
        """

    async def reject(
        self, receipt_id: str, now: float, status: Status, cause: str, answer: Delivery | None
    ) -> None:
        """End a message as rejected, expired or dead and put the answer into its sender's inbox, both or neither.

        A message that was acknowledged meanwhile stays so, and nothing is answered.
        """

    # the outbox, for what becomes of a message that the core has. Ids are unique for one sender only: another's message of
    # the same id is left alone.

    async def note(self, distribution_id: str, sent_by: str, now: float, step: str, detail: str) -> None:
        """Add a step to the timeline of a message of `sent_by`, once: the same step and detail again change nothing."""

    async def mark_not_applicable(self, distribution_id: str, sent_by: str, now: float, cause: str) -> None:
        """Nothing in a message of `sent_by` concerns its recipient: the step `not-applicable`, once. Its status stays, and
        `cause`, which is not empty, is its receipt's last cause.
        """

    async def refuse_delivery(
        self, distribution_id: str, sent_by: str, now: float, cause: str, error: Submission | None
    ) -> None:
        """The recipient cannot be given a message of `sent_by`: one that is received or forwarded becomes a dead letter, and
        the RS-ERROR about it is enqueued, both or neither.

        An RS-ERROR whose distributionID is known is not enqueued again. It counts against no quota and is taken even when
        the backlog is full.
        """

    def backlog(self) -> int:
        """How many messages wait to be forwarded or are under way."""

    def oldest_due_age(self, now: float) -> float:
        """How long the oldest of them has waited, in seconds; 0 where none does."""

    def oldest_ready_age(self, now: float) -> float:
        """How long the oldest message has waited that no retry keeps back, in seconds; 0 where there is none. It is the first of
        its lane, and waits for its turn or is on its first attempt. A shared store looks every few seconds; where it has not been
        able to, the time since then.
        """

    def oldest_tried_age(self, now: float) -> float:
        """How long the oldest message has waited that was tried in vain, in seconds; 0 where there is none. A shared store looks
        every few seconds.
        """

    def failing(self, now: float) -> tuple[int, float]:
        """How many messages that wait were tried FAILING times or more in vain, and how long the oldest of them has waited,
        in seconds. A shared store counts them every few seconds, and 1,000 at most.
        """

    # dead letters

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest dead letters, newest first."""

    async def replay(self, receipt_ids: Sequence[str], now: float) -> int:
        """Put dead letters back at the end of their lanes; how many were. Others, and erased ones, are left alone."""

    # the inbox

    async def deposit(
        self, delivery: Delivery, now: float, answer: Answer | None = None, further: Sequence[Delivery] = ()
    ) -> InboxItem:
        """Keep a delivery; the same (publisher, sender, distributionID) again gives the first item. `further` ones, which were
        made of the same message, are kept with it, all or none.

        A `quiet` one is found by `case_history` alone: it is in no inbox, no item of its publisher's and cannot be acknowledged.

        What it does not say as sent is noted, once, in the timeline of the message that it is made from, if that is here.

        With `answer`, in the same transaction, what the delivery says about the message that it answers, once: a message of
        `sent_by` whose recipient is `answered_by` takes the answer's status, whatever its own was; the latest answer is the
        last word. Where the Hub gave the message up, it takes that status if it is forwarded.
        """

    async def read_inbox(self, publisher_id: str, cursor: int, limit: int) -> list[InboxItem]:
        """Unacknowledged items after the cursor, oldest first: up to `limit`, fewer where they are large."""

    async def wait_inbox(self, publisher_id: str, cursor: int, timeout: float) -> bool:  # noqa: ASYNC109 - long poll
        """Return when an unacknowledged item after the cursor is there, at the latest after `timeout`.

        False once `end_waits` was called: there is nothing more to wait for.
        """

    def end_waits(self) -> None:
        """Let every `wait_inbox` return, now and from now on: the gateway stops."""

    async def inbox_item(self, publisher_id: str, item_id: str) -> InboxItem | None:
        """One item of this publisher's, acknowledged or not. The content of an erased one is empty."""

    async def case_history(
        self, publisher_id: str, inbox_id: str, case_id: str, since: float, limit: int
    ) -> list[Contribution]:
        """What a publisher sent as `inbox_id` about a case and what that id was delivered of it after `since`, newest first in
        the order of acceptance: the types that have a form on the other side, or are a part of one (RS-EDA, RS-EDA-MAJ, RS-RI,
        RS-SR, RC-EDA, RC-RI).

        Up to `limit`, up to the one with which the contents reach HISTORY_BYTES, and of the newest HISTORY_SCAN sent and
        delivered each. Where they are fewer than `limit`, and their contents shorter than HISTORY_BYTES together, no older one
        was left out for want of room. Left out is what was rejected, what expired before it was delivered, what
        became a dead letter, what its recipient refused (an odd rank), and what was erased.
        """

    async def recipients(
        self, distribution_id: str, sent_by: str, publisher_ids: Sequence[str]
    ) -> frozenset[str]:
        """For whom a message of `sent_by` ("" = of anybody) was, by what was sent from here, else by the inboxes of these
        publishers; empty where it is not known.
        """

    async def acknowledge(
        self, publisher_id: str, item_id: str, now: float, answer: Submission | None, rank: int = 0
    ) -> bool:
        """Take an item out of the inbox and enqueue the answer, both or neither. False, and nothing, where it was out.

        An item that was out and was answered is answered once more where `rank` is higher than that of the last answer.
        The answer counts against no quota and is taken even when the backlog is full.
        """

    async def oldest_unread(self, publisher_ids: Sequence[str]) -> dict[str, float]:
        """When the oldest item came that each of these publishers has not acknowledged; those with none are left out."""

    async def wal_bytes(self) -> int | None:
        """The size of the database's write-ahead log, None where the database does not show it to us."""

    # what outlives a restart

    async def remember_jti(self, key: str, expires_at: float, now: float) -> bool:
        """Whether this is the first time that the key is seen; it is forgotten some time after `expires_at`."""

    async def revoke(self, jti: str, expires_at: float, now: float) -> None:
        """Note that an access token is refused from now on; it is forgotten some time after `expires_at`."""

    async def revoked(self, since: float) -> list[tuple[str, float]]:
        """(jti, expiry) of the access tokens that were revoked since then, by any replica."""

    async def usage(self, now: float) -> list[tuple[str, str, str, int]]:
        """(publisher, quota, window, count) of what was accepted in the current second, minute and day.

        Windows ("second", "minute", "day") are aligned: they start at a multiple of their length.
        """

    async def urgent_cases(self, since: float) -> list[tuple[str, str, float]]:
        """(publisher, case, when) of the last urgent message of each case, for messages received after `since`."""

    async def erase(self, before: float) -> int:
        """Erase the content of messages with a final status and of acknowledged items that came before then.

        Returns how many were. Receipts and timelines stay; a dead letter cannot be replayed any more. It is done in
        small portions, so that callers of other operations do not wait for the whole.
        """

    async def erase_case(self, case_id: str, now: float, *, unread: bool) -> ErasedCase:
        """Erase the content of all that came and went under this caseId, whatever its age. Receipts and timelines stay.

        What waits for the core is left; so is what its publisher has not acknowledged, unless `unread`: that leaves the
        inbox. Not noticed are messages that name the case in their text only.
        """
