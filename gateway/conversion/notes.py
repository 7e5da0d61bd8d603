"""What another model version has no field or code for, as text that people read: notes of the case, remarks on a resource.

For health actors, from whom nothing is withheld. No conversion ever reads a text back as data. Pure.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from gateway import edxl
from gateway.conversion import french, identifiers
from gateway.conversion.moving import GIVEN, Loss, Moving
from gateway.conversion.places import ABSENT, at, leaves, put
from gateway.conversion.sentences import GATEWAY
from gateway.conversion.sides import digest
from gateway.model import JsonObject, Message
from gateway.validation.place import Place
from schemas.fields import Field, table

AS_TEXT = "it is part of this text"
NOTE, TEXT = "medicalNote", "freetext"
DECISION, OBSERVATION = "Décision", "Observation"
NOTE_ID = "fr.health.hub.medicalNote."
ITEMS = frozenset({"patient", "decision", NOTE})  # a note for each
PATIENT_IDS = ("patientId", "idPat")


@dataclass(frozen=True, slots=True)
class Subject:
    """A patient, a decision, a resource or another fact of the use case, and what of it is not said as it was.

    `place` is from the use case down; `lost` has the places below it, each with the index of its line of the report.
    """

    place: Place
    lost: dict[Place, int]

    def without(self, dropped: Iterable[Place]) -> "Subject":
        """The same without some of the places."""
        gone = {*dropped}
        return Subject(self.place, {below: n for below, n in self.lost.items() if below not in gone})


def noted(source: Message, made: Message, moving: Moving) -> Message:
    """The message that was made of `source`, with texts for what it does not say as it was; the report names them.

    The same message always gets the same texts. Where its type has no text, it stays as it is.
    """
    has_notes = table(made.message_type, made.model_version).root.child(NOTE) is not None
    subjects = _subjects(source, moving, _fact if has_notes else _item)
    if not subjects:
        return made
    other = edxl.message(orjson.loads(orjson.dumps(made.document)), made.model_version)
    texts = Notes(source, other) if has_notes else Remarks(source, other, _homes(moving))
    for subject in subjects:
        wide = [below for below, index in subject.lost.items() if moving.lost[index].target]
        told, target = texts.add(subject, wide)
        if target:
            _report(moving, told, ("message", made.root_key, *target))
    return other


def _subjects(source: Message, moving: Moving, subject_of: Callable[[Place], Place]) -> list[Subject]:
    found: dict[Place, Subject] = {}
    for index, loss in enumerate(moving.lost):
        if loss.source[:2] == ("message", source.root_key) and loss.reason != GIVEN and len(loss.source) > 2:
            place = loss.source[2:]
            at_ = subject_of(place)
            found.setdefault(at_, Subject(at_, {})).lost[place[len(at_) :]] = index
    return list(found.values())


def _fact(place: Place) -> Place:
    return place[:2] if len(place) > 1 else place


def _item(place: Place) -> Place:
    """The first item of a list on the way to a place, else the first member."""
    depth = next((depth for depth, part in enumerate(place, 1) if isinstance(part, int)), 1)
    return place[:depth]


def _pruned(value: Any, lost: Iterable[Place]) -> Any:
    """No more of a value than what is lost; a code comes with its label, an identifier with its source."""
    places = list(lost)
    if () in places or (isinstance(value, dict) and french.is_one_value(value)):
        return value
    below: dict[str | int, list[Place]] = {}
    for place in places:
        below.setdefault(place[0], []).append(place[1:])
    if isinstance(value, dict):
        return {name: _pruned(member, below[name]) for name, member in value.items() if name in below}
    indexes = sorted(index for index in below if isinstance(index, int))
    return [_pruned(value[index], below[index]) for index in indexes]


def _report(moving: Moving, subject: Subject, target: Place) -> None:
    for index in subject.lost.values():
        loss = moving.lost[index]
        if not loss.target:
            moving.lost[index] = Loss(loss.source, target, f"{loss.reason}: {AS_TEXT}")


def _field(message: Message, place: Place) -> Field | None:
    return table(message.message_type, message.model_version).at(list(place))


class Notes:
    """The notes of a case. `add` puts one into what was made of the source."""

    def __init__(self, source: Message, made: Message) -> None:
        self._source, self._made = source, made
        note = _field(made, (NOTE,))
        assert note is not None
        patterns = {one.pattern.name.partition("-id")[0]: one for one in note.fields if one.pattern}
        self._id, self._patient = patterns["medical-note"], patterns["patient"]
        self._known = {one.get(self._id.name): n for n, one in enumerate(made.body.get(NOTE, ()))}
        self._used: set[str] = set()
        self._headings = _headings(source)
        # what the gateway's own earlier notes are about: each line's title, with the patient and the decision or observation
        self._told: set[tuple[str | None, str, str]] = set()
        for one in source.body.get(NOTE, ()):
            if one.get("operator") == GATEWAY:
                lines = one[TEXT].split("\n")
                act = next((line for line in lines if line.startswith((DECISION, OBSERVATION))), "")
                self._told |= {(_id_of(one), act, line.partition(" : ")[0]) for line in lines}

    def add(self, subject: Subject, wide: Iterable[Place]) -> tuple[Subject, Place]:
        """Adds the note about a subject; what of it is there, and the text's place, () where there is nothing to read.

        `wide`: what stands there by another code. An earlier note that says such a fact stays its last word: what the
        sender has in the field may be no more than the code that the gateway itself wrote.
        """
        place, value = subject.place, at(self._source.body, subject.place)
        about = _id_of(value) if isinstance(value, dict) and place[0] in ITEMS else None
        linking = [b for b in subject.lost if french.LINKS.fullmatch(str((*place, *b)[-1]))]
        known = [b for b in wide if self._is_told(about, self._act(subject), (*place, *b))]
        told = subject.without([*linking, *known])
        lines = list(self._lines(told)) if told.lost else []
        if not lines:
            return told, ()
        # The id depends on case, patient, decision and facts alone: neither an echo nor a new name piles notes up
        facts = [act, *lines] if (act := self._act(told)) else lines
        seed = [self._source.body.get("caseId", ""), place[0], about or "", *facts]
        patient = self._headings.get(about or "", "") if place[0] in ITEMS else ""
        text = "\n".join([patient, *facts] if patient else facts)
        return told, (NOTE, self._put(seed, text, "\n".join(facts), about), TEXT)

    def _put(self, seed: list[Any], text: str, facts: str, about: str | None) -> int:
        notes: list[JsonObject] = self._made.body.setdefault(NOTE, [])
        for number in range(1, len(notes) + 2):
            identifier = NOTE_ID + digest(seed if number == 1 else [*seed, number])
            index = self._known.get(identifier)
            if identifier in self._used or (index is not None and not notes[index][TEXT].endswith(facts)):
                continue  # another subject's, or somebody changed it
            self._used.add(identifier)
            if index is not None:
                return index
            break
        note: JsonObject = {
            self._id.name: identifier,
            "operator": GATEWAY,
            "creation": self._source.header.get("sentAt") or self._source.document["dateTimeSent"],
            TEXT: text,
        }
        if about:
            note[self._patient.name] = self._carried(about)
        self._known[identifier] = len(notes)
        notes.append(note)
        return len(notes) - 1

    def _carried(self, patient_id: str) -> str:
        """A patient's id as the patient has it there."""
        pattern = self._patient.pattern
        assert pattern is not None
        fits = re.compile(pattern.regex).search
        return identifiers.carried(patient_id, identifiers.prefix(pattern.name), lambda one: bool(fits(one)))

    def _is_told(self, about: str | None, act: str, place: Place) -> bool:
        field = _field(self._source, place)
        return field is not None and any(
            (about, act) == (patient, other) and title.endswith(field.title)
            for patient, other, title in self._told
        )

    def _lines(self, subject: Subject) -> Iterator[str]:
        place, value = subject.place, at(self._source.body, subject.place)
        part = _pruned(value, subject.lost)
        if place[0] in ITEMS and isinstance(part, dict) and (field := _field(self._source, place)):
            yield from french.lines(part, field)
            return
        for name in reversed(place):
            part = {name: part}
        yield from french.lines(part, table(self._source.message_type, self._source.model_version).root)

    def _act(self, subject: Subject) -> str:
        """Which decision or observation a note is about, by date and kind; "" for anything else."""
        place, value = subject.place, at(self._source.body, subject.place)
        if place[0] not in {"decision", NOTE} or not isinstance(value, dict):
            return ""
        known = _field(self._source, (*place, "decisionType"))
        what = french.said(value["decisionType"], known) if known else ""
        when = f" du {french.moment(value['creation'])}" if value.get("creation") else ""
        name = DECISION if place[0] == "decision" else OBSERVATION
        return f"{name}{when} : {what}" if what else f"{name}{when}"


