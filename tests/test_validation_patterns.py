"""No pattern can be made to take more than linear time: neither by its own form, nor by the engine that judges by it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

# the parser of `re` is the one grammar of regular expressions at hand; its module has had two names
from re import _parser as sre
from typing import Any

import pytest

from gateway.edxl import json_codec
from gateway.validation import judge, structure
from gateway.validation.walk import compiled
from schemas import json_schema
from schemas.fields import patterns
from tests.strategies import enveloped
from tests.validation_samples import case

FEW = 10  # rounds that a pattern may end after: so many ways at most
REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}
PLAIN = {"LITERAL", "IN", "AT", "SUBPATTERN", "BRANCH"} | REPEATS


def chars(part: Any) -> set[str]:
    """The characters that one element (a literal or a class) matches, of ASCII."""
    name, inner = str(part[0]), part[1]
    if name == "LITERAL":
        return {chr(inner)}
    assert name == "IN", name
    found: set[str] = set()
    for kind, what in inner:
        match str(kind):
            case "LITERAL":
                found.add(chr(what))
            case "RANGE":
                found |= set(map(chr, range(what[0], what[1] + 1)))
            case "CATEGORY":
                assert str(what) == "CATEGORY_DIGIT"
                found |= set("0123456789")
            case other:
                pytest.fail(f"{other} is not foreseen")
    return found


def first(sequence: Any) -> set[str]:
    """The characters with which a sequence may begin."""
    found: set[str] = set()
    for part in sequence:
        name = str(part[0])
        if name == "AT":
            continue
        if name in REPEATS:
            low, _, inner = part[1]
            found |= first(inner)
            if low:
                return found
        elif name == "SUBPATTERN":
            return found | first(part[1][3])
        elif name == "BRANCH":
            return found.union(*(first(way) for way in part[1][1]))
        else:
            return found | chars(part)
    return found


def tail(sequence: Any) -> set[str]:
    """The characters by which the end of a sequence may come sooner or later."""
    found: set[str] = set()
    for part in reversed(list(sequence)):
        if str(part[0]) == "SUBPATTERN":
            return found | tail(part[1][3])
        if str(part[0]) not in REPEATS:
            return found
        low, high, inner = part[1]
        found |= first(inner) if low != high else set()
        if low:
            return found
    return found


def ambiguous(sequence: Any, *, repeated: bool = False) -> Iterator[str]:
    """Every repeat that a text can run through in more ways than a few: where what follows without end could as well be
    its next round, or where one round could as well be two.
    """
    parts = [part for part in sequence if str(part[0]) != "AT"]
    for number, part in enumerate(parts):
        name = str(part[0])
        assert name in PLAIN, f"{name} needs an engine that goes back"
        if name == "SUBPATTERN":
            yield from ambiguous(part[1][3], repeated=repeated)
        elif name == "BRANCH":
            assert not repeated, "alternatives inside a repeat are not foreseen"
            for way in part[1][1]:
                yield from ambiguous(way)
        elif name in REPEATS:
            _, high, inner = part[1]
            both = first(inner) & first(parts[number + 1 :])
            if high > FEW and both:
                yield f"{both} may go on or end a repeat"
            body = inner[0][1][3] if str(inner[0][0]) == "SUBPATTERN" else inner
            yield from ambiguous(body, repeated=True)
            if tail(body) & first(body):
                yield "one round of a repeat may be two"


ALL = {name: pattern.regex for name, pattern in patterns().items()} | {"date-time": json_schema.DATETIME}


@pytest.mark.parametrize("name", ALL)
def test_every_repeat_of_a_pattern_has_one_way_through_a_text(name: str) -> None:
    assert list(ambiguous(sre.parse(ALL[name]))) == []


@pytest.mark.parametrize(
    "regex",
    [
        r"^([a-zA-Z0-9_-]+\.?){4,10}$",
        r"^(a+)+$",
        r"^a+a+$",
        r"^[ab]*b$",
        r"^(a*b?)*$",
        r"^(a(b*a*))+$",
        r"^a*b?a$",
    ],
)
def test_an_ambiguous_pattern_is_seen(regex: str) -> None:
    assert list(ambiguous(sre.parse(regex)))


@pytest.mark.parametrize("regex", [r"(a)\1", r"(?=a)b", r"(?!a)b", r"(?<=a)b"])
def test_the_engine_has_nothing_for_which_it_would_have_to_go_back(regex: str) -> None:
    assert re.compile(regex)  # a backtracking engine takes it
    with pytest.raises(ValueError, match="regex"):
        compiled({"type": "string", "pattern": regex})


def test_no_other_validator_is_made_where_messages_are_judged() -> None:
    folder = Path(structure.__file__).parent
    made = [
        f"{path.name}: {node.lineno}"
        for path in sorted(folder.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and "Validator" in node.func.id
    ]
    assert len(made) == 1 and made[0].startswith("walk.py")


def test_a_hostile_id_of_any_length_is_told() -> None:
    for length in (32, 1_024, 32_768):
        document = enveloped("createCaseHealth", case() | {"caseId": "a" * (length - 1) + "!"})
        told = judge(json_codec.message(document, "v3"))
        assert [issue.severity for issue in told] == ["error"] * len(told) and told
