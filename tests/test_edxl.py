"""The JSON codec: what it reads, what it refuses, and that it loses nothing."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import edxl
from gateway.edxl import facts, json_codec
from gateway.errors import Refused
from gateway.model import Envelope, Message

ENVELOPE = Envelope("", "", "", "", "", "", "", "", "")
CASE = {"caseId": "fr.health.samu440.DRFR1", "qualification": {"details": {"priority": "P0"}}}


def document(**message: object) -> dict[str, object]:
    return {
        "distributionID": "fr.health.samu440_1",
        "senderID": "fr.health.samu440",
        "dateTimeSent": "2026-11-24T10:00:00+01:00",
        "dateTimeExpires": "2026-11-25T10:00:00+01:00",
        "distributionStatus": "Actual",
        "distributionKind": "Report",
        "descriptor": {
            "language": "fr-FR",
            "explicitAddress": {
                "explicitAddressScheme": "hubex",
                "explicitAddressValue": "fr.health.samu750",
            },
        },
        "content": [{"jsonContent": {"embeddedJsonContent": {"message": message}}}],
    }


def test_reads_envelope_header_and_use_case() -> None:
    body = orjson.dumps(document(messageId="fr.health.samu440_1", kind="Report", createCaseHealth=CASE))
    message = edxl.decode(body, edxl.JSON, "v3")
    assert message.envelope.address == "fr.health.samu750"
    assert message.envelope.distribution_id == "fr.health.samu440_1"
    assert (message.root_key, message.message_type) == ("createCaseHealth", "RS-EDA")
    assert message.header == {"messageId": "fr.health.samu440_1", "kind": "Report"}
    assert message.body == CASE


@pytest.mark.parametrize(
    ("message", "root_key", "message_type"),
    [
        ({"createCaseHealth": {}, "reference": {}}, "", ""),
        ({"unheardOf": {}}, "unheardOf", ""),
        ({"messageId": "x"}, "", ""),
        ({"reference": "text"}, "reference", "RC-REF"),
        ({"unheardOf": 1, "reference": {}}, "reference", "RC-REF"),
    ],
    ids=["two types", "unknown type", "no type", "body is no object", "extra header member"],
)
def test_names_the_use_case_or_leaves_it_empty(
    message: dict[str, object], root_key: str, message_type: str
) -> None:
    read = json_codec.message(document(**message), "v3")
    assert (read.root_key, read.message_type) == (root_key, message_type)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"content": []},
        {"content": [{}, {}]},
        {"content": {"0": {}}},
        {"content": [[]]},
        {"content": [{"jsonContent": {"embeddedJsonContent": {"message": "text"}}}]},
        {"descriptor": "text", "distributionID": 7},
        {"descriptor": {"explicitAddress": []}},
    ],
    ids=lambda d: orjson.dumps(d).decode()[:40],
)
def test_a_broken_envelope_reads_as_empty_parts(broken: dict[str, object]) -> None:
    message = json_codec.message(broken, "v3")
    assert (message.root_key, message.body, message.header) == ("", {}, {})
    assert message.envelope.distribution_id == ""


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b'{"a":', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"a":NaN}', "not JSON"),
        (b'{"a":1e400}', "not JSON"),
        (b"[" * 20_000, "not JSON"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "deeper than 64"),
        (b"[1]", "top level"),
        (b'"text"', "top level"),
        (b'{"a":[' + b"1," * 50_001 + b"1]}", "more than 50000"),
        (b'{"a":"\\ud800"}', "not JSON"),
    ],
    ids=[
        "empty",
        "truncated",
        "not utf-8",
        "nan",
        "infinite",
        "20000 deep",
        "65 deep",
        "array",
        "string",
        "items",
        "surrogate",
    ],
)
def test_refuses_what_cannot_be_read(body: bytes, says: str) -> None:
    with pytest.raises(Refused) as refused:
        edxl.decode(body, edxl.JSON, "v3")
    assert refused.value.status == 400
    assert says in refused.value.issues[0].diagnostics


def test_takes_64_levels_and_brackets_in_text() -> None:
    body = b'{"a":' * 64 + b"1" + b"}" * 64
    assert edxl.decode(body, edxl.JSON, "v3").root_key == ""
    text = orjson.dumps({"text": "{[" * 500})
    assert edxl.decode(text, edxl.JSON, "v3").document["text"] == "{[" * 500


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"'],
)
def test_media_type(content_type: str) -> None:
    assert edxl.media_type(content_type) == edxl.JSON


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/json; charset=latin-1", "application/jsonx"]
)
def test_refuses_other_media_types(content_type: str) -> None:
    with pytest.raises(Refused) as refused:
        edxl.media_type(content_type)
    assert refused.value.status == 415


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=30,
)


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=5))
def test_decode_gives_back_what_encode_wrote(value: dict[str, object]) -> None:
    body = edxl.encode(value, edxl.JSON, "v3").content
    assert edxl.decode(body, edxl.JSON, "v3").document == value


@given(
    st.dictionaries(
        st.sampled_from(["content", "descriptor", "distributionID", "senderID"]), json_values, max_size=4
    )
)
def test_reading_never_fails(value: dict[str, object]) -> None:
    message = json_codec.message(value, "v3")
    assert isinstance(facts.case_id(message) + facts.priority(message) + facts.refers_to(message), str)


def test_the_state_of_a_case_is_a_text_or_not_said() -> None:
    for details, said in (({"status": "CLOTURE"}, "CLOTURE"), ({"status": 5}, ""), ({}, ""), ([], "")):
        case = json_codec.message(document(createCaseHealth={"qualification": {"details": details}}), "v3")
        assert facts.case_status(case) == said
    assert facts.case_status(json_codec.message(document(createCaseHealth={"qualification": 1}), "v3")) == ""


def test_facts_of_a_case_and_of_an_answer() -> None:
    case = json_codec.message(document(createCaseHealth=CASE), "v3")
    assert (facts.case_id(case), facts.priority(case), facts.refers_to(case)) == (
        "fr.health.samu440.DRFR1",
        "P0",
        "",
    )
    answer = json_codec.message(document(reference={"distributionID": "x_1"}), "v3")
    assert (facts.case_id(answer), facts.priority(answer), facts.refers_to(answer)) == ("", "", "x_1")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01t00:00:01z", 1.0),
        ("1970-01-01T00:00:01.5+00:00", 1.5),
        ("2016-12-31T23:59:60Z", 1483228799.0),
        ("0001-01-01T00:00:00+23:59", -62135683140.0),
        ("0000-02-29T00:00:00+00:00", -62035891200.0),  # read as the year 4: past, in any case
        ("2026-11-24T10:00:00", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_instant(text: str, seconds: float | None) -> None:
    assert facts.instant(text) == seconds


def test_the_case_of_types_that_name_it_elsewhere() -> None:
    emsi = Message(
        {}, ENVELOPE, {}, "emsi", "EMSI", "v3", {"EVENT": {"ID": "local", "MAIN_EVENT_ID": "shared"}}
    )
    assert facts.case_id(emsi) == "shared"
    rpis = {"context": {"orgId": "fr.health.samu440", "senderCaseId": "D1"}}
    assert facts.case_id(Message({}, ENVELOPE, {}, "rpis", "RS-RPIS", "v3", rpis)) == "fr.health.samu440.D1"
    assert facts.case_id(Message({}, ENVELOPE, {}, "rpis", "RS-RPIS", "v3", {"context": []})) == ""
