"""The way out, over HTTP: receipts, repeats, and every way of being refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from gateway.model import Limits
from tests.house import NOW, House, case, house, publisher


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as running:
        yield running


def codes(answer: Any) -> set[str]:
    """The catalogue codes of an error answer, which must be a valid OperationOutcome."""
    assert answer.headers["content-type"] == "application/fhir+json", answer.text
    OperationOutcome.model_validate(answer.json())
    return {issue["details"]["coding"][0]["code"] for issue in answer.json()["issue"]}


async def test_a_case_gets_its_receipt(gateway: House) -> None:
    answer = await gateway.send(case(1))
    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    assert receipt == {
        "id": receipt["id"],
        "distributionID": "fr.health.samu440_1",
        "sender": "fr.health.samu440",
        "recipient": "fr.health.samu750",
        "caseId": "fr.health.samu440.DRFR154402632800017",
        "status": "received",
        "messageType": "RS-EDA",
        "modelVersion": "v3",
        "receivedAt": "2026-11-24T10:00:00+00:00",
        "duplicate": False,
        "quota": "ordinary",
        "attempts": 0,
        "lastCause": None,
    }
    assert answer.headers["location"] == f"/v1/messages/{receipt['id']}"
    assert answer.headers["ratelimit"].startswith('"burst";r=49;t=1')
    assert answer.headers["ratelimit-policy"].startswith('"burst";q=50;w=1')


async def test_every_answer_carries_its_ids(gateway: House) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await gateway.send(case(1), **{"X-Request-Id": "mine-1", "traceparent": parent})
    assert answer.headers["x-request-id"] == "mine-1"
    assert answer.headers["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-")
    assert answer.headers["traceparent"] != parent
    plain = await gateway.client.get("/nowhere", headers={"X-Request-Id": "a b\x7f", "traceparent": "00-xyz"})
    assert (plain.status_code, len(plain.headers["x-request-id"])) == (404, 32)
    assert codes(plain) == {"not-found"}


async def test_a_repeat_gets_the_first_receipt_and_costs_nothing(gateway: House) -> None:
    first = await gateway.send(case(1))
    second = await gateway.send(case(1))
    assert second.status_code == 200
    assert second.headers["idempotent-replayed"] == "true"
    assert second.json() == {**first.json(), "status": second.json()["status"], "duplicate": True}
    assert second.headers["ratelimit"].startswith('"burst";r=49')


async def test_a_repeat_is_answered_after_quota_and_expiry(tmp_path: Path) -> None:
    small = publisher("lrm", ("fr.health.samu440",), ("fr.health.*",), limits=Limits(per_minute=1, reserve=0))
    async with house(tmp_path, (small,)) as gateway:
        first = await gateway.send(case(1))
        assert (await gateway.send(case(2))).status_code == 429
        assert (await gateway.send(case(1))).json()["id"] == first.json()["id"]
        gateway.clock.now += 100_000
        late = await gateway.send(case(1))
        assert (late.status_code, late.json()["duplicate"]) == (200, True)


async def test_the_same_id_with_other_bytes_is_a_conflict(gateway: House) -> None:
    await gateway.send(case(1))
    other = await gateway.send(case(1, owner="fr.health.samu750"))
    assert (other.status_code, codes(other)) == (409, {"distribution-id-reused"})
    spaced = await gateway.post(orjson.dumps(case(1)) + b" ")
    assert spaced.status_code == 409


async def test_200_senders_of_one_message_get_one_receipt(gateway: House) -> None:
    token = await gateway.token()
    body = orjson.dumps(case(1))

    async def send() -> Any:
        headers = {"Content-Type": "application/json", **token}
        return await gateway.client.post("/v1/messages", content=body, headers=headers)

    answers = [a for wave in range(4) for a in await asyncio.gather(*(send() for _ in range(50)))]
    assert {a.status_code for a in answers} == {200, 202}
    assert sum(a.status_code == 202 for a in answers) == 1
    assert len({a.json()["id"] for a in answers}) == 1


BAD = {
    "not json": (b"{", 400, {"unreadable"}),
    "truncated": (orjson.dumps(case(1))[:-9], 400, {"unreadable"}),
    "20000 levels": (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, 400, {"unreadable"}),
    "not utf-8": (b'{"senderID":"\xff"}', 400, {"unreadable"}),
    "NaN": (b'{"a":NaN}', 400, {"unreadable"}),
    "array": (b"[]", 400, {"unreadable"}),
    "empty object": (b"{}", 400, None),
    "long id": (orjson.dumps({**case(1), "distributionID": "fr.health.samu440_" + "x" * 100_000}), 400, None),
    "huge number": (orjson.dumps(case(1)).replace(b'"P2"', b"9" * 5_000), 400, None),
    "unknown type": (orjson.dumps(case(1)).replace(b"createCaseHealth", b"createCaseWealth"), 422, {"unknown-message-type"}),
    "two types": (orjson.dumps(case(1)).replace(b'"createCaseHealth":', b'"reference":{"distributionID":"x"},"createCaseHealth":'), 422, {"unknown-message-type"}),
    "wrong type of field": (orjson.dumps(case(1, caseId=7)), 422, {"invalid-message"}),
    "unknown sender": (orjson.dumps(case(1)).replace(b"fr.health.samu440", b"fr.health.samu999"), 403, {"sender-inconsistent"}),
    "unknown recipient": (orjson.dumps(case(1, recipient="fr.health.samu123")), 422, {"unroutable"}),
    "expired": (orjson.dumps({**case(1), "dateTimeExpires": "2026-11-24T10:00:00+00:00"}), 410, {"expired"}),
}  # fmt: skip


@pytest.mark.parametrize(("body", "status", "expected"), BAD.values(), ids=BAD)
async def test_bad_input_is_refused_and_said(
    gateway: House, body: bytes, status: int, expected: set[str] | None
) -> None:
    answer = await gateway.post(body)
    found = codes(answer)
    assert answer.status_code == status, answer.text
    assert expected is None or found == expected
    assert (await gateway.send(case(2))).status_code == 202  # the server goes on


async def test_a_number_too_long_for_a_double_is_unreadable_or_refused(gateway: House) -> None:
    answer = await gateway.post(orjson.dumps(case(1)).replace(b'"P2"', b"1e400"))
    assert (answer.status_code, codes(answer)) == (400, {"unreadable"})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json; charset=latin-1"}, 415),
        ({"Model-Version": "v9"}, 400),
        ({"Authorization": "Bearer x.y.z"}, 401),
        ({"Authorization": "Basic eA=="}, 401),
    ],
)
async def test_bad_headers(gateway: House, headers: dict[str, str], status: int) -> None:
    answer = await gateway.send(case(1), **headers)
    assert answer.status_code == status
    codes(answer)


async def test_a_body_over_the_limit_is_413_and_the_server_goes_on(gateway: House) -> None:
    answer = await gateway.post(b" " * 20_000_000)
    assert (answer.status_code, codes(answer)) == (413, {"too-large"})
    assert (await gateway.send(case(1))).status_code == 202


async def test_all_issues_at_once_and_the_gravest_gives_the_status(gateway: House) -> None:
    document = case(1, recipient="fr.health.samu123", caseId=7)
    document["dateTimeExpires"] = "2020-01-01T00:00:00+00:00"
    answer = await gateway.send(document)
    assert answer.status_code == 400  # dateTimeExpires before dateTimeSent
    assert codes(answer) == {"unroutable", "expired", "invalid-envelope", "invalid-message"}
    extensions = [e for i in answer.json()["issue"] for e in i["extension"]]
    assert "/descriptor/explicitAddress/explicitAddressValue" in {e.get("valueString") for e in extensions}


async def test_problem_details_on_request(gateway: House) -> None:
    answer = await gateway.send(case(1, recipient="fr.health.samu123"), Accept="application/problem+json")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["status"], answer.json()["retry"]) == (422, "new-id")


async def test_validate_stores_and_spends_nothing(gateway: House) -> None:
    headers = {"Content-Type": "application/json", **await gateway.token()}
    url = "/v1/messages/$validate"
    good = await gateway.client.post(url, content=orjson.dumps(case(1)), headers=headers)
    assert (good.status_code, good.json()["issue"][0]["severity"]) == (200, "information")
    assert good.headers["ratelimit"].startswith('"burst";r=50')
    bad = await gateway.client.post(url, content=orjson.dumps(case(1, caseId=7)), headers=headers)
    assert (bad.status_code, codes(bad)) == (200, {"invalid-message"})
    listed = await gateway.client.get("/v1/messages", headers=headers)
    assert listed.json()["items"] == []


async def test_exactly_the_quota_is_admitted_and_the_reserve_is_for_urgent_cases(tmp_path: Path) -> None:
    limits = Limits(per_second=1_000, per_minute=10, per_day=1_000, in_flight=1_000, reserve=0.2)
    small = publisher("lrm", ("fr.health.samu440",), ("fr.health.*",), limits=limits)
    async with house(tmp_path, (small,)) as gateway:
        answers = await asyncio.gather(*(gateway.send(case(n)) for n in range(30)))
        assert sorted(a.status_code for a in answers) == [202] * 10 + [429] * 20
        refused = next(a for a in answers if a.status_code == 429)
        assert codes(refused) == {"quota-exceeded"}
        assert refused.headers["retry-after"] == "60"
        urgent: dict[str, Any] = {"qualification": {"details": {"priority": "P0"}}}
        reserve = [await gateway.send(case(100 + n, **urgent)) for n in range(3)]
        assert [a.status_code for a in reserve] == [202, 202, 429]
        assert reserve[0].json()["quota"] == "reserve"


async def test_a_case_once_urgent_may_use_the_reserve(tmp_path: Path) -> None:
    limits = Limits(per_minute=1, reserve=1.0)
    small = publisher("lrm", ("fr.health.samu440",), ("fr.health.*",), limits=limits)
    async with house(tmp_path, (small,)) as gateway:
        urgent: dict[str, Any] = {"qualification": {"details": {"priority": "P1"}}}
        assert (await gateway.send(case(1, **urgent))).status_code == 202
        later = await gateway.send(case(2, qualification={"details": {"priority": "P3"}}))
        assert (later.status_code, later.json()["quota"]) == (202, "reserve")
        assert (await gateway.send(case(3, caseId="fr.health.samu440.OTHER"))).status_code == 429


async def test_a_restart_does_not_give_the_quota_back(tmp_path: Path) -> None:
    small = publisher("lrm", ("fr.health.samu440",), ("fr.health.*",), limits=Limits(per_day=2, reserve=0))
    async with house(tmp_path, (small,)) as gateway:
        assert [(await gateway.send(case(n))).status_code for n in (1, 2, 3)] == [202, 202, 429]
    async with house(tmp_path, (small,)) as gateway:
        assert (await gateway.send(case(4))).status_code == 429


async def test_too_many_in_flight(tmp_path: Path) -> None:
    small = publisher("lrm", ("fr.health.samu440",), ("fr.health.*",), limits=Limits(in_flight=1))
    async with house(tmp_path, (small,)) as gateway:
        token = await gateway.token()
        headers = {"Content-Type": "application/json", **token}
        held = asyncio.Event()

        async def slow_body() -> AsyncIterator[bytes]:
            held.set()
            await asyncio.sleep(0.2)
            yield orjson.dumps(case(1))

        first = asyncio.create_task(gateway.client.post("/v1/messages", content=slow_body(), headers=headers))
        await held.wait()
        await asyncio.sleep(0.05)
        second = await gateway.client.post("/v1/messages", content=orjson.dumps(case(2)), headers=headers)
        assert (second.status_code, second.headers["retry-after"]) == (429, "1")
        assert (await first).status_code == 202


async def test_suspending_takes_effect_at_once(gateway: House) -> None:
    from dataclasses import replace

    from gateway.registry import Registry
    from tests.house import PUBLISHERS

    headers = await gateway.token()
    gateway.runtime.registry.reload(
        lambda: Registry.of((replace(PUBLISHERS[0], status="suspended"), *PUBLISHERS[1:]))
    )
    answer = await gateway.client.get("/v1/quota", headers=headers)
    assert (answer.status_code, codes(answer)) == (401, {"unauthenticated"})


async def test_scope_is_asked_for(tmp_path: Path) -> None:
    reader = publisher("lrm", ("fr.health.samu440",), ("fr.health.*",), scopes=("inbox.read",))
    async with house(tmp_path, (reader,)) as gateway:
        answer = await gateway.send(case(1))
        assert (answer.status_code, codes(answer)) == (403, {"insufficient-scope"})


async def test_another_publishers_message_is_not_found(gateway: House) -> None:
    sent = await gateway.send(case(1))
    url = sent.headers["location"]
    mine = await gateway.client.get(url, headers=await gateway.token("lrm"))
    assert mine.json()["timeline"][0] == {"step": "received", "at": "2026-11-24T10:00:00+00:00", "detail": ""}
    other = await gateway.client.get(url, headers=await gateway.token("peer"))
    assert (other.status_code, codes(other)) == (404, {"not-found"})
    assert NOW


async def test_wrong_method(gateway: House) -> None:
    answer = await gateway.client.delete("/v1/quota")
    assert (answer.status_code, codes(answer)) == (405, {"method-not-allowed"})
    assert "GET" in answer.headers["allow"]