def _headings(source: Message) -> dict[str, str]:
    """What a note calls each patient, by id. Those who cannot be told apart have their number in the case; an update has
    no such number.
    """
    patients = [(one, french.patient(one)) for one in source.body.get("patient", ())]
    names = Counter(name for _, name in patients)
    numbered = source.message_type == "RS-EDA"
    found: dict[str, str] = {}
    for number, (one, name) in enumerate(patients, 1):
        heading = f"Patient : {name}" if name else "Patient" if numbered else ""
        if numbered and (not name or names[name] > 1):
            heading = heading.replace("Patient", f"Patient n° {number}", 1)
        found.setdefault(_id_of(one) or "", heading)
    return found


def _id_of(part: JsonObject) -> str | None:
    return next((part[name] for name in PATIENT_IDS if part.get(name)), None)


# remarks of the other types


def _homes(moving: Moving) -> dict[Place, Place]:
    """Where the first list item on the way to a place stands, in the source and in what was made; from the use case down."""
    found: dict[Place, Place] = {}
    for target, (source, _) in moving.origins.items():
        if len(source) > 2 and len(target) > 2:
            here, there = _item(source[2:]), _item(target[2:])
            if isinstance(here[-1], int) == isinstance(there[-1], int):
                found.setdefault(here, there)
    return found


