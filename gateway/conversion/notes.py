"""What another model version has no field or code for, as text that people read: notes of the case, remarks on a resource.

For health actors, from whom nothing is withheld. No conversion ever reads a text back as data. Pure.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from gateway import edxl
from gateway.conversion import french
from gateway.conversion.moving import GIVEN, Loss, Moving
from gateway.conversion.places import ABSENT, at, leaves, put
from gateway.conversion.sentences import GATEWAY
from gateway.conversion.sides import digest
from gateway.model import JsonObject, Message
from gateway.validation.place import Place
from schemas.fields import Field, table

AS_TEXT = "it is part of this text"
NOTE, TEXT = "medicalNote", "freetext"
ITEMS = frozenset({"patient", "decision", NOTE})  # a note for each; of the other members one for each member
PATIENT_IDS = ("patientId", "idPat")


@dataclass(frozen=True, slots=True)
class Subject:
    """A patient, a decision, a resource or another member of the use case, and what of it is not said as it was.

    `place` is from the use case down; `lost` has the places below it, each with the index of its line of the report.
    """

    place: Place
    lost: dict[Place, int]


def noted(source: Message, made: Message, moving: Moving) -> Message:
    """The message that was made of `source`, with texts for what it does not say as it was; the report names them.

    The same message always gets the same texts. Where its type has no text, it stays as it is.
    """
    has_notes = table(made.message_type, made.model_version).root.child(NOTE) is not None
    subjects = _subjects(source, moving, _note_subject if has_notes else _item)
    if not subjects:
        return made
    other = edxl.message(orjson.loads(orjson.dumps(made.document)), made.model_version)
    homes = {} if has_notes else _homes(moving)
    for subject in subjects:
        if has_notes:
            told = _without_links(subject)
            target = _add_note(source, other, told)
        else:
            told = _without_said(source, other, subject, homes)
            target = _add_remark(source, other, told, homes)
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


def _note_subject(place: Place) -> Place:
    return place[:2] if place[0] in ITEMS else place[:1]


def _item(place: Place) -> Place:
    """The first item of a list on the way to a place, else the first member."""
    depth = next((depth for depth, part in enumerate(place, 1) if isinstance(part, int)), 1)
    return place[:depth]


def _pruned(value: Any, lost: list[Place]) -> Any:
    """No more of a value than what is lost; a code comes with its label, an identifier with its source."""
    if () in lost or (isinstance(value, dict) and french.is_one_value(value)):
        return value
    below: dict[str | int, list[Place]] = {}
    for place in lost:
        below.setdefault(place[0], []).append(place[1:])
    if isinstance(value, dict):
        return {name: _pruned(member, below[name]) for name, member in value.items() if name in below}
    return [
        _pruned(value[index], below[index])
        for index in sorted(index for index in below if isinstance(index, int))
    ]


def _report(moving: Moving, subject: Subject, target: Place) -> None:
    for index in subject.lost.values():
        loss = moving.lost[index]
        if not loss.target:
            moving.lost[index] = Loss(loss.source, target, f"{loss.reason}: {AS_TEXT}")


# notes of a case


def _without_links(subject: Subject) -> Subject:
    """Without the ids that link parts of messages: a physician has no use for them."""
    place = subject.place
    lost = {
        below: index
        for below, index in subject.lost.items()
        if not french.LINKS.fullmatch(str((*place, *below)[-1]))
    }
    return Subject(place, lost)


def _add_note(source: Message, made: Message, subject: Subject) -> Place:
    """Adds the note about a subject; its place, () where there is nothing to read."""
    told = list(_note_lines(source, subject)) if subject.lost else []
    if not told:
        return ()
    patient = _patient_index(source, subject)
    text = "\n".join([*_heading(source, subject, patient), *told])
    root = table(made.message_type, made.model_version).root
    note = root.child(NOTE)
    assert note is not None
    names = {field.pattern.name.partition("-id")[0]: field.name for field in note.fields if field.pattern}
    # its id depends on case, subject and text alone: an echo of the message does not pile notes up
    seed = [source.body.get("caseId", ""), subject.place[0], text]
    made_note: JsonObject = {
        names["medical-note"]: f"fr.health.hub.medicalNote.{digest(seed)}",
        "operator": GATEWAY,
        "creation": source.header.get("sentAt") or source.document["dateTimeSent"],
        TEXT: text,
    }
    if (about := _patient_id(source, made, patient)) is not None:
        made_note[names["patient"]] = about
    notes = made.body.setdefault(NOTE, [])
    known = [one.get(names["medical-note"]) for one in notes]
    if made_note[names["medical-note"]] in known:
        return NOTE, known.index(made_note[names["medical-note"]]), TEXT
    notes.append(made_note)
    return NOTE, len(notes) - 1, TEXT


def _note_lines(source: Message, subject: Subject) -> Iterator[str]:
    root = table(source.message_type, source.model_version).root
    value = at(source.body, subject.place)
    part = _pruned(value, list(subject.lost))
    field = root.child(str(subject.place[0]))
    if field is None or value is ABSENT:
        return
    if subject.place[0] in ITEMS and isinstance(part, dict):
        yield from french.lines(part, field)
    else:
        yield from french.lines({field.name: part}, root)


def _heading(source: Message, subject: Subject, patient: int | None) -> Iterator[str]:
    """Who and what a note is about: the patient first."""
    if patient is not None:
        yield french.patient(source.body["patient"][patient], patient + 1)
    value, kind = at(source.body, subject.place), subject.place[0]
    if kind in {"decision", NOTE} and isinstance(value, dict):
        field = table(source.message_type, source.model_version).root.child(str(kind))
        known = field.child("decisionType") if field else None
        what = french.said(value["decisionType"], known) if known else ""
        when = f" du {french.moment(value['creation'])}" if value.get("creation") else ""
        name = "Décision" if kind == "decision" else "Observation"
        yield f"{name}{when} : {what}" if what else f"{name}{when}"


def _patient_index(source: Message, subject: Subject) -> int | None:
    """Which of the message's patients a subject is, or is about."""
    if subject.place[0] == "patient":
        return int(subject.place[1])
    value = at(source.body, subject.place)
    wanted = _id_of(value) if isinstance(value, dict) and subject.place[0] in ITEMS else None
    if wanted is None:
        return None
    return next((i for i, one in enumerate(source.body.get("patient", ())) if _id_of(one) == wanted), None)


