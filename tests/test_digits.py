"""Decimals that are longer than a double come to the recipient digit by digit; leap seconds so that XML readers can read them."""

from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import edxl, intake, translation
from gateway.edxl.digits import kept, long_decimals
from tests.house import PUBLISHERS, case, house, publisher
from tests.patience import until

GEOMETRY = {
    "datetime": "2026-11-24T10:00:00+01:00",
    "point": {"coord": {"lat": 1.0, "lon": 2.5, "precision": "EXACTE"}},
}
LONGITUDES = st.decimals(-180, 180, places=25, allow_nan=False)


def body_with(longitude: str) -> bytes:
    """A message whose longitude is written so."""
    written = orjson.dumps(case(1, location={"geometry": GEOMETRY}))
    assert written.count(b'"lon":2.5') == 1
    return written.replace(b'"lon":2.5', b'"lon":' + longitude.encode())


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize(
    ("sent", "delivered"),
    [
        ("-1.553621894201234567890123", "-1.553621894201234567890123"),
        ("2.00000000000000000000000000001", "2.00000000000000000000000000001"),
        ("15536218942012345678901e-22", "1.5536218942012345678901"),
        ("2.5000000000000000000000000000", "2.5"),  # a double's own: by value
    ],
)
async def test_a_long_decimal_is_delivered_to_the_digit(
    tmp_path: Path, form: str, sent: str, delivered: str
) -> None:
    peer = publisher("peer", ("fr.health.samu750",), ("fr.health.samu750",), format=form)
    async with house(tmp_path, (PUBLISHERS[0], peer)) as gateway:
        answer = await gateway.post(body_with(sent))
        assert answer.status_code == 202, answer.text
        bundle = await until(lambda: gateway.core.wire)
        headers = {"Content-Type": "application/fhir+json", **await gateway.core_token()}
        given = await gateway.client.post("/core/$process-message", content=bundle[0], headers=headers)
        assert given.status_code == 200, given.text
        inbox = await gateway.client.get("/v1/inbox", headers=await gateway.token("peer"))
        texts = (f'"lon":{sent},', f'"lon":{delivered},', f"<lon>{delivered}</lon>")
        assert any(text in inbox.text for text in texts), inbox.text
        assert inbox.json()["items"][0]["loss"] == []


async def test_a_long_decimal_is_translated_to_the_digit(tmp_path: Path) -> None:
    number = "-1.553621894201234567890123"
    async with house(tmp_path) as gateway:
        headers = {"Content-Type": "application/json", **await gateway.token()}
        for target, told in (
            ("fhir", f'"longitude":{number}'),
            ("RS-EDA&version=v2", f'"lon":{number}'),
            ("RC-EDA&format=xml", f"<lon>{number}</lon>"),
        ):
            url = f"/v1/messages/$translate?to={target}"
            answer = await gateway.client.post(url, content=body_with(number), headers=headers)
            assert told in answer.text, answer.text


@given(LONGITUDES)
def test_any_decimal_comes_back_with_its_value(number: Decimal) -> None:
    message = intake.decode_stored(body_with(format(number, "f")), edxl.JSON, "v3")
    bundle = orjson.dumps(kept(translation.to_fhir(message), message.digits))
    read = intake.from_bundle(bundle)
    written = edxl.encode(read.document, edxl.JSON, "v3", read.digits).content
    told = written.partition(b'"lon":')[2].partition(b",")[0].decode()
    assert Decimal(told) == number


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 48.856614, "b": "12345678901234567890.5"}',
        b'{"a": 1795514400123456789}',  # a whole number of 64 bits is kept as it is
        b'{"a": 0.1000000000000000000}',
        b"<a>3.1415926535897932</a>",  # the shortest text of its double, and one more digit
    ],
)
def test_what_a_double_has_is_left_alone(body: bytes) -> None:
    found = long_decimals(body) or {}
    assert kept({"a": 48.856614, "b": 0.1}, found) == {"a": 48.856614, "b": 0.1}


@pytest.mark.parametrize(
    "body",
    [
        b"[0.12345678901234567801, 0.12345678901234567802]",
        b"[0.12345678901234567801, 0.12345678901234568]",
        b"[0, 0.%s1]" % (b"0" * 400),
    ],
)
def test_two_decimals_of_one_double_are_not_taken_for_each_other(body: bytes) -> None:
    assert long_decimals(body) is None


LEAP = "2016-12-31T23:59:60+00:00"


async def test_a_leap_second_is_accepted_and_written_so_that_xml_can_say_it(tmp_path: Path) -> None:
    peer = publisher("peer", ("fr.health.samu750",), ("fr.health.samu750",), format="xml")
    document = case(1, decision=[{"creation": LEAP, "operator": {"role": "MEDECIN"}, "decisionType": "PMT"}])
    async with house(tmp_path, (PUBLISHERS[0], peer)) as gateway:
        assert (await gateway.send(document)).status_code == 202
        (bundle,) = await until(lambda: gateway.core.bundles)
        assert (await gateway.deliver(bundle)).status_code == 200
        (item,) = await gateway.inbox("peer")
        assert (
            "<creation>2016-12-31T23:59:59+00:00</creation>" in item["content"]
            and ":60" not in item["content"]
        )
        (lost,) = item["loss"]
        assert lost["path"].endswith("decision[0].creation") and lost["target"] == lost["path"]
        assert "leap second" in lost["reason"]


async def test_a_leap_second_reaches_a_reader_of_json_as_it_was_sent(tmp_path: Path) -> None:
    document = case(1, creation=LEAP)
    async with house(tmp_path) as gateway:
        await gateway.send(document)
        (bundle,) = await until(lambda: gateway.core.bundles)
        await gateway.deliver(bundle)
        (item,) = await gateway.inbox("peer")
        assert item["content"] == document and item["loss"] == []
