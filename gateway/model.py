"""The values that walk through the gateway. Frozen, no behaviour beyond reading themselves, no import of ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

JsonObject = dict[str, Any]


class Status(StrEnum):
    """Where a message stands on its way to the national core."""

    RECEIVED = "received"
    FORWARDED = "forwarded"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"  # by its recipient
    REJECTED = "rejected"
    EXPIRED = "expired"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Envelope:
    """The EDXL-DE 2.0 envelope. A field that is absent or not a string is ""; validation says so, not the codec."""

    distribution_id: str
    sender_id: str
    date_time_sent: str
    date_time_expires: str
    distribution_status: str
    distribution_kind: str
    language: str
    address_scheme: str
    address: str  # descriptor.explicitAddress.explicitAddressValue: the recipient


@dataclass(frozen=True, slots=True)
class Message:
    """One decoded message, whatever the format it came in.

    `document` is the whole EDXL-DE JSON form; `header` (RC-DE) and `body` (the use case) are parts of it, `{}` where
    they are absent or no objects. `root_key` is the use case's key ("createCaseHealth"); it is "" where no key, several
    keys or more than one content item make it ambiguous, and `message_type` is "" where the key is not a known type.
    """

    document: JsonObject
    envelope: Envelope
    header: JsonObject
    root_key: str
    message_type: str
    model_version: str  # "v1", "v2", "v3"
    body: JsonObject
    digits: Mapping[float, str] | None = None  # decimals that are longer than a double (`edxl.digits`)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one publisher may send. Counts of messages a window; sizes in bytes; `reserve` is the share (0.2 = 20 %)
    by which urgent messages alone may exceed each window.
    """

    per_second: int = 50
    per_minute: int = 1_000
    per_day: int = 200_000
    in_flight: int = 64
    max_body: int = 1_048_576
    reserve: float = 0.2
    bytes_per_minute: int = (
        16_777_216  # of what is no accepted message: $validate, $translate, repeats, refused ones
    )


@dataclass(frozen=True, slots=True)
class Certification:
    """What a publisher's software was certified for, by a signed report of the conformance suite."""

    report: str  # SHA-256 of its report.json, hex
    valid_until: float  # POSIX seconds
    types: tuple[str, ...]  # "RS-EDA@v3": message type and model version


@dataclass(frozen=True, slots=True)
class Publisher:
    """One registration of a software publisher (publishers/registry/*.toml)."""

    id: str
    name: str
    client_id: str
    sends_for: tuple[str, ...]  # exact ids, or patterns with "*"
    inbox_for: tuple[str, ...]
    scopes: tuple[str, ...]
    model_version: str
    format: str  # "json" or "xml": what it receives
    message_types: tuple[str, ...]  # () = all
    limits: Limits
    status: str = "active"  # or "suspended"
    strict_codes: bool = False
    secret_sha256: str = ""  # hex digest of the client secret, "" = none
    jwks: JsonObject | None = None  # public keys for private_key_jwt
    # "direct": the software of this health actor reads the fire services' types (RC-EDA, RC-RI) itself
    cisu: str = "convert"
    certification: Certification | None = None
    webhook: str = ""  # the URL that is told of new inbox items, "" = none

    def certified(self, now: float) -> tuple[str, ...]:
        """The types and versions ("RS-EDA@v3") that it is certified for at `now`, POSIX seconds; none once expired."""
        held = self.certification
        return held.types if held is not None and now < held.valid_until else ()


@dataclass(frozen=True, slots=True)
class Submission:
    """What the store keeps of a message that passed every check. Times are POSIX seconds."""

    publisher_id: str
    distribution_id: str
    digest: bytes  # SHA-256 over media type and body
    media_type: str
    body: bytes
    message_type: str
    model_version: str
    sender: str
    recipient: str
    case_id: str  # "" for types without one
    refers_to: str  # the distributionID that an RC-REF or RS-ERROR refers to, "" otherwise
    urgent: bool
    quota: str  # "ordinary" or "reserve"
    received_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sender is given once its message is durable."""

    id: str
    distribution_id: str
    status: Status
    message_type: str
    model_version: str
    received_at: float
    quota: str
    sender: str
    recipient: str
    case_id: str
    attempts: int = 0
    last_cause: str = (
        ""  # why the last attempt failed, or why the message ended or did not concern its recipient
    )
    answer: JsonObject | None = None  # the recipient's last answer: `step`, `refused`, `errorDistributionID`
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a message's timeline. `detail` holds no health data."""

    step: str
    at: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an RC-REF or RS-ERROR says about the message that it answers.

    `status` is what that message becomes: ACKNOWLEDGED or REFUSED by its recipient, EXPIRED or REJECTED where the Hub could
    not deliver it, None where the answer is noted and changes nothing. `detail` is for the timeline.
    """

    refers_to: str  # the answered message's distributionID
    answered_by: str
    sent_by: str  # the answered message's sender
    status: Status | None
    detail: str
    step: str = ""  # code list ETAPE
    refused: bool = False
    error_distribution_id: str = ""

    @property
    def of_hub(self) -> bool:
        """Whether the Hub gave the message up, not the recipient."""
        return self.status in {Status.EXPIRED, Status.REJECTED}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message claimed for forwarding: its receipt's id, what was stored, the attempts made before this one, and its lane."""

    id: str
    submission: Submission
    attempts: int
    lane: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message for a publisher's inbox, in that publisher's own format and version."""

    publisher_id: str
    distribution_id: str
    sender: str
    recipient: str
    message_type: str
    model_version: str
    content_type: str
    content: bytes
    case_id: str
    refers_to: str
    received_at: float
    loss: tuple[JsonObject, ...] = ()
    # whether its publisher's webhook is told; no part of the item
    notify: bool = field(default=False, compare=False)
    distribution_status: str = "Actual"  # or "Exercise"; an answer has the same
    quiet: bool = False  # kept for the history of its case alone: nobody reads, hears of or answers it
    # when its sender is told that nobody answered, POSIX seconds; None = never. No part of the item
    expires_at: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Contribution:
    """One message of a case as its sender wrote it (`sent`), or as the viewer was delivered it."""

    distribution_id: str
    sender: str
    recipient: str
    message_type: str
    model_version: str
    content_type: str  # the stored media type
    content: bytes
    at: float  # when it was accepted or deposited, POSIX seconds
    sent: bool


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A delivery as the publisher reads it. `cursor` grows with the order of arrival. `expired`: its message expired, and nobody
    has acknowledged or answered it.

    `reference` is the distributionID of the last RC-REF that was sent for it ("" = none), `rank` that one's rank.
    """

    id: str
    cursor: int
    delivery: Delivery
    acknowledged_at: float | None = None
    reference: str = ""
    rank: int = 0
    expired: bool = False


def iso(at: float) -> str:
    """POSIX seconds as the Hub Santé writes instants: whole seconds, with an offset, no `Z`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
