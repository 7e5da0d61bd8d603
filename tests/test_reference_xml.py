"""The XML codec against the official XSDs and samples, where a checkout of them stands beside the repository."""

import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

import schemas
from gateway import edxl, validation
from gateway.edxl import xml_plan
from gateway.edxl.xml_writer import Written
from tests.strategies import enveloped, messages
from tests.xml_samples import ROOT_KEYS

REFERENCE = Path(__file__).parents[1].parent / "shared" / "hubsante"
pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="no official XSDs beside this repository")


@functools.cache
def xsd(message_type: str, version: str = "v3") -> etree.XMLSchema:
    name = "EDXL-DE-full-no-header" if message_type in schemas.HEADERLESS else "EDXL-DE-full"
    return etree.XMLSchema(file=str(REFERENCE / "xsd" / version / f"{name}.xsd"))


def samples(version: str = "v3") -> list[tuple[str, str, Path]]:
    """Message type, root key and file of every official XML sample that has a JSON twin."""
    return [
        (message_type, root_key, path)
        for root_key, message_type in schemas.ROOT_KEYS.get(version, {}).items()
        for path in sorted((REFERENCE / "samples" / version / message_type).glob("*.xml"))
        if path.with_suffix(".json").exists()
    ]


def written(root_key: str, sample: Path, version: str = "v3") -> Written:
    """The JSON twin of a sample in an envelope, as our writer has it."""
    return edxl.encode(twin(root_key, sample), edxl.XML, version)


def wrapped(root_key: str, sample: Path, version: str = "v3") -> bytes:
    """An official XML sample in the envelope that our writer made around its JSON twin."""
    made = written(root_key, sample, version).content.decode()
    use_case = re.sub(r"<\?xml.*?\?>", "", sample.read_text(encoding="utf-8")).strip()
    whole = re.compile(f"<{root_key} xmlns.*</{root_key}>", re.DOTALL)
    assert whole.search(made)
    return whole.sub(lambda _: use_case, made).encode()


def twin(root_key: str, sample: Path) -> Any:
    body = json.loads(sample.with_suffix(".json").read_text(encoding="utf-8"))
    return enveloped(root_key, body[root_key])


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_every_sample_reads_as_its_json_twin(version: str) -> None:
    for message_type, root_key, sample in samples(version):
        body = wrapped(root_key, sample, version)
        message = edxl.decode(body, edxl.XML, version)
        assert message.document == twin(root_key, sample), sample.name
        assert validation.is_valid(message), sample.name
        assert refusals(xsd(message_type, version), body) == [], sample.name


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_every_sample_is_written_as_the_xsd_has_it(version: str) -> None:
    for message_type, root_key, sample in samples(version):
        made = written(root_key, sample, version)
        assert refusals(xsd(message_type, version), made.content) == [], sample.name
        assert made.lost == (), sample.name


def test_there_are_samples_of_the_first_types() -> None:
    assert {message_type for message_type, _, _ in samples()} >= set(ROOT_KEYS)


@pytest.mark.parametrize("name", ["EDXL-DE", "RC-EDA", "RS-EDA"])
def test_older_enveloped_files_are_read(name: str) -> None:
    for path in (REFERENCE / "valid" / name).glob("*.xml"):
        message = edxl.decode(path.read_bytes(), edxl.XML, "v3")
        assert message.envelope.sender_id.startswith("fr.")
        assert message.document["content"]


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_every_namespace_is_the_xsds(version: str) -> None:
    namespace = xml_plan.NAMESPACES[version]
    root = etree.parse(str(REFERENCE / "xsd" / version / "RC-XML-ContentType.xsd")).getroot()
    assert root.get("targetNamespace") == namespace
    found = 0
    for element in root.iter("{http://www.w3.org/2001/XMLSchema}element"):
        prefix, _, name = (element.get("ref") or "").partition(":")
        if name and name != "distributionElement":
            found += 1
            assert xml_plan.body_namespace(name, namespace) == root.nsmap[prefix], name
    assert found > 15


# What the XSD refuses though the JSON schema accepts: written all the same, see docs/xml.md.
WRITTEN_ANYWAY = re.compile(r"-23:59' is not a valid value of the atomic type 'xs:dateTime'")


def refusals(schema: etree.XMLSchema, body: bytes) -> list[str]:
    """What the XSD has against a body."""
    schema.validate(etree.fromstring(body))
    log: Any = schema.error_log  # lxml's stubs do not know that it can be iterated
    return [entry.message for entry in log]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data(), st.sampled_from(sorted(ROOT_KEYS)))
def test_what_is_written_is_accepted_by_the_xsd(data: st.DataObject, message_type: str) -> None:
    document = enveloped(ROOT_KEYS[message_type], data.draw(messages(message_type, "v3")))
    found = refusals(xsd(message_type), edxl.encode(document, edxl.XML, "v3").content)
    assert [message for message in found if not WRITTEN_ANYWAY.search(message)] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("distributionID", ""),
        ("senderID", "x" * 1_024),
        ("dateTimeSent", "2026-01-31T10:04:34+23:59"),
        ("dateTimeSent", "0000-01-31T10:04:34+00:00"),
    ],
)
def test_what_the_xsd_alone_refuses_is_written_anyway(name: str, value: str) -> None:
    document = enveloped("reference", {"distributionID": "a_1"}) | {name: value}
    made = edxl.encode(document, edxl.XML, "v3")
    message = edxl.decode(made.content, edxl.XML, "v3")
    assert message.document == document and made.lost == ()
    assert validation.is_valid(message)
    assert len(refusals(xsd("RC-REF"), made.content)) >= 1
