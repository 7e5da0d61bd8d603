"""One use case, or one resource of it, from one side of CISU to the other, with an account of what that cannot say. Pure.

One way only: a text is never read back as data, whatever it looks like. What the other side has no field for is lost and
reported, or stands in a plain sentence (`sentences`); what is withheld never gets near it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway.conversion import code_map, sentences
from gateway.conversion.changes import REASONS
from gateway.conversion.code_map import CodeChange
from gateway.conversion.moving import Loss
from gateway.conversion.places import at, leaves
from gateway.conversion.rules import rules
from gateway.conversion.sentences import Written
from gateway.conversion.sides import About, Given, Part, Side, carried, fill
from gateway.conversion.withholding import WITHHELD
from gateway.model import JsonObject
from gateway.validation.place import Place

AS_TEXT = "the type has no field for it: it is part of this text"
GIVEN = "the type must have it, the message does not say it: given by rule"
NO_PLACE = "the type has no place for it"
UNKNOWN_VEHICLE = "the other side knows no vehicle of this type: the resource is left out"
OTHER_CODE = "the other side's code list has another code for it (official code map)"
FOLDED = "the other side's code list has one code for this and an earlier item (official code map)"
NO_CODE = "the other side's code list has no code for it (official code map)"


__all__ = ["WITHHELD", "Crossed", "cross"]


@dataclass(frozen=True, slots=True)
class Crossed:
    """The other side's use case, and what it does not say as it was; places from the use case down."""

    body: JsonObject
    lost: tuple[Loss, ...]


def cross(source: JsonObject, here: Side, there: Side, about: About) -> Crossed:
    """The use case as the other side's. A withheld member is reported once, as a whole."""
    coded, changes = _with_other_codes(source, there)
    made = carried(coded, here, there)
    written = _sentences(coded, made.body, there, about)
    given = [*made.given, *fill(made.body, coded, there, about)]
    said = [one.source for one in written] + [one.source for one in given if one.source]
    lost = [
        *(Loss((name,), (), WITHHELD) for name in rules(there.message_type).withheld if name in source),
        *_codes_lost(source, coded, changes),
        *_given(given, source),
        *_texts(written),
        *_unsaid(source, made.left, here, said),
    ]
    return Crossed(made.body, tuple(lost))


def body_for(source: JsonObject, here: Side, there: Side, about: About) -> JsonObject:
    """The use case as the other side's, without the account: for a comparison."""
    coded, _ = _with_other_codes(source, there)
    made = carried(coded, here, there).body
    _sentences(coded, made, there, about)
    for _ in fill(made, coded, there, about):
        pass
    return made


def _with_other_codes(source: JsonObject, there: Side) -> tuple[JsonObject, tuple[CodeChange, ...]]:
    """The case with the codes of the other side's lists, by the official code map; resources have none of these codes."""
    if "qualification" not in source:
        return source, ()
    qualification, changes = code_map.crossed(
        source["qualification"], to_health=there.message_type == "RS-EDA"
    )
    return {**source, "qualification": qualification}, changes


def _codes_lost(source: JsonObject, coded: JsonObject, changes: Iterable[CodeChange]) -> Iterator[Loss]:
    for change in changes:
        reason = FOLDED if change.folded else OTHER_CODE if change.target else NO_CODE
        for below, value in leaves(at(source["qualification"], change.source)):
            target: Place = (*change.target, *below) if change.target else ()
            if not target or at(coded["qualification"], target) != value:
                place: Place = ("qualification", *change.source, *below)
                yield Loss(place, ("qualification", *target) if target else (), reason)


def _sentences(source: JsonObject, made: JsonObject, there: Side, about: About) -> list[Written]:
    if there.message_type == "RC-EDA":
        return sentences.write_for_crews(source, made)
    return sentences.write_for_health(source, made, about) if there.message_type == "RS-EDA" else []


def _given(given: Iterable[Given], source: JsonObject) -> Iterator[Loss]:
    for one in given:
        if one.source:
            if one.equivalence in REASONS:
                yield Loss(one.source, one.target, REASONS[one.equivalence].replace("version", "type"))
            continue
        holder = one.target[:-1]
        while not isinstance(at(source, holder), dict):
            holder = holder[:-1]
        yield Loss(holder, one.target, GIVEN)


def _texts(written: list[Written]) -> Iterator[Loss]:
    """Each leaf that is part of a text, with the first text that says it."""
    first = {one.source: one.target for one in reversed(written)}
    return (Loss(source, target, AS_TEXT) for source, target in first.items())


def _unsaid(source: JsonObject, left: Iterable[Part], here: Side, said: list[Place]) -> Iterator[Loss]:
    """What is neither carried nor said otherwise (`said`), nor a copy of another part of the source (an alert's location)."""
    copies = [
        (tuple(step.removesuffix("?") for step in rule.steps), rule.paths[0])
        for rule in rules(here.message_type).filling
        if rule.verb == "copy"
    ]
    parts = {*said}
    every = ((*place, *below) for place, part in left for below, _ in leaves(part))
    lost = {
        place: None for place in every if parts.isdisjoint(place[:depth] for depth in range(len(place) + 1))
    }
    for place in lost:
        origins = [(*path, *place[len(copy) :]) for copy, path in copies if place[: len(copy)] == copy]
        if not any(at(source, origin) == at(source, place) and origin not in lost for origin in origins):
            yield Loss(place, (), NO_PLACE)
