"""What no real message meets: how many persons and resources, and how large a Bundle. Judged before anything is made.

The largest official messages have some ten patients or resources, and become Bundles of 50 kB.
"""

from collections.abc import Iterator
from functools import cache
from gc import get_referents
from typing import Any

import orjson

from gateway.errors import ErrorKind, Issue
from gateway.model import JsonObject, Message
from gateway.validation.place import MESSAGE, Place, issue_at
from schemas.fields import Field, table

MAX_COUNTED = 500  # patients, victims or resources in one message
MAX_ITEMS = 20  # content items of one $translate
COUNTED = frozenset(
    {"patient", "victim", "victims", "casualties", "resource", "mobilizedresource", "resourceid", "position"}
)
MEBIBYTE = 1_048_576
OTHERS = MEBIBYTE  # bytes of a Bundle of any other type
# Bytes of a Bundle: the first figure bounds it, the second estimates it, as so many for each member and item of the message
# beside the message's own bytes. Measured on messages whose lists are long: tests/abuse/test_bounds_caps.py holds them.
BUNDLES = {
    "RS-EDA": (6 * MEBIBYTE, 230),
    "RS-EDA-MAJ": (6 * MEBIBYTE, 230),
    "RC-EDA": (3 * MEBIBYTE, 245),
    "EMSI": (6 * MEBIBYTE, 70),
    "GEO-POS": (3 * MEBIBYTE, 100),
    "GEO-REQ": (3 * MEBIBYTE, 190),
    "GEO-RES": (3 * MEBIBYTE, 90),
    "RC-RI": (4 * MEBIBYTE, 90),
    "RS-RI": (4 * MEBIBYTE, 110),
    "RS-ER": (3 * MEBIBYTE, 190),
}
PER_MEMBER = 200
SMALL = 3_000  # members and items: with fewer no Bundle comes near its bound


def bundle_limit(message_type: str) -> int:
    """How many bytes the canonical Bundle of a type may have."""
    return BUNDLES.get(message_type, (OTHERS, 0))[0]


def within(message: Message, *, small: bool = False) -> bool:
    """Whether a message has no more than a message may have. A `small` body (`offload.HEAVY`) has no room for a large Bundle."""
    for path in _counted(message.message_type, message.model_version):
        if _length(message.body, path) > MAX_COUNTED:
            return False
    return small or not any(_bundle(message, _members(message.document)))


def issues(message: Message) -> Iterator[Issue]:
    """What a message has too many of; 422 `too-many`."""
    if not message.message_type:
        return
    for path in _counted(message.message_type, message.model_version):
        found = _length(message.body, path)
        if found > MAX_COUNTED:
            text = (
                f"Found {found}; expected at most {MAX_COUNTED} patients, victims or resources in one message. "
                "Send the others in messages of their own."
            )
            yield issue_at(ErrorKind.TOO_MANY, text, (*MESSAGE, message.root_key, *path))
    yield from _bundle(message, _members(message.document))


def too_many_items(document: JsonObject) -> Iterator[Issue]:
    """More content items than one $translate takes; 422 `too-many`."""
    content = document.get("content")
    if isinstance(content, list) and len(content) > MAX_ITEMS:
        text = f"Found {len(content)} content items; expected at most {MAX_ITEMS}. Send the others in another request."
        yield issue_at(ErrorKind.TOO_MANY, text, ("content",))


def estimated_bundle(message: Message) -> int:
    """About how many bytes the canonical Bundle of a message has."""
    return _estimate(message, _members(message.document))


def _bundle(message: Message, members: int) -> Iterator[Issue]:
    if members <= SMALL:
        return
    most = bundle_limit(message.message_type)
    expected = _estimate(message, members)
    if expected > most:
        text = (
            f"Found {members} members and items, of which a Bundle of some {expected} bytes would be made; expected at most "
            f"{most} bytes for {message.message_type}. Send less in one message."
        )
        yield issue_at(ErrorKind.TOO_MANY, text, (*MESSAGE, message.root_key))


def _estimate(message: Message, members: int) -> int:
    _, each = BUNDLES.get(message.message_type, (OTHERS, PER_MEMBER))
    return len(orjson.dumps(message.document)) + each * members


def _members(document: JsonObject) -> int:
    """How many members and items a JSON document has: one call in C for each of its levels."""
    level: list[Any] = [document]
    count = 0
    while level:
        level = get_referents(*level)
        count += len(level)
    return count


@cache
def _counted(message_type: str, version: str) -> tuple[tuple[str, ...], ...]:
    return tuple(_lists(table(message_type, version).root, ()))


def _lists(field: Field, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The paths of a table's outermost lists of persons or resources."""
    for member in field.fields:
        inner = (*path, member.name)
        if member.repeats and member.name.lower() in COUNTED:
            yield inner
        elif not member.repeats:
            yield from _lists(member, inner)


def _length(value: Any, path: Place) -> int:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return len(value) if isinstance(value, list) else 0
