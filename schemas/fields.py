"""Field tables: what a message may hold, one line a field, readable without knowing JSON Schema.

    table RS-EDA v3
    blocks RC-EDA v3                                    (optional: blocks and lists of that table hold here too)
    list etat                                           (optional: a code list of this version)
      all of etat
      without PROGRAM
      PROGRAMME

    createCaseHealth     1     object   -                 Dossier
      caseId             1     string   pattern case-id   Identifiant affaire/dossier
      alert              0..*  use alert  -               Alerte
    block alert                object                     Alerte
      reception          1     datetime -                 Date et heure

Columns stand two or more spaces apart; two spaces of indentation are one level. The first field is the root.
Cardinality: `1`, `0..1`; lists `0..*`, `1..*`, `0..3`; `0..*!` is a list that must be there but may be empty.
Type: string, integer, number, boolean; datetime (RFC 3339 without fraction and with a numeric offset, the Hub Santé's
rule); rfc3339 (any date-time of RFC 3339); object (no other members); open object; `use NAME` (a block).
Constraint: `-`, `pattern NAME` (patterns.txt), `list NAME` (a code list: a `list` section of the table, else
terminology/NAME.csv), `one of A | B`; `pattern NAME, codes LIST` adds a code list that warns and does not refuse
(one that terminology/incomplete.txt names does not even warn).
A `list` section names its codes, or says how it differs from a terminology list; it stands before that list, as a block
stands before a block of the same name that `blocks` brought.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from schemas import codes

ROOT = Path(__file__).parent
SCALARS = frozenset({"string", "integer", "number", "boolean", "datetime", "rfc3339"})
OBJECTS = frozenset({"object", "open object"})


class TableError(ValueError):
    """A field table or the pattern list is wrong. The text names file and line."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A named regular expression (ECMA 262, linear in RE2-like engines), a text that fits, and what it asks for."""

    name: str
    regex: str
    example: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `values` is the enum of a `list` or `one of`; `codes` names a list that only warns."""

    name: str
    title: str
    type: str  # one of SCALARS or OBJECTS
    required: bool = True
    repeats: bool = False
    min_items: int = 0
    max_items: int | None = None
    pattern: Pattern | None = None
    values: tuple[str, ...] = ()
    list: str = ""
    codes: str = ""
    block: str = ""
    fields: "tuple[Field, ...]" = ()

    @property
    def cardinality(self) -> str:
        """How often the field may stand, as tables write it."""
        if not self.repeats:
            return "1" if self.required else "0..1"
        high = "*" if self.max_items is None else self.max_items
        return f"{self.min_items}..{high}{'!' if self.required and not self.min_items else ''}"

    def child(self, name: str) -> "Field | None":
        """The member of this object that has the name."""
        return next((field for field in self.fields if field.name == name), None)


@dataclass(frozen=True, slots=True)
class Table:
    """One message type in one version. `root.name` is the use case's key in `message`."""

    message_type: str
    version: str
    root: Field
    blocks: dict[str, Field]
    lists: dict[str, tuple[str, ...]]

    def at(self, path: list[str | int]) -> Field | None:
        """The field at a place below the root, list indexes skipped; None where the table has none."""
        field: Field | None = self.root
        for part in path:
            if field is not None and isinstance(part, str):
                field = field.child(part)
        return field


@dataclass(frozen=True, slots=True)
class _Line:
    where: str
    level: int
    columns: tuple[str, ...]

    def fail(self, what: str) -> TableError:
        return TableError(f"{self.where}: {what}")


@cache
def table(message_type: str, version: str) -> Table:
    """The field table of a message type (also "RC-DE", the header, and "EDXL-DE", the envelope).

    Raises TableError, and FileNotFoundError where the version does not have the type.
    """
    path = ROOT / message_type / f"{version}.fields"
    return parse(path.read_text(encoding="utf-8"), f"schemas/{message_type}/{version}.fields")


@cache
def patterns() -> dict[str, Pattern]:
    """The named patterns of patterns.txt. Raises TableError."""
    found: dict[str, Pattern] = {}
    for line in _lines((ROOT / "patterns.txt").read_text(encoding="utf-8"), "schemas/patterns.txt"):
        if len(line.columns) != 4:
            raise line.fail("expected name, regular expression, example and meaning, two spaces apart")
        name, regex, example, meaning = line.columns
        if name in found:
            raise line.fail(f"pattern {name} is there twice")
        found[name] = Pattern(name, regex, example, meaning)
    return found


def parse(text: str, where: str) -> Table:
    """A field table from its text; `where` names it in errors. Raises TableError."""
    lines = list(_lines(text, where))
    if not lines or len(words := lines[0].columns[0].split()) != 3 or words[0] != "table":
        raise TableError(f"{where}:1: expected `table TYPE VERSION`")
    heads = [line for line in lines if line.level == 0]
    scope = _Scope({}, {})
    for line in heads:
        _declare(line, lines, scope)
    roots = [line for line in heads if line.columns[0].split()[0] not in ("table", "blocks", "block", "list")]
    if len(roots) != 1:
        raise TableError(f"{where}: expected one root field, found {len(roots)}")
    root = _field(roots[0], lines, scope)
    return Table(words[1], words[2], root, scope.blocks, scope.lists)


