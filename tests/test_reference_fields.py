"""Every field table against the official schema of its type and version: same verdict, same order of elements."""

import functools
import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from lxml import etree

import schemas
from gateway.errors import ErrorKind
from gateway.validation import structure
from gateway.validation.walk import walk
from schemas import codes, examples, json_schema
from schemas.fields import OBJECTS, Field, patterns, table
from tests import json_mutations
from tests.strategies import enveloped, mutated, seeded

REFERENCE = Path(__file__).parents[1].parent / "shared" / "hubsante"
pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="no official schemas beside this repository")

CATALOGUE = [(t, version) for version, roots in schemas.ALL_ROOT_KEYS.items() for t in sorted(roots.values())]
MUTANTS = 2_000
KEYWORDS = {"type", "required", "additionalProperties", "pattern", "format", "enum", "minItems", "maxItems"}
XSD = "{http://www.w3.org/2001/XMLSchema}"


def official_name(message_type: str, version: str) -> str:
    return "RPIS" if (message_type, version) == ("RS-RPIS", "v1") else message_type


@functools.cache
def official(message_type: str, version: str) -> dict[str, Any]:
    name = official_name(message_type, version)
    path = REFERENCE / "json-schema" / version / f"{name}.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema | {"$id": f"http://official/{version}/{name}.schema.json"}


def samples(message_type: str, version: str) -> list[Any]:
    folder = REFERENCE / "samples" / version / official_name(message_type, version)
    root_key = schemas.root_key(message_type, version)
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return [sample[root_key] for sample in found]


class Judges:
    """The four verdicts on a use case, each True for valid."""

    def __init__(self, message_type: str, version: str) -> None:
        published = schemas.file(message_type, f"{version}.schema.json").read_text(encoding="utf-8")
        self.official = jsonschema_rs.Draft7Validator(official(message_type, version), validate_formats=True)
        self._published = jsonschema_rs.Draft7Validator(json.loads(published), validate_formats=True)
        self._whole = structure.whole_document(message_type, version)
        self._type, self._version = message_type, version
        self._root_key = schemas.root_key(message_type, version)
        self._document = enveloped(self._root_key, {})
        self._message = self._document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]

    def verdicts(self, body: Any) -> tuple[bool, bool, bool, bool]:
        """The official schema, our published one, our validator of whole documents, our walk that finds the issues."""
        self._message[self._root_key] = body
        walked = walk(self._type, self._version, body, (), ErrorKind.SCHEMA)
        return (
            self.official.is_valid(body),
            self._published.is_valid(body),
            self._whole.is_valid(self._document),
            next(walked, None) is None,
        )


def bodies(message_type: str, version: str) -> Iterator[tuple[Any, str]]:
    """Bodies without end, always the same: samples and made ones, valid and with one or two things changed.

    With each what was done to it: a kind of mistake, "" for nothing, "any" for a change of no particular kind.
    """
    rng = random.Random(f"{message_type} {version}")
    root = table(message_type, version).root
    made = [examples.full(root), examples.minimal(root), *samples(message_type, version)]
    yield from ((body, "") for body in made)
    yield _crowded(made[0]), "any"
    for n in itertools.count():
        body, kind = (seeded(root, rng) if n % 3 == 0 else made[n % len(made)]), ""
        if n % 8 in (1, 2, 5, 7) and body:
            body, kind = json_mutations.mutated(body, root, rng)
        if n % 8 == 3 or (n % 8 == 1 and body):
            body, kind = mutated(body, rng), "any"
        yield body, kind


def _crowded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _crowded(inner) for name, inner in value.items()}
    return [_crowded(value[0])] * 4 if isinstance(value, list) else value


@pytest.mark.parametrize(("message_type", "version"), CATALOGUE)
def test_a_mutated_use_case_gets_the_official_verdict(message_type: str, version: str) -> None:
    judges = Judges(message_type, version)
    valid, hit = 0, set()
    made, refused = Counter[str](), Counter[str]()
    for n, (body, kind) in enumerate(itertools.islice(bodies(message_type, version), MUTANTS)):
        verdicts = judges.verdicts(body)
        assert len(set(verdicts)) == 1, (verdicts, body)
        valid += verdicts[0]
        made[kind] += 1
        refused[kind] += not verdicts[0]
        if not verdicts[0] and n < MUTANTS / 2:  # the judge's own listing is slow
            hit |= {error.kind.name for error in judges.official.iter_errors(body)}
    assert 0.3 < valid / MUTANTS < 0.9
    assert hit >= set(_keywords(official(message_type, version)))
    root = table(message_type, version).root
    for kind in json_mutations.kinds_of(root):
        assert made[kind] >= 5, kind
        assert refused[kind] >= 1 or (kind == "too many" and "maxItems" not in hit), kind
    assert refused[""] == 0


def _keywords(schema: Any) -> Iterator[str]:
    for key, value in schema.items():
        if key in KEYWORDS and not (key == "additionalProperties" and value) and value != []:
            yield key
        for inner in value.values() if key in ("properties", "definitions") else [value] * (key == "items"):
            yield from _keywords(inner)


@pytest.mark.parametrize(("message_type", "version"), CATALOGUE)
def test_each_constraint_of_each_field_is_the_official_one(message_type: str, version: str) -> None:
    judges = Judges(message_type, version)
    root = table(message_type, version).root
    body = examples.full(root)
    assert set(judges.verdicts(body)) == {True}
    for holder, field in _held(body, root):
        kept = holder[field.name]
        for value in _probes(field, kept):
            holder[field.name] = value
            verdicts = judges.verdicts(body)
            assert len(set(verdicts)) == 1, (field.name, value, verdicts)
        del holder[field.name]
        assert set(judges.verdicts(body)) == {not field.required}, field.name
        holder[field.name] = kept
        holder["notThere"] = 1
        assert len(set(judges.verdicts(body))) == 1
        del holder["notThere"]


