"""What a type has no field for, as a text that people read and that the way back reads exactly.

    [RS-EDA] Patient n° 1
    ID patient partagé : fr.health.samu440.patient.DRFR15.1
    Prénom & nom usuel > Prénom et nom : Alice Normand
    Hypothèse de régulation médicale secondaires n° 2 > Code : T58
    Antécédents : asthme
      allergie à la pénicilline

The first line says whose part it is; `(réf. 1a2b3c4d)` after it ties the text to the fields that it completes: where
those have changed since, it is a text like any other. A field goes by its official title, with as many titles above it
as tell it apart, from the outermost list on; items count from 1. A value's further lines are indented; `(sans)` = the
field is not there; what a line cannot hold stands in JSON quotes.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from gateway.conversion.rest import ABSENT, Rest
from gateway.translation.paths import EACH, Path
from gateway.validation.place import Place
from schemas.fields import Field

HEAD = re.compile(r"\[([A-Z-]+)\] (.+?)(?: n° ([0-9]{1,6}))?(?: \(réf\. ([0-9a-f]{8})\))?")
NONE = "(sans)"
WORDS = {"oui": True, "non": False}
_NUMBER = re.compile(r" n° ([0-9]{1,6})(?= > |$)")
_PLAIN = re.compile(r"(?![\s\"\[{(])[^\x00-\x09\x0b-\x1f\x7f\u0085\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Note:
    """The rest of one part of a use case: `member` "" = of its plain members; `index` is that of a list's item."""

    message_type: str
    member: str
    index: int | None
    rest: Rest  # places below the part
    seal: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """A part's fields by the names that stand for them in a text, ` n° #` where an item's number stands."""

    fields: Mapping[Path, Field]
    names: Mapping[Path, str]
    paths: Mapping[str, Path]


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """How the notes of a type name its parts and their fields; "" is the part of the plain members."""

    message_type: str
    titles: Mapping[str, str]  # by member
    members: Mapping[str, str]  # by title
    names: Mapping[str, Names]  # by member


def words(message_type: str, root: Field) -> Words:
    """The words for a use case, or for a part of it."""
    parts = [(root.title, plain_members(root)), *titled(root)]
    members = {title: part.name if number else "" for number, (title, part) in enumerate(parts)}
    told = {members[title]: names(part) for title, part in parts}
    return Words(message_type, {member: title for title, member in members.items()}, members, told)


def plain_members(root: Field) -> Field:
    """The use case without what stands below its members."""
    return replace(root, fields=tuple(replace(child, fields=()) for child in root.fields))


def names(part: Field) -> Names:
    """The names of everything below a part."""
    fields: dict[Path, Field] = {}
    chains: dict[Path, tuple[str, ...]] = {}
    for path, field, chain in _below(part, (), ()):
        fields[path], chains[path] = field, chain
    ends: dict[tuple[str, ...], int] = {}
    for chain in chains.values():
        for start in range(len(chain)):
            ends[chain[start:]] = ends.get(chain[start:], 0) + 1
    told = {path: _shortest(chain, ends) for path, chain in chains.items()}
    return Names(fields, told, {name: path for path, name in told.items()})


def _below(part: Field, path: Path, chain: tuple[str, ...]) -> Iterator[tuple[Path, Field, tuple[str, ...]]]:
    for title, field in titled(part):
        here, told = (*path, field.name), (*chain, title)
        yield here, field, told
        if field.repeats:
            here, told = (*here, EACH), (*chain, f"{title} n° #")
            yield here, field, told
        yield from _below(field, here, told)


def titled(part: Field) -> list[tuple[str, Field]]:
    """The members with their titles; where two have the same, the later one has its name beside it."""
    made: dict[str, Field] = {}
    for field in part.fields:
        title = field.title.replace(" : ", " - ").replace(" > ", " - ")
        made[f"{title} ({field.name})" if title in {part.title, *made} else title] = field
    return list(made.items())


def _shortest(chain: tuple[str, ...], ends: Mapping[tuple[str, ...], int]) -> str:
    numbered = [place for place, title in enumerate(chain) if title.endswith(" n° #")]
    last = numbered[0] if numbered else len(chain) - 1
    start = next((start for start in range(last, 0, -1) if ends[chain[start:]] == 1), 0)
    return " > ".join(chain[start:])


def written(note: Note, words: Words) -> str:
    """The note as text."""
    head = f"[{note.message_type}] {words.titles[note.member]}"
    head += "" if note.index is None else f" n° {note.index + 1}"
    head += f" (réf. {note.seal})" if note.seal else ""
    known = words.names[note.member]
    return "\n".join([head, *(_line(place, value, known) for place, value in note.rest.items())])


def _line(place: Place, value: Any, known: Names) -> str:
    numbers = iter(name + 1 for name in place if isinstance(name, int))
    path = tuple(EACH if isinstance(name, int) else name for name in place)
    name = re.sub("#", lambda _: str(next(numbers)), known.names[path])
    return f"{name} : {_said(value)}".replace("\n", "\n  ")


def _said(value: Any) -> str:
    if value is ABSENT:
        return NONE
    if isinstance(value, bool):
        return "oui" if value else "non"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value == value.rstrip():
        return value
    return json.dumps(value, ensure_ascii=False)


def read(text: str, words: Words) -> Note | None:
    """The note that a text is, None where it is none of that type or where one of its lines cannot be read."""
    first, *lines = text.split("\n")
    head = HEAD.fullmatch(first)
    if head is None or head[1] != words.message_type or head[2] not in words.members:
        return None
    member = words.members[head[2]]
    rest: dict[Place, Any] = {}
    for line in "\n".join(lines).replace("\n  ", "\x00").split("\n"):
        try:
            place, value = _read(line.replace("\x00", "\n"), words.names[member])
        except (ValueError, KeyError):
            return None
        rest[place] = value
    index = int(head[3]) - 1 if head[3] else None
    return Note(words.message_type, member, index, rest, head[4] or "")


def _read(line: str, known: Names) -> tuple[Place, Any]:
    name, colon, text = line.partition(" : ")
    if not colon:
        raise ValueError
    path = known.paths.get(name) or known.paths[_NUMBER.sub(" n° #", name)]
    numbers = [int(found) - 1 for found in _NUMBER.findall(name)] if EACH in path else []
    if min(numbers, default=0) < 0 or len(numbers) < path.count(EACH):
        raise ValueError
    numbers_left = iter(numbers)
    place = tuple(next(numbers_left) if part == EACH else part for part in path)
    return place, _value(text, known.fields[path])


def _value(text: str, field: Field) -> Any:
    if text == NONE:
        return ABSENT
    if text in {"[]", "{}"}:
        return [] if text == "[]" else {}
    if field.type == "boolean":
        return WORDS[text]
    wanted = (int, float) if field.type in {"number", "integer"} else str
    value = text if wanted is str and not text.startswith(('"', "[", "{")) else orjson.loads(text)
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise ValueError("no value of the field's type")  # noqa: TRY004 - what a text says, not a caller
    return value
