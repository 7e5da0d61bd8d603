"""The structure of a message: one compiled validator for the verdict; a walk along the field tables for the issues.

The official schemas alone decide. Three things are stricter here, by contract: exactly one content item; no second use
case beside the first (the official `oneOf` lets one stand there if it is invalid); and only the types that can be translated.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema_rs import Draft7Validator

import schemas
from gateway.errors import ErrorKind, Issue
from gateway.model import JsonObject, Message
from gateway.validation import wording
from gateway.validation.place import MESSAGE, Place, issue_at
from gateway.validation.walk import compiled, walk
from schemas import json_schema
from schemas.fields import table

ENVELOPE, HEADER = "EDXL-DE", "RC-DE"
JUDGED_ITEMS = 5  # content items whose inside is judged where several were sent


@cache
def whole_document(message_type: str, version: str) -> Draft7Validator:
    """The verdict on envelope, header and use case in one pass. Raises TableError where a field table is wrong."""
    use_case = table(message_type, version).root
    message = json_schema.plain(table(HEADER, version).root)
    if message_type in schemas.HEADERLESS:
        message = {"type": "object", "properties": {}, "required": []}
    others = (*schemas.ALL_ROOT_KEYS[version], *schemas.OTHER_ROOT_KEYS)
    message["properties"] |= dict.fromkeys(others, False) | {use_case.name: json_schema.plain(use_case)}
    message["required"].append(use_case.name)
    document = json_schema.plain(table(ENVELOPE, version).root)
    content = document["properties"]["content"]
    content["maxItems"] = 1
    embedded = content["items"]["properties"]["jsonContent"]["properties"]["embeddedJsonContent"]
    embedded["properties"]["message"] = message
    return compiled(document)


def is_valid(message: Message) -> bool:
    """Whether the whole document fits the official schemas of its type and version."""
    if not message.message_type:
        return False
    return whole_document(message.message_type, message.model_version).is_valid(message.document)


def issues(message: Message) -> Iterator[Issue]:
    """Every structural issue of a message that is not valid: the envelope first, then header and use case.

    Lazy: a hostile message costs only as much as the caller takes.
    """
    found = False
    for issue in _issues(message.document, message.model_version):
        found = True
        yield issue
    if not found:  # the validator has the last word, even where the walk sees nothing
        yield issue_at(ErrorKind.SCHEMA, "The message does not fit its schema.", MESSAGE)


def _issues(document: JsonObject, version: str) -> Iterator[Issue]:
    content = document.get("content")
    for issue in walk(ENVELOPE, version, document, (), ErrorKind.ENVELOPE):
        if issue.path != "content" or not isinstance(content, list):  # the count is told below
            yield issue
    if not isinstance(content, list):
        return
    if len(content) != 1:
        found = f"Found {len(content)} content items; expected exactly one. Send each in its own message."
        yield issue_at(ErrorKind.CONTENT_COUNT, found, ("content",))
    for index, item in enumerate(content[:JUDGED_ITEMS]):
        inner = _message(item)
        if inner is not None:
            yield from _inner_issues(inner, ("content", index, *MESSAGE[2:]), version)


def _message(item: Any) -> JsonObject | None:
    for name in MESSAGE[2:]:
        item = item.get(name) if isinstance(item, dict) else None
    return item if isinstance(item, dict) else None


def _inner_issues(inner: JsonObject, place: Place, version: str) -> Iterator[Issue]:
    known = schemas.ALL_ROOT_KEYS[version]
    keys = [key for key in inner if key in known]
    others = [key for key in inner if key in schemas.OTHER_ROOT_KEYS]
    if len(keys) + len(others) > 1:
        names = wording.several(keys + others)
        found = f"Found {len(keys) + len(others)} use cases ({names}); expected one. Send each in its own message."
        yield issue_at(ErrorKind.UNKNOWN_TYPE, found, place)
    elif not keys:
        yield _no_use_case(inner, place, version)
    elif keys[0] not in schemas.ROOT_KEYS[version]:
        yield _not_taken(keys[0], place, version)
    if not any(known.get(key, key) in schemas.HEADERLESS for key in keys or inner):
        yield from walk(HEADER, version, inner, place, ErrorKind.ENVELOPE)
    for key in keys:
        yield from walk(known[key], version, inner[key], (*place, key), ErrorKind.SCHEMA)


def _no_use_case(inner: JsonObject, place: Place, version: str) -> Issue:
    header = {field.name for field in table(HEADER, version).root.fields}
    others = [key for key in inner if key in schemas.OTHER_ROOT_KEYS]
    strange = others or [key for key in inner if key not in header]
    names = wording.several(wording.shown(name) for name in strange[:5])
    near = [key for name in strange[:3] for key in wording.nearest(name, schemas.ROOT_KEYS[version])]
    change = f"Write {near[0]} if that was meant." if near else "Add the use case beside the header."
    if strange and strange[0] in schemas.TEST_ROOT_KEYS:
        names += ", a test type of the Hub Santé that is not taken here"
        change = "Send a message of a real type; a message with distributionStatus Exercise is a test too."
    found = f"Found {names}" if strange else "Found no use case"
    return issue_at(
        ErrorKind.UNKNOWN_TYPE, f"{found}; expected {_taken(version)}. {change}", (*place, *strange[:1])
    )


def _not_taken(key: str, place: Place, version: str) -> Issue:
    message_type = schemas.ALL_ROOT_KEYS[version][key]
    found = (
        f"Found {key}: the message type {message_type} is known, but not taken here yet in model {version}"
    )
    return issue_at(ErrorKind.UNKNOWN_TYPE, f"{found}; expected {_taken(version)}.", (*place, key))


def _taken(version: str) -> str:
    taken = schemas.ROOT_KEYS[version]
    return f"{f'one of {wording.several(taken)}' if taken else 'another model version'} (model {version})"