@dataclass(frozen=True, slots=True)
class _Scope:
    blocks: dict[str, Field]
    lists: dict[str, tuple[str, ...]]


def _declare(line: _Line, lines: list[_Line], scope: _Scope) -> None:
    word, _, name = line.columns[0].partition(" ")
    if word == "blocks":
        message_type, _, version = name.strip().partition(" ")
        try:
            source = table(message_type, version)
        except FileNotFoundError:
            raise line.fail(f"there is no table {name}") from None
        scope.blocks.update(source.blocks)
        scope.lists.update(source.lists)
    elif word == "list":
        scope.lists[name] = _codes(_children(line, lines))
    elif word == "block":
        if len(line.columns) != 3 or line.columns[1] not in OBJECTS:
            raise line.fail("expected `block NAME`, object or open object, and a title")
        members = _members(line, lines, scope)
        scope.blocks[name] = Field(name, line.columns[2], line.columns[1], block=name, fields=members)


def _codes(rows: Iterator[_Line]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for row in rows:
        text = "  ".join(row.columns)
        if text.startswith("all of "):
            if not codes.exists(text[7:]):
                raise row.fail(f"there is no code list {text[7:]}")
            found |= dict.fromkeys(codes.labels(text[7:]))
        elif text.startswith("without "):
            for value in _values(text[8:]):
                if value not in found:
                    raise row.fail(f"without {value}: the list does not have it")
                del found[value]
        else:
            found |= dict.fromkeys(_values(text))
    return tuple(found)


def _members(line: _Line, lines: list[_Line], scope: _Scope) -> tuple[Field, ...]:
    members = tuple(_field(child, lines, scope) for child in _children(line, lines))
    names = [member.name for member in members]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise line.fail(f"fields there twice: {', '.join(sorted(doubled))}")
    return members


def _field(line: _Line, lines: list[_Line], scope: _Scope) -> Field:
    if len(line.columns) != 5:
        raise line.fail("expected name, cardinality, type, constraint and title, two spaces apart")
    name, cardinality, kind, constraint, title = line.columns
    members = _members(line, lines, scope)
    if kind.startswith("use "):
        block = scope.blocks.get(kind[4:])
        if block is None or members:
            raise line.fail(f"{kind}: no such block above, or fields below it")
        field = replace(block, name=name, title=title)
    elif kind in SCALARS | OBJECTS and (kind in OBJECTS or not members):
        field = Field(name, title, kind, fields=members)
    else:
        raise line.fail(
            f"type {kind!r} is none of {', '.join(sorted(SCALARS | OBJECTS))}, or has fields below it"
        )
    return _constrain(_count(field, cardinality, line), constraint, line, scope)


def _count(field: Field, cardinality: str, line: _Line) -> Field:
    if cardinality in ("1", "0..1"):
        return replace(field, required=cardinality == "1")
    found = re.fullmatch(r"(\d+)\.\.(\*|\d+)(!?)", cardinality)
    if found is None:
        raise line.fail(f"cardinality {cardinality!r} is none of 1, 0..1, 0..*, 1..*, 0..3, 0..*!")
    low, high = int(found[1]), None if found[2] == "*" else int(found[2])
    return replace(field, required=low > 0 or found[3] == "!", repeats=True, min_items=low, max_items=high)


def _constrain(field: Field, constraint: str, line: _Line, scope: _Scope) -> Field:
    if constraint == "-":
        return field
    if field.type != "string":
        raise line.fail(f"constraint {constraint!r} on type {field.type}: only string has constraints")
    if constraint.startswith("one of "):
        return replace(field, values=_values(constraint[7:]))
    for part in constraint.split(", "):
        word, _, name = part.partition(" ")
        if word == "pattern" and name in patterns():
            field = replace(field, pattern=patterns()[name])
        elif word == "list" and (name in scope.lists or codes.exists(name)):
            values = scope.lists[name] if name in scope.lists else tuple(codes.labels(name))
            field = replace(field, list=name, values=values)
        elif word == "codes" and codes.exists(name):
            field = replace(field, codes=name)
        else:
            raise line.fail(f"constraint {part!r}: no such pattern, list or word")
    return field


def _values(text: str) -> tuple[str, ...]:
    # a value is quoted as JSON where the official one begins or ends with a space
    values = (value.strip() for value in text.split(" | "))
    return tuple(str(json.loads(value)) if value.startswith('"') else value for value in values)


def _children(line: _Line, lines: list[_Line]) -> Iterator[_Line]:
    for below in lines[lines.index(line) + 1 :]:
        if below.level <= line.level:
            return
        if below.level == line.level + 1:
            yield below


def _lines(text: str, where: str) -> Iterator[_Line]:
    level = 0
    for number, raw in enumerate(text.splitlines(), 1):
        content = raw.strip()
        if not content or content.startswith("#"):
            continue
        spaces = len(raw) - len(raw.lstrip(" "))
        if spaces % 2 or spaces // 2 > level + 1:
            raise TableError(f"{where}:{number}: indent by two spaces a level")
        level = spaces // 2
        yield _Line(f"{where}:{number}", level, tuple(re.split(r" {2,}", content)))
