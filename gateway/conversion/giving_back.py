"""Giving a viewer back what the other side has no field for, or says in another way. Pure.

The other side's message is converted as it is, and what the viewer knows of the case is converted there and back as well. A
part that the viewer knows stands where both came out equal: there the other side says just what converting it gives. Anywhere
else the other side said something new, and that stands.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson

from gateway.conversion import code_map
from gateway.conversion.places import ABSENT, at
from gateway.conversion.rules import rules
from gateway.model import JsonObject
from gateway.validation.place import Place

HEALTH = "RS-EDA"
COLLECTED = frozenset({"patient", "medicalNote", "decision", "state"})  # nothing of these is ever taken away
TEXTS = frozenset({"notes", "freetext", "customMap"})  # lists to which the conversion itself adds
PLACE = ("name", "externalLocationId", "detailedAddress", "city", "geometry")  # what says where a location is


@dataclass(frozen=True, slots=True)
class Views:
    """One part of a case, five times: `known` by the viewer, and what converting that gives (`expected`), `said` by the other
    side; what converting these two to the viewer's type gives (`echo` and `new`). ABSENT where it is not there.
    """

    known: Any
    expected: Any
    echo: Any
    said: Any
    new: Any

    def below(self, name: str) -> "Views":
        """The member of that name."""
        parts = (self.known, self.expected, self.echo, self.said, self.new)
        return Views(*[part.get(name, ABSENT) if isinstance(part, dict) else ABSENT for part in parts])

    @property
    def is_unchanged(self) -> bool:
        """Whether the other side says here what converting the viewer's part gives."""
        return bool(self.said == self.expected and self.new == self.echo)

    @property
    def has_no_field(self) -> bool:
        """Whether the other side says nothing here and nothing was to be expected of it."""
        return self.said is ABSENT and self.expected is ABSENT


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The use case (or the resource) for the viewer. `back`: places at which the viewer's own part stands, present or not;
    `moved`: where an item of a list of `new` is now, () where the viewer's own says it.
    """

    body: JsonObject
    back: frozenset[Place]
    moved: dict[Place, Place]

    def target(self, place: Place) -> Place:
        """Where a place of `new` is now, () where the viewer's own part stands for it."""
        for depth in range(len(place), 0, -1):
            if place[:depth] in self.moved:
                moved = self.moved[place[:depth]]
                return (*moved, *place[depth:]) if moved else ()
        return place

    def is_back(self, place: Place) -> bool:
        """Whether the viewer's own part stands at a place, or all of that place in it."""
        return any(place[:depth] in self.back for depth in range(len(place) + 1))


@dataclass(slots=True)
class _Record:
    back: list[Place] = field(default_factory=list)
    moved: dict[Place, Place] = field(default_factory=dict)


def given_back(views: Views, message_type: str) -> GivenBack:
    """A use case, or a resource of it, with what the viewer knows; `message_type` is the viewer's."""
    record = _Record()
    found = _merged(views, (), record, message_type, strict=False)
    body: JsonObject = dict(views.new) if found is ABSENT else dict(found)
    if message_type.endswith("EDA"):
        _copies(body, views, message_type)
    return GivenBack(body, frozenset(record.back), record.moved)


def _merged(views: Views, place: Place, record: _Record, kind: str, *, strict: bool) -> Any:
    """The part that stands. `strict`: below a place that has changed, where a part of the old one would mislead."""
    new, known = views.new, views.known
    name = place[-1] if place else ""
    if strict and (views.has_no_field or (name == "freetext" and isinstance(new, str))):
        return new  # of a place that has changed, the text is all that tells a part of the old one that still holds
    is_named = name in _ids(kind) and views.has_no_field and known is not ABSENT
    if is_named or (views.is_unchanged and not (strict and isinstance(known, dict))):
        record.back.append(place)
        return known
    if name in TEXTS and isinstance(new, list):
        return _list(views, place, record, kind)
    if known is ABSENT or not isinstance(known, dict | list | str):
        return new
    if isinstance(known, dict):
        return _object(views, place, record, kind, strict=strict)
    if name == "freetext" and isinstance(known, str) and isinstance(new, str):
        return _lines(views)
    if isinstance(known, list) and name in COLLECTED | TEXTS | {"riskThreat"}:
        return _list(views, place, record, kind)
    return new


@cache
def _ids(kind: str) -> frozenset[str]:
    """Members with an id that the rules make of the content around it: another content does not make it another one's id."""
    return frozenset(rule.steps[-1] for rule in rules(kind).filling if rule.verb == "id")


