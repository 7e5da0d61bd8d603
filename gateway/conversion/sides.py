"""One side's use case as the other side's, by name and by rule, without what the other has no field for. Pure."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.conversion.notes import Words
from gateway.conversion.rest import ABSENT, Rest, at, merge
from gateway.conversion.rules import Rule, rules
from gateway.edxl import facts
from gateway.model import JsonObject
from gateway.validation.place import Place
from schemas.fields import Field

HEALTH = "fr.health."


@dataclass(frozen=True, slots=True)
class Side:
    """A type as one side of a conversion: `root` is the field whose members are compared by name, `words` name them."""

    message_type: str
    root: Field
    words: Words


@dataclass(frozen=True, slots=True)
class About:
    """What a conversion knows besides the use case."""

    case_id: str
    sender: str
    recipient: str

    @property
    def health_actor(self) -> str:
        """The recipient if it is a health actor, else the sender if it is one, else the recipient."""
        return next((one for one in (self.recipient, self.sender) if one.startswith(HEALTH)), self.recipient)


@dataclass(frozen=True, slots=True)
class Given:
    """A member that a rule says: from a place of the source (() = of no other), as an equivalent or not."""

    target: Place
    source: Place
    equivalence: str


def said(
    source: JsonObject, here: Side, there: Side, about: About, rest: Rest
) -> tuple[JsonObject, list[Given]]:
    """The other side's use case, completed by what a note said; and what it says by rule.

    Raises ValueError where the note does not fit.
    """
    made: JsonObject = _common(source, here.root, there.root)
    moved = [_say(rule, source, made) for rule in rules(there.message_type).said]
    given = [one for one in moved if one is not None]
    copies = [rule.steps for rule in rules(there.message_type).given if rule.verb == "copy"]
    merge(made, {place: value for place, value in rest.items() if not _within(place, copies)})
    for rule in rules(there.message_type).given:
        for place in places(made, rule.steps):
            if at(made, place) is ABSENT:
                value, origin, equivalence = GIVING[rule.verb](
                    rule, source, at(made, place[:-1]), made, about
                )
                if value is not None:
                    merge(made, {place: value})
                    given.append(Given(place, origin, equivalence))
    merge(made, rest)
    return made, given


def _within(place: Place, parts: list[tuple[str, ...]]) -> bool:
    names = tuple(name for name in place if isinstance(name, str))
    return any(tuple(step.removesuffix("?") for step in steps) == names[: len(steps)] for steps in parts)


def _common(value: Any, here: Field, there: Field) -> Any:
    """What both have under the same name."""
    if here.repeats:
        items = (_item(item, here, there) for item in value)
        return [item for item in items if item is not ABSENT]
    return _item(value, here, there)


def _item(value: Any, here: Field, there: Field) -> Any:
    if here.type != "object":
        known = here.type == there.type and (not there.values or value in there.values)
        return value if known else ABSENT
    made = {}
    for name, member in value.items():
        one, other = here.child(name), there.child(name)
        if one is not None and other is not None and one.repeats == other.repeats:
            made[name] = _common(member, one, other)
    made = {name: member for name, member in made.items() if member is not ABSENT}
    may_be_empty = there.required and not there.repeats and not any(child.required for child in there.fields)
    return made if made or not value or may_be_empty else ABSENT


def _say(rule: Rule, source: JsonObject, made: JsonObject) -> Given | None:
    listed = rule.steps[-1] == "[]"
    place: Place = rule.steps[:-1] if listed else rule.steps
    found = next((path for path in rule.paths if at(source, path) is not ABSENT), None)
    value = ABSENT if found is None else at(source, found)
    if rule.verb == "newest":
        value = max(value, key=_instant) if isinstance(value, list) and value else ABSENT
    equivalence = "equivalent"
    if rule.verb == "head" and isinstance(value, str):
        head = value.partition(".")[0]
        value, equivalence = head, "equivalent" if head == value else "wider"
    merge(made, {place: [value] if listed and value is not ABSENT else value})
    return Given(place, found or (), equivalence) if value is not ABSENT else None


def _instant(state: Any) -> float:
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
    """8 hexadecimal digits that stand for a JSON value."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]


Giving = Callable[[Rule, JsonObject, Any, JsonObject, About], tuple[Any, Place, str]]
"""A rule, the source, the object that the member stands in, all that is made, and the rest of the message ->
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
    return orjson.loads(orjson.dumps(at(made, rule.paths[0]))), (), ""


def _id(
    rule: Rule, _source: JsonObject, holder: Any, _made: JsonObject, about: About
) -> tuple[Any, Place, str]:
    return f"{about.case_id}.{rule.value}.{digest(holder)}", (), ""


def _actor(
    _rule: Rule, _source: JsonObject, _holder: Any, _made: JsonObject, about: About
) -> tuple[Any, Place, str]:
    return about.health_actor, (), ""


def _else(rule: Rule, *_: Any) -> tuple[Any, Place, str]:
    return orjson.loads(orjson.dumps(rule.value)), (), ""


GIVING: dict[str, Giving] = {
    "code": _code, "count": _count, "copy": _copy, "id": _id, "health-actor": _actor, "else": _else,
}  # fmt: skip
