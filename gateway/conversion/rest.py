"""What one JSON value has that another lacks, leaf by leaf, and putting it back. Pure."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from gateway.model import JsonObject
from gateway.validation.place import Place

ABSENT: Any = object()
"""Stands for a part that is not there."""

Rest = Mapping[Place, Any]
"""Places below a value, and the leaf there or ABSENT. An empty list or object is a leaf."""


def leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """The leaves of a value with their places."""
    if isinstance(value, dict | list) and value:
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(member, (*place, key))
    else:
        yield place, value


def difference(wanted: Any, there: Any) -> dict[Place, Any]:
    """What `merge` needs to make `there` equal to `wanted`."""
    have, want = dict(leaves(there)), dict(leaves(wanted))
    rest = {place: one for place, one in want.items() if place and not _same(have.get(place, ABSENT), one)}
    known = {place[:depth] for place in want for depth in range(len(place) + 1)}
    for place in have:
        extra = next((place[:depth] for depth in range(len(place) + 1) if place[:depth] not in known), None)
        if extra is not None and not any(extra[:depth] in rest for depth in range(len(extra) + 1)):
            rest[extra] = ABSENT
    return rest


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def merge(there: JsonObject, rest: Rest) -> None:
    """Puts the rest into an object. Raises ValueError where a list has no item before a place."""
    for place, value in rest.items():
        if value is not ABSENT:
            _put(there, place, value)
    for place in reversed([place for place, value in rest.items() if value is ABSENT]):
        _remove(there, place)


def _put(holder: Any, place: Place, value: Any) -> None:
    for name, below in zip(place, (*place[1:], None), strict=True):
        new = deepcopy(value) if below is None else [] if isinstance(below, int) else {}
        if not _can_hold(holder, name):
            raise ValueError("a part is no list or object")
        there = at(holder, (name,))
        if there is ABSENT and isinstance(name, int):
            if name != len(holder):
                raise ValueError("a list has no item before this one")
            holder.append(new)
        elif below is None or not isinstance(there, type(new)):
            holder[name] = new
        holder = holder[name]


def _can_hold(holder: Any, name: str | int) -> bool:
    return isinstance(holder, list if isinstance(name, int) else dict)


def _remove(holder: Any, place: Place) -> None:
    for name in place[:-1]:
        try:
            holder = holder[name]
        except (KeyError, IndexError, TypeError):
            return
    try:
        del holder[place[-1]]
    except (KeyError, IndexError, TypeError):
        return


def at(value: Any, place: Place) -> Any:
    """The part at a place, ABSENT where there is none."""
    for name in place:
        try:
            value = value[name]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return value
