"""A JSON member that stands twice is refused with the place of the second: nothing is lost in silence."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import forward, intake
from gateway.duplicate_members import places, require_unique
from gateway.errors import Refused
from gateway.model import Outgoing
from tests.house import House, case, house
from tests.store_samples import submission
from tests.test_hostile import bundle_of, delivered_item

CASE = "content[0].jsonContent.embeddedJsonContent.message.createCaseHealth"
CASE_POINTER = "/content/0/jsonContent/embeddedJsonContent/message/createCaseHealth"
NOTE = b'"medicalNote":[{"freetext":"RAS"}],'


def twice(name: bytes, before: bytes, document: dict[str, Any] | None = None) -> bytes:
    """The case with `name` before a member of its body."""
    body = orjson.dumps(document or case())
    assert before in body
    return body.replace(before, name + before, 1)


async def post(gateway: House, path: str, body: bytes, media_type: str = "application/json") -> Any:
    headers = {"Content-Type": media_type, **await gateway.token()}
    return await gateway.client.post(path, content=body, headers=headers)


def found(answer: Any) -> tuple[list[str], list[str]]:
    """The expressions and pointers of an answer's issues."""
    issues = answer.json()["issue"]
    pointers = [e["valueString"] for i in issues for e in i["extension"] if e["url"].endswith("/pointer")]
    return [one for issue in issues for one in issue["expression"]], pointers


@pytest.mark.parametrize(
    "path", ["/v1/messages", "/v1/messages/$validate", "/v1/messages/$translate?to=fhir"]
)
async def test_a_note_that_stands_twice_is_refused_with_its_place(tmp_path: Path, path: str) -> None:
    async with house(tmp_path) as gateway:
        body = twice(NOTE + NOTE, b'"owner":')
        answer = await post(gateway, path, body)
        assert answer.status_code == 400
        assert found(answer) == ([f"{CASE}.medicalNote"], [f"{CASE_POINTER}/medicalNote"])
        at = body.decode().rindex('"medicalNote"') + 1
        assert f"line 1, column {at}" in answer.json()["issue"][0]["diagnostics"]


async def test_a_second_sender_is_refused_whatever_its_escapes(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        body = twice(rb'"sender\u0049D":"fr.health.samu750",', b'"senderID":')
        answer = await gateway.post(body)
        assert answer.status_code == 400
        assert found(answer) == (["senderID"], ["/senderID"])


async def test_a_bundle_of_a_publisher_and_of_the_core_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        body = orjson.dumps(await bundle_of(gateway, case()))
        body = body.replace(b'"status":', b'"status":"entered-in-error","status":', 1)
        for path in ("/v1/messages", "/v1/messages/$validate", "/v1/messages/$translate?to=RS-EDA"):
            answer = await post(gateway, path, body, intake.FHIR_JSON)
            assert answer.status_code == 400, path
            assert found(answer)[0][0].endswith(".status")
        headers = {"Content-Type": intake.FHIR_JSON, **await gateway.core_token()}
        answer = await gateway.client.post("/core/$process-message", content=body, headers=headers)
        assert answer.status_code == 400
        assert found(answer)[0][0].endswith(".status")


async def test_an_ack_is_refused_and_may_be_sent_again(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        item = await delivered_item(gateway)
        path = f"/v1/inbox/{item}/ack"
        for wish in (b'{"refused":true,"refused":false}', b'{"step":"RECU","st\\u0065p":"ERREUR"}'):
            answer = await gateway.client.post(path, content=wish, headers=await gateway.token("peer"))
            assert answer.status_code == 400
            assert found(answer)[0] in (["refused"], ["step"])
        assert [one["id"] for one in await gateway.inbox("peer")] == [item]
        deep = b'{"step":' + b"[" * 400 + b"]" * 400 + b"}"
        answer = await gateway.client.post(path, content=deep, headers=await gateway.token("peer"))
        assert answer.status_code == 400


def test_what_was_accepted_before_still_goes_to_the_core() -> None:
    """Bodies that an older gateway stored are read as they were judged."""
    body = twice(NOTE.replace(b"medicalNote", b"owner"), b'"owner":')
    assert forward.to_bundle(Outgoing("1", submission(body=body), 0))


def test_many_are_listed_up_to_a_bound() -> None:
    body = b"{" + b",".join(b'"a":1' for _ in range(30)) + b"}"
    with pytest.raises(Refused) as refusal:
        require_unique(body, orjson.loads(body))
    assert len(refusal.value.issues) == 21
    assert refusal.value.status == 400


# The property: the same verdict as a reader that is shown every pair, on JSON written in every way that JSON allows


class Pairs(list[tuple[str, Any]]):
    """An object as it is written: a name may stand more than once."""


NAMES = st.text(st.sampled_from('ab:é"\\/\n{}[],\u003a\U0001f691'), max_size=2)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(NAMES, inner), max_size=4).map(Pairs),
    max_leaves=12,
)
SPACE = st.sampled_from(["", "", "", " ", "\n\t", "\r\n"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    return written(draw, draw(st.lists(st.tuples(NAMES, VALUES), max_size=4).map(Pairs)))


def written(draw: st.DrawFn, value: Any) -> str:
    space = draw(SPACE)
    if isinstance(value, Pairs):
        members = [f"{quoted(draw, name)}{space}:{space}{written(draw, item)}" for name, item in value]
        return "{" + space + f"{space},".join(members) + space + "}"
    if isinstance(value, list):
        return "[" + space + f",{space}".join(written(draw, item) for item in value) + "]"
    return quoted(draw, value) if isinstance(value, str) else json.dumps(value)


def quoted(draw: st.DrawFn, text: str) -> str:
    """A JSON text with each character as it is or escaped."""
    plain = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}
    made = [
        json.dumps(c)[1:-1].replace("\\n", "\\u000A") if not c.isascii() or c == "\n" else f"\\u{ord(c):04x}"
        if draw(st.booleans())
        else plain.get(c, c)
        for c in text
    ]  # fmt: skip
    return '"' + "".join(made) + '"'


def repeats(text: str) -> bool:
    """Whether a member stands twice, by the standard library's pair hook."""
    seen: list[bool] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen.append(len({name for name, _ in pairs}) < len(pairs))

    json.loads(text, object_pairs_hook=look)
    return any(seen)


@given(texts())
def test_the_verdict_is_that_of_a_pair_hook(text: str) -> None:
    body = text.encode()
    value = orjson.loads(body)
    refused = False
    try:
        require_unique(body, value)
    except Refused:
        refused = True
    assert refused == repeats(text)
    assert any(True for _ in places(body)) == repeats(text)


@given(texts())
def test_each_place_ends_with_the_name_that_stands_at_its_byte(text: str) -> None:
    for place, at in places(text.encode()):
        name, _ = json.JSONDecoder().raw_decode(text.encode()[at:].decode())
        assert name == place[-1]
