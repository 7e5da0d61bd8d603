"""The official samples of every type come back whole, and independent validators accept their Bundles."""

import shutil
from pathlib import Path

import orjson
import pytest

import schemas
from gateway import edxl, translation
from gateway.model import JsonObject
from tests.judges import asking
from tests.strategies import enveloped

SAMPLES = Path(__file__).parents[1].parent / "shared" / "hubsante" / "samples"
pytestmark = pytest.mark.skipif(
    not SAMPLES.exists(), reason="the official samples are not beside the checkout"
)
FOLDERS = dict(schemas.ALIASES)
FILES = [
    path
    for version in schemas.VERSIONS
    for path in sorted((SAMPLES / version).glob("*/*.json"))
    if FOLDERS.get(path.parent.name, path.parent.name) in schemas.message_types(version)
]


def version_of(path: Path) -> str:
    return path.parts[-3]


def document(path: Path) -> JsonObject:
    root = schemas.root_key(FOLDERS.get(path.parent.name, path.parent.name), version_of(path))
    loaded = orjson.loads(path.read_bytes())
    return enveloped(root, loaded.get(root, loaded))


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{version_of(p)} {p.stem}")
def test_sample_comes_back(path: Path) -> None:
    sent = document(path)
    bundle = orjson.loads(orjson.dumps(translation.to_fhir(edxl.message(sent, version_of(path)))))
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
            bundle = translation.to_fhir(edxl.message(document(path), version_of(path)))
            assert [*asking.fhir_resources(bundle), *asking.hl7(bundle), *medplum(bundle)] == [], path.name
    finally:
        medplum.close()


def test_there_are_samples_of_each_type() -> None:
    told = {(FOLDERS.get(path.parent.name, path.parent.name), version_of(path)) for path in FILES}
    assert told >= {(kind, "v3") for kind in schemas.message_types("v3")}
