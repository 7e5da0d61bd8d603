"""The XML writer: what it writes reads back, and what XML cannot say is told."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import edxl
from gateway.errors import Refused, Untranslatable
from tests.strategies import enveloped, messages
from tests.xml_samples import BODY, CASE, DOCUMENT, ERROR, MESSAGE, ROOT_KEYS, case, read

CASES = Path(__file__).parent / "cases"


@given(st.data(), st.sampled_from(sorted(ROOT_KEYS)))
def test_decode_gives_back_what_encode_wrote_but_for_the_losses(
    data: st.DataObject, message_type: str
) -> None:
    document = enveloped(ROOT_KEYS[message_type], data.draw(messages(message_type, "v3")))
    written = edxl.encode(document, edxl.XML, "v3")
    found = read(written.content)
    differing = sorted(set(differences(document, found, "")))
    lost = [loss["path"] for loss in written.lost]
    assert all(any(path == p or path.startswith((f"{p}.", f"{p}[")) for p in lost) for path in differing)
    if not lost:
        assert found == document


def differences(sent: Any, found: Any, path: str) -> list[str]:
    """The paths at which two JSON values differ."""
    if isinstance(sent, dict) and isinstance(found, dict):
        names = {*sent, *found}
        return [
            d
            for name in names
            for d in differences(
                sent.get(name, ...), found.get(name, ...), f"{path}.{name}" if path else name
            )
        ]
    if isinstance(sent, list) and isinstance(found, list) and len(sent) == len(found):
        return [
            d
            for n, pair in enumerate(zip(sent, found, strict=True))
            for d in differences(*pair, f"{path}[{n}]")
        ]
    return [] if sent == found and isinstance(sent, bool) == isinstance(found, bool) else [path]


def written_case(**changes: Any) -> tuple[Any, list[tuple[str, str]]]:
    made = edxl.encode(enveloped("createCaseHealth", {**CASE, **changes}), edxl.XML, "v3")
    return case(made.content), [(loss["path"], loss["target"]) for loss in made.lost]


def test_what_xml_cannot_say_is_told() -> None:
    place = f"{MESSAGE}.createCaseHealth"
    assert written_case(patient=[])[1] == [(f"{place}.patient", "")]
    assert "patient" not in written_case(patient=[])[0]
    found, lost = written_case(senderCaseId="a\x00b\x1f\uffff\x0b\tc")
    assert found["senderCaseId"] == "a\ufffdb\ufffd\ufffd\ufffd\tc"
    assert lost == [(f"{place}.senderCaseId", f"{place}.senderCaseId")]
    assert written_case(senderCaseId="a\r\n<&>]]>\u2028") == (
        {**CASE, "senderCaseId": "a\r\n<&>]]>\u2028"},
        [],
    )


def test_extra_members_of_the_header_are_told() -> None:
    document = enveloped("reference", {"distributionID": "a_1"})
    document["content"][0]["extra"] = 1
    inner = document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    inner["unheardOf"] = {"a": 1}
    made = edxl.encode(document, edxl.XML, "v3")
    assert [loss["path"] for loss in made.lost] == [f"{MESSAGE}.unheardOf", "content[0].extra"]
    headed = enveloped("error", ERROR)
    headed["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["kind"] = "Error"
    assert [loss["path"] for loss in edxl.encode(headed, edxl.XML, "v3").lost] == [f"{MESSAGE}.kind"]


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("2026-01-31T10:04:34Z", "2026-01-31T10:04:34+00:00"),
        ("2026-01-31t10:04:34.123+01:00", "2026-01-31T10:04:34+01:00"),
        ("2026-01-31T10:04:34+23:59", "2026-01-31T10:04:34+23:59"),
    ],
)
def test_instants_of_the_envelope_are_written_as_the_xsd_has_them(said: str, written: str) -> None:
    document = {**DOCUMENT, "dateTimeSent": said, "senderID": " a  b "}
    made = edxl.encode(document, edxl.XML, "v3")
    assert read(made.content)["dateTimeSent"] == written
    assert ("dateTimeSent" in [loss["path"] for loss in made.lost]) == (said != written)
    assert read(made.content)["senderID"] == "a b"


@pytest.mark.parametrize(
    ("source", "found", "lost"),
    [
        ({"é.a-b": "x"}, {"é.a-b": "x"}, []),
        ({"a": ["1", "2"]}, {"a": ["1", "2"]}, []),
        ({"content": [{"a": "b"}]}, {"content": [{"a": "b"}]}, []),
        ({"a b": "x", "": "y", "1": "z", "a:b": "w", "c": "d"}, {"c": "d"}, ["a b", "", "1", "a:b"]),
        ({"a": [1, True, None, 1.5]}, {"a": ["1", "true", "", "1.5"]}, ["a[0]", "a[1]", "a[2]", "a[3]"]),
        ({"a": ["1"]}, {"a": "1"}, ["a"]),
        ({"a": [["1"], "2", "3"]}, {"a": ["2", "3"]}, ["a"]),
        ({"a": [], "b": {}}, {"b": ""}, ["a", "b"]),
        ({"content": "x"}, {"content": ["x"]}, ["content"]),
        ({"content": [[]]}, {}, ["content"]),
    ],
)
def test_free_content_is_told_where_xml_is_poorer(source: Any, found: Any, lost: list[str]) -> None:
    made = edxl.encode(enveloped("error", {**ERROR, "sourceMessage": source}), edxl.XML, "v3")
    message = read(made.content)["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    assert message["error"]["sourceMessage"] == found
    assert [loss["path"] for loss in made.lost] == [f"{MESSAGE}.error.sourceMessage.{name}" for name in lost]


def test_model_v1_has_no_xml_form() -> None:
    with pytest.raises(Untranslatable):
        edxl.encode(DOCUMENT, edxl.XML, "v1")
    with pytest.raises(Refused) as refused:
        read(BODY, "v1")
    assert refused.value.status == 415


@pytest.mark.parametrize(
    "number", [7.170206586010629e16, 1e300, 5e-324, -0.0, 2.0**64, 1e-7, 2**63, -(2**53), 48.6]
)
def test_a_number_is_written_without_an_exponent_and_reads_the_same(number: float) -> None:
    source = {**ERROR, "errorCode": {"statusCode": number, "statusString": "x"}}
    made = edxl.encode(enveloped("error", source), edxl.XML, "v3")
    found = read(made.content)["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["error"]
    assert repr(found["errorCode"]["statusCode"]) == repr(number)
    assert b"e" not in made.content.partition(b"<statusCode>")[2].partition(b"<")[0].lower()


def test_a_whole_number_is_written_as_the_xsd_wants_it() -> None:
    body = orjson.loads((CASES / "EMSI" / "full" / "in.json").read_bytes())
    inner = body["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    inner["emsi"]["EVENT"]["CERTAINTY"] = 80.0
    assert b">80<" in edxl.encode(body, edxl.XML, "v3").content
