"""Our verdict on an XML document beside that of the official XSD, and the list of the ways in which the two may differ.

Each `Difference` recognises one way from what the refusing side says; docs/xml.md gives its reason under the same name.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from lxml import etree

import schemas
from gateway import edxl, validation
from gateway.errors import ErrorKind, Issue, Refused
from gateway.validation import structure
from schemas.fields import table
from tests.xml_mutations import Documents, Element, mutated, randomness

OASIS = frozenset(
    {
        "link",
        "keyword",
        "extension",
        "other",
        "senderRole",
        "recipientRole",
        "urgency",
        "severity",
        "certainty",
    }
    | {"incidentID", "incidentDescription", "targetAreas", "combinedConfidentiality"}
)
OASIS_WORDS = frozenset(
    {
        "Request",
        "Response",
        "Dispatch",
        "SensorConfiguration",
        "SensorControl",
        "SensorStatus",
        "SensorDetection",
    }
    | {"System", "Test", "Draft", "Unknown", "NoAppropriateDefault"}
)
STRINGS = frozenset({"distributionID", "senderID", "explicitAddressScheme", "explicitAddressValue"})
OURS_ALONE = frozenset({"descriptor", "descriptor.language", "descriptor.explicitAddress", "content"})
SEVERAL = frozenset({"descriptor.explicitAddress", "descriptor.explicitAddress.explicitAddressValue"})
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
INSTANT = re.compile(r"-?\d{4,}-\d\d-\d\dT(\d\d:\d\d:\d\d(\.\d+)?)(Z|[+-]\d\d:\d\d)?", re.ASCII)
FAR = re.compile(r"[+-](1[5-9]|2[0-3]):\d\d|[+-]14:(?!00)\d\d", re.ASCII)
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the refusing side has against a document: `path` without indexes, `code` an issue's kind or libxml2's."""

    path: str
    element: Element | None
    code: str
    said: str

    @property
    def name(self) -> str:
        """The bare name of the element."""
        return etree.QName(self.element).localname if self.element is not None else ""

    @property
    def text(self) -> str:
        """The text of the element as it stands in the document."""
        return (self.element.text or "") if self.element is not None else ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the verdicts differ, by its name in docs/xml.md."""

    name: str
    explains: Callable[[Complaint], bool]


# The XSD lets pass what is refused here.


def _instant(complaint: Complaint) -> bool:
    return "date and time" in complaint.said and INSTANT.fullmatch(complaint.text.strip()) is not None


def _oasis(complaint: Complaint) -> bool:
    word = complaint.path in ("distributionKind", "distributionStatus") and complaint.text in OASIS_WORDS
    member = re.search(r'^(?:Found the member "(\w+)"|(\w+) is not read here)', complaint.said)
    return word or (member is not None and (member[1] or member[2]) in OASIS)


ONLY_THE_XSD = (
    Difference(
        "no `descriptor`, `content`, `language` or `explicitAddress`",
        lambda c: c.path in OURS_ALONE and c.said.startswith("Found no "),
    ),
    Difference("several `contentObject`", lambda c: c.code == ErrorKind.CONTENT_COUNT.name),
    Difference(
        "several `explicitAddress` or `explicitAddressValue`",
        lambda c: c.path in SEVERAL and "stands more than once" in c.said,
    ),
    Difference(
        "what else OASIS has: `link`, `keyword`, `senderRole`, further `distributionKind` and `distributionStatus`",
        _oasis,
    ),
    Difference(
        "date-time of the message with `Z`, without offset, with a fraction, at 24:00:00, or a year of five digits or below 0",
        _instant,
    ),
    Difference(
        "a decimal beyond the range of a double",
        lambda c: "a number" in c.said and re.fullmatch(r"\d{309,}", c.text.strip()) is not None,
    ),
    Difference(
        "`\\d` with digits other than 0 to 9",
        lambda c: c.code == "SCHEMA" and any(x.isdigit() and not x.isascii() for x in c.text),
    ),
    Difference(
        "`xsi:type`, even naming the right type",
        lambda c: (
            "has the attribute type." in c.said and c.element is not None and XSI_TYPE in c.element.attrib
        ),
    ),
    Difference(
        "`resourceId` of GEO-REQ in another form than its pattern",
        lambda c: c.path == "geoResourcesRequest.resourceId" and ".resource.{local id}" in c.said,
    ),
)

# What is refused by the XSD passes here.


def _beside(complaint: Complaint) -> bool:
    if complaint.code != "SCHEMAV_ELEMENT_CONTENT":
        return False
    inner, outer = complaint.element, complaint.element.getparent() if complaint.element is not None else None
    while outer is not None:  # an OASIS element that is unknown here may be reported for its own inside
        known = OPEN.get(etree.QName(outer).localname)
        if known is not None:
            return etree.QName(inner).localname not in known
        inner, outer = outer, outer.getparent()
    return False


HEADER = frozenset(member.name for member in table("RC-DE", "v3").root.fields)
OPEN = {
    "message": HEADER | schemas.ALL_ROOT_KEYS["v2"].keys() | schemas.ALL_ROOT_KEYS["v3"].keys(),
    "contentObject": {"contentXML"},
    "contentXML": {"embeddedXMLContent"},
    "embeddedXMLContent": {"message"},
}


def _is_instant(complaint: Complaint) -> bool:
    return "DateTime" in complaint.said or "dateTime" in complaint.said


ONLY_HERE = (
    Difference(
        "an unknown element beside the header, or inside `contentObject`, `contentXML`, `embeddedXMLContent`",
        _beside,
    ),
    Difference(
        "`Z`, a lower-case `t`, or a fraction, in `dateTimeSent` and `dateTimeExpires`",
        lambda c: (
            c.name in ("dateTimeSent", "dateTimeExpires")
            and _is_instant(c)
            and RFC_3339.fullmatch(c.text.strip()) is not None
            and re.search(r"[Zzt.]", c.text) is not None
        ),
    ),
    Difference(
        "an empty `distributionID`, `senderID`, `explicitAddressScheme` or `explicitAddressValue`, or one of more than 1,023 characters",
        lambda c: (
            c.name in STRINGS
            and c.code in ("SCHEMAV_CVC_MINLENGTH_VALID", "SCHEMAV_CVC_MAXLENGTH_VALID")
            and len(c.text.strip()) in (0, *range(1_024, 100_000))
        ),
    ),
    Difference(
        "a `language` that is no language tag, such as `fr_FR`",
        lambda c: c.name == "language" and "'xs:language'" in c.said,
    ),
    Difference(
        "an offset beyond ±14:00",
        lambda c: (
            _is_instant(c) and RFC_3339.fullmatch(c.text.strip()) is not None and bool(FAR.search(c.text))
        ),
    ),
    Difference(
        "the year 0000",
        lambda c: (
            _is_instant(c)
            and RFC_3339.fullmatch(c.text.strip()) is not None
            and c.text.strip().startswith("0000-")
        ),
    ),
    Difference(
        "white space around a date-time",
        lambda c: (
            _is_instant(c) and c.text != c.text.strip() and RFC_3339.fullmatch(c.text.strip()) is not None
        ),
    ),
    Difference(
        "a whole number written with a point, such as `3.0`, or beyond 32 bits",
        lambda c: (
            "'xs:int'" in c.said
            and re.fullmatch(r"[+-]?\d+\.0*|[+-]?\d{10,}", c.text.strip(), re.ASCII) is not None
        ),
    ),
    Difference(
        "`xsi:nil` on `sourceMessage`",
        lambda c: c.name == "sourceMessage" and c.code == "SCHEMAV_CVC_ELT_3_1",
    ),
    Difference(
        "no `xlink:type` on `edxlDistribution`",
        lambda c: c.name == "edxlDistribution" and c.code == "SCHEMAV_CVC_COMPLEX_TYPE_4",
    ),
    Difference(
        "`urn:emergency:cisu:3.0`, and any order within",
        lambda c: c.code == "SCHEMAV_ELEMENT_CONTENT" and "{urn:emergency:cisu:3.0}message'" in c.said,
    ),
)


def our_complaints(body: bytes, version: str) -> list[Issue]:
    """What is said here against the form and structure of a document; [] where it is valid."""
    try:
        message = edxl.decode(body, edxl.XML, version)
    except Refused as refused:
        return [issue for issue in refused.issues if issue.severity == "error"]  # pointers are XPaths already
    return [] if validation.is_valid(message) else list(islice(structure.issues(message), 50))


def explanations(body: bytes, tree: Element, issues: list[Issue], log: Any) -> list[str | Complaint]:
    """The name of the difference behind each complaint of the refusing side; a complaint that none explains as it is."""
    complaints = _of_ours(tree, issues) if issues else _of_theirs(tree, log)
    ways = ONLY_THE_XSD if issues else ONLY_HERE
    return [next((way.name for way in ways if way.explains(c)), c) for c in complaints]


def _of_ours(tree: Element, issues: list[Issue]) -> Iterator[Complaint]:
    bare = etree.fromstring(etree.tostring(tree))
    for element in bare.iter(etree.Element):
        element.tag = etree.QName(element).localname
    for issue in issues:
        xpath = issue.pointer if issue.pointer.startswith("/edxl") else edxl.pointer(issue.pointer, edxl.XML)
        found: Any = bare.xpath(xpath)
        path = re.sub(r"\[\d+\]", "", issue.path).removeprefix(
            "content.jsonContent.embeddedJsonContent.message."
        )
        yield Complaint(path, found[0] if found else None, issue.kind.name, issue.diagnostics)


def _of_theirs(tree: Element, log: Any) -> Iterator[Complaint]:
    whole = tree.getroottree()
    places = {whole.getpath(element): element for element in tree.iter(etree.Element)}
    for entry in log:
        yield Complaint("", places.get(entry.path), entry.type_name, entry.message)


@dataclass(slots=True)
class Tally:
    """What came out of the mutants of one type."""

    mutants: int = 0
    valid: int = 0  # by the XSD
    kinds: Counter[str] = field(default_factory=Counter)  # how often each mutation was made
    refused: Counter[str] = field(
        default_factory=Counter
    )  # and how often its document was refused by the XSD
    differences: Counter[str] = field(default_factory=Counter)
    unexplained: list[tuple[bytes, str, Complaint]] = field(default_factory=list)


def tally(documents: Documents, xsd: etree.XMLSchema, mutants: int, seed: str) -> Tally:
    """Both verdicts on so many mutants, always the same ones."""
    rng, told = randomness(seed), Tally(mutants)
    for number in range(mutants):
        changed, kind = mutated(documents, number, rng)
        body = etree.tostring(changed)
        tree = etree.fromstring(body)  # as it is read: lxml keeps namespaces that text cannot say
        valid, issues = xsd.validate(tree), our_complaints(body, documents.version)
        told.valid += valid
        told.kinds[kind] += 1
        told.refused[kind] += not valid
        if valid != (not issues):
            for way in explanations(body, tree, issues, xsd.error_log):
                if isinstance(way, str):
                    told.differences[way] += 1
                else:
                    told.unexplained.append((body, kind, way))
    return told