def _patient_id(source: Message, made: Message, patient: int | None) -> str | None:
    """The patient's id in what was made; None where the patients there are not the same ones."""
    before, after = source.body.get("patient", ()), made.body.get("patient", ())
    return _id_of(after[patient]) if patient is not None and len(before) == len(after) else None


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


def _without_said(source: Message, made: Message, subject: Subject, homes: dict[Place, Place]) -> Subject:
    """Without codes that what was made says as they are or more exactly: `SMUR` where `SMUR.VLM` stands."""
    home = homes.get(subject.place)
    there = [] if home is None else [one for _, one in leaves(at(made.body, home)) if isinstance(one, str)]

    def is_said(below: Place) -> bool:
        value = at(source.body, (*subject.place, *below))
        return isinstance(value, str) and any(one == value or one.startswith(f"{value}.") for one in there)

    return Subject(subject.place, {below: n for below, n in subject.lost.items() if not is_said(below)})


def _add_remark(source: Message, made: Message, subject: Subject, homes: dict[Place, Place]) -> Place:
    """Adds what is lost of an item to the nearest text that people read; its place, () where there is none."""
    home = homes.get(subject.place, ())
    root = table(made.message_type, made.model_version).root
    holder = next((one for one in _holders(home, root) if _has_text(root, made, one)), None)
    field = table(source.message_type, source.model_version).at(list(subject.place))
    if holder is None or field is None or not subject.lost:
        return ()
    part = _pruned(at(source.body, subject.place), list(subject.lost))
    above = "" if holder == home else field.title
    if isinstance(part, dict):
        text = "\n".join(french.lines(part, field, above, links=True))
    else:
        text = f"{field.title} : {french.said(part, field)}"
    known = _object_at(root, holder)
    repeats = known is not None and (found := _text_field(known)) is not None and found.repeats
    return _append(made, (*holder, TEXT), text, repeats=repeats) if text else ()


def _holders(place: Place, root: Field) -> list[Place]:
    """Where a text about a place may stand: there, in what holds it, else in another object of the use case."""
    others: list[Place] = [
        (child.name,) for child in root.fields if child.type == "object" and not child.repeats
    ]
    return [*(place[:length] for length in range(len(place), -1, -1)), *others]


def _has_text(root: Field, made: Message, place: Place) -> bool:
    """Whether an object has a text, or may be added to have one."""
    known, there = _object_at(root, place), at(made.body, place)
    if known is None or _text_field(known) is None:
        return False
    return isinstance(there, dict) or (there is ABSENT and not any(child.required for child in known.fields))


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
    if not isinstance(before, str) or text not in before:
        put(made.body, place, f"{before}\n{text}" if isinstance(before, str) and before else text)
    return place
