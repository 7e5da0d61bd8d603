"""A case and an error report in XML, and the ways to change, read and select in them. All data is made up."""

from typing import Any

import pytest
from lxml import etree

from gateway import edxl
from gateway.errors import Issue, Refused
from tests.strategies import enveloped

ROOT_KEYS = {"RS-EDA": "createCaseHealth", "RC-REF": "reference", "RS-ERROR": "error"}


CASE: dict[str, Any] = {
    "caseId": "fr.health.samu440.DRFR1",
    "creation": "2026-11-24T10:00:00+01:00",
    "qualification": {"riskThreat": [{"code": "R02", "label": "Feu"}], "details": {"priority": "P0"}},
    "location": {
        "geometry": {
            "datetime": "2026-11-24T10:00:00+01:00",
            "point": {"coord": {"lat": 47.21, "lon": -1.55, "precision": "VILLE"}, "isAml": True},
        },
        "freetext": "  deux  espaces  ",
    },
    "owner": "fr.health.samu440",
    "patient": [
        {"patientId": "fr.health.samu440.patient.1"},
        {"patientId": "fr.health.samu440.patient.2", "detail": {"weight": 80}},
    ],
}


DOCUMENT = enveloped("createCaseHealth", CASE)


BODY = edxl.encode(DOCUMENT, edxl.XML, "v3").content.decode()


MESSAGE = "content[0].jsonContent.embeddedJsonContent.message"


XMESSAGE = "/edxlDistribution/content/contentObject/contentXML/embeddedXMLContent/message"


ERROR: dict[str, Any] = {
    "errorCode": {"statusCode": 300, "statusString": "INVALID_MESSAGE"},
    "errorCause": "caseId",
    "sourceMessage": {},
    "referencedDistributionID": "fr.health.samu440_1",
}


def read(text: str | bytes, version: str = "v3") -> Any:
    """The document in a body."""
    return edxl.decode(text.encode() if isinstance(text, str) else text, edxl.XML, version).document


def case(text: str | bytes) -> Any:
    """The use case in a body."""
    return read(text)["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["createCaseHealth"]


def swapped(old: str, new: str) -> str:
    """The sample body with one place changed."""
    assert BODY.count(old) >= 1, old
    return BODY.replace(old, new, 1)


def refusal(text: str | bytes, status: int) -> tuple[Issue, ...]:
    with pytest.raises(Refused) as refused:
        read(text)
    assert refused.value.status == status
    assert all(issue.diagnostics for issue in refused.value.issues)
    return refused.value.issues


def selected(body: str | bytes, pointer: str) -> list[Any]:
    """What an XPath by local names selects."""
    root = etree.fromstring(body.encode() if isinstance(body, str) else body)
    for element in root.iter():
        element.tag = etree.QName(element).localname
    etree.cleanup_namespaces(root)
    found = root.getroottree().xpath(pointer)
    assert isinstance(found, list)
    return found
