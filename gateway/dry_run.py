"""A message in another form, and what that form cannot say. Pure: `$translate` and `gateway translate` share it."""

from dataclasses import dataclass
from typing import Any

import orjson

from gateway import edxl, intake, translation, validation
from gateway.conversion import convert
from gateway.errors import ErrorKind, Issue, Refused, Untranslatable
from gateway.model import JsonObject, Message

FHIR = "fhir"


@dataclass(frozen=True, slots=True)
class Target:
    """What to translate to: `type` is "fhir" or a message type; version and format count for message types alone."""

    type: str
    version: str
    format: str


def single_items(message: Message) -> list[Message]:
    """The message as one message for each content item, in order; the later ones have derived ids."""
    content = message.document.get("content")
    if not isinstance(content, list) or len(content) < 2:
        return [message]
    return [
        edxl.message(_only(message.document, number), message.model_version) for number in range(len(content))
    ]


def _only(document: JsonObject, number: int) -> JsonObject:
    item = document["content"][number]
    if number == 0:
        return {**document, "content": [item]}
    identifier = f"{document.get('distributionID')}-{number + 1}"
    made: JsonObject = orjson.loads(
        orjson.dumps({**document, "distributionID": identifier, "content": [item]})
    )
    inner = edxl.message(made, "").document["content"][0]
    for name in ("jsonContent", "embeddedJsonContent", "message"):
        inner = inner.get(name, {}) if isinstance(inner, dict) else {}
    if isinstance(inner, dict) and inner.get("messageId") == document.get("distributionID"):
        inner["messageId"] = identifier
    return made


def translated(message: Message, wanted: Target) -> dict[str, Any]:
    """One message in the wanted form: `contentType`, `content`, `loss`. Raises Refused with every issue of a message
    that is not valid, and 422 (Hub 600) where the form cannot say it.
    """
    issues = validation.judge(message)
    if any(issue.severity == "error" for issue in issues):
        raise Refused(*issues)
    try:
        if wanted.type == FHIR:
            return {"contentType": intake.FHIR_JSON, "content": translation.to_fhir(message), "loss": []}
        return written(message, wanted)
    except Untranslatable as error:
        raise Refused(Issue(ErrorKind.TRANSLATION, error.reason, error.path)) from None


def written(message: Message, wanted: Target) -> dict[str, Any]:
    """A message in another version and format: an object for JSON, a string for XML. Raises Untranslatable."""
    if message.message_type != wanted.type:
        raise Untranslatable(f"{message.message_type} is not translated to {wanted.type}")
    converted, media_type = convert(message, wanted.version), edxl.FORMATS[wanted.format]
    document = converted.message.document
    if media_type == edxl.JSON:
        return {"contentType": media_type, "content": document, "loss": list(converted.lost)}
    made = edxl.encode(document, media_type, wanted.version)
    lost = [*converted.lost, *made.lost]
    return {"contentType": media_type, "content": made.content.decode(), "loss": lost}
