"""One side's use case as the other side's: what both have under one name, then the rules (`rules`). Pure."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import orjson

from gateway.conversion.places import ABSENT, at, copied, put
from gateway.conversion.rules import Rule, rules
from gateway.edxl import facts
from gateway.hub import is_health
from gateway.model import JsonObject
from gateway.validation.place import Place
from schemas.fields import Field, table

VERSION = "v3"  # of the fire side; the other versions go by way of it


@dataclass(frozen=True, slots=True)
class Side:
    """A type as one side of a conversion: `root` is the field whose members are compared by name."""

    message_type: str
    root: Field


@cache
def side(message_type: str) -> Side:
    """A type as one side: its use case, or one resource of it."""
    root = table(message_type, VERSION).root
    resource = root.child("resource") if message_type.endswith("-RI") else None
    return Side(message_type, replace(resource, repeats=False, min_items=0) if resource else root)


@dataclass(frozen=True, slots=True)
class About:
    """What a conversion knows besides the use case."""

    case_id: str
    sender: str
    recipient: str

    @property
    def health_actor(self) -> str:
        """The recipient if it is a health actor, else the sender if it is one, else the recipient."""
        return next((one for one in (self.recipient, self.sender) if is_health(one)), self.recipient)

    @property
    def back(self) -> "About":
        """The same of a message the other way."""
        return About(self.case_id, self.recipient, self.sender)


@dataclass(frozen=True, slots=True)
class Given:
    """A member that a rule gives: from a place of the source (() = of no other), as an equivalent or not."""

    target: Place
    source: Place
    equivalence: str


Part = tuple[Place, Any]
"""A place and what stands there."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The other side's use case so far, the members that rules replaced, and the parts of the source that are not in it."""

    body: JsonObject
    given: tuple[Given, ...]
    left: tuple[Part, ...]


def carried(source: JsonObject, here: Side, there: Side) -> Carried:
    """What both sides have under one name, and what rules say in place of it. Withheld members are not looked at."""
    known = rules(there.message_type)
    replaced = {rule.steps[0] for rule in known.replacing} - {*known.withheld}
    left: list[Part] = [((name,), source[name]) for name in source if name in replaced]
    members = {name: value for name, value in source.items() if name not in {*replaced, *known.withheld}}
    made: JsonObject = _item(members, _common(here.message_type, there.message_type), (), left)
    given = [one for rule in known.replacing if (one := _replace(rule, source, made)) is not None]
    return Carried(made, tuple(given), tuple(left))


def fill(made: JsonObject, source: JsonObject, there: Side, about: About) -> Iterator[Given]:
    """Puts what rules give into a use case where it is missing."""
    for rule in rules(there.message_type).filling:
        for place in places(made, rule.steps):
            if at(made, place) is ABSENT:
                value, origin, equivalence = FILLING[rule.verb](
                    rule, source, at(made, place[:-1]), made, about
                )
                if value is not None:
                    put(made, place, value)
                    yield Given(place, origin, equivalence)


@dataclass(frozen=True, slots=True)
class _Common:
    """What a field of one side and the field of the same name on the other side have in common."""

    repeats: bool
    is_leaf: bool
    values: frozenset[str] | None  # codes that the other side has; None: every value
    may_be_empty: bool
    members: "dict[str, _Common]"
    is_whole: bool  # the other side has all that may stand here


@cache
def _common(here_type: str, there_type: str) -> _Common:
    """The fields that two types have in common, from their roots down."""
    return _both(side(here_type).root, side(there_type).root)


def _both(here: Field, there: Field) -> _Common:
    if here.type != "object":
        has_all = not there.values or (here.values and {*here.values} <= {*there.values})
        values = frozenset() if here.type != there.type else None if has_all else frozenset(there.values)
        return _Common(here.repeats, True, values, False, {}, values is None)
    may_be_empty = there.required and not there.repeats and not any(child.required for child in there.fields)
    pairs = ((one, there.child(one.name)) for one in here.fields)
    members = {
        one.name: _both(one, other)
        for one, other in pairs
        if other is not None and one.repeats == other.repeats
    }
    is_whole = len(members) == len(here.fields) and all(one.is_whole for one in members.values())
    return _Common(here.repeats, False, None, may_be_empty, members, is_whole)