class Remarks:
    """The texts of other types: of a resource, a request, a report."""

    def __init__(self, source: Message, made: Message, homes: dict[Place, Place]) -> None:
        self._source, self._made, self._homes = source, made, homes
        self._root = table(made.message_type, made.model_version).root

    def add(self, subject: Subject, _wide: Iterable[Place]) -> tuple[Subject, Place]:
        """Adds what is lost of an item to the nearest text that people read; what of it is there, and the text's place, ()
        where there is none.
        """
        home = self._homes.get(subject.place, ())
        holder = next((one for one in _holders(home, self._root) if self._has_text(one)), None)
        field, value = _field(self._source, subject.place), at(self._source.body, subject.place)
        if holder is None or field is None:
            return subject, ()
        told = subject.without(self._said(subject, home, holder))
        if not told.lost:
            return told, ()
        part = _pruned(value, told.lost)
        above = "" if holder == home else _named(value, field, told)
        if isinstance(part, dict):
            text = "\n".join(french.lines(part, field, above, links=True))
        else:
            text = f"{field.title} : {french.said(part, field)}"
        known = _object_at(self._root, holder)
        repeats = known is not None and (found := _text_field(known)) is not None and found.repeats
        return told, _append(self._made, (*holder, TEXT), text, repeats=repeats) if text else ()

    def _said(self, subject: Subject, home: Place, holder: Place) -> list[Place]:
        """Kinds that what was made says as they are or more exactly (`SMUR` where `SMUR.VLM` stands), or a remark says already:
        that one was written when the code was the sender's own.
        """
        there = {
            ".".join(parts[:count])
            for place, one in leaves(at(self._made.body, home))
            if isinstance(one, str) and place and str(place[-1]).endswith("Type")
            for parts in [one.split(".")]
            for count in range(1, len(parts) + 1)
        }
        texts = at(self._made.body, (*holder, TEXT))
        remarks = {
            line for one in (texts if isinstance(texts, list) else [texts]) for line in str(one).split("\n")
        }
        titles = {line.partition(" : ")[0] for line in remarks}
        said = []
        for below in subject.lost:
            field = _field(self._source, (*subject.place, *below))
            is_kind = below and str(below[-1]).endswith("Type") and field is not None
            value = at(self._source.body, (*subject.place, *below))
            if is_kind and field and (value in there or field.title in titles):
                said.append(below)
        return said

    def _has_text(self, place: Place) -> bool:
        """Whether an object has a text, or may be added to have one."""
        known, there = _object_at(self._root, place), at(self._made.body, place)
        if known is None or _text_field(known) is None:
            return False
        return isinstance(there, dict) or (
            there is ABSENT and not any(child.required for child in known.fields)
        )


def _named(value: Any, field: Field, subject: Subject) -> str:
    """An item by its title and the first two things that it says: `Paramètres vitaux, Glasgow 3`."""
    if not isinstance(value, dict):
        return field.title
    others = [
        text
        for name, one in value.items()
        if (name,) not in subject.lost and isinstance(one, str) and (known := field.child(name))
        if (text := french.said(one, known))
    ]
    return ", ".join([field.title, " ".join(others[:2])] if others else [field.title])


def _holders(place: Place, root: Field) -> list[Place]:
    """Where a text about a place may stand: there, in what holds it, else in another object of the use case."""
    others: list[Place] = [
        (child.name,) for child in root.fields if child.type == "object" and not child.repeats
    ]
    return [*(place[:length] for length in range(len(place), -1, -1)), *others]


def _object_at(root: Field, place: Place) -> Field | None:
    found: Field | None = root
    for name in place:
        found = found.child(name) if isinstance(name, str) and found is not None else found
    return found


def _text_field(known: Field) -> Field | None:
    found = known.child(TEXT)
    return found if found is not None and found.type == "string" and not found.values else None


def _append(made: Message, place: Place, text: str, *, repeats: bool) -> Place:
    before = at(made.body, place)
    if repeats:
        items = before if isinstance(before, list) else []
        if text in items:
            return (*place, items.index(text))
        target = (*place, len(items))
        put(made.body, target, text)
        return target
    known = before.split("\n") if isinstance(before, str) and before else []
    new = [line for line in text.split("\n") if line not in known]
    if new:
        put(made.body, place, "\n".join([*known, *new]))
    return place