def _object(views: Views, place: Place, record: _Record, kind: str, *, strict: bool) -> Any:
    new, known = views.new, views.known
    taken_away = new is ABSENT and not views.has_no_field
    if taken_away or not (new is ABSENT or isinstance(new, dict)) or "code" in known:
        return new
    if place[-1:] == ("location",):
        strict = strict or _has_moved(views)
    members = new if isinstance(new, dict) else {}
    made = {}
    for name in (*members, *(name for name in known if name not in members)):
        part = _merged(views.below(name), (*place, name), record, kind, strict=strict)
        if part is not ABSENT:
            made[name] = part
    return made if made or new is not ABSENT else ABSENT


def _has_moved(views: Views) -> bool:
    """Whether a location is another one: one of its parts, or a line that the conversion wrote of them, is not as expected."""
    if any(at(views.said, (name,)) != at(views.expected, (name,)) for name in PLACE):
        return True
    parts = (views.known, views.echo, views.new)
    known, echo, new = (frozenset(_text_lines(at(one, ("freetext",)))) for one in parts)
    return not echo - known <= new


def _text_lines(text: Any) -> list[str]:
    return text.split("\n") if isinstance(text, str) else []


def _lines(views: Views) -> Any:
    """A text that has changed, without the lines that the conversion wrote of what the viewer has as fields."""
    written = frozenset(_text_lines(views.echo)) - frozenset(_text_lines(views.known))
    kept = [line for line in _text_lines(views.new) if line not in written]
    return "\n".join(kept) if kept else ABSENT


def _list(views: Views, place: Place, record: _Record, kind: str) -> Any:
    known, echo, new = (one if isinstance(one, list) else [] for one in (views.known, views.echo, views.new))
    before, written = _by_key(known), _by_key(echo)
    if place[-1] in COLLECTED:
        notes = {one.get("medicalNoteId") for one in known} - {None}
        there_already = {*before, *written}
        further = (one for one in new if one.get("medicalNoteId") not in notes)
        made = [*known, *(one for one in further if _key(one) not in there_already)]
    elif place[-1] == "riskThreat":
        made = _risks(known, views.said if isinstance(views.said, list) else [], to_health=kind == HEALTH)
    else:
        made = [one for one in new if (key := _key(one)) not in written or key in before]
    there = _by_key(made)
    for index, item in enumerate(new):
        record.moved[(*place, index)] = (*place, there[key]) if (key := _key(item)) in there else ()
    return made if made or (isinstance(views.new, list) and not new) else ABSENT


def _key(item: Any) -> bytes:
    """The same for equal items: lists may be long, so they are not searched item by item."""
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


def _by_key(items: Iterable[Any]) -> dict[bytes, int]:
    """The first index of each item."""
    found: dict[bytes, int] = {}
    for index, item in enumerate(items):
        found.setdefault(_key(item), index)
    return found


def _risks(known: list[Any], said: list[Any], *, to_health: bool) -> list[Any]:
    """Each code that the other side says: as the viewer knows it, if it comes of that, else by the code map; and the viewer's
    codes that the other side's list does not have.
    """
    own: dict[bytes, list[Any]] = {}  # what the other side says -> what the viewer knows, b"" nothing
    for one in known:
        there = _crossed(one, to_health=not to_health)
        own.setdefault(_key(there[0]) if there else b"", []).append(one)
    made: list[Any] = []
    for item in said:
        made += own.pop(_key(item), []) or _crossed(item, to_health=to_health)
    return made + own.pop(b"", [])


def _crossed(item: Any, *, to_health: bool) -> list[Any]:
    made: list[Any] = code_map.crossed({"riskThreat": [item]}, to_health=to_health)[0].get("riskThreat", [])
    return made


def _copies(body: JsonObject, views: Views, message_type: str) -> None:
    """Members that the rules copy (the first alert's location): the viewer's own, if it is no copy, else a copy of what stands."""
    for rule in rules(message_type).filling:
        if rule.verb != "copy":
            continue
        place = tuple(step.removesuffix("?") for step in rule.steps)
        holder, own = at(body, place[:-1]), at(views.known, place)
        if isinstance(holder, dict) and at(views.new, place) is not ABSENT:
            is_own = own is not ABSENT and own != at(views.known, rule.paths[0])
            body[place[0]] = {**holder, place[-1]: own if is_own else at(body, rule.paths[0])}
