"""The notation of code maps between model versions: read, and the code lists that they speak of.

`schemas/conversion/<list>.codes`, one file a code list, its sections read from left to right and back:

    v1 typeAppelant | v2 typeAppelant              the two lists: version and name, as the field tables name it
    INF        =   SANTE.INF                       means the same, both ways
    SECOUR     <   AMBULANC.AASC                   right to left: the left code is wider (`>` left to right)
    18         ->  CTA-PI                          left to right: the right code is narrower (`<-` right to left)
    DZ | MA    ~>  ar                              left to right: near, neither wider nor narrower (`<~` right to left)
    SECONDAIRE !                                   the left code has no equivalent (`! T4`: the right one has none)
    parents .                                      a code without a line goes where its nearest ancestor goes
    M06.04     <   else                            right to left: a code without a line and without an ancestor goes there
    FDO        ?   FDO.PN | FDO.GEND               the left list has FDO twice: the sender's label says which of these it is

A code that both lists have and that has no line means the same in both. Several codes before one sign stand apart by
` | `; a code that begins or ends with a space stands in JSON quotes; `#` begins a comment. `else` takes the signs `>`, `~>`,
`<` and `<~`. A code with `?` has a line of its own beside it, for a label that says none of them. A field whose codes stand as
`one of` in its table has no list: its own name is the list's name here. The ancestors of C11.06.05 are C11.06.00 and
C11.00.00, those of D.D-IDENT.ADMIN are D.D-IDENT and D. Equivalences are those of FHIR R4 (ConceptMapEquivalence).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import schemas
from gateway.errors import ConfigurationError
from schemas import codes as terminology
from schemas import fields

FOLDER = Path(schemas.__file__).parent / "conversion"

List = tuple[str, str]  # model version and list name
Lists = Mapping[List, frozenset[str]]

FORWARD = {"=": "equivalent", ">": "wider", "->": "narrower", "~>": "inexact"}
BACKWARD = {"=": "equivalent", "<": "wider", "<-": "narrower", "<~": "inexact"}
HEAD = re.compile(r"(v\d+) (\S+) \| (v\d+) (\S+)")
LINE = re.compile(r"(.+?)\s+(=|>|<|->|<-|~>|<~|\?)\s+(.+)")
ELSE = "else"
CHOICE = "?"
COMMENT = re.compile(r"(?:^|\s)#.*")


@dataclass(frozen=True, slots=True)
class Correspondence:
    """The code of the other list, and how its meaning stands to the first code's.

    `equivalence` is "equivalent", "wider" (the other code says less), "narrower" (it says more) or "inexact".
    """

    code: str
    equivalence: str


@dataclass(frozen=True, slots=True)
class Fate:
    """What a line says of one code: its correspondence, None = no equivalent. `where` is file and line."""

    to: Correspondence | None
    where: str


@dataclass(frozen=True, slots=True)
class Leg:
    """One direction of a section: the fates its lines give, and whether the other codes go where their ancestors go.

    `otherwise`: where a code goes that neither leads anywhere; `choices`: what a code that its list has twice may mean.
    """

    fates: Mapping[str, Fate] = field(default_factory=dict)
    parents: bool = False
    otherwise: Fate | None = None
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Section:
    """Two lists and the lines between them."""

    where: str
    left: List
    right: List
    forward: Leg
    backward: Leg


@cache
def sections() -> tuple[Section, ...]:
    """The sections of every file. Raises ConfigurationError, which names file and line."""
    paths = sorted(FOLDER.glob("*.codes"))
    return tuple(
        section
        for path in paths
        for section in read(path.read_text(encoding="utf-8"), f"schemas/conversion/{path.name}")
    )


def read(text: str, where: str) -> tuple[Section, ...]:
    """The sections of one file; `where` names it in errors. Raises ConfigurationError."""
    made: list[_Reading] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line, place = COMMENT.sub("", raw).strip(), f"{where}:{number}"
        if head := HEAD.fullmatch(line):
            made.append(_Reading(place, (head[1], head[2]), (head[3], head[4])))
        elif line and not made:
            raise ConfigurationError(f"{place}: expected `v1 LIST | v2 LIST` before the first line")
        elif line == "parents .":
            made[-1].parents = True
        elif line:
            made[-1].add(line, place)
    return tuple(reading.section() for reading in made)


@dataclass(slots=True)
class _Reading:
    where: str
    left: List
    right: List
    forward: dict[str, Fate] = field(default_factory=dict)
    backward: dict[str, Fate] = field(default_factory=dict)
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    parents: bool = False

    def add(self, line: str, place: str) -> None:
        found = LINE.fullmatch(line)
        if line.startswith("! "):
            self._say(self.backward, _codes(line[2:], place), None, place)
        elif line.endswith(" !"):
            self._say(self.forward, _codes(line[:-2], place), None, place)
        elif found is None:
            raise ConfigurationError(
                f"{place}: expected CODE SIGN CODE with one of = > < -> <- ~> <~ ?, CODE ! or ! CODE"
            )
        elif found[2] == CHOICE:
            self._choose(_codes(found[1], place), _codes(found[3], place), place)
        else:
            left, sign, right = _codes(found[1], place), found[2], _codes(found[3], place)
            if (len(left) > 1 and sign in BACKWARD) or (len(right) > 1 and sign in FORWARD):
                raise ConfigurationError(
                    f"{place}: several codes stand only on the side that the sign starts from"
                )
            if ELSE in (right if sign in FORWARD else left):
                raise ConfigurationError(f"{place}: `else` stands on the side that the sign starts from")
            if sign in FORWARD:
                self._say(self.forward, left, Correspondence(right[0], FORWARD[sign]), place)
            if sign in BACKWARD:
                self._say(self.backward, right, Correspondence(left[0], BACKWARD[sign]), place)

    def _choose(self, said: list[str], between: list[str], place: str) -> None:
        if len(said) != 1 or len(between) < 2 or said[0] in self.choices:
            raise ConfigurationError(f"{place}: expected one CODE ? CODE | CODE for a code")
        self.choices[said[0]] = tuple(between)

    def _say(self, fates: dict[str, Fate], said: list[str], to: Correspondence | None, place: str) -> None:
        for code in said:
            if code in fates:
                raise ConfigurationError(
                    f"{place}: {code} has a second fate; the first is at {fates[code].where}"
                )
            fates[code] = Fate(to, place)

    def section(self) -> Section:
        forward = _leg(self.forward, self.choices, self.where, parents=self.parents)
        backward = _leg(self.backward, {}, self.where, parents=self.parents)
        return Section(self.where, self.left, self.right, forward, backward)


def _leg(
    said: Mapping[str, Fate], choices: Mapping[str, tuple[str, ...]], where: str, *, parents: bool
) -> Leg:
    fates = {code: fate for code, fate in said.items() if code != ELSE}
    otherwise = said.get(ELSE)
    if otherwise and (otherwise.to is None or otherwise.to.equivalence not in ("wider", "inexact")):
        raise ConfigurationError(f"{otherwise.where}: expected `else` with one of > ~> < <~")
    if lacking := next((code for code in choices if code not in fates), None):
        raise ConfigurationError(f"{where}: {lacking} with `?` has no line for another label")
    return Leg(fates, parents, otherwise, choices)


def _codes(text: str, place: str) -> list[str]:
    said = [code.strip() for code in text.split(" | ")]
    try:
        return [str(json.loads(code)) if code.startswith('"') else code for code in said]
    except ValueError:
        raise ConfigurationError(f"{place}: {text} is no code in quotes") from None


@cache
def lists() -> Lists:
    """The codes of every list of every version, by version and name.

    Codes of `one of` stand under the field's name, those behind a pattern are the terminology's. A name under which a
    version has two sets of codes is no list.
    """
    found: dict[List, set[frozenset[str]]] = {}
    for version, kinds in schemas.ALL_ROOT_KEYS.items():
        for kind in kinds.values():
            for leaf in _leaves(fields.table(kind, version).root):
                named = frozenset(terminology.labels(leaf.codes) if leaf.codes else leaf.values)
                found.setdefault((version, leaf.list or leaf.codes or leaf.name), set()).add(named)
    return {key: next(iter(sets)) for key, sets in found.items() if len(sets) == 1}


def _leaves(top: fields.Field) -> Iterator[fields.Field]:
    if top.values or top.codes:
        yield top
    for child in top.fields:
        yield from _leaves(child)
