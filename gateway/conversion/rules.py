"""What the two sides of CISU say differently, from `schemas/conversion/cisu.rules`.

A line: the type that is made, a member of its use case (of a resource, for RS-RI and RC-RI), a verb and what it takes.

    head PATH        the source's code, without what follows its first dot
    is PATH ...      the first of these that the source has; the source's own member of that name is not used
    newest PATH      the item of the source's list with the latest `datetime`
    code PATH A>B .. by the source's code: `>` the other is wider, `->` narrower, `~>` near, `=` equivalent
    count PATH 1=A 5=B   by the number of items of the source's list: A for 1 to 4, B for 5 and more
    copy PATH        another part of the message that is made
    id WORD          an id made of the case's id, the word and the content of the object
    health-actor     the recipient if it is a health actor, else the sender if it is one, else the recipient
    control-room     the name of that actor's control room: `CRRA samu440`
    else VALUE       a text, or JSON

The first three replace the member of the same name; the others apply where the message lacks the member.
`a?.b` only where `a` is there; `a[].b` in each item; `-` no path.
`TYPE withhold MEMBER ...`: members of the source that never reach the type, not as a field, not as text (medical secrecy).
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
REPLACING = frozenset({"head", "is", "newest"})
FILLING = frozenset({"code", "count", "copy", "id", "health-actor", "control-room", "else"})
_LINE = re.compile(r"([A-Z-]+)\s+(?:withhold\s+(.+)|(\S+)\s+(\S+)(?:\s+(.+))?)")
_PAIR = re.compile(r"(.+?)(->|~>|>|=)(.+)")


@dataclass(frozen=True, slots=True)
class Pair:
    """A code (or a number of items) of the source and its code in the target."""

    source: str
    target: str
    equivalence: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A member of the type that is made, and where its value comes from."""

    steps: tuple[str, ...]  # names; `name?` = only where it is there, `[]` = each item
    verb: str
    paths: tuple[tuple[str, ...], ...] = ()
    pairs: tuple[Pair, ...] = ()
    value: Any = None


@dataclass(frozen=True, slots=True)
class Rules:
    """The lines about one type that is made: rules in place of a member, rules for what is missing, and what is withheld."""

    replacing: tuple[Rule, ...]
    filling: tuple[Rule, ...]
    withheld: tuple[str, ...]  # members of the source


@cache
def rules(message_type: str) -> Rules:
    """The rules for a type. Raises ConfigurationError with file and line."""
    found = [line for kind, line in read(_lines()) if kind == message_type]
    lines = [line for line in found if isinstance(line, Rule)]
    return Rules(
        tuple(rule for rule in lines if rule.verb in REPLACING),
        tuple(rule for rule in lines if rule.verb in FILLING),
        tuple(name for names in found if isinstance(names, tuple) for name in names),
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


def read(lines: list[str]) -> Iterator[tuple[str, Rule | tuple[str, ...]]]:
    """The rules, and the names of withheld members, each with the type that is made.

    Raises ConfigurationError with the number of the line.
    """
    for number, raw in enumerate(lines, 1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        found = _LINE.fullmatch(line)
        try:
            if found is None:
                raise ValueError("expected TYPE MEMBER VERB ... or TYPE withhold MEMBER ...")  # noqa: TRY301
            names = tuple((found[2] or "").split())
            yield found[1], names or _rule(found[3], found[4], found[5] or "")
        except ValueError as error:
            raise ConfigurationError(f"schemas/{FILE}:{number}: {error}") from None


def _steps(text: str) -> tuple[str, ...]:
    return tuple(text.replace("[]", ".[]").split("."))


def _rule(member: str, verb: str, rest: str) -> Rule:
    if verb not in REPLACING | FILLING:
        raise ValueError(f"{verb} is none of {', '.join(sorted(REPLACING | FILLING))}")
    if verb == "else":
        return Rule(_steps(member), verb, value=json.loads(rest) if rest[:1] in '{"' else rest)
    words = rest.split()
    if verb in {"code", "count"}:
        pairs = [_PAIR.fullmatch(word) for word in words[1:]]
        if not pairs or None in pairs:
            raise ValueError("expected PATH and pairs such as P0>ATTENTION")
        found = tuple(Pair(pair[1], pair[3], FORWARD[pair[2]]) for pair in pairs if pair)
        return Rule(_steps(member), verb, (_steps(words[0]),), found)
    if verb == "id":
        return Rule(_steps(member), verb, value=rest)
    return Rule(_steps(member), verb, tuple(_steps(word) for word in words if word != "-"))
