"""Independent FHIR validators accept what the translation writes, and would not accept just anything."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from gateway import translation
from gateway.model import JsonObject
from tests.judges import asking
from tests.test_translation import (
    CASES,
    SERVED,
    case,
    documents,
    message,
    seeded_documents,
    version_of,
)

pytestmark = pytest.mark.skipif(
    not (asking.INSTALLED and shutil.which("node")),
    reason="node or the judges' npm packages are not installed",
)
FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def medplum() -> Iterator[asking.Medplum]:
    judge = asking.Medplum()
    yield judge
    judge.close()


def verdict(bundle: Any, medplum: asking.Medplum) -> list[str]:
    return [*asking.fhir_resources(bundle), *asking.hl7(bundle), *medplum(bundle)]


def bundle_of(document: JsonObject, version: str = "v3") -> JsonObject:
    return translation.to_fhir(message(document, version))


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parts[-3]}/{p.parts[-2]}")
def test_judges_accept_the_cases(path: Path, medplum: asking.Medplum) -> None:
    assert verdict(bundle_of(orjson.loads(path.read_bytes()), version_of(path)), medplum) == []


@pytest.mark.parametrize(("message_type", "version"), SERVED)
def test_judges_accept_every_message(message_type: str, version: str, medplum: asking.Medplum) -> None:
    for document in seeded_documents(message_type, version, 20):
        assert verdict(bundle_of(document, version), medplum) == []


@FEW
@given(documents("RS-EDA"))
def test_judges_accept_any_rs_eda(medplum: asking.Medplum, document: JsonObject) -> None:
    assert verdict(bundle_of(document), medplum) == []


@FEW
@given(documents("RC-REF"))
def test_judges_accept_any_rc_ref(medplum: asking.Medplum, document: JsonObject) -> None:
    assert verdict(bundle_of(document), medplum) == []


@FEW
@given(documents("RS-ERROR"))
def test_judges_accept_any_rs_error(medplum: asking.Medplum, document: JsonObject) -> None:
    assert verdict(bundle_of(document), medplum) == []


def test_each_judge_finds_a_fault(medplum: asking.Medplum) -> None:
    bundle = bundle_of(case("RS-EDA/full"))
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "Encounter":
            entry["resource"]["status"] = "banana"  # what HL7's schema sees
            entry["resource"]["class"] = "EMER"  # what the two others see
    assert asking.fhir_resources(bundle) and asking.hl7(bundle) and medplum(bundle)
