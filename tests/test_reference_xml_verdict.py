"""Our verdict on XML bodies against that of the official XSDs, where a checkout of them stands beside the repository."""

import copy
import random
import re
from typing import Any

import pytest
from lxml import etree

from gateway import edxl, validation
from gateway.errors import Refused
from tests.test_reference_xml import REFERENCE, refusals, samples, wrapped, xsd
from tests.xml_samples import BODY, ROOT_KEYS, swapped

pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="no official XSDs beside this repository")

MUTANTS = 900

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
    of_three_types = [sample for sample in samples() if sample[0] in ROOT_KEYS]
    verdicts, differing = [], set()
    for number in range(MUTANTS):
        message_type, root_key, sample = of_three_types[number % len(of_three_types)]
        root = etree.fromstring(wrapped(root_key, sample))
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
