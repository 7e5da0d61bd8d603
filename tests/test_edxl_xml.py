"""The XML codec reads the same document that JSON would be."""

import re
from typing import Any

import pytest
from lxml import etree

from gateway import edxl, validation
from gateway.edxl import xml_plan
from tests.strategies import enveloped
from tests.xml_samples import BODY, DOCUMENT, ERROR, case, read, swapped


def test_reads_what_json_would_be() -> None:
    assert validation.is_valid(edxl.message(DOCUMENT, "v3"))
    message = edxl.decode(BODY.encode(), edxl.XML, "v3")
    assert message.document == DOCUMENT
    assert (message.root_key, message.message_type) == ("createCaseHealth", "RS-EDA")
    assert message.envelope.address == "fr.health.samu750"


def test_text_is_kept_as_xml_has_it() -> None:
    def freetext(inside: str | bytes) -> Any:
        whole = swapped("  deux  espaces  ", "HERE").encode()
        return case(whole.replace(b"HERE", inside.encode() if isinstance(inside, str) else inside))[
            "location"
        ]["freetext"]

    assert freetext("  a \t b\n") == "  a \t b\n"
    assert freetext("a\r\nb\rc") == "a\nb\nc"  # end-of-line handling, XML 1.0 section 2.11
    assert freetext("a&#13;&#10;b&#x1F691;") == "a\r\nb🚑"
    assert freetext("&lt;b&gt;&amp;amp;&quot;&apos;") == "<b>&amp;\"'"
    assert freetext("<![CDATA[<b> & ]]]]><![CDATA[>]]>x") == "<b> & ]]>x"
    assert freetext("a<!-- x -->b<?p q?>c") == "abc"
    assert freetext("") == ""
    assert freetext("\u00a0\u2028\u0085") == "\u00a0\u2028\u0085"
    assert freetext("x" * 200_000) == "x" * 200_000
    assert freetext("x&amp;" * 60_000) == "x&" * 60_000  # in several pieces


def test_a_byte_order_mark_and_standalone_are_read() -> None:
    assert read(b"\xef\xbb\xbf" + BODY.encode()) == DOCUMENT
    for declaration in (
        "",
        '<?xml version="1.0"?>',
        "<?xml version='1.0' encoding='utf-8' standalone='yes'?>",
    ):
        assert read(re.sub(r"<\?xml.*?\?>\n", declaration, BODY) + "\n<!-- end -->\n") == DOCUMENT
    ascii_body = BODY.replace("encoding='UTF-8'", "encoding='US-ASCII'")
    assert read(ascii_body) == DOCUMENT


def test_any_prefix_and_any_white_space_between_elements_is_read() -> None:
    body = "urn:emergency:eda:1.9"
    prefixes = {"a": xml_plan.DE, "b": body, "c": f"{body}:createCaseHealth"}
    plain = etree.fromstring(BODY.encode())
    etree.indent(plain)
    prefixed = etree.Element(plain.tag, nsmap=prefixes)
    prefixed.set(f"{{{xml_plan.XLINK}}}type", "extended")
    prefixed.text = plain.text
    prefixed.extend(list(plain))
    etree.cleanup_namespaces(prefixed, top_nsmap=prefixes)
    text = etree.tostring(prefixed).decode()
    assert "<a:edxlDistribution" in text and "<b:message>\n" in text and "<c:owner>" in text
    assert read(text) == DOCUMENT


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("80", 80),
        (" \n+080.50\t", 80.5),
        ("-0", 0),
        (".5", 0.5),
        ("5.", 5.0),
        ("007", 7),
        ("9223372036854775807", 2**63 - 1),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 2.0**64),
        ("-9223372036854775809", -(2.0**63)),
        ("0" * 9_999 + "7", 7.0),
        ("1." + "0" * 10_000, 1.0),
        ("9" * 10_000, "9" * 10_000),
        ("-" + "9" * 500, "-" + "9" * 500),
        ("1e3", "1e3"),
        ("INF", "INF"),
        ("NaN", "NaN"),
        ("1_0", "1_0"),
        ("٣", "٣"),
        ("+-1", "+-1"),
        ("1 0", "1 0"),
        ("\u00a01", "\u00a01"),
        ("", ""),
        (".", "."),
        ("0x10", "0x10"),
    ],
    ids=lambda v: repr(v)[:24],
)
def test_a_number_is_a_decimal_of_xml_schema(text: str, value: object) -> None:
    found = case(swapped("<weight>80<", f"<weight>{text}<"))["patient"][1]["detail"]["weight"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("1", True), (" false\n", False), ("0", False), ("TRUE", "TRUE"), ("", ""), ("2", "2")],
)
def test_a_boolean_of_xml_schema(text: str, value: object) -> None:
    found = case(swapped("<isAml>true<", f"<isAml>{text}<"))["location"]["geometry"]["point"]["isAml"]
    assert (found, type(found)) == (value, type(value))


