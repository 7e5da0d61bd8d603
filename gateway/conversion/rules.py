"""What the two sides of CISU say differently, from `schemas/conversion/cisu.rules`.

A line: the type that is made, a member of its use case (of a resource, for RS-RI and RC-RI), a verb and what it takes.

    head PATH        the source's code, without what follows its first dot
    is PATH ...      what the source says there, the first that it says; not what it says under the member's own name
    newest PATH      the item of the source's list with the latest `datetime`
    code PATH A>B .. by the source's code: `>` the other is wider, `->` narrower, `~>` near, `=` equivalent
    count PATH 1=A 5=B   by the number of items of the source's list: A for 1 to 4, B for 5 and more
    copy PATH        the part of the message that is made
    id WORD          an id made of the case's id, the word and what the object says
    health-actor     the recipient if it is a health actor, else the sender if it is one, else the recipient
    else VALUE       a text, or JSON

The first three are said in place of the member of the same name; the others where the message does not say the member.
`a?.b` only where `a` is there; `a[].b` in each item; `-` no path. `note LIST VALUE [of MEMBER ... | without MEMBER ...]` is where the text of
`gateway.conversion.notes` goes: an item of the list, in it `text` and an `id` made of the case's id and its number.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import schemas
from gateway.conversion.code_sections import FORWARD
from gateway.errors import ConfigurationError

FILE = "conversion/cisu.rules"
SAID = frozenset({"head", "is", "newest"})
GIVEN = frozenset({"code", "count", "copy", "id", "health-actor", "else"})
_LINE = re.compile(
    r"([A-Z-]+)\s+(?:note (\S+)\s+(.+?)(?: of (.+?))?(?: without (.+))?|(\S+)\s+(\S+)(?:\s+(.+))?)"
)
_PAIR = re.compile(r"(.+?)(->|~>|>|=)(.+)")


@dataclass(frozen=True, slots=True)
class Pair:
    """A code (or a number of items) of the source and the code that is said for it."""

    source: str
    target: str
    equivalence: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A member of the type that is made, and how it is said."""

    steps: tuple[str, ...]  # names; `name?` = only where it is there, `[]` = each item
    verb: str
    paths: tuple[tuple[str, ...], ...] = ()
    pairs: tuple[Pair, ...] = ()
    value: Any = None


@dataclass(frozen=True, slots=True)
class Home:
    """Where the text of a note goes: a list's steps, the item around the text, the members it is for (() = all), and those
    that it is never for.
    """

    steps: tuple[str, ...]
    item: Any  # "text", or an object with the texts "text" and "id" in it
    members: tuple[str, ...]
    without: tuple[str, ...] = ()

    def takes(self, member: str) -> bool:
        """Whether the text of this member may go there."""
        return member not in self.without and member in (self.members or (member,))


@dataclass(frozen=True, slots=True)
class Rules:
    """The lines about one type that is made."""

    said: tuple[Rule, ...]
    given: tuple[Rule, ...]
    homes: tuple[Home, ...]


@cache
def rules(message_type: str) -> Rules:
    """The rules for a type. Raises ConfigurationError with file and line."""
    found = [made for kind, made in read(_lines()) if kind == message_type]
    lines = [made for made in found if isinstance(made, Rule)]
    return Rules(
        tuple(rule for rule in lines if rule.verb in SAID),
        tuple(rule for rule in lines if rule.verb in GIVEN),
        tuple(made for made in found if isinstance(made, Home)),
    )


def check() -> list[str]:
    """What is wrong with the file, with its line."""
    try:
        list(read(_lines()))
    except ConfigurationError as error:
        return [str(error)]
    return []


def _lines() -> list[str]:
    return (schemas.ROOT / FILE).read_text(encoding="utf-8").splitlines()


def read(lines: list[str]) -> Iterator[tuple[str, Rule | Home]]:
    """The rules with the types that they are about. Raises ConfigurationError with the number of the line."""
    for number, raw in enumerate(lines, 1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        found = _LINE.fullmatch(line)
        try:
            if found is None:
                raise ValueError("expected TYPE MEMBER VERB ... or TYPE note LIST VALUE")  # noqa: TRY301
            yield found[1], _home(found) if found[2] else _rule(found[6], found[7], found[8] or "")
        except ValueError as error:
            raise ConfigurationError(f"schemas/{FILE}:{number}: {error}") from None


def _steps(text: str) -> tuple[str, ...]:
    return tuple(text.replace("[]", ".[]").split("."))


def _home(found: re.Match[str]) -> Home:
    steps = _steps(found[2])
    if steps[-1] != "[]":
        raise ValueError("a note goes to a list: LIST[]")
    item = re.sub(r"(?<=: )(text|id)(?=[,}])", r'"\1"', found[3])
    return Home(
        steps[:-1],
        item if item == "text" else json.loads(item),
        tuple((found[4] or "").split()),
        tuple((found[5] or "").split()),
    )


def _rule(member: str, verb: str, rest: str) -> Rule:
    if verb not in SAID | GIVEN:
        raise ValueError(f"{verb} is none of {', '.join(sorted(SAID | GIVEN))}")
    if verb == "else":
        return Rule(_steps(member), verb, value=json.loads(rest) if rest[:1] in '{"' else rest)
    words = rest.split()
    if verb in {"code", "count"}:
        pairs = [_PAIR.fullmatch(word) for word in words[1:]]
        if not pairs or None in pairs:
            raise ValueError("expected PATH and pairs such as P0>ATTENTION")
        told = tuple(Pair(pair[1], pair[3], FORWARD[pair[2]]) for pair in pairs if pair)
        return Rule(_steps(member), verb, (_steps(words[0]),), told)
    if verb == "id":
        return Rule(_steps(member), verb, value=rest)
    return Rule(_steps(member), verb, tuple(_steps(word) for word in words if word != "-"))
