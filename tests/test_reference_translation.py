"""The official samples of the three types come back whole, and independent validators accept their Bundles."""

import shutil
from pathlib import Path

import orjson
import pytest

from gateway import edxl, translation
from gateway.model import JsonObject
from tests.judges import asking
from tests.strategies import enveloped

SAMPLES = Path(__file__).parents[1].parent / "shared" / "hubsante" / "samples" / "v3"
pytestmark = pytest.mark.skipif(
    not SAMPLES.exists(), reason="the official samples are not beside the checkout"
)
ROOTS = {"RS-EDA": "createCaseHealth", "RC-REF": "reference", "RS-ERROR": "error"}
FILES = [path for kind in ROOTS for path in sorted((SAMPLES / kind).glob("*.json"))]


def document(path: Path) -> JsonObject:
    root = ROOTS[path.parent.name]
    loaded = orjson.loads(path.read_bytes())
    return enveloped(root, loaded.get(root, loaded))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_sample_comes_back(path: Path) -> None:
    sent = document(path)
    bundle = orjson.loads(orjson.dumps(translation.to_fhir(edxl.message(sent, "v3"))))
    assert translation.canonical_issues(bundle) == ()
    got = translation.from_fhir(bundle)
    assert orjson.dumps(got, option=orjson.OPT_SORT_KEYS) == orjson.dumps(sent, option=orjson.OPT_SORT_KEYS)


@pytest.mark.skipif(
    not (asking.INSTALLED and shutil.which("node")),
    reason="node or the judges' npm packages are not installed",
)
def test_judges_accept_the_samples() -> None:
    medplum = asking.Medplum()
    try:
        for path in FILES:
            bundle = translation.to_fhir(edxl.message(document(path), "v3"))
            assert [*asking.fhir_resources(bundle), *asking.hl7(bundle), *medplum(bundle)] == [], path.name
    finally:
        medplum.close()


def test_there_are_samples_of_each_type() -> None:
    assert {path.parent.name for path in FILES} == set(ROOTS)
