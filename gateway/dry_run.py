"""A message in another form, and what that form cannot say. Pure: `$translate` and `gateway translate` share it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from gateway import edxl, intake, translation, validation
from gateway.conversion import Converted, convert
from gateway.edxl.digits import kept
from gateway.errors import ErrorKind, Issue, Refused, Untranslatable
from gateway.hub import derived_id
from gateway.model import JsonObject, Message

FHIR = "fhir"


@dataclass(frozen=True, slots=True)
class Target:
    """What to translate to: `type` is "fhir" or a message type; version and format count for message types alone."""

    type: str
    version: str
    format: str


def translated(message: Message, wanted: Target) -> list[dict[str, Any]]:
    """The message in the wanted form, each `contentType`, `content`, `loss`: one for each content item, or several where
    the wanted type needs several; in sending order, the later ones with derived ids. Raises Refused where there are too many
    items, with every issue of the first item that is not valid, and 422 (Hub 600) where the form cannot say it.
    """
    if too_many := tuple(validation.bounds.too_many_items(message.document)):
        raise Refused(*too_many)
    items = []
    for item in _single_items(message):  # one after the other: each holds the whole envelope once more
        issues = validation.judge(item)
        if any(issue.severity == "error" for issue in issues):
            raise Refused(*issues)
        items.append(item)
    try:
        if wanted.type == FHIR:
            bundles = [kept(translation.to_fhir(item), message.digits) for item in items]
            return [{"contentType": intake.FHIR_JSON, "content": bundle, "loss": []} for bundle in bundles]
        made = [convert(item, wanted.version, wanted.type) for item in items]
        return _written(made, message, wanted)
    except Untranslatable as error:
        raise Refused(Issue(ErrorKind.TRANSLATION, error.reason, error.path)) from None


def _single_items(message: Message) -> Iterator[Message]:
    """The message as one message for each content item, in order; the later ones have derived ids."""
    content = message.document.get("content")
    if not isinstance(content, list) or len(content) < 2:
        yield message
        return
    for number, item in enumerate(content, 1):
        alone = edxl.message({**message.document, "content": [item]}, message.model_version)
        yield _named(alone, _item_id(message.envelope.distribution_id, number))


def _item_id(identifier: str, number: int) -> str:
    """The id of a content item as a message of its own."""
    return identifier if number == 1 else f"{identifier}-{number}"


def _named(message: Message, now: str) -> Message:
    """The message with this id, in its header too where that had the one from before."""
    before = message.envelope.distribution_id
    if before == now:
        return message
    made: JsonObject = orjson.loads(orjson.dumps({**message.document, "distributionID": now}))
    inner: Any = made["content"][0]
    for name in ("jsonContent", "embeddedJsonContent", "message"):
        inner = inner.get(name) if isinstance(inner, dict) else None
    if isinstance(inner, dict) and inner.get("messageId") == before:
        inner["messageId"] = now
    return edxl.message(made, message.model_version)


def _written(made: list[Converted], source: Message, wanted: Target) -> list[dict[str, Any]]:
    """The messages in the wanted format: an object for JSON, a string for XML. Raises Untranslatable."""
    media_type = edxl.FORMATS[wanted.format]
    told: list[dict[str, Any]] = []
    identifier = source.envelope.distribution_id
    for converted in made:
        for message in (converted.message, *converted.further):
            is_first, number = message is converted.message, len(told) + 1
            name = _item_id(identifier, number) if is_first else derived_id(identifier, number)
            document = _named(message, name).document
            lost = converted.lost if is_first else ()
            if media_type == edxl.JSON:
                content = kept(document, source.digits)
                told.append({"contentType": media_type, "content": content, "loss": list(lost)})
                continue
            xml = edxl.encode(document, media_type, wanted.version, source.digits)
            told.append(
                {"contentType": media_type, "content": xml.content.decode(), "loss": [*lost, *xml.lost]}
            )
    return told
