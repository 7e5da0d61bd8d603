"""One use case, or one resource of it, from one side of CISU to the other, so that it comes back as it was. Pure.

What goes by name or by rule goes so (`sides`); what would not come back so goes as text (`notes`), and is read again on
the way back. What even that does not bring back is found by going back.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.conversion import identifiers, notes
from gateway.conversion.changes import REASONS
from gateway.conversion.moving import Loss
from gateway.conversion.notes import Note
from gateway.conversion.rest import ABSENT, Rest, at, difference, leaves, merge
from gateway.conversion.rules import Home, rules
from gateway.conversion.sides import About, Given, Side, digest, places, said
from gateway.model import JsonObject
from gateway.validation.place import Place

AS_TEXT = "the type has no field for it: it stands in this text, which the way back reads"
GIVEN = "the type must have it, the message does not say it: given by rule"
NO_PLACE = "the type has no place for it"
WITHHELD = "medical secrecy: this stays with health actors"


@dataclass(frozen=True, slots=True)
class Crossed:
    """The other side's use case and what is not said in it as it was; places from the use case down."""

    body: JsonObject
    lost: tuple[Loss, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """A use case without the texts that were written for the other side, what they say, and the indexes that are left
    of each list that texts were in.
    """

    bare: JsonObject
    rest: Rest
    kept: dict[Place, list[int]]

    def origin(self, place: Place) -> Place:
        """A place of the bare use case, in the whole one."""
        for home, indexes in self.kept.items():
            if place[: len(home)] == home and len(place) > len(home):
                return (*home, indexes[int(place[len(home)])], *place[len(home) + 1 :])
        return place


def cross(
    source: JsonObject, here: Side, there: Side, about: About, fits: Callable[[JsonObject], bool]
) -> Crossed:
    """The use case as the other side's. Where what texts say does not fit, as `fits` tells, they stay texts."""
    taken = take(source, here, there)
    try:
        made, given = said(taken.bare, here, there, about, taken.rest)
    except ValueError:
        made, given = {}, []
    if taken.rest and not fits(made):
        taken = Taken(source, {}, {})
        made, given = said(source, here, there, about, {})
    made = _without_alike(made, here, there)
    rest = remaining(taken, made, here, there, about)
    if rest and _without_empty(made, [_plain(home.steps) for home in rules(there.message_type).homes]):
        rest = remaining(taken, made, here, there, about)
    texts = _write(made, rest, here, there, about)
    lost = [*_given(given, source), *_as_text(texts, taken)]
    return Crossed(made, (*lost, *_unrestored(source, taken, made, (here, there, about))))


def _without_alike(made: JsonObject, here: Side, there: Side) -> JsonObject:
    """What is made, without the sender's own texts that read like notes: they go inside a note, not as one."""
    alike = _found(made, there, here)
    return _drop(made, set(alike))[0] if alike else made


def take(source: JsonObject, here: Side, there: Side) -> Taken:
    """What texts in the use case say of the other side's, and the use case without them."""
    found = _found(source, here, there)
    if not found:
        return Taken(source, {}, {})
    bare, _ = _drop(source, set(found))
    fresh = {at_: note for at_, note in found.items() if note.seal in {"", digest(bare.get(note.member))}}
    bare, kept = _drop(source, set(fresh))
    rest: dict[Place, Any] = {}
    for note in fresh.values():
        above: Place = (
            () if not note.member else (note.member, *(() if note.index is None else (note.index,)))
        )
        rest |= {(*above, *below): value for below, value in note.rest.items()}
    return Taken(bare, rest, kept)


def _found(source: JsonObject, here: Side, there: Side) -> dict[tuple[Place, int], Note]:
    """The texts that read like notes, by list and index."""
    found: dict[tuple[Place, int], Note] = {}
    for home in rules(here.message_type).homes:
        items = at(source, _plain(home.steps))
        for index, item in enumerate(items if isinstance(items, list) else ()):
            text = item if home.item == "text" else item.get("freetext", "")
            if note := notes.read(text, there.words):
                found[_plain(home.steps), index] = note
    return found


def _drop(source: JsonObject, which: set[tuple[Place, int]]) -> tuple[JsonObject, dict[Place, list[int]]]:
    """A copy without these items, and the indexes that each list keeps."""
    bare: JsonObject = orjson.loads(orjson.dumps(source))
    kept = {}
    for home in {home for home, _ in which}:
        items = at(bare, home)
        kept[home] = [index for index in range(len(items)) if (home, index) not in which]
        items[:] = [items[index] for index in kept[home]]
        _without_empty(bare, [home])
    return bare, kept


def _plain(steps: tuple[str, ...]) -> Place:
    return tuple(step.removesuffix("?") for step in steps)


def _without_empty(body: JsonObject, homes: list[Place]) -> bool:
    """A list that texts are put into is not there before: once they are taken out, nobody knows of an empty one."""
    empty = [home for home in homes if at(body, home) == []]
    merge(body, dict.fromkeys(empty, ABSENT))
    return bool(empty)


def remaining(taken: Taken, made: JsonObject, here: Side, there: Side, about: About) -> Rest:
    """What would not come back. Members that are given as copies of others are seen after them."""
    copies = {
        rule.steps[0].removesuffix("?") for rule in rules(here.message_type).given if rule.verb == "copy"
    }
    rest: dict[Place, Any] = {}
    for late in (False, True) if copies else (False,):
        back = _without_alike(said(made, there, here, about, rest)[0], there, here)
        for field in here.root.fields:
            if (field.name in copies) is late:
                rest |= difference(*(_only(one, field.name) for one in (taken.bare, back)))
    emptied = {
        home for home, indexes in taken.kept.items() if not indexes
    }  # empty or not there: nobody knows
    return {place: value for place, value in rest.items() if value is not ABSENT or place not in emptied}


def _only(body: JsonObject, name: str) -> JsonObject:
    return {name: body[name]} if name in body else {}


def _write(made: JsonObject, rest: Rest, here: Side, there: Side, about: About) -> list[tuple[Note, Place]]:
    """Puts the rest into what is made, as texts; each text with its place."""
    texts = []
    for note in list(_notes(rest, made, here)):
        home = _home(note, made, rules(there.message_type).homes)
        if home is None:
            continue
        steps = _plain(home.steps)
        items = at(made, steps)
        number = len(items) if isinstance(items, list) else 0
        item = _filled(home.item, notes.written(note, here.words), about, number + 1)
        merge(made, {**({} if number else {steps: []}), (*steps, number): item})
        texts.append((note, (*steps, number)))
    return texts


def _notes(rest: Rest, made: JsonObject, here: Side) -> Iterator[Note]:
    parts: dict[tuple[str, int | None], dict[Place, Any]] = {}
    for place, value in rest.items():
        member = str(place[0])
        field = here.root.child(member)
        index = place[1] if len(place) > 1 and isinstance(place[1], int) else None
        below = place[1:] if index is None else place[2:]
        part = (member, index) if below and field is not None and field.fields else ("", None)
        parts.setdefault(part, {})[below if part[0] else place] = value
    for (member, index), below_ in sorted(parts.items(), key=lambda one: one[0] != ("", None)):
        seal = digest(made[member]) if member in made else ""
        yield Note(here.message_type, member, index, below_, seal)


def _home(note: Note, made: JsonObject, homes: tuple[Home, ...]) -> Home | None:
    return next(
        (home for home in homes if home.takes(note.member) and list(places(made, home.steps))),
        None,
    )


def _filled(item: Any, text: str, about: About, number: int) -> Any:
    if isinstance(item, dict):
        return {name: _filled(member, text, about, number) for name, member in item.items()}
    if item == "id":
        return f"fr.health.hub.medicalNote.{identifiers.wrap(about.case_id, '')}.{number}"
    return text if item == "text" else item


def _given(given: list[Given], source: JsonObject) -> Iterator[Loss]:
    for one in given:
        if one.source:
            if one.equivalence in REASONS:
                yield Loss(one.source, one.target, REASONS[one.equivalence].replace("version", "type"))
            continue
        holder = one.target[:-1]
        while not isinstance(at(source, holder), dict):
            holder = holder[:-1]
        yield Loss(holder, one.target, GIVEN)


def _as_text(texts: list[tuple[Note, Place]], taken: Taken) -> Iterator[Loss]:
    for note, target in texts:
        above: Place = (
            () if not note.member else (note.member, *(() if note.index is None else (note.index,)))
        )
        for below, value in note.rest.items():
            if value is not ABSENT:
                yield Loss(taken.origin((*above, *below)), target, AS_TEXT)


def _unrestored(
    source: JsonObject, taken: Taken, made: JsonObject, ends: tuple[Side, Side, About]
) -> Iterator[Loss]:
    here, there, about = ends
    back = take(made, there, here)
    try:
        restored, _ = said(back.bare, there, here, about, back.rest)
    except ValueError:
        restored, _ = said(made, there, here, about, {})
    have = dict(leaves(_without_alike(restored, there, here)))
    withheld = {name for home in rules(there.message_type).homes for name in home.without}
    for place, value in leaves(taken.bare):
        if have.get(place, ABSENT) != value and at(source, place) is not ABSENT:
            yield Loss(taken.origin(place), (), WITHHELD if place[0] in withheld else NO_PLACE)
