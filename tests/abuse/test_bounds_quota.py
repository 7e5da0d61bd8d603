"""What the quota of messages does not count has a window in bytes, spent before a large body is decoded."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import QuotaExceeded
from gateway.model import Limits
from gateway.quota import Volume
from tests import quota_samples
from tests.house import House, case, house, publisher

NOW = quota_samples.NOW
FACTS = ("fr.health.samu440",), ("fr.health.samu440", "fr.health.samu750")
INVALID: dict[str, Any] = {"freetext": "x" * 13_000}
VALID: dict[str, Any] = {"additionalInformation": {"customMap": [{"key": "k", "value": "x" * 13_000}]}}


def narrow(size: int, **limits: Any) -> Any:
    return (publisher("lrm", *FACTS, limits=Limits(bytes_per_minute=size, **limits)),)


async def post(gateway: House, path: str, body: bytes) -> Any:
    headers = {"Content-Type": "application/json", **await gateway.token()}
    return await gateway.client.post(path, content=body, headers=headers)


async def window(gateway: House) -> dict[str, Any]:
    answer = await gateway.client.get("/v1/quota", headers=await gateway.token())
    return {limit["name"]: limit for limit in answer.json()["limits"]}


def verdict(answer: Any) -> tuple[int, str, str]:
    """Status, code and retry verb."""
    (issue,) = answer.json()["issue"]
    verbs = [e["valueCode"] for e in issue["extension"] if "valueCode" in e]
    return answer.status_code, issue["details"]["coding"][0]["code"], verbs[0]


@pytest.mark.parametrize("path", ["/v1/messages/$validate", "/v1/messages/$translate?to=fhir"])
async def test_a_body_without_room_is_not_even_decoded(tmp_path: Path, path: str) -> None:
    async with house(tmp_path, narrow(20_000)) as gateway:
        body = b"{" * 15_000  # decoded, it would be 400
        assert (await post(gateway, path, body)).status_code == 400
        answer = await post(gateway, path, body)
        assert verdict(answer) == (429, "quota-exceeded", "after")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert (await window(gateway))["bytes"]["remaining"] == 5_000
        gateway.clock.now += 60
        assert (await window(gateway))["bytes"]["remaining"] == 20_000
        assert (await post(gateway, path, body)).status_code == 400


async def test_the_window_spends_no_message_and_stops_none(tmp_path: Path) -> None:
    async with house(tmp_path, narrow(1_500)) as gateway:
        body = orjson.dumps(case())
        assert (await post(gateway, "/v1/messages/$validate", body)).status_code == 200
        assert (await window(gateway))["minute"]["remaining"] == 1_000
        assert (await post(gateway, "/v1/messages/$validate", body)).status_code == 429
        assert (await post(gateway, "/v1/messages", body)).status_code == 202
        assert (await window(gateway))["bytes"]["remaining"] == 1_500 - 1_024  # a small body counts for 1 kB


async def test_a_repeat_beyond_the_window_may_come_again_with_the_same_id(tmp_path: Path) -> None:
    async with house(tmp_path, narrow(3_000)) as gateway:
        body = orjson.dumps(case())
        assert (await post(gateway, "/v1/messages", body)).status_code == 202
        for _ in range(3_000 // len(body)):
            assert (await post(gateway, "/v1/messages", body)).status_code == 200
        answer = await post(gateway, "/v1/messages", body)
        assert verdict(answer) == (429, "bytes-exceeded", "same-id")
        gateway.clock.now += int(answer.headers["retry-after"])
        assert (await post(gateway, "/v1/messages", body)).status_code == 200


async def test_a_large_message_needs_room_and_gets_it_back_when_it_is_new(tmp_path: Path) -> None:
    async with house(tmp_path, narrow(20_000)) as gateway:
        bodies = [orjson.dumps(case(number, **INVALID)) for number in range(2)]
        assert (await post(gateway, "/v1/messages", bodies[0])).status_code == 422  # refused: it is counted
        assert (await window(gateway))["bytes"]["remaining"] == 20_000 - len(bodies[0])
        answer = await post(gateway, "/v1/messages", bodies[1])
        assert verdict(answer) == (429, "bytes-exceeded", "same-id")


async def test_new_messages_spend_nothing_of_it_however_large(tmp_path: Path) -> None:
    async with house(tmp_path, narrow(20_000)) as gateway:
        for number in range(3):
            body = orjson.dumps(case(number, **VALID))
            answer = await post(gateway, "/v1/messages", body)
            assert answer.status_code == 202, answer.text
        assert (await window(gateway))["bytes"]["remaining"] == 20_000
        assert (await post(gateway, "/v1/messages", body)).status_code == 200
        answer = await post(gateway, "/v1/messages", body)
        assert verdict(answer) == (429, "bytes-exceeded", "same-id")


async def test_what_cannot_be_decoded_is_counted(tmp_path: Path) -> None:
    async with house(tmp_path, narrow(10_000)) as gateway:
        assert (await post(gateway, "/v1/messages", b"{" * 5_000)).status_code == 400
        assert (await window(gateway))["bytes"]["remaining"] == 5_000
        for _ in range(3):  # a small one is told what is wrong with it all the same
            assert (await post(gateway, "/v1/messages", b"{" * 5_000)).status_code == 400


@given(st.lists(st.tuples(st.integers(-3_000, 3_000), st.floats(0, 30)), max_size=30))
def test_no_window_takes_more_than_its_bytes(steps: list[tuple[int, float]]) -> None:
    volume, who, now, model = Volume(), quota_samples.publisher(bytes_per_minute=6_000), NOW, (0, 0)
    for size, later in steps:
        now += later
        number = int(now) // 60
        spent = model[1] if model[0] == number else 0
        if size < 0:
            volume.note(who, size, now)
            model = number, max(spent - max(-size, 1_024), 0)
            continue
        try:
            volume.spend(who, size, now)
            assert spent + size <= 6_000
            model = number, spent + max(size, 1_024)
        except QuotaExceeded:
            assert spent + size > 6_000
        shown = volume.shown(who, now)
        assert shown["remaining"] == max(6_000 - (model[1] if model[0] == number else 0), 0)
