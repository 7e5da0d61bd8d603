"""Parts of a JSON value by their places: reading, listing and putting them. Pure."""

from collections.abc import Iterator
from typing import Any

from gateway.model import JsonObject
from gateway.validation.place import Place

ABSENT: Any = object()
"""Stands for a part that is not there."""


def leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """The leaves of a value with their places. An empty list or object is a leaf."""
    if isinstance(value, dict | list) and value:
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(member, (*place, key))
    else:
        yield place, value


def at(value: Any, place: Place) -> Any:
    """The part at a place, ABSENT where there is none."""
    for name in place:
        try:
            value = value[name]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return value


def copied(value: Any) -> Any:
    """A copy that shares no object and no list with the value."""
    if isinstance(value, dict):
        return {name: copied(member) for name, member in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def put(holder: JsonObject, place: Place, value: Any) -> None:
    """Puts a copy of a value at a place, with the objects and lists above it; an index is that of an item there, or next."""
    at_: Any = holder
    for name, below in zip(place, (*place[1:], None), strict=True):
        new = copied(value) if below is None else [] if isinstance(below, int) else {}
        there = at(at_, (name,))
        if there is ABSENT and isinstance(name, int):
            at_.append(new)
        elif below is None or there is ABSENT:
            at_[name] = new
        at_ = at_[name]
