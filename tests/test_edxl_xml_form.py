"""The form that only XML can get wrong: refused with the exact place; and the way from JSON Pointers to XPaths."""

import re
from typing import Any

import pytest

from gateway import edxl
from gateway.edxl import xml_codec, xml_plan
from tests.strategies import enveloped
from tests.xml_samples import BODY, DOCUMENT, ERROR, MESSAGE, XMESSAGE, read, refusal, selected, swapped

FORMS: dict[str, tuple[str, str, str, str]] = {
    "attribute": (
        swapped("<caseId>", '<caseId x="1">'),
        "caseId has the attribute x",
        f"{MESSAGE}.createCaseHealth.caseId",
        f"{XMESSAGE}/createCaseHealth/caseId",
    ),
    "xlink on a message element": (
        swapped("<caseId>", f'<caseId xmlns:l="{xml_plan.XLINK}" l:type="simple">'),
        "attribute type",
        f"{MESSAGE}.createCaseHealth.caseId",
        f"{XMESSAGE}/createCaseHealth/caseId",
    ),
    "xsi:nil": (
        swapped("<label>", f'<label xmlns:i="{xml_codec.XSI}" i:nil="true">'),
        "attribute nil",
        f"{MESSAGE}.createCaseHealth.qualification.riskThreat[0].label",
        f"{XMESSAGE}/createCaseHealth/qualification/riskThreat/label",
    ),
    "xsi:type": (
        swapped("<label>", f'<label xmlns:i="{xml_codec.XSI}" i:type="string">'),
        "attribute type",
        f"{MESSAGE}.createCaseHealth.qualification.riskThreat[0].label",
        f"{XMESSAGE}/createCaseHealth/qualification/riskThreat/label",
    ),
    "xml:lang": (
        swapped("<senderID>", '<senderID xml:lang="fr">'),
        "attribute lang",
        "senderID",
        "/edxlDistribution/senderID",
    ),
    "mixed content before": (
        swapped("<detail>", "<detail>text"),
        "text beside its elements",
        f"{MESSAGE}.createCaseHealth.patient[1].detail",
        f"{XMESSAGE}/createCaseHealth/patient[2]/detail",
    ),
    "mixed content after": (
        swapped("</detail>", "text</detail>"),
        "text beside its elements",
        f"{MESSAGE}.createCaseHealth.patient[1].detail",
        f"{XMESSAGE}/createCaseHealth/patient[2]/detail",
    ),
    "mixed content in the envelope": (
        swapped("</descriptor>", "<![CDATA[x]]></descriptor>"),
        "text beside its elements",
        "descriptor",
        "/edxlDistribution/descriptor",
    ),
    "order in the envelope": (
        re.sub(r"(<senderID>.*?</senderID>)(<dateTimeSent>.*?</dateTimeSent>)", r"\2\1", BODY),
        "senderID comes after dateTimeSent",
        "senderID",
        "/edxlDistribution/senderID",
    ),
    "order in the header": (
        re.sub(r"(<kind>.*?</kind>)(<status>.*?</status>)", r"\2\1", BODY),
        "kind comes after status",
        f"{MESSAGE}.kind",
        f"{XMESSAGE}/kind",
    ),
    "header after the use case": (
        re.sub(r"(<messageId>.*?</messageId>)(.*)(</message>)", r"\2\1\3", BODY),
        "messageId comes after createCaseHealth",
        f"{MESSAGE}.messageId",
        f"{XMESSAGE}/messageId",
    ),
    "order in the use case": (
        re.sub(r"(<caseId>.*?</caseId>)(<creation>.*?</creation>)", r"\2\1", BODY),
        "caseId comes after creation",
        f"{MESSAGE}.createCaseHealth.caseId",
        f"{XMESSAGE}/createCaseHealth/caseId",
    ),
    "a list in two parts": (
        re.sub(r"(<owner>.*?</owner>)(<patient>.*?</patient>)", r"\2\1", BODY),
        "owner comes after patient",
        f"{MESSAGE}.createCaseHealth.owner",
        f"{XMESSAGE}/createCaseHealth/owner",
    ),
    "repeated single element": (
        swapped("<caseId>", "<caseId>x</caseId><caseId>"),
        "caseId stands more than once",
        f"{MESSAGE}.createCaseHealth.caseId",
        f"{XMESSAGE}/createCaseHealth/caseId[2]",
    ),
    "two contents": (
        swapped("</content>", "</content><content/>"),
        "content stands more than once",
        "content",
        "/edxlDistribution/content[2]",
    ),
    "a link in content": (
        swapped("</content>", "<link/></content>"),
        "link is not read here",
        "content",
        "/edxlDistribution/content/link",
    ),
    "message of another version": (
        BODY.replace("urn:emergency:eda:1.9", "urn:emergency:cisu:2.0"),
        "message stands in the namespace 'urn:emergency:cisu:2.0'. Send message in urn:emergency:eda:1.9",
        "content[0].jsonContent.embeddedJsonContent",
        XMESSAGE,
    ),
    "use case in the message's namespace": (
        swapped(' xmlns="urn:emergency:eda:1.9:createCaseHealth"', ""),
        "Send createCaseHealth in urn:emergency:eda:1.9:createCaseHealth",
        MESSAGE,
        f"{XMESSAGE}/createCaseHealth",
    ),
    "contentXML in another namespace": (
        swapped("<contentXML>", '<contentXML xmlns="urn:x">'),
        "contentXML stands in the namespace 'urn:x'",
        "content[0]",
        "/edxlDistribution/content/contentObject/contentXML",
    ),
    "no namespace": (
        swapped("<owner>", '<owner xmlns="">'),
        "owner stands in no namespace",
        f"{MESSAGE}.createCaseHealth",
        f"{XMESSAGE}/createCaseHealth/owner",
    ),
    "wrong case of a namespace": (
        swapped("1.9:createCaseHealth", "1.9:createcasehealth"),
        "Send createCaseHealth",
        MESSAGE,
        f"{XMESSAGE}/createCaseHealth",
    ),
    "the JSON form in XML": (
        BODY.replace("contentXML", "jsonContent").replace("embeddedXMLContent", "embeddedJsonContent"),
        "Send contentXML",
        "content[0]",
        "/edxlDistribution/content/contentObject/jsonContent",
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_refuses_a_form_that_no_message_has(name: str) -> None:
    body, says, path, pointer = FORMS[name]
    assert body != BODY
    (issue,) = refusal(body, 422)
    assert says in issue.diagnostics
    assert (issue.path, issue.pointer) == (path, pointer)
    assert len(selected(body, issue.pointer)) == 1


def test_tells_every_form_issue_at_once() -> None:
    body = (
        swapped("<caseId>", '<caseId x="1">')
        .replace("<owner>", '<owner y="1">')
        .replace("<senderID>", '<senderID z="">')
    )
    assert [issue.path.rpartition(".")[2] for issue in refusal(body, 422)] == ["senderID", "caseId", "owner"]
    many = refusal(swapped("<caseId>", "<caseId/>" * 60 + "<caseId>"), 422)
    assert len(many) == xml_codec.MAX_TOLD + 1
    assert many[-1].diagnostics.startswith("40 more")
    assert many[-1].severity == "information"


def test_hints_and_links_may_stand_where_the_xsd_has_them() -> None:
    hint = f'xmlns:i="{xml_codec.XSI}" i:schemaLocation="urn:a b.xsd" i:noNamespaceSchemaLocation="b.xsd"'
    assert read(swapped("<caseId>", f"<caseId {hint}>")) == DOCUMENT
    assert read(swapped("<content>", '<content xlink:type="resource" xlink:title="x">')) == DOCUMENT
    assert read(BODY.replace(' xlink:type="resource"', "").replace(' xlink:type="extended"', "")) == DOCUMENT


def test_the_older_namespace_is_read_in_any_order() -> None:
    older = BODY.replace("urn:emergency:eda:1.9", "urn:emergency:cisu:3.0")
    assert read(older) == DOCUMENT
    swap = re.sub(r"(<caseId>.*?</caseId>)(<creation>.*?</creation>)", r"\2\1", older)
    assert swap != older
    assert read(swap) == DOCUMENT


def places(value: Any, pointer: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        below = [p for name, item in value.items() for p in places(item, f"{pointer}/{name}")]
    elif isinstance(value, list):
        below = [p for n, item in enumerate(value) for p in places(item, f"{pointer}/{n}")]
    else:
        below = []
    return [(pointer, value), *below]


@pytest.mark.parametrize(
    "document",
    [
        DOCUMENT,
        enveloped("error", {**ERROR, "sourceMessage": {"content": [{"jsonContent": {"a": ["1", "2"]}}]}}),
    ],
    ids=["case", "error"],
)
def test_every_pointer_leads_to_its_element(document: Any) -> None:
    body = edxl.encode(document, edxl.XML, "v3").content
    for pointer, value in places(document, ""):
        found = selected(body, edxl.pointer(pointer, edxl.XML))
        if isinstance(value, list):
            assert found and (pointer == "/content" or len(found) == len(value))
        else:
            (element,) = found
            if isinstance(value, str):
                assert element.text == value
            if isinstance(value, dict) and pointer.count("/") > 5:
                assert {child.tag for child in element} == set(value)


def test_pointer_of_unusual_members() -> None:
    assert (
        edxl.pointer("/content/0/jsonContent", edxl.XML)
        == "/edxlDistribution/content/contentObject[1]/contentXML"
    )
    assert edxl.pointer("/content", edxl.XML) == "/edxlDistribution/content"
    assert edxl.pointer("", edxl.XML) == "/edxlDistribution"
    assert edxl.pointer("/a~1b~0c/٣", edxl.XML) == "/edxlDistribution/a/b~c/٣"
    assert edxl.pointer("/content/0/a", edxl.JSON) == "/content/0/a"
