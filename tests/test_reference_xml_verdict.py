"""Our verdict on XML bodies against that of the official XSDs, where a checkout of them stands beside the repository."""

import re
from pathlib import Path

import pytest
from lxml import etree

import schemas
from gateway import edxl, validation
from gateway.errors import Refused
from schemas import examples
from schemas.fields import table
from tests.strategies import enveloped
from tests.test_reference_fields import samples
from tests.test_reference_xml import REFERENCE, refusals, xsd
from tests.xml_mutations import HARMLESS, MUTATIONS, Documents
from tests.xml_samples import BODY, swapped
from tests.xml_verdicts import ONLY_HERE, ONLY_THE_XSD, explanations, our_complaints, tally

pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="no official XSDs beside this repository")

MUTANTS = 2_000
PAGE = Path(__file__).parent.parent / "docs" / "xml.md"
CATALOGUE = [(t, version) for version in ("v2", "v3") for t in sorted(schemas.message_types(version))]


@pytest.mark.parametrize(("message_type", "version"), CATALOGUE)
def test_a_mutated_document_gets_the_verdict_of_the_xsd(message_type: str, version: str) -> None:
    documents = Documents(message_type, version, samples(message_type, version))
    told = tally(documents, xsd(message_type, version), MUTANTS, f"{message_type} {version}")
    assert [(kind, complaint) for _, kind, complaint in told.unexplained] == []
    assert 0.3 < told.valid / MUTANTS < 0.9
    assert min(told.kinds[kind] for kind in MUTATIONS) > MUTANTS / 100
    for kind in MUTATIONS.keys() - set(HARMLESS):
        assert told.refused[kind] >= 5, kind
    assert told.refused["none"] < told.kinds["none"] / 2


def test_every_type_with_an_xml_form_is_tried() -> None:
    assert [(t, v) for v in ("v2", "v3") for t in sorted(schemas.ALL_ROOT_KEYS[v].values())] == CATALOGUE


def test_the_documentation_lists_every_difference() -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = page.partition("## Where the verdicts on an XML body differ")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| (.+?) \| (passes|refused) \| (passes|refused) \|", table, re.MULTILINE)
    assert [name for name, *both in listed if both == ["passes", "refused"]] == [d.name for d in ONLY_THE_XSD]
    assert [name for name, *both in listed if both == ["refused", "passes"]] == [d.name for d in ONLY_HERE]
    assert "900 documents" not in page and f"{MUTANTS:,} documents" in page


def verdict(body: bytes) -> bool:
    try:
        return validation.is_valid(edxl.decode(body, edxl.XML, "v3"))
    except Refused:
        return False


def ways(body: str, message_type: str) -> set[str]:
    """The names of the differences between the two verdicts on a document; what none explains as it is."""
    tree, schema = etree.fromstring(body.encode()), xsd(message_type)
    schema.validate(tree)
    issues = our_complaints(body.encode(), "v3")
    return {str(way) for way in explanations(body.encode(), tree, issues, schema.error_log)}


def text_of(name: str, value: str) -> str:
    """The sample with another text in the first element of the name."""
    changed = re.sub(f"<{name}>[^<]*<", lambda _: f"<{name}>{value}<", BODY, count=1)
    assert changed != BODY
    return changed


XSI = "http://www.w3.org/2001/XMLSchema-instance"
TYPED = f'<freetext xmlns:i="{XSI}" xmlns:s="http://www.w3.org/2001/XMLSchema" i:type="s:string">'
ONLY_THE_XSD_TAKES: dict[str, str] = {
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
ONLY_HERE_TAKEN: dict[str, str] = {
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


CONTENT = re.compile(r"(<contentObject .*?</contentObject>)", re.DOTALL)


def written(message_type: str) -> str:
    """The whole example of a type."""
    root = table(message_type, "v3").root
    return edxl.encode(enveloped(root.name, examples.full(root)), edxl.XML, "v3").content.decode()


GEO_REQ = edxl.encode(
    enveloped("geoResourcesRequest", {"resourceId": ["fr.health.samu440.resource.1"]}), edxl.XML, "v3"
).content.decode()
BPV = re.sub(r"<weight>\d+<", "<weight>80<", written("RS-BPV"))
NIL = re.sub("<sourceMessage", f'<sourceMessage xmlns:i="{XSI}" i:nil="false"', written("RS-ERROR"))
# what differs in other types: the type, and the document
OF_OTHER_TYPES = {
    "several contentObject": ("RS-EDA", CONTENT.sub(r"\1\1", BODY)),
    "several addresses": (
        "RS-EDA",
        re.sub(r"(<explicitAddressValue>.*?</explicitAddressValue>)", r"\1\1", BODY),
    ),
    "no language": ("RS-EDA", re.sub("<language>.*?</language>", "", BODY)),
    "resourceId of GEO-REQ": ("GEO-REQ", GEO_REQ.replace("fr.health.samu440.resource.1", "anything")),
    "nil": ("RS-ERROR", NIL),
    "whole number": ("RS-BPV", BPV.replace("<weight>80<", "<weight>80.0<")),
    "whole number beyond 32 bits": ("RS-BPV", BPV.replace("<weight>80<", f"<weight>{2**31}<")),
}


@pytest.mark.parametrize(
    ("body", "theirs", "ours"),
    [
        *(
            pytest.param(body, True, False, id=f"only the XSD: {name}")
            for name, body in ONLY_THE_XSD_TAKES.items()
        ),
        *(pytest.param(body, False, True, id=f"only here: {name}") for name, body in ONLY_HERE_TAKEN.items()),
        *(pytest.param(body, both, both, id=f"both: {name}") for name, (body, both) in THE_SAME.items()),
    ],
)
def test_verdicts_are_those_that_the_documentation_lists(body: str, *, theirs: bool, ours: bool) -> None:
    assert verdict(body.encode()) == ours
    assert (refusals(xsd("RS-EDA"), body.encode()) == []) == theirs


def test_every_difference_has_an_example_that_its_rule_recognises() -> None:
    of_cases = [("RS-EDA", body) for body in (*ONLY_THE_XSD_TAKES.values(), *ONLY_HERE_TAKEN.values())]
    found = set()
    for message_type, body in (*of_cases, *OF_OTHER_TYPES.values()):
        assert verdict(body.encode()) != (refusals(xsd(message_type), body.encode()) == [])
        found |= ways(body, message_type)
    assert found == {way.name for way in (*ONLY_THE_XSD, *ONLY_HERE)}
