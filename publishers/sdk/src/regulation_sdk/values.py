"""What the gateway answers, as frozen values. Members that an answer has beyond these are ignored."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from regulation_sdk.effects import Answer
from regulation_sdk.errors import Issue, UnexpectedAnswer

T = TypeVar("T")
Content = dict[str, Any] | str


@dataclass(frozen=True, slots=True)
class RecipientAnswer:
    """The recipient's last answer to a message: the `step` that it said (code list ETAPE), whether it refuses the message, and
    the distributionID of the RS-ERROR that says why.
    """

    step: str | None
    refused: bool
    error_distribution_id: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the gateway says about a message that it stored durably. Not the ack, which comes through the inbox.

    `status`: received, forwarded, acknowledged, refused, rejected, expired or dead. `duplicate`: an earlier request was accepted.
    `quota`: ordinary or reserve. `last_cause`: why the last attempt that failed did, or why the message ended. `answer`: None
    until the recipient has answered.
    """

    id: str
    distribution_id: str
    status: str
    message_type: str
    model_version: str
    received_at: datetime
    duplicate: bool
    quota: str
    sender: str = ""
    recipient: str = ""
    case_id: str | None = None
    attempts: int = 0
    last_cause: str | None = None
    answer: RecipientAnswer | None = None

    @property
    def refused(self) -> bool:
        """Whether the recipient refused the message: nobody there takes it over."""
        return self.status == "refused"


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """One thing that happened to a message."""

    step: str
    at: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """The receipt as it stands now, and what happened so far."""

    receipt: Receipt
    timeline: tuple[TimelineStep, ...]

    @property
    def status(self) -> str:
        """The receipt's status."""
        return self.receipt.status


@dataclass(frozen=True, slots=True)
class Loss:
    """What a type, version or format could not take.

    `value` is what was not said as it was, where only the model version differs and the recipient is a health actor.
    """

    path: str
    target: str
    reason: str
    value: str | int | float | bool | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A message for this publisher, in its own format and version: `content` is the whole EDXL-DE distribution, an object for
    `application/json`, a string for `application/xml`. `expired`: nobody answered it in time, and its sender was told so; an
    answer still counts.
    """

    id: str
    distribution_id: str
    message_type: str
    model_version: str
    content_type: str
    content: Content = field(repr=False)
    received_at: datetime
    loss: tuple[Loss, ...]
    expired: bool = False


@dataclass(frozen=True, slots=True)
class InboxPage:
    """A page of the inbox, and where the next one begins."""

    items: tuple[InboxItem, ...]
    cursor: str


@dataclass(frozen=True, slots=True)
class Ack:
    """How to acknowledge an item: `reference` sends an RC-REF to its sender, with `step` of the code list ETAPE (RECU, ERREUR,
    INTEGRE, CONSULTE, SUPPRIME) and `refused` where they are given, else with step RECU. A refusal (`refused`, or step ERREUR)
    tells the sender that nobody takes the message over.
    """

    reference: bool = True
    step: str | None = None
    refused: bool | None = None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An item has left the inbox; `reference` is the distributionID of the RC-REF, None where none was to be sent."""

    id: str
    reference: str | None


@dataclass(frozen=True, slots=True)
class Validation:
    """What `$validate` found. Without an error the message would be accepted."""

    issues: tuple[Issue, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error among the issues."""
        return all(issue.severity not in ("error", "fatal") for issue in self.issues)


@dataclass(frozen=True, slots=True)
class TranslatedMessage:
    """A message in the wanted form: an object for JSON kinds, a string for XML."""

    content_type: str
    content: Content = field(repr=False)


@dataclass(frozen=True, slots=True)
class Translation:
    """A translation: the first message, further ones where one becomes several, and all that was lost."""

    content_type: str
    content: Content = field(repr=False)
    further: tuple[TranslatedMessage, ...]
    loss: tuple[Loss, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of this publisher. `window` and `reset` in seconds; a window of 0 has no end."""

    name: str
    limit: int
    window: int
    remaining: int
    reset: int


def read(answer: Answer, reader: Callable[[Any], T]) -> T:
    """The value in an answer's JSON body. Raises UnexpectedAnswer."""
    try:
        return reader(json.loads(answer.body))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnexpectedAnswer(
            f"the answer ({answer.status}) is not as the contract has it: {type(error).__name__}",
            status=answer.status,
            request_id=answer.headers.get("X-Request-Id", ""),
        ) from error


def receipt(told: Mapping[str, Any]) -> Receipt:
    """A receipt from its JSON object."""
    return Receipt(
        told["id"],
        told["distributionID"],
        told["status"],
        told["messageType"],
        told["modelVersion"],
        _instant(told["receivedAt"]),
        told["duplicate"],
        told["quota"],
        told.get("sender", ""),
        told.get("recipient", ""),
        told.get("caseId"),
        told.get("attempts", 0),
        told.get("lastCause"),
        _recipient_answer(told.get("answer")),
    )


def _recipient_answer(told: Mapping[str, Any] | None) -> RecipientAnswer | None:
    if told is None:
        return None
    return RecipientAnswer(told.get("step"), told["refused"], told.get("errorDistributionID"))


def message_status(told: Mapping[str, Any]) -> MessageStatus:
    """A message's status from its JSON object."""
    steps = tuple(TimelineStep(one["step"], _instant(one["at"]), one["detail"]) for one in told["timeline"])
    return MessageStatus(receipt(told), steps)


def receipts(told: Mapping[str, Any]) -> tuple[tuple[Receipt, ...], str | None]:
    """A page of receipts and the next page's cursor."""
    return tuple(map(receipt, told["items"])), told["cursor"]


def inbox_page(told: Mapping[str, Any]) -> InboxPage:
    """A page of the inbox from its JSON object."""
    return InboxPage(tuple(map(inbox_item, told["items"])), told["cursor"])


def inbox_item(told: Mapping[str, Any]) -> InboxItem:
    """An inbox item from its JSON object."""
    return InboxItem(
        told["id"],
        told["distributionID"],
        told["messageType"],
        told["modelVersion"],
        told["contentType"],
        told["content"],
        _instant(told["receivedAt"]),
        _losses(told["loss"]),
        told.get("expired", False),
    )


def acknowledgement(told: Mapping[str, Any]) -> Acknowledgement:
    """An acknowledgement from its JSON object."""
    return Acknowledgement(told["id"], told["reference"])


def translation(told: Mapping[str, Any]) -> Translation:
    """A translation from its JSON object."""
    further = tuple(TranslatedMessage(one["contentType"], one["content"]) for one in told["further"])
    return Translation(told["contentType"], told["content"], further, _losses(told["loss"]))


def limits(told: Mapping[str, Any]) -> tuple[Limit, ...]:
    """The limits from their JSON object."""
    return tuple(
        Limit(one["name"], one["limit"], one["window"], one["remaining"], one["reset"])
        for one in told["limits"]
    )


def jwk_set(told: Mapping[str, Any]) -> dict[str, Any]:
    """A JWK Set from its JSON object."""
    return {"keys": [dict(key) for key in told["keys"]]}


def _losses(told: Any) -> tuple[Loss, ...]:
    return tuple(Loss(one["path"], one["target"], one["reason"], one.get("value")) for one in told)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))  # Z only since Python 3.11