def _held(value: Any, field: Field) -> Iterator[tuple[Any, Field]]:
    for member in field.fields:
        yield value, member
        if member.type in OBJECTS:
            below = value[member.name]
            yield from _held(below[0] if member.repeats else below, member)


def _probes(field: Field, kept: Any) -> Iterator[Any]:
    one = kept[0] if field.repeats else kept
    odd: list[Any] = [None, True, 1, 1.5, "", "x", [], {}, f"{one} ", f"x{one}", "2026-01-31T10:00:00Z"]
    texts = [field.pattern.example, field.pattern.example * 2] if field.pattern else []
    many = [[one] * number for number in range(6)]
    for value in (*odd, *texts, *field.values):
        yield [value] if field.repeats else value
    yield from many
    yield one


# Patterns that ours say in another way: the id patterns in linear time (test_schemas.py compares them), and instants, which
# v1 does not anchor, though the format beside it does.
SAME_PATTERN = {
    r"^([a-zA-Z0-9_-]+\.?){4,10}$": patterns()["case-id"].regex,
    r"^([a-zA-Z0-9_-]+\.?){4,9}$": patterns()["organisation-id"].regex,
    json_schema.DATETIME.strip("^$"): json_schema.DATETIME,
}


def _said(schema: Any, root: Any) -> dict[str, Any]:
    """What a schema says, without order, titles and references."""
    if "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    said: dict[str, Any] = {key: value for key, value in schema.items() if key in KEYWORDS}
    if "pattern" in said:
        said["pattern"] = SAME_PATTERN.get(said["pattern"], said["pattern"])
    if said["type"] == "object":
        said["required"] = set(said.get("required", ()))
        said["additionalProperties"] = said.get("additionalProperties", True)
        said["properties"] = {
            name: _said(below, root) for name, below in schema.get("properties", {}).items()
        }
    if "enum" in said:
        said["enum"] = set(said["enum"])
    if "items" in schema:
        said["items"] = _said(schema["items"], root)
    return said


@pytest.mark.parametrize(("message_type", "version"), CATALOGUE)
def test_a_table_says_what_the_official_schema_says_word_by_word(message_type: str, version: str) -> None:
    theirs, ours = official(message_type, version), json_schema.plain(table(message_type, version).root)
    assert _said(ours, ours) == _said(theirs, theirs)


@pytest.mark.parametrize(("message_type", "version"), CATALOGUE)
def test_every_sample_is_valid(message_type: str, version: str) -> None:
    judges = Judges(message_type, version)
    for body in samples(message_type, version):
        assert set(judges.verdicts(body)) == {True}


def test_samples_are_there() -> None:
    assert [sum(len(samples(t, v)) for t, v in CATALOGUE if v == version) for version in schemas.VERSIONS] > [
        10
    ] * 3


@pytest.mark.parametrize(("message_type", "version"), [(t, v) for t, v in CATALOGUE if v != "v1"])
def test_the_order_of_fields_is_that_of_the_official_xsd(message_type: str, version: str) -> None:
    root = etree.parse(REFERENCE / "xsd" / version / f"{message_type}.xsd").getroot()
    types = {str(found.get("name")): found for found in root.iter(f"{XSD}complexType")}
    [element] = root.findall(f"{XSD}element")
    field = table(message_type, version).root
    assert element.get("name") == field.name
    _same_order(types[str(element.get("type")).partition(":")[2]], field, types)


def _same_order(complex_type: Any, field: Field, types: dict[str, Any]) -> None:
    sequence = complex_type.findall(f"{XSD}sequence/{XSD}element")
    assert [element.get("name") for element in sequence] == [member.name for member in field.fields]
    for element, member in zip(sequence, field.fields, strict=True):
        if member.fields:
            _same_order(types[element.get("type").partition(":")[2]], member, types)


def _fields(field: Field) -> list[Field]:
    return [field, *(below for member in field.fields for below in _fields(member))]


def test_code_lists_are_the_official_ones() -> None:
    for name in set(codes.names()) - codes.incomplete():
        stem = {"ISO3166": "ISO 3166-ISO3166-2"}.get(
            name, name if name.startswith("EMSI") else f"HubSante.{name}"
        )
        text = (REFERENCE / "nomenclatures" / f"{stem}.csv").read_text(encoding="utf-8")
        assert all(f",{code}," in text.replace(" ,", ",") for code in map(str.rstrip, codes.labels(name))), (
            name
        )


def test_every_code_list_is_used_and_every_one_named_is_there() -> None:
    tables = [table(t, v) for t, v in json_schema.tables()]
    used = {f.codes or f.list for source in tables for f in _fields(source.root)} - {""}
    of_tables = {name for source in tables for name in source.lists}
    assert set(codes.names()) - used == {"intervention"} - used
    assert used <= set(codes.names()) | of_tables


def test_every_code_of_a_list_behind_a_pattern_fits_the_pattern() -> None:
    coded = [f for t, v in json_schema.tables() for f in _fields(table(t, v).root) if f.codes and f.pattern]
    assert {f.codes for f in coded} == {"fait", "lieu", "risque"} | codes.incomplete()
    for field in coded:
        judge = jsonschema_rs.Draft7Validator(json_schema.plain(field))
        assert [code for code in codes.labels(field.codes) if not judge.is_valid(code)] == [], field.codes
