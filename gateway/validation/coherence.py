"""Rules over several fields that no schema states: header equals envelope, ids, kinds, times.

What is absent or ill-typed is the structure's matter and is passed over here.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from gateway.errors import ErrorKind, Issue
from gateway.hub import is_health
from gateway.model import Envelope, JsonObject, Message
from gateway.validation.place import MESSAGE, Place, issue_at
from gateway.validation.wording import shown

MAX_ID = (
    256  # characters of an id that the gateway keys on: room for any real one, safe for every index and queue
)
ADDRESS: Place = ("descriptor", "explicitAddress", "explicitAddressValue")
KINDS = ("Report", "Update", "Cancel", "Ack", "Error")  # another word is the structure's matter
STATUSES = ("Actual", "Exercise")
PLAIN_KINDS = frozenset({"Report", "Update", "Cancel"})
ANSWERS = frozenset({"RC-REF", "RS-ERROR"})
BODY_IDS = ("caseId", "distributionID", "referencedDistributionID")


def is_plain(message: Message) -> bool:
    """Whether a message obeys every rule in the plainest way. False says nothing: `issues` looks closer."""
    envelope, header = message.envelope, message.header
    try:
        recipient = header["recipient"]
        return (
            header["messageId"] == envelope.distribution_id
            and header["sentAt"] == envelope.date_time_sent
            and header["kind"] == envelope.distribution_kind
            and header["status"] == envelope.distribution_status
            and envelope.distribution_kind in PLAIN_KINDS
            and message.message_type not in ANSWERS
            and _behind_scheme(header["sender"]["URI"]) == envelope.sender_id
            and len(recipient) == 1
            and _behind_scheme(recipient[0]["URI"]) == envelope.address
            and envelope.distribution_id.partition("_")[0] == envelope.sender_id
            and _sound(envelope.distribution_id)
            and _sound(envelope.address)
            and _sound(message.body["caseId"])
            and datetime.fromisoformat(envelope.date_time_sent)
            <= datetime.fromisoformat(envelope.date_time_expires)
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        return False


def issues(message: Message) -> Iterator[Issue]:
    """Every incoherence of a message. All of them are errors."""
    yield from _ids(message)
    yield from _distribution_id(message.envelope)
    yield from _times(message.envelope)
    yield from _kind(message)
    if message.header:
        yield from _header(message.envelope, message.header)


def instant(text: str) -> datetime | None:
    """An RFC 3339 date-time; None where it is none that can be compared (a leap second, the year 0)."""
    try:
        at = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return at if at.tzinfo else None


def _ids(message: Message) -> Iterator[Issue]:
    envelope, document = message.envelope, message.document
    for name, value in (("distributionID", envelope.distribution_id), ("senderID", envelope.sender_id)):
        if not _sound(value) and (value or document.get(name) == ""):
            yield _bad_id(ErrorKind.ENVELOPE, value, (name,))
    if not _sound(envelope.address) and (envelope.address or _at(document, ADDRESS) == ""):
        yield _bad_id(ErrorKind.ENVELOPE, envelope.address, ADDRESS)
    for name in BODY_IDS:
        named = message.body.get(name)
        if isinstance(named, str) and not _sound(named):
            yield _bad_id(ErrorKind.SCHEMA, named, (*MESSAGE, message.root_key, name))


def _sound(value: str) -> bool:
    return 0 < len(value) <= MAX_ID and value.isprintable()


def _bad_id(kind: ErrorKind, value: str, place: Place) -> Issue:
    text = f"Found {shown(value)} ({len(value)} characters); expected 1 to {MAX_ID} printable characters. Shorten or correct it."
    return issue_at(kind, text, place)


def _distribution_id(envelope: Envelope) -> Iterator[Issue]:
    sender, distribution_id = envelope.sender_id, envelope.distribution_id
    if not is_health(sender) or not distribution_id:  # the Hub asks the prefix of health senders only
        return
    if distribution_id.partition("_")[0] != sender:
        text = (
            f"Found {shown(distribution_id)}; expected <senderID>_<internal id>, with the senderID "
            f"{shown(sender)} before the first underscore. Change distributionID or senderID."
        )
        yield issue_at(ErrorKind.ENVELOPE, text, ("distributionID",))


def _times(envelope: Envelope) -> Iterator[Issue]:
    sent, expires = instant(envelope.date_time_sent), instant(envelope.date_time_expires)
    if sent and expires and expires < sent:
        text = (
            f"Found {shown(envelope.date_time_expires)}; expected a time not before dateTimeSent "
            f"{shown(envelope.date_time_sent)}. Correct one of them."
        )
        yield issue_at(ErrorKind.ENVELOPE, text, ("dateTimeExpires",))


def _kind(message: Message) -> Iterator[Issue]:
    kind, message_type = message.envelope.distribution_kind, message.message_type
    if not message_type or not kind:
        return
    if kind == "Ack" and message_type != "RC-REF":
        expected = "an RC-REF (reference) in a message of kind Ack. Send it as Report, Update or Cancel"
    elif kind != "Ack" and message_type == "RC-REF":
        expected = "kind Ack for an RC-REF (reference). Set distributionKind to Ack"
    elif kind == "Error" and message_type != "RS-ERROR":
        expected = "an RS-ERROR (error) in a message of kind Error. Send it as Report, Update or Cancel"
    else:
        return
    text = f"Found kind {shown(kind)} with {message_type}; expected {expected}."
    yield issue_at(ErrorKind.ENVELOPE, text, ("distributionKind",))


def _header(envelope: Envelope, header: JsonObject) -> Iterator[Issue]:
    if _differ(header.get("messageId"), envelope.distribution_id):
        yield _unequal(header["messageId"], envelope.distribution_id, "distributionID", "messageId")
    if envelope.distribution_kind in KINDS and _differ(header.get("kind"), envelope.distribution_kind):
        yield _unequal(header["kind"], envelope.distribution_kind, "distributionKind", "kind")
    status = header.get("status")
    if (
        status != "System"
        and envelope.distribution_status in STATUSES
        and _differ(status, envelope.distribution_status)
    ):
        yield _unequal(status, envelope.distribution_status, "distributionStatus", "status")
    sent_at = header.get("sentAt")
    if _differ(sent_at, envelope.date_time_sent):
        theirs, ours = instant(str(sent_at)), instant(envelope.date_time_sent)
        if theirs and ours and theirs != ours:
            yield _unequal(sent_at, envelope.date_time_sent, "dateTimeSent", "sentAt")
    yield from _addresses(envelope, header)


def _addresses(envelope: Envelope, header: JsonObject) -> Iterator[Issue]:
    uri = _at(header, ("sender", "URI"))
    if isinstance(uri, str) and _differ(_behind_scheme(uri), envelope.sender_id):
        yield _unequal(uri, envelope.sender_id, "senderID (after the scheme)", "sender", "URI")
    recipients = header.get("recipient")
    if not envelope.address or not isinstance(recipients, list) or not recipients:
        return
    uris = [uri for recipient in recipients if isinstance(uri := _at(recipient, ("URI",)), str)]
    if uris and not any(_behind_scheme(uri) == envelope.address for uri in uris):
        text = (
            f"Found {len(uris)} recipient(s), the first {shown(uris[0])}; expected one whose URI names the addressed "
            f"recipient {shown(envelope.address)}. Add it, or correct explicitAddressValue."
        )
        yield issue_at(ErrorKind.ENVELOPE, text, (*MESSAGE, "recipient"))


def _behind_scheme(uri: str) -> str:
    return uri.partition(":")[2] if ":" in uri else uri


def _differ(theirs: Any, ours: str) -> bool:
    return isinstance(theirs, str) and ours not in ("", theirs)


def _at(value: Any, place: Place) -> Any:
    for part in place:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _unequal(theirs: Any, ours: str, name: str, *place: str) -> Issue:
    text = f"Found {shown(theirs)}; expected the envelope's {name} {shown(ours)}. Make them equal."
    return issue_at(ErrorKind.ENVELOPE, text, (*MESSAGE, *place))
