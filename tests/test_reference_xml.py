"""The XML codec against the official XSDs and samples, where a checkout of them stands beside the repository."""

import copy
import functools
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway import edxl, validation
from gateway.edxl import xml_plan
from gateway.errors import Refused
from tests.strategies import enveloped, messages
from tests.xml_samples import BODY, ROOT_KEYS, swapped

REFERENCE = Path(__file__).parents[1].parent / "shared" / "hubsante"
pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="no official XSDs beside this repository")

MUTANTS = 900


@functools.cache
def xsd(message_type: str, version: str = "v3") -> etree.XMLSchema:
    name = "EDXL-DE-full-no-header" if message_type == "RS-ERROR" else "EDXL-DE-full"
    return etree.XMLSchema(file=str(REFERENCE / "xsd" / version / f"{name}.xsd"))


def samples() -> list[tuple[str, Path]]:
    return [
        (message_type, path)
        for message_type in ROOT_KEYS
        for path in sorted((REFERENCE / "samples" / "v3" / message_type).glob("*.xml"))
    ]


def wrapped(message_type: str, sample: Path) -> bytes:
    """An official XML sample in an envelope that our writer made around its JSON twin."""
    root_key = ROOT_KEYS[message_type]
    made = edxl.encode(enveloped(root_key, twin(message_type, sample)), edxl.XML, "v3").content.decode()
    use_case = re.sub(r"<\?xml.*?\?>", "", sample.read_text(encoding="utf-8")).strip()
    whole = re.compile(f"<{root_key} xmlns.*</{root_key}>", re.DOTALL)
    assert whole.search(made)
    return whole.sub(lambda _: use_case, made).encode()


def twin(message_type: str, sample: Path) -> Any:
    return json.loads(sample.with_suffix(".json").read_text(encoding="utf-8"))[ROOT_KEYS[message_type]]


def test_every_sample_reads_as_its_json_twin() -> None:
    assert len(samples()) >= 3
    for message_type, sample in samples():
        body = wrapped(message_type, sample)
        message = edxl.decode(body, edxl.XML, "v3")
        assert message.document == enveloped(ROOT_KEYS[message_type], twin(message_type, sample)), sample.name
        assert validation.is_valid(message), sample.name
        assert xsd(message_type).validate(etree.fromstring(body)), sample.name


def test_every_sample_is_written_as_the_xsd_has_it() -> None:
    for message_type, sample in samples():
        made = edxl.encode(enveloped(ROOT_KEYS[message_type], twin(message_type, sample)), edxl.XML, "v3")
        assert xsd(message_type).validate(etree.fromstring(made.content)), sample.name
        assert made.lost == (), sample.name


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


# Mutation and element (for an extra element: the one it was put into) where the verdicts may differ: docs/xml.md gives the
# reason of each.
DATE_TIMES = ("creation", "datetime", "reception", "sentAt")
XSD_LETS_PASS = {
    *(("drop", name) for name in ("descriptor", "content", "language", "explicitAddress")),
    *(("repeat", name) for name in ("contentObject", "explicitAddress", "explicitAddressValue")),
    *(("retext", name) for name in DATE_TIMES),
}
XSD_REFUSES = {
    *(("extra", name) for name in ("contentObject", "contentXML", "embeddedXMLContent", "message")),
    *(("retext", name) for name in ("distributionID", "senderID", "language")),
    *(("retext", name) for name in ("explicitAddressScheme", "explicitAddressValue")),
    *(("retext", name) for name in DATE_TIMES),
}


def mutate(root: etree._Element, rng: random.Random) -> tuple[str, str]:
    """Change one thing in a document. Returns what was done, and to which element."""
    elements = [element for element in root.iter() if element is not root]
    element = rng.choice(elements)
    kind = rng.choice(sorted(MUTATIONS))
    name = etree.QName(_above(element) if kind == "extra" else element).localname
    MUTATIONS[kind](element, rng)
    return kind, name


def _above(element: etree._Element) -> Any:
    return element.getparent()


def _extra(element: etree._Element, rng: random.Random) -> None:
    target = _above(element)
    made = etree.Element(
        f"{{{etree.QName(element).namespace}}}{rng.choice(('unheardOf', 'label', 'freetext'))}"
    )
    target.insert(rng.randrange(len(target) + 1), made)


def _move(element: etree._Element, rng: random.Random) -> None:
    target = _above(element)
    target.insert(rng.randrange(len(target)), element)


def _retext(element: etree._Element, rng: random.Random) -> None:
    texts = (
        "",
        " ",
        "x",
        "X99",
        "-1",
        "1.5",
        "true",
        "0",
        "C01.01.01",
        "2026-11-24T10:00:00Z",
        (element.text or "") + "x",
        f" {element.text} ",
    )
    element.text = rng.choice(texts)


MUTATIONS: dict[str, Any] = {
    "drop": lambda element, _: _above(element).remove(element),
    "repeat": lambda element, _: element.addnext(copy.deepcopy(element)),
    "extra": _extra,
    "move": _move,
    "retext": _retext,
    "rename": lambda element, _: setattr(element, "tag", element.tag + "s"),
    "rehouse": lambda element, _: setattr(element, "tag", f"{{urn:x}}{etree.QName(element).localname}"),
    "attribute": lambda element, rng: element.set(
        rng.choice(("x", "{http://www.w3.org/XML/1998/namespace}lang")), "fr"
    ),
    "text": lambda element, _: setattr(element, "tail", "text"),
}


