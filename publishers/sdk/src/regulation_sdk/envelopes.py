"""A use case in its EDXL-DE distribution and RC-DE header, both filled consistently."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, TypedDict

Kind = Literal["Report", "Update", "Cancel", "Ack", "Error"]
Status = Literal["Actual", "Exercise", "System"]
EXPIRES_AFTER = timedelta(hours=24)


class ExplicitAddress(TypedDict):
    """The recipient's address."""

    explicitAddressScheme: str
    explicitAddressValue: str


class Descriptor(TypedDict):
    """Language and recipient."""

    language: str
    explicitAddress: ExplicitAddress


class EmbeddedJsonContent(TypedDict):
    """The message: RC-DE header and use case."""

    message: dict[str, Any]


class JsonContent(TypedDict):
    """Content in JSON."""

    embeddedJsonContent: EmbeddedJsonContent


class ContentObject(TypedDict):
    """One content item."""

    jsonContent: JsonContent


class Envelope(TypedDict):
    """An EDXL-DE 2.0 distribution as the Hub Santé uses it."""

    distributionID: str
    senderID: str
    dateTimeSent: str
    dateTimeExpires: str
    distributionStatus: str
    distributionKind: str
    descriptor: Descriptor
    content: list[ContentObject]


class Options(TypedDict, total=False):
    """What an envelope may say beside sender and recipient. Times need a time zone."""

    kind: Kind
    status: Status
    sent_at: datetime
    expires_at: datetime
    internal_id: str
    language: str


def envelope(
    root_key: str,
    use_case: Mapping[str, Any],
    *,
    sender: str,
    recipient: str,
    kind: Kind = "Report",
    status: Status = "Actual",
    sent_at: datetime | None = None,
    expires_at: datetime | None = None,
    internal_id: str | None = None,
    language: str = "fr-FR",
    header: bool = True,
) -> Envelope:
    """The whole distribution for one use case under its key, such as `createCaseHealth`.

    distributionID and messageId are `<sender>_<internal_id>`, a random UUID where no id is given; without `sent_at` it is sent
    now, without `expires_at` it expires 24 hours later. `header=False` is for RS-ERROR and RS-INFO, which have no RC-DE
    header. Raises ValueError for a time without time zone.

    >>> sent = datetime(2026, 11, 24, 10, 15, tzinfo=timezone.utc)
    >>> made = envelope("reference", {"distributionID": "fr.health.samu750_1"}, sender="fr.health.samu440",
    ...     recipient="fr.health.samu750", kind="Ack", sent_at=sent, internal_id="7")
    >>> made["distributionID"], made["dateTimeSent"]
    ('fr.health.samu440_7', '2026-11-24T10:15:00+00:00')
    """
    sent = sent_at or datetime.now(timezone.utc)
    distribution_id = f"{sender}_{internal_id or uuid.uuid4().hex}"
    head: dict[str, Any] = {
        "messageId": distribution_id,
        "sender": _actor(sender),
        "sentAt": instant(sent),
        "kind": kind,
        "status": status,
        "recipient": [_actor(recipient)],
    }
    message = {**(head if header else {}), root_key: dict(use_case)}
    return {
        "distributionID": distribution_id,
        "senderID": sender,
        "dateTimeSent": instant(sent),
        "dateTimeExpires": instant(expires_at or sent + EXPIRES_AFTER),
        "distributionStatus": "Exercise" if status == "Exercise" else "Actual",
        "distributionKind": kind,
        "descriptor": {
            "language": language,
            "explicitAddress": {"explicitAddressScheme": "hubex", "explicitAddressValue": recipient},
        },
        "content": [{"jsonContent": {"embeddedJsonContent": {"message": message}}}],
    }


def instant(moment: datetime) -> str:
    """A date and time as the Hub Santé writes it: whole seconds and a numeric offset. Raises ValueError without time zone.

    >>> instant(datetime(2026, 11, 24, 10, 15, tzinfo=timezone(timedelta(hours=1))))
    '2026-11-24T10:15:00+01:00'
    """
    if moment.utcoffset() is None:
        raise ValueError("the date and time has no time zone")
    return moment.replace(microsecond=0).isoformat()


def _actor(actor_id: str) -> dict[str, str]:
    return {"name": actor_id, "URI": f"hubex:{actor_id}"}
