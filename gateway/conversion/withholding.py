"""What no message takes from one perimeter to the other, whatever its type: members that no model knows, and quoted messages. Pure."""

from collections.abc import Iterator

from gateway import edxl
from gateway.hub import is_health
from gateway.model import JsonObject, Message
from gateway.validation.place import Place, simple_path
from schemas.fields import table

SOURCE_MESSAGE = "sourceMessage"
WITHHELD = "medical secrecy: this stays with health actors"
STRANGE = "no part of the message model: it does not pass between health actors and others"
_LEVELS: tuple[Place, ...] = (("content", 0), ("jsonContent",), ("embeddedJsonContent",), ("message",))


def readable(message: Message) -> tuple[Message, tuple[JsonObject, ...]]:
    """The message as an actor of the other perimeter may read it, and the report of what it lacks: each part once, no values.

    Within one perimeter the message itself. Members beside the header's fields and the use case are left out: the schemas
    let any text stand there. So is the `sourceMessage` of an RS-ERROR from a health actor: the message that it is about,
    with the patient in it.
    """
    ends = is_health(message.envelope.sender_id), is_health(message.envelope.address)
    if ends[0] == ends[1]:
        return message, ()
    body = message.body
    removed = [(place, STRANGE) for place in _strange(message)]
    if message.message_type == "RS-ERROR" and ends[0] and SOURCE_MESSAGE in body:
        body = {name: value for name, value in body.items() if name != SOURCE_MESSAGE}
        removed.append(((*_place(len(_LEVELS)), message.root_key, SOURCE_MESSAGE), WITHHELD))
    if not removed:
        return message, ()
    known = _header_fields(message.model_version)
    header = {name: value for name, value in message.header.items() if name in known}
    content = [{"jsonContent": {"embeddedJsonContent": {"message": {**header, message.root_key: body}}}}]
    made = edxl.message({**message.document, "content": content}, message.model_version)
    report = tuple(
        {"path": simple_path(place), "target": "", "reason": f"{message.message_type}: {reason}"}
        for place, reason in removed
    )
    return made, report


def _header_fields(version: str) -> frozenset[str]:
    return frozenset(field.name for field in table("RC-DE", version).root.fields)


def _strange(message: Message) -> Iterator[Place]:
    """The places of members that neither the envelope nor the header has."""
    holder = message.document["content"][0]
    allowed = [{"jsonContent"}, {"embeddedJsonContent"}, {"message"}]
    for depth, names in enumerate(allowed, 1):
        yield from ((*_place(depth), name) for name in holder if name not in names)
        holder = holder[next(iter(names))]
    known = {*_header_fields(message.model_version), message.root_key}
    yield from ((*_place(len(_LEVELS)), name) for name in holder if name not in known)


def _place(depth: int) -> Place:
    return tuple(name for level in _LEVELS[:depth] for name in level)