def test_a_mutated_document_gets_the_verdict_of_the_xsd() -> None:
    rng = random.Random("mutated XML")
    verdicts, differing = [], set()
    for number in range(MUTANTS):
        message_type, sample = samples()[number % len(samples())]
        root = etree.fromstring(wrapped(message_type, sample))
        done = mutate(root, rng)
        body = etree.tostring(root)
        ours, theirs = verdict(body), not refusals(xsd(message_type), body)
        verdicts.append(ours)
        if ours != theirs:
            differing.add((ours, done))
    unexpected = {
        (ours, done) for ours, done in differing if done not in (XSD_REFUSES if ours else XSD_LETS_PASS)
    }
    assert unexpected == set()
    assert 0.1 < sum(verdicts) / MUTANTS < 0.9


def verdict(body: bytes) -> bool:
    try:
        return validation.is_valid(edxl.decode(body, edxl.XML, "v3"))
    except Refused:
        return False


def text_of(name: str, value: str) -> str:
    """The sample with another text in the first element of the name."""
    changed = re.sub(f"<{name}>[^<]*<", lambda _: f"<{name}>{value}<", BODY, count=1)
    assert changed != BODY
    return changed


XSI = "http://www.w3.org/2001/XMLSchema-instance"
TYPED = f'<freetext xmlns:i="{XSI}" xmlns:s="http://www.w3.org/2001/XMLSchema" i:type="s:string">'
ONLY_THE_XSD: dict[str, str] = {
    "Z": text_of("creation", "2026-11-24T10:00:00Z"),
    "no offset": text_of("creation", "2026-11-24T10:00:00"),
    "fraction": text_of("creation", "2026-11-24T10:00:00.5+01:00"),
    "midnight": text_of("creation", "2026-11-24T24:00:00+01:00"),
    "long year": text_of("creation", "12026-11-24T10:00:00+01:00"),
    "year below 0": text_of("creation", "-2026-11-24T10:00:00+01:00"),
    "huge decimal": text_of("lat", "9" * 400),
    "other digits": text_of("code", "R0\u0663"),
    "kind of OASIS": text_of("distributionKind", "Request"),
    "status of OASIS": text_of("distributionStatus", "System"),
    "xsi:type": swapped("<freetext>", TYPED),
    "link": swapped("</content>", '<link xlink:type="arc"/></content>'),
    "link in the descriptor": swapped("</descriptor>", '<link xlink:type="arc"/></descriptor>'),
}
ONLY_HERE: dict[str, str] = {
    "Z in the envelope": text_of("dateTimeSent", "2026-11-24T10:00:00Z"),
    "fraction in the envelope": text_of("dateTimeSent", "2026-11-24T10:00:00.5+01:00"),
    "year 0000": text_of("creation", "0000-11-24T10:00:00+01:00"),
    "offset": text_of("creation", "2026-11-24T10:00:00+15:00"),
    "language": text_of("language", "fr_FR"),
    "empty id": text_of("distributionID", ""),
    "white space": text_of("creation", " 2026-11-24T10:00:00+01:00 "),
    "no xlink:type": BODY.replace(' xlink:type="extended"', ""),
    "older namespace": BODY.replace("urn:emergency:eda:1.9", "urn:emergency:cisu:3.0"),
    "extra beside the header": swapped("<createCaseHealth", "<more/><createCaseHealth"),
    "keyXMLContent": swapped(
        "<embeddedXMLContent>", "<keyXMLContent><a/></keyXMLContent><embeddedXMLContent>"
    ),
}
THE_SAME: dict[str, tuple[str, bool]] = {
    "sample": (BODY, True),
    "signs and points": (text_of("lat", " +5. "), True),
    "exponent": (text_of("lat", "1e3"), False),
    "empty number": (text_of("lat", ""), False),
    "boolean": (text_of("isAml", " 1 "), True),
    "offset of 14 hours": (text_of("creation", "2026-11-24T10:00:00+14:00"), True),
    "leap second": (text_of("creation", "2026-11-24T10:00:60+01:00"), False),
    "no such day": (text_of("creation", "2026-02-30T10:00:00+01:00"), False),
    "space in a token": (text_of("distributionKind", " Report "), True),
    "space in a string": (text_of("kind", " Report"), False),
    "final dot": (text_of("caseId", "a.b.c.d."), True),
    "final line end": (text_of("caseId", "a.b.c.d\n"), False),
    "hint": (swapped("<caseId>", f'<caseId xmlns:i="{XSI}" i:schemaLocation="urn:a b.xsd">'), True),
    "xsi:nil": (swapped("<caseId>", f'<caseId xmlns:i="{XSI}" i:nil="false">'), False),
    "contentDescriptor": (swapped("<contentXML>", "<contentDescriptor/><contentXML>"), True),
    "comment": (swapped("<detail>", "<detail><!-- x --><?y z?>"), True),
    "empty object": (re.sub("<detail>.*?</detail>", "<detail/>", BODY), True),
}


@pytest.mark.parametrize(
    ("body", "theirs", "ours"),
    [
        *(pytest.param(body, True, False, id=f"only the XSD: {name}") for name, body in ONLY_THE_XSD.items()),
        *(pytest.param(body, False, True, id=f"only here: {name}") for name, body in ONLY_HERE.items()),
        *(pytest.param(body, both, both, id=f"both: {name}") for name, (body, both) in THE_SAME.items()),
    ],
)
def test_verdicts_are_those_that_the_documentation_lists(body: str, *, theirs: bool, ours: bool) -> None:
    assert verdict(body.encode()) == ours
    assert (refusals(xsd("RS-EDA"), body.encode()) == []) == theirs
