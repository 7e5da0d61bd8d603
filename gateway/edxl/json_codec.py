"""EDXL-DE in JSON, as the Hub Santé profiles it: `content[i].jsonContent.embeddedJsonContent.message`."""

from gc import get_referents
from typing import Any

import orjson

import schemas
from gateway.edxl import encoding
from gateway.errors import ErrorKind, Issue, Refused
from gateway.model import Envelope, JsonObject, Message

MAX_DEPTH = 64  # levels of objects and arrays; the deepest official message has 8 below the envelope's 5
MAX_ITEMS = 50_000  # members and elements in the whole body
HEADER_FIELDS = frozenset({"messageId", "sender", "sentAt", "kind", "status", "recipient"})  # RC-DE


def decode(body: bytes, model_version: str) -> Message:
    """The message in a JSON body. Raises Refused (400, Hub 102) where the body is no JSON object within the caps."""
    document = parse(body)
    if len(body) > MAX_ITEMS and body.count(b",") > MAX_ITEMS:
        raise _unreadable(f"The body has more than {MAX_ITEMS} members. Split the message.")
    if not isinstance(document, dict):
        raise _unreadable("The body's top level is not a JSON object. Send one EDXL-DE object.")
    return message(document, model_version)


def parse(body: bytes) -> Any:
    """The JSON value of a body. Raises Refused (400, Hub 102) where it is none, or nests deeper than MAX_DEPTH."""
    try:
        value = orjson.loads(encoding.without_bom(body))
    except orjson.JSONDecodeError as error:
        reason = encoding.fault(body) or f"{error.msg} at byte {error.pos}. Correct it and send it again."
        raise _unreadable(f"The body is not JSON in UTF-8: {reason}") from None
    # brackets bound the depth from above (text may hold some too), and a plain message has few
    brackets = body.count(b"{") + body.count(b"[")
    if brackets > MAX_DEPTH and _at_most_levels(value) > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise _unreadable(
            f"The body nests deeper than {MAX_DEPTH} levels. No message type needs that; flatten it."
        )
    return value


def encode(document: JsonObject) -> bytes:
    """The bytes of an EDXL-DE document."""
    return orjson.dumps(document)


def message(document: JsonObject, model_version: str) -> Message:
    """Read a document without judging it: absent or ill-typed parts read as empty, validation names them."""
    inner = _inner(document)
    root_key = _root_key(inner, model_version)
    header = dict(inner)
    body = header.pop(root_key, None)
    return Message(
        document,
        _envelope(document),
        header,
        root_key,
        schemas.ROOT_KEYS.get(model_version, {}).get(root_key, ""),
        model_version,
        body if isinstance(body, dict) else {},
    )


def _inner(document: JsonObject) -> JsonObject:
    try:
        (item,) = document["content"]
        inner = item["jsonContent"]["embeddedJsonContent"]["message"]
    except (KeyError, TypeError, ValueError):
        return {}
    return inner if isinstance(inner, dict) else {}


def _root_key(inner: JsonObject, model_version: str) -> str:
    known = schemas.ROOT_KEYS.get(model_version, {})
    candidates = [key for key in inner if key in known]
    if not candidates:
        candidates = [key for key in inner if key not in HEADER_FIELDS]
    return candidates[0] if len(candidates) == 1 else ""


def _envelope(document: JsonObject) -> Envelope:
    descriptor = _object(document.get("descriptor"))
    address = _object(descriptor.get("explicitAddress"))
    values = (
        document.get("distributionID"),
        document.get("senderID"),
        document.get("dateTimeSent"),
        document.get("dateTimeExpires"),
        document.get("distributionStatus"),
        document.get("distributionKind"),
        descriptor.get("language"),
        address.get("explicitAddressScheme"),
        address.get("explicitAddressValue"),
    )
    return Envelope(*[value if isinstance(value, str) else "" for value in values])


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _at_most_levels(value: Any) -> int:
    """How deep a JSON value nests at most, one more at times: a single call in C for each level."""
    level, levels = [value], 0
    while level and levels <= MAX_DEPTH:
        level = get_referents(*level)
        levels += 1
    return levels


def _depth(document: Any) -> int:
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            return depth
        level = [
            child
            for value in level
            for child in (value.values() if isinstance(value, dict) else value)
            if isinstance(child, (dict, list))
        ]
    return depth


def _unreadable(diagnostics: str) -> Refused:
    return Refused(Issue(ErrorKind.UNREADABLE, diagnostics))
