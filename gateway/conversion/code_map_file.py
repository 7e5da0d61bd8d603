"""The official map of codes between CISU 1.9 (the fire side) and Hub Santé 2.3 (the health side): read and checked.

`schemas/conversion/cisu-1.9-hubsante-2.3.map` has a section for each direction and each coded field of a qualification:

    to health  riskThreat  risque -> risque-2.3     direction, field, code list received and code list sent
    R17  ->  R37  Situation instable/indéterminée   the code is replaced, with the label that the map gives
    R36  !                                          the code has no equivalent: the field, or the item, is removed

A code without a line is kept with its label. Columns stand two or more spaces apart; a line that begins with `#` is a
comment. `to fire` is the other direction.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import schemas
from gateway.errors import ConfigurationError
from schemas import codes

FILE = "schemas/conversion/cisu-1.9-hubsante-2.3.map"
FIELDS = ("whatsHappen", "locationKind", "healthMotive", "riskThreat")
DIRECTIONS = ("health", "fire")
HEAD = re.compile(r"to (\w+) {2,}(\S+) {2,}(\S+) -> (\S+)")
COLUMNS = re.compile(r" {2,}")


@dataclass(frozen=True, slots=True)
class Target:
    """What stands for a code on the other side; `code` is "" where nothing does. `where` is file and line."""

    code: str
    label: str
    where: str


@dataclass(frozen=True, slots=True)
class Section:
    """One direction of one field: the code lists, by their names in schemas/terminology, and the lines by source code."""

    where: str
    to: str  # one of DIRECTIONS
    field: str
    source: str
    target: str
    lines: Mapping[str, Target]


@cache
def sections() -> tuple[Section, ...]:
    """Every section of the file. Raises ConfigurationError, which names file and line."""
    path = Path(schemas.__file__).parent.parent / FILE
    return read(path.read_text(encoding="utf-8"), FILE)


@cache
def by_field(*, to_health: bool) -> Mapping[str, Mapping[str, Target]]:
    """The lines of one direction, by field and source code. Raises ConfigurationError."""
    direction = DIRECTIONS[0] if to_health else DIRECTIONS[1]
    return {section.field: section.lines for section in sections() if section.to == direction}


def read(text: str, where: str) -> tuple[Section, ...]:
    """The sections of a map; `where` names the file in errors. Raises ConfigurationError."""
    made: list[Section] = []
    lines: dict[str, Target] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line, place = raw.strip(), f"{where}:{number}"
        if not line or line.startswith("#"):
            continue
        if head := HEAD.fullmatch(line):
            lines = {}
            made.append(_section(place, head, lines))
            continue
        code, target = _line(line, place)
        if not made:
            raise ConfigurationError(
                f"{place}: expected `to health  FIELD  LIST -> LIST` before the first line"
            )
        if code in lines:
            raise ConfigurationError(f"{place}: {code} has a line already, {lines[code].where}")
        lines[code] = target
    return tuple(made)


def _section(place: str, head: re.Match[str], lines: Mapping[str, Target]) -> Section:
    section = Section(place, head[1], head[2], head[3], head[4], lines)
    if section.to not in DIRECTIONS or section.field not in FIELDS:
        raise ConfigurationError(
            f"{place}: expected `to {' | '.join(DIRECTIONS)}` and one of {', '.join(FIELDS)}"
        )
    return section


def _line(line: str, place: str) -> tuple[str, Target]:
    columns = COLUMNS.split(line)
    if len(columns) == 2 and columns[1] == "!":
        return columns[0], Target("", "", place)
    if len(columns) == 4 and columns[1] == "->":
        return columns[0], Target(columns[2], columns[3], place)
    raise ConfigurationError(f"{place}: expected `CODE  ->  CODE  LABEL` or `CODE  !`, two spaces apart")


def check() -> list[str]:
    """What is wrong in the file, with its lines: bad lines, codes that their list lacks, a field or direction missing."""
    try:
        return list(findings(sections()))
    except ConfigurationError as error:
        return [str(error)]


def findings(known: tuple[Section, ...]) -> Iterator[str]:
    """As `check`, of these sections."""
    there = [(section.to, section.field) for section in known]
    for to in DIRECTIONS:
        for name in FIELDS:
            if there.count((to, name)) != 1:
                yield f"{FILE}:1: expected one section `to {to}  {name}`, found {there.count((to, name))}"
    for section in known:
        missing = [name for name in (section.source, section.target) if not codes.exists(name)]
        yield from (f"{section.where}: there is no code list {name}" for name in missing)
        if not missing:
            yield from _unknown(section)


def _unknown(section: Section) -> Iterator[str]:
    source, target = codes.labels(section.source), codes.labels(section.target)
    for code, to in section.lines.items():
        if code not in source:
            yield f"{to.where}: {code} is no code of the list {section.source}"
        if to.code and to.code not in target:
            yield f"{to.where}: {to.code} is no code of the list {section.target}"
