"""JSON members that stand twice in one object, found exactly and, where there are none, cheaply.

RFC 8259, section 4: names within an object should be unique; readers differ on which one counts. orjson keeps the last and
says nothing, so that a note, a sender or a refusal could disappear. What is decoded here is refused instead, as the XML
reader refuses an element that stands twice.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from gateway.errors import ErrorKind, Issue, Refused
from gateway.validation.place import Place, json_pointer, simple_path

TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],]', re.DOTALL)  # of valid JSON, all that a place needs
COLON = re.compile(rb"\\u003[aA]")  # a colon that is not written as one
MAX_LISTED = 20


@dataclass(slots=True)
class _Open:
    """An object or a list that is being read: the names seen (None for a list), and the member or index of now."""

    names: set[str] | None
    part: str | int | None


def require_unique(body: bytes, value: Any, kind: ErrorKind = ErrorKind.UNREADABLE) -> None:
    """Raise Refused (400, the places of the later ones) where an object in a body has a member twice.

    `value` is what orjson made of the body, nested less deep than 254 levels.
    """
    written = orjson.dumps(value)
    if written == body:
        return
    # Names and texts hold the same colons in both, unless the body writes some as \u003a. Each member adds one of its own:
    # the numbers are equal exactly where `value` lacks no member of the body.
    if not COLON.search(body) and written.count(b":") == body.count(b":"):
        return
    found = places(body)
    listed = [_issue(kind, body, place, at) for place, at in islice(found, MAX_LISTED)]
    if not listed:
        return
    if any(True for _ in found):
        text = f"More than {MAX_LISTED} members stand twice. Correct the listed ones first."
        listed.append(Issue(kind, text, severity="information"))
    raise Refused(*listed)


def places(body: bytes) -> Iterator[tuple[Place, int]]:
    """The place of each member whose name its object had before, and the byte at which it begins. `body` is valid JSON."""
    opened: list[_Open] = []
    for match in TOKEN.finditer(body):
        token = match[0]
        if token == b"{":
            opened.append(_Open(set(), None))
        elif token == b"[":
            opened.append(_Open(None, 0))
        elif token in b"]}":
            opened.pop()
        elif token == b",":
            inner = opened[-1]
            inner.part = inner.part + 1 if isinstance(inner.part, int) else None
        elif opened and opened[-1].part is None:  # a name; any other text is a value
            inner, name = opened[-1], str(orjson.loads(token))
            inner.part = name
            assert inner.names is not None
            if name in inner.names:
                yield tuple(one.part for one in opened if one.part is not None), match.start()
            inner.names.add(name)


def _issue(kind: ErrorKind, body: bytes, place: Place, at: int) -> Issue:
    line = body.count(b"\n", 0, at) + 1
    column = len(body[body.rfind(b"\n", 0, at) + 1 : at].decode()) + 1
    text = (
        f"This member is there twice: a second time at line {line}, column {column}. "
        "Send it once: one of the two would be lost."
    )
    return Issue(kind, text, simple_path(place), json_pointer(place))
