"""Whole documents against the official envelope schema of each version, and the official failing files."""

import functools
import json
import random
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

import schemas
from gateway import validation
from gateway.edxl import json_codec
from gateway.validation import structure
from schemas import examples, json_schema
from schemas.fields import table
from tests.strategies import enveloped, mutated

REFERENCE = Path(__file__).parents[1].parent / "shared" / "hubsante"
pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="no official schemas beside this repository")

CATALOGUE = [(t, version) for version, roots in schemas.ALL_ROOT_KEYS.items() for t in sorted(roots.values())]
MESSAGE = ("content", 0, "jsonContent", "embeddedJsonContent", "message")
MUTANTS = 400
HEADERS = 2_000


def official(name: str, version: str) -> dict[str, Any]:
    """An official schema with an id of its own (all share one)."""
    path = REFERENCE / "json-schema" / version / f"{name}.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema | {"$id": f"http://official/{name}.schema.json"}


@functools.cache
def official_document(version: str) -> jsonschema_rs.Draft7Validator:
    folder = REFERENCE / "json-schema" / version
    names = [path.name.removesuffix(".schema.json") for path in folder.glob("*.schema.json")]
    resources = [(f"http://official/{name}.schema.json", official(name, version)) for name in names]
    registry = jsonschema_rs.Registry(resources)
    return jsonschema_rs.Draft7Validator(
        official("EDXL-DE-full", version), validate_formats=True, registry=registry
    )


def _use_cases(document: Any, version: str) -> int:
    found = document
    for step in MESSAGE:
        try:
            found = found[step]
        except (KeyError, IndexError, TypeError):
            return 0
    known = (*schemas.ALL_ROOT_KEYS[version], *schemas.OTHER_ROOT_KEYS)
    return sum(key in known for key in found) if isinstance(found, dict) else 0


@pytest.mark.parametrize(("message_type", "version"), CATALOGUE)
def test_a_mutated_document_gets_the_official_verdict(message_type: str, version: str) -> None:
    rng = random.Random(f"{message_type} {version} documents")
    root = table(message_type, version).root
    whole = structure.whole_document(message_type, version)
    verdicts = []
    for _ in range(MUTANTS):
        # a small body leaves most of the mutations to envelope and header
        document = mutated(enveloped(root.name, examples.minimal(root)), rng)
        verdict = official_document(version).is_valid(document)
        content = document.get("content")
        if (isinstance(content, list) and len(content) > 1) or _use_cases(document, version) > 1:
            verdict = False  # stricter by contract: one content item, one use case
        assert whole.is_valid(document) == verdict, document
        told = [i for i in structure._issues(document, version) if "not taken here yet" not in i.diagnostics]
        assert bool(told) != verdict, document
        if root.name in schemas.ROOT_KEYS[version]:
            assert validation.is_valid(json_codec.message(document, version)) == verdict, document
        verdicts.append(verdict)
    assert 0.15 < sum(verdicts) / MUTANTS < 0.9


@pytest.mark.parametrize("version", schemas.VERSIONS)
def test_the_header_gets_the_official_verdict(version: str) -> None:
    theirs = jsonschema_rs.Draft7Validator(official("RC-DE", version), validate_formats=True)
    ours = jsonschema_rs.Draft7Validator(
        json_schema.plain(table("RC-DE", version).root), validate_formats=True
    )
    message: Any = enveloped("reference", {})
    for step in MESSAGE:
        message = message[step]
    rng = random.Random(version)
    for _ in range(HEADERS):
        header = mutated(message, rng)
        assert ours.is_valid(header) == theirs.is_valid(header), header


@pytest.mark.parametrize(("message_type", "version"), CATALOGUE)
def test_a_sample_is_judged_without_an_error(message_type: str, version: str) -> None:
    root_key = schemas.root_key(message_type, version)
    name = "RPIS" if (message_type, version) == ("RS-RPIS", "v1") else message_type
    for path in sorted((REFERENCE / "samples" / version / name).glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))[root_key]
        message = json_codec.message(enveloped(root_key, body), version)
        issues = [i for i in validation.judge(message) if "not taken here yet" not in i.diagnostics]
        assert [i for i in issues if i.severity == "error"] == [], path.name


# file -> what is refused, below `message`; their content is a test-only type, hence the unknown message type everywhere
CAUSES = {
    "error-in-RC-DE.json": {"technical", "recipient"},
    "multiple-errors-in-RC-DE.json": {"technical", "recipient", "kind", "status"},
    "multiple-errors-in-content.json": {"technical"},
    "no-schemas.json": {""},
}


@pytest.mark.parametrize(
    "path", sorted((REFERENCE / "failing" / "EDXL-DE").glob("*.json")), ids=lambda p: p.name
)
def test_a_failing_file_is_refused_for_its_cause(path: Path) -> None:
    message = json_codec.message(json.loads(path.read_text(encoding="utf-8")), "v3")
    assert not validation.is_valid(message)
    told = {i.path: i.kind.value.code for i in validation.judge(message) if i.severity == "error"}
    place = "content[0].jsonContent.embeddedJsonContent.message"
    assert {path.removeprefix(place).strip(".") for path in told} == CAUSES[path.name]
    assert "unknown-message-type" in told.values()


def test_the_failing_files_are_there() -> None:
    assert {path.name for path in (REFERENCE / "failing" / "EDXL-DE").glob("*.json")} == CAUSES.keys()
