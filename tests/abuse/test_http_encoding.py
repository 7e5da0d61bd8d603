"""Bodies in other encodings than UTF-8: a byte order mark is read, anything else is named by its first bad byte."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import edxl
from gateway.edxl import encoding, xml_writer
from gateway.errors import Refused
from tests.house import case, house

BOM = b"\xef\xbb\xbf"


def diagnostics(body: bytes, media_type: str = edxl.JSON) -> str:
    with pytest.raises(Refused) as refusal:
        edxl.decode(body, media_type, "v3")
    return refusal.value.issues[0].diagnostics


def named(document: dict[str, Any]) -> str:
    return orjson.dumps(document).decode()


async def test_a_byte_order_mark_is_read_in_json_and_xml_and_in_an_ack(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        answer = await gateway.post(BOM + orjson.dumps(case(1)))
        assert answer.status_code == 202, answer.text
        xml = BOM + xml_writer.encode(case(2), "v3").content
        answer = await gateway.post(xml, **{"Content-Type": "application/xml"})
        assert answer.status_code == 202, answer.text
        wrong = await gateway.client.post(
            "/v1/inbox/none/ack", content=BOM + b'{"step": "INTEGRE"}', headers=await gateway.token()
        )
        assert wrong.status_code == 404  # the body was read: it is the item that is not there


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("media_type", [edxl.JSON, edxl.XML])
def test_utf_16_and_utf_32_are_named(codec: str, media_type: str) -> None:
    text = named(case(1)) if media_type == edxl.JSON else "<a>\N{LATIN SMALL LETTER E WITH ACUTE}</a>"
    told = diagnostics(text.encode(codec), media_type)
    assert f"looks like {codec[:6].upper()}." in told and ": byte " in told, told


@pytest.mark.parametrize(
    "text",
    [
        "H\N{LATIN SMALL LETTER E WITH ACUTE}l\N{LATIN SMALL LETTER E WITH GRAVE}ne",
        "\N{DEGREE SIGN}",
        "o\N{LATIN SMALL LIGATURE OE}uf",
    ],
)
def test_latin_1_is_named_with_its_first_bad_byte(text: str) -> None:
    body = f'{{"a": "{text}"}}'.encode("cp1252")
    place = next(at for at, byte in enumerate(body) if byte > 127)
    told = diagnostics(body)
    assert f"byte {place} is 0x{body[place]:02x}" in told and "Latin-1" in told, told
    assert text not in told
    xml = f"<a>{text}</a>".encode("cp1252")
    assert "Latin-1" in diagnostics(xml, edxl.XML)


def test_a_body_that_ends_within_a_character_is_no_latin_1() -> None:
    told = diagnostics('{"a": "é'.encode()[:-1])
    assert "cut off" in told and "Latin-1" not in told


def test_bad_bytes_that_look_like_nothing_are_named_alone() -> None:
    told = diagnostics(b'{"a": "\x80\x81\x82\x83"}')
    assert "byte 7 is 0x80" in told and "Latin-1" not in told


def test_json_in_utf_8_that_is_wrong_is_told_as_json() -> None:
    assert "is not JSON in UTF-8" in diagnostics('{"é": }'.encode())


@given(st.text(min_size=1))
def test_utf_8_has_no_fault_and_others_have_one(text: str) -> None:
    assert encoding.fault(b" x" + text.encode("utf-8", "replace")) == ""
    assert encoding.fault(text.encode("utf-16", "replace")) != ""