def test_empty_elements() -> None:
    assert (
        case(re.sub(r"<detail>.*</detail>", "<detail>\u00a0</detail>", BODY))["patient"][1]["detail"]
        == "\u00a0"
    )
    assert case(swapped("<detail><weight>80</weight></detail>", "<detail/>"))["patient"][1]["detail"] == {}
    assert case(swapped("<weight>80<", "<weight> <"))["patient"][1]["detail"]["weight"] == " "
    assert (
        case(swapped("<patientId>fr.health.samu440.patient.1<", "<patientId><"))["patient"][0]["patientId"]
        == ""
    )
    assert read(re.sub(r"<content>.*</content>", "<content> </content>", BODY))["content"] == []
    assert (
        case(re.sub(r"<detail>.*</detail>", "<detail>text</detail>", BODY))["patient"][1]["detail"] == "text"
    )
    assert case(swapped("<weight>80<", "<weight><a>80</a><"))["patient"][1]["detail"]["weight"] == {"a": "80"}


def test_white_space_in_the_envelope_is_collapsed_as_a_token_is() -> None:
    body = swapped("<senderID>fr.health", "<senderID>\n\t fr.health").replace(
        "dateTimeSent>2026", "dateTimeSent>\n2026"
    )
    assert read(body) == DOCUMENT
    spaced = swapped("<name>fr.health", "<name> fr.health")
    assert read(spaced) != DOCUMENT


def test_what_no_table_knows_is_left_to_the_schema() -> None:
    found = case(swapped("<owner>", "<unheard><a>1</a><a>2</a></unheard><caseid>x</caseid><owner>"))
    assert found["unheard"] == {"a": ["1", "2"]}
    assert found["caseid"] == "x"
    without = read(
        re.sub(r"<contentXML>.*</contentXML>", "<otherContent><mimeType>a</mimeType></otherContent>", BODY)
    )
    assert without["content"] == [{"otherContent": {"mimeType": "a"}}]
    several = read(re.sub(r"(<contentObject.*</contentObject>)", r"\1\1", BODY))
    assert len(several["content"]) == 2


def error(source: str) -> Any:
    body = edxl.encode(enveloped("error", ERROR), edxl.XML, "v3").content.decode()
    message = read(body.replace("<sourceMessage></sourceMessage>", source))
    return message["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["error"]["sourceMessage"]


def test_a_copied_message_is_free() -> None:
    assert error("<sourceMessage/>") == {}
    assert error("<sourceMessage>  </sourceMessage>") == {}
    assert error("<sourceMessage>text</sourceMessage>") == "text"
    copied = '<sourceMessage x="1"><a xmlns="u:x" b="c"><x/></a><a>t<y/>u</a><content><z> </z></content></sourceMessage>'
    assert error(copied) == {"a": [{"x": ""}, {"y": ""}], "content": [{"z": " "}]}
