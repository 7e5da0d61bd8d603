"""Places that are nowhere on Earth, and the second that most clocks do not have: warnings, no schema forbids them.

Looked for where a message is tried out or has an error: a plain message pays nothing for them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from gateway.errors import ErrorKind, Issue
from gateway.model import Message
from gateway.validation.place import MESSAGE, Place, issue_at
from gateway.validation.wording import shown
from schemas.fields import Field, table

DEGREES = {"lat": 90, "lon": 180, "long": 180}
NAMES = {90: "latitude", 180: "longitude"}
SYSTEM = "COORDSYS"  # EMSI alone may name another system than WGS 84
WGS_84 = re.compile("EPSG[:-]4326")
LEAP_SECOND = re.compile(r".{17}60")
INSTANTS = frozenset({"datetime", "rfc3339"})


@dataclass(frozen=True, slots=True)
class _Node:
    """A member on the way to what is looked at; `degrees` of a coordinate, 0 = an instant."""

    name: str
    degrees: int
    below: "tuple[_Node, ...]"


def issues(message: Message) -> Iterator[Issue]:
    """Coordinates out of their range, and leap seconds; all are warnings."""
    yield from _walk(message.document, _nodes(table("EDXL-DE", message.model_version).root), ())
    yield from _walk(message.header, _nodes(table("RC-DE", message.model_version).root), MESSAGE)
    if message.message_type:
        plan = _plan(message.message_type, message.model_version)
        yield from _walk(message.body, plan, (*MESSAGE, message.root_key))


@cache
def _plan(message_type: str, version: str) -> tuple[_Node, ...]:
    return _nodes(table(message_type, version).root)


def _nodes(field: Field) -> tuple[_Node, ...]:
    found = (_Node(member.name, _degrees(member), _nodes(member)) for member in field.fields)
    return tuple(
        node
        for node, member in zip(found, field.fields, strict=True)
        if node.below or node.degrees or member.type in INSTANTS
    )


def _degrees(field: Field) -> int:
    return DEGREES.get(field.name.lower(), 0) if field.type == "number" else 0


def _walk(value: Any, plan: tuple[_Node, ...], place: Place) -> Iterator[Issue]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, plan, (*place, index))
    elif isinstance(value, dict) and _on_earth(value):
        for node in plan:
            if node.name in value:
                here = (*place, node.name)
                if node.below:
                    yield from _walk(value[node.name], node.below, here)
                else:
                    yield from _judged(value[node.name], node.degrees, here)


def _on_earth(value: dict[str, Any]) -> bool:
    system = value.get(SYSTEM)
    return not isinstance(system, str) or WGS_84.fullmatch(system) is not None


def _judged(value: Any, degrees: int, place: Place) -> Iterator[Issue]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _judged(item, degrees, (*place, index))
    elif degrees and isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > degrees:
        text = (
            f"Found {shown(value)}; expected a {NAMES[degrees]} from -{degrees} to {degrees}: there is no such place. "
            "Correct the value. The message is taken with it."
        )
        yield issue_at(ErrorKind.SCHEMA, text, place, severity="warning")
    elif not degrees and isinstance(value, str) and LEAP_SECOND.match(value):
        text = (
            f"Found {shown(value)}, a leap second; expected a second from 00 to 59. XML has none and its readers get the second "
            "before; other software may not read it. Send the second before or after. The message is taken with it."
        )
        yield issue_at(ErrorKind.SCHEMA, text, place, severity="warning")
