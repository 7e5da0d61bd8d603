"""A message in another model version or of the other side's type, with an exact account of what that cannot say. Pure.

The versions' mapping tables are joined on the canonical elements that they share (`moves`), codes go by the code maps
(`codes`), and the official schema has the last word: what it refuses is taken out and reported (`repair`). Between the
health and the fire side (`cisu`) a message is converted one way: what is withheld or has no field is reported as lost.
"""

from dataclasses import dataclass

from gateway import edxl, validation
from gateway.conversion import cisu, code_map, codes, fills, rules
from gateway.conversion.answers import without_step
from gateway.conversion.cisu import VERSION
from gateway.conversion.context import NOTHING, Context
from gateway.conversion.hops import Hop, SideHop, VersionHop, report
from gateway.conversion.moves import moves
from gateway.conversion.moving import Moving
from gateway.conversion.notes import noted
from gateway.conversion.repair import repaired
from gateway.conversion.withholding import readable
from gateway.errors import ConfigurationError
from gateway.hub import is_health
from gateway.model import JsonObject, Message

__all__ = ["NOTHING", "VERSION", "Context", "Converted", "check", "convert", "in_version"]


@dataclass(frozen=True, slots=True)
class Converted:
    """The message in the other version or type; each loss is `{"path", "target", "reason"}`, paths from the document's
    root, `target` "" where nothing stands for it; from version to version for a health actor also the `value` that is
    not said. `further` are the messages that follow, where one becomes several: their ids are derived, they say nothing
    that `message` does not.
    """

    message: Message
    lost: tuple[JsonObject, ...] = ()
    further: tuple[Message, ...] = ()


def convert(message: Message, version: str, message_type: str = "", context: Context = NOTHING) -> Converted:
    """A valid message in another model version of its type, or of the type that stands for its own on the other side of
    CISU, without what an actor of the other perimeter may not read. The same message and context always give the same
    document. `context`: what is known of the case besides, for a message of the other side's type.

    Raises Untranslatable, with the path, where the version lacks the type or something that it must have, and where
    the message is not translated to the type; NotApplicable where nothing in it concerns the other side, or nothing
    changes for the recipient.
    """
    for_health = is_health(message.envelope.address)
    message, refusal = without_step(message, version)
    message, removed = readable(message)
    if message_type in {"", message.message_type}:
        made, moving = _in_version(message, version)
        if for_health:
            made = noted(message, made, moving)
        losses = moving.losses(f"{message.message_type} {version}", message if for_health else None)
        return Converted(made, (*refusal, *removed, *losses))
    first, moving = _in_version(message, VERSION)
    exchange = cisu.exchanged(first, message_type, context)
    made, last = _in_version(exchange.messages[0], version)
    if for_health:
        made = noted(exchange.messages[0], made, last)
    hops: list[Hop] = [
        VersionHop(moving, f"{message.message_type} {VERSION}"),
        SideHop(first, exchange, f"{message_type} {VERSION}"),
        VersionHop(last, f"{message_type} {version}"),
    ]
    changing = [message.model_version != VERSION, True, version != VERSION]
    lost = report(message, [hop for hop, changes in zip(hops, changing, strict=True) if changes])
    further = tuple(_in_version(one, version)[0] for one in exchange.messages[1:])
    return Converted(made, (*removed, *lost), further)


def in_version(message: Message, version: str) -> Message:
    """The message in another version of its type, without texts for what that lacks: for whoever knows the message already.

    Raises Untranslatable.
    """
    return _in_version(message, version)[0]


def _in_version(message: Message, version: str) -> tuple[Message, Moving]:
    """The message in another version of its type, and how it went."""
    moving = Moving()
    if message.model_version == version:
        return message, moving
    node = moves(message.message_type, message.model_version, version)
    source = message.document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    moving.walk(source, node, ("message",), ())
    made = moving.made.setdefault("message", {})
    made.setdefault(message.root_key, {})
    other = edxl.message(_document(message.document, made), version)
    if not validation.is_valid(other):
        other = repaired(other, message, moving)
    return other, moving


def _document(envelope: JsonObject, message: JsonObject) -> JsonObject:
    content = [{"jsonContent": {"embeddedJsonContent": {"message": message}}}]
    return {**envelope, "content": content}


def check() -> list[str]:
    """What is wrong with the code maps and the rules, with file and line."""
    try:
        fills.rules()
    except ConfigurationError as error:
        return [*codes.check(), *code_map.check(), str(error), *rules.check()]
    return [*codes.check(), *code_map.check(), *rules.check()]
