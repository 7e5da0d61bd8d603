"""May this message go on? Sender, recipient, expiry and type, which the registry and the clock decide; then what
`validation` says of the message alone.
"""

from collections.abc import Iterator
from dataclasses import replace

from gateway import edxl, validation
from gateway.edxl import facts
from gateway.errors import ErrorKind, Issue, Refused
from gateway.hub import is_health
from gateway.model import Message, Publisher, iso
from gateway.perimeter import Passage, passage, refusal
from gateway.registry import Registry
from gateway.runtime import Runtime
from gateway.validation import Findings

ADDRESS = "descriptor.explicitAddress.explicitAddressValue"


def require(
    runtime: Runtime,
    publisher: Publisher,
    message: Message,
    media_type: str,
    now: float,
    own: Findings,
    known: tuple[Issue, ...] = (),
) -> None:
    """Raise Refused with all issues (400 403 410 422) where one of them is an error. `own` is what the message alone shows,
    `known` what the store does.
    """
    if own.good and not any((*known, *_beyond(runtime, publisher, message, now))):
        return
    found = issues(runtime, publisher, message, media_type, now, own, known)
    if any(issue.severity == "error" for issue in found):
        raise Refused(*found)


def issues(
    runtime: Runtime,
    publisher: Publisher,
    message: Message,
    media_type: str,
    now: float,
    own: Findings,
    known: tuple[Issue, ...] = (),
) -> tuple[Issue, ...]:
    """All that speaks against the message, warnings too, with pointers into the sender's own format."""
    if not own.complete:
        own = validation.find(message, strict_codes=is_strict(runtime, publisher))
    beyond = (*known, *_beyond(runtime, publisher, message, now))
    found = validation.tell(own, message.model_version, beyond)
    if media_type != edxl.XML:
        return found
    return tuple(replace(issue, pointer=edxl.pointer(issue.pointer, media_type)) for issue in found)


def is_strict(runtime: Runtime, publisher: Publisher) -> bool:
    """Whether a code that its list does not have is an error."""
    return publisher.strict_codes or runtime.settings.strict_codes


def _beyond(runtime: Runtime, publisher: Publisher, message: Message, now: float) -> Iterator[Issue]:
    """What the message itself does not show. What is absent is validation's matter and is passed over."""
    registry = runtime.registry.current
    yield from _sender(registry, publisher, message)
    yield from _recipient(registry, message)
    yield from _distribution_id(registry, message)
    yield from _expiry(message, now)
    yield from _message_type(publisher, message)
    if runtime.settings.require_certification:
        yield from _certification(publisher, message, now)


def _sender(registry: Registry, publisher: Publisher, message: Message) -> Iterator[Issue]:
    sender = message.envelope.sender_id
    if sender and not registry.sender_allowed(publisher, sender):
        text = f"Found {sender[:80]!r}; this client sends for: {', '.join(publisher.sends_for)}."
        yield _issue(ErrorKind.SENDER, text, "senderID")


def _recipient(registry: Registry, message: Message) -> Iterator[Issue]:
    sender, recipient = message.envelope.sender_id, message.envelope.address
    if not recipient:
        return
    if not registry.is_known(recipient):
        text = f"No inbox is known for {recipient[:80]!r}. Check the id with the recipient."
        yield _issue(ErrorKind.RECIPIENT, text, ADDRESS)
        return
    from_health, to_health = is_health(sender), is_health(recipient)
    if not sender or (from_health and to_health):  # among health actors every type passes
        return
    if not (from_health or to_health):  # Hub Santé, dispatcher rule 5
        text = "Neither sender nor recipient is a health actor (fr.health.…); the platform carries no such exchange."
        yield _issue(ErrorKind.RECIPIENT, text, ADDRESS)
    elif _passage(registry, message) is Passage.REFUSED:
        yield _issue(ErrorKind.RECIPIENT, refusal(message.message_type, sender, recipient), "content[0]")


def _passage(registry: Registry, message: Message) -> Passage:
    ends = message.envelope.sender_id, message.envelope.address
    publisher = registry.recipient_publisher(message.envelope.address)
    if publisher is None:  # behind the core
        return passage(message.message_type, *ends)
    direct = publisher.cisu == "direct"
    return passage(message.message_type, *ends, direct=direct, listed=publisher.message_types)


def _distribution_id(registry: Registry, message: Message) -> Iterator[Issue]:
    # the core would take the message of the actor whose id stands there for a repeat of this one; a health actor's own
    # prefix is asked for by validation
    sender, distribution_id = message.envelope.sender_id, message.envelope.distribution_id
    if is_health(sender):
        return
    prefix = distribution_id.partition("_")[0]
    if prefix in ("", sender) or not registry.is_known(prefix):
        return
    text = f"Found {distribution_id[:80]!r}, which begins with another actor's id. Begin it with {sender[:80]!r}."
    yield _issue(ErrorKind.ENVELOPE, text, "distributionID")


def _expiry(message: Message, now: float) -> Iterator[Issue]:
    written = message.envelope.date_time_expires
    expires = facts.instant(written)
    if expires is not None and expires <= now:
        text = (
            f"Found {written[:40]}, and it is {iso(now)}. "
            "Send it anew with a new distributionID and a later expiry."
        )
        yield _issue(ErrorKind.EXPIRED, text, "dateTimeExpires")


def _message_type(publisher: Publisher, message: Message) -> Iterator[Issue]:
    allowed, found = publisher.message_types, message.message_type
    if allowed and found and found not in allowed:
        text = f"This client is registered for: {', '.join(allowed)}; found {found}."
        yield _issue(ErrorKind.UNKNOWN_TYPE, text, "content[0]")


def _certification(publisher: Publisher, message: Message, now: float) -> Iterator[Issue]:
    found = f"{message.message_type}@{message.model_version}"
    if not message.message_type or message.message_type in facts.REFERENCES:  # an answer always goes through
        return
    certified = publisher.certified(now)
    if found not in certified:
        text = (
            f"This client is certified for: {', '.join(certified) or 'nothing'}; found {found}. Run `gateway conformance "
            "software` over the software and hand the signed report to the gateway's operator."
        )
        yield _issue(ErrorKind.UNCERTIFIED, text, "content[0]")


def _issue(kind: ErrorKind, diagnostics: str, path: str) -> Issue:
    return Issue(kind, diagnostics, path, "/" + path.replace(".", "/").replace("[", "/").replace("]", ""))
