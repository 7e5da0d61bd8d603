"""A message of one model version as a message of another, with an exact account of what the other cannot say. Pure.

The versions' mapping tables are joined on the canonical elements that they share (`moves`), codes go by the code maps
(`codes`), and the official schema has the last word: what it refuses is taken out and reported (`repair`).
"""

from dataclasses import dataclass

from gateway import edxl, validation
from gateway.conversion import codes, fills
from gateway.conversion.moves import moves
from gateway.conversion.moving import Moving
from gateway.conversion.repair import repaired
from gateway.errors import ConfigurationError
from gateway.model import JsonObject, Message

__all__ = ["Converted", "check", "convert"]


@dataclass(frozen=True, slots=True)
class Converted:
    """The message in the other version; each loss is `{"path", "target", "reason"}`, paths from the document's root,
    `target` "" where nothing stands for it. No values.
    """

    message: Message
    lost: tuple[JsonObject, ...] = ()


def convert(message: Message, version: str) -> Converted:
    """A valid message in another model version of its type; the same message always gives the same document.

    Raises Untranslatable, with the path, where the version lacks the type or something that it must have.
    """
    if message.model_version == version:
        return Converted(message)
    node = moves(message.message_type, message.model_version, version)
    source = message.document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    moving = Moving()
    moving.walk(source, node, ("message",), ())
    made = moving.made.setdefault("message", {})
    made.setdefault(message.root_key, {})
    other = edxl.message(_document(message.document, made), version)
    if not validation.is_valid(other):
        other = repaired(other, message, moving)
    return Converted(other, moving.losses(message.message_type, version))


def _document(envelope: JsonObject, message: JsonObject) -> JsonObject:
    content = [{"jsonContent": {"embeddedJsonContent": {"message": message}}}]
    return {**envelope, "content": content}


def check() -> list[str]:
    """What is wrong with the code maps and with the rules of what must be there, with file and line."""
    try:
        fills.rules()
    except ConfigurationError as error:
        return [*codes.check(), str(error)]
    return codes.check()
