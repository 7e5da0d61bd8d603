"""`jsonschema`, the reference in Python, on our schemas: what jsonschema-rs says, but for the differences listed here."""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft7Validator, ValidationError

import schemas
from schemas import examples, json_schema
from schemas.fields import table
from tests import json_mutations
from tests.strategies import seeded

CATALOGUE = [(t, version) for t, version in json_schema.tables() if t not in ("EDXL-DE", "RC-DE")]
MUTANTS = 100
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\n?")


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the two differ: who refuses, at which keyword, and which values."""

    name: str
    refuses: str  # "jsonschema" or "jsonschema-rs"
    keyword: str
    of: Callable[[str], bool]


KNOWN = (
    Difference(
        "Python's `$` matches before a final line end, ECMA 262's does not",
        "jsonschema-rs",
        "pattern",
        lambda text: text.endswith("\n"),
    ),
    Difference(
        "and so does the `$` of its date-time",
        "jsonschema-rs",
        "format",
        lambda text: text.endswith("\n") and RFC_3339.fullmatch(text) is not None,
    ),
    Difference(
        "Python's `\\d` takes any digit of Unicode, ECMA 262's 0 to 9",
        "jsonschema-rs",
        "pattern",
        lambda text: any(c.isdigit() and not c.isascii() for c in text),
    ),
    Difference(
        "a leap second, which RFC 3339 has and Python's datetime has not",
        "jsonschema",
        "format",
        lambda text: ":60" in text and RFC_3339.fullmatch(text) is not None,
    ),
    Difference(
        "the year 0000, which RFC 3339 has and Python's datetime has not",
        "jsonschema",
        "format",
        lambda text: text.startswith("0000-") and RFC_3339.fullmatch(text) is not None,
    ),
)


def schema_of(message_type: str, version: str) -> dict[str, Any]:
    """The published schema of a type."""
    text = schemas.file(message_type, f"{version}.schema.json").read_text(encoding="utf-8")
    made: dict[str, Any] = json.loads(text)
    return made


def mutants(message_type: str, version: str) -> Iterator[Any]:
    """Bodies that are always the same: every other one with a mistake."""
    rng = random.Random(f"{message_type} {version} jsonschema")
    root = table(message_type, version).root
    whole = examples.full(root)
    for number in range(MUTANTS):
        body = whole if number % 4 == 1 else seeded(root, rng, chance=0.3)
        yield json_mutations.mutated(body, root, rng)[0] if number % 2 and body else body


def python(schema: dict[str, Any]) -> Draft7Validator:
    """The validator of jsonschema, with its formats asserted."""
    return Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER)


def rust(schema: dict[str, Any]) -> jsonschema_rs.Draft7Validator:
    """jsonschema-rs as the gateway has it."""
    return jsonschema_rs.Draft7Validator(
        schema, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions()
    )


def complaints(
    theirs: list[ValidationError], ours: list[jsonschema_rs.ValidationError]
) -> Iterator[tuple[str, str, Any]]:
    """What one of the two says alone: who, keyword, value."""
    python_says = {(tuple(e.absolute_path), str(e.validator)): e.instance for e in theirs}
    rust_says = {(tuple(e.instance_path), _keyword(e)): e.instance for e in ours}
    for place in python_says.keys() - rust_says.keys():
        yield "jsonschema", place[1], python_says[place]
    for place in rust_says.keys() - python_says.keys():
        yield "jsonschema-rs", place[1], rust_says[place]


def _keyword(error: jsonschema_rs.ValidationError) -> str:
    return next(str(step) for step in reversed(error.schema_path) if not isinstance(step, int))


def known(who: str, keyword: str, value: Any) -> str:
    """The difference behind a complaint of one side; "" where it is none of the list."""
    ways = (w for w in KNOWN if (w.refuses, w.keyword) == (who, keyword))
    return next((w.name for w in ways if isinstance(value, str) and w.of(value)), "")


@pytest.mark.parametrize(("message_type", "version"), CATALOGUE)
def test_both_judges_say_the_same_of_mutants(message_type: str, version: str) -> None:
    schema = schema_of(message_type, version)
    theirs, ours = python(schema), rust(schema)
    verdicts: Counter[bool] = Counter()
    for body in mutants(message_type, version):
        verdicts[ours.is_valid(body)] += 1
        alone = list(complaints(list(theirs.iter_errors(body)), list(ours.iter_errors(body))))
        assert [c for c in alone if not known(*c)] == [], body
    assert min(verdicts[True], verdicts[False]) > MUTANTS / 10


DATE_TIME = json_schema.SCALARS["datetime"]
PHONE = {"type": "string", "pattern": r"^\+\d{5,18}$"}


LINE_END, DATE_LINE_END, DIGITS, LEAP, YEAR_0 = (way.name for way in KNOWN)
SHOWN: tuple[tuple[dict[str, Any], Any, set[str]], ...] = (
    (PHONE, "+33240000000\n", {LINE_END}),
    (PHONE, "+3324000000٠", {DIGITS}),
    (DATE_TIME, "2026-01-31T10:04:34+01:00\n", {LINE_END, DATE_LINE_END}),
    (DATE_TIME, "2016-12-31T23:59:60+00:00", {LEAP}),
    (DATE_TIME, "0000-01-31T10:04:34+01:00", {YEAR_0}),
    (DATE_TIME, "2026-02-30T10:04:34+01:00", set()),
    (DATE_TIME, "2026-01-31T10:04:34+24:00", set()),
    ({"type": "integer"}, 1.0, set()),
    ({"type": "integer"}, 1e20, set()),
    ({"type": "integer"}, True, set()),
    ({"type": "number"}, False, set()),
    ({"enum": ["1", "true"]}, 1, set()),
    ({"type": "string", "pattern": "^é$"}, "e\u0301", set()),
)


@pytest.mark.parametrize(("schema", "value", "names"), SHOWN)
def test_the_differences_are_those_of_the_list(schema: dict[str, Any], value: Any, names: set[str]) -> None:
    theirs, ours = python(schema), rust(schema)
    alone = complaints(list(theirs.iter_errors(value)), list(ours.iter_errors(value)))
    assert {known(*complaint) for complaint in alone} == names


def test_every_difference_of_the_list_is_shown() -> None:
    assert set().union(*(names for *_, names in SHOWN)) == {way.name for way in KNOWN}


@pytest.mark.parametrize(("message_type", "version"), json_schema.tables())
def test_every_schema_fits_the_meta_schema(message_type: str, version: str) -> None:
    schema = schema_of(message_type, version)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(schema)
    jsonschema_rs.meta.validate(schema)