def _value(value: Any, common: _Common, place: Place, left: list[Part]) -> Any:
    """What both have under the same name; the rest goes to `left`."""
    if not common.repeats:
        return _item(value, common, place, left)
    items = (_item(item, common, (*place, index), left) for index, item in enumerate(value))
    return [item for item in items if item is not ABSENT]


def _item(value: Any, common: _Common, place: Place, left: list[Part]) -> Any:
    if common.is_leaf:
        if common.values is None or value in common.values:
            return value
        left.append((place, value))
        return ABSENT
    made = {}
    for name, member in value.items():
        both = common.members.get(name)
        if both is None:
            left.append(((*place, name), member))
        elif both.is_whole:
            made[name] = copied(member)
        elif (part := _value(member, both, (*place, name), left)) is not ABSENT:
            made[name] = part
    return made if made or not value or common.may_be_empty or not place else ABSENT


def _replace(rule: Rule, source: JsonObject, made: JsonObject) -> Given | None:
    listed = rule.steps[-1] == "[]"
    place: Place = rule.steps[:-1] if listed else rule.steps
    origin: Place | None = next((path for path in rule.paths if at(source, path) is not ABSENT), None)
    if origin is None:
        return None
    value, equivalence = at(source, origin), "equivalent"
    if rule.verb == "newest":
        if not value:
            return None
        newest = max(range(len(value)), key=lambda index: instant(value[index]))
        value, origin = value[newest], (*origin, newest)
    if rule.verb == "head":
        head = value.partition(".")[0]
        value, equivalence = head, "equivalent" if head == value else "wider"
    put(made, place, [value] if listed else value)
    return Given(place, origin, equivalence)


def instant(state: JsonObject) -> float:
    """When a resource's state began, POSIX seconds."""
    return facts.instant(state["datetime"]) or 0.0


def places(made: Any, steps: tuple[str, ...], place: Place = ()) -> Iterator[Place]:
    """The places of a rule's member in what is made so far."""
    for number, step in enumerate(steps):
        here = (*place, step.removesuffix("?"))
        if step.endswith("?") and at(made, here) is ABSENT:
            return
        if step == "[]":
            items = at(made, place)
            for index in range(len(items) if isinstance(items, list) else 0):
                yield from places(made, steps[number + 1 :], (*place, index))
            return
        place = here
    yield place


def digest(value: Any) -> str:
    """16 hexadecimal digits that identify a JSON value."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


Filling = Callable[[Rule, JsonObject, Any, JsonObject, About], tuple[Any, Place, str]]
"""A rule, the source, the object that holds the member, all that is made, and the rest of the message ->
the value or None, where it comes from, and its equivalence.
"""


def _code(rule: Rule, source: JsonObject, *_: Any) -> tuple[Any, Place, str]:
    code = at(source, rule.paths[0])
    pair = next((pair for pair in rule.pairs if pair.source == code), None)
    return (pair.target, rule.paths[0], pair.equivalence) if pair else (None, (), "")


def _count(rule: Rule, source: JsonObject, *_: Any) -> tuple[Any, Place, str]:
    items = at(source, rule.paths[0])
    number = len(items) if isinstance(items, list) else 0
    reached = [pair.target for pair in rule.pairs if int(pair.source) <= number]
    return reached[-1] if reached else None, (), ""


def _copy(
    rule: Rule, _source: JsonObject, _holder: Any, made: JsonObject, _about: About
) -> tuple[Any, Place, str]:
    return at(made, rule.paths[0]), (), ""


def _id(
    rule: Rule, _source: JsonObject, holder: Any, _made: JsonObject, about: About
) -> tuple[Any, Place, str]:
    return f"{about.case_id}.{rule.value}.{digest(holder)}", (), ""


def _actor(
    _rule: Rule, _source: JsonObject, _holder: Any, _made: JsonObject, about: About
) -> tuple[Any, Place, str]:
    return about.health_actor, (), ""


def _control_room(
    _rule: Rule, _source: JsonObject, _holder: Any, _made: JsonObject, about: About
) -> tuple[Any, Place, str]:
    return f"CRRA {about.health_actor.rpartition('.')[2]}", (), ""


def _else(rule: Rule, *_: Any) -> tuple[Any, Place, str]:
    return rule.value, (), ""


FILLING: dict[str, Filling] = {
    "code": _code, "count": _count, "copy": _copy, "id": _id, "health-actor": _actor, "control-room": _control_room,
    "else": _else,
}  # fmt: skip
