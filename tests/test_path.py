"""One message end to end, both ways: sender, core, recipient, acknowledgement."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse

from gateway import answers, edxl, stream, translation
from gateway.edxl import json_codec
from gateway.errors import CoreOutage, CoreRejected
from tests.house import PUBLISHERS, House, case, house, publisher
from tests.patience import until, until_told


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, retry_base=0.01, retry_max=0.02) as running:
        yield running


async def status_of(gateway: House, receipt: Any, wanted: str) -> dict[str, Any]:
    url, headers = receipt.headers["location"], await gateway.token()

    async def ask() -> dict[str, Any]:
        told: dict[str, Any] = (await gateway.client.get(url, headers=headers)).json()
        return told

    return await until_told(ask, lambda told: told["status"] == wanted)


async def test_a_case_goes_out_and_its_acknowledgement_comes_back(gateway: House) -> None:
    receipt = await gateway.send(case(1))
    (bundle,) = await until(lambda: gateway.core.bundles)
    assert translation.from_fhir(bundle) == case(1)
    await status_of(gateway, receipt, "forwarded")

    assert (await gateway.deliver(bundle)).status_code == 200
    (item,) = await gateway.inbox("peer")
    assert item["content"] == case(1)
    assert (item["messageType"], item["contentType"], item["loss"]) == ("RS-EDA", "application/json", [])

    peer = await gateway.token("peer")
    acked = await gateway.client.post(f"/v1/inbox/{item['id']}/ack", json={"step": "INTEGRE"}, headers=peer)
    assert acked.status_code == 200, acked.text
    assert await gateway.inbox("peer") == []
    again = await gateway.client.post(f"/v1/inbox/{item['id']}/ack", headers=peer)
    assert again.status_code == 200

    reference = (await until(lambda: gateway.core.bundles[1:]))[0]
    assert (await gateway.deliver(reference)).status_code == 200
    (ack,) = await gateway.inbox("lrm")
    message = json_codec.message(ack["content"], "v3")
    assert message.message_type == "RC-REF"
    assert message.body == {"distributionID": "fr.health.samu440_1", "step": "INTEGRE"}
    told = await status_of(gateway, receipt, "acknowledged")
    assert told["timeline"][0]["step"] == "received"
    assert len(gateway.core.bundles) == 2


async def test_the_core_may_deliver_twice(gateway: House) -> None:
    await gateway.send(case(1))
    (bundle,) = await until(lambda: gateway.core.bundles)
    assert [(await gateway.deliver(bundle)).status_code for _ in range(2)] == [200, 200]
    assert len(await gateway.inbox("peer")) == 1


async def test_an_outage_is_tried_again_and_order_is_kept(gateway: House) -> None:
    gateway.core.trouble = [CoreOutage("HTTP 503"), CoreOutage("ConnectError"), CoreOutage("HTTP 404")]
    for number in range(1, 6):
        await gateway.send(case(number))

    def all_came() -> bool:
        gateway.clock.now += 0.05
        return len(gateway.core.bundles) == 5

    await until(all_came)
    sent = [bundle["identifier"]["value"] for bundle in gateway.core.bundles]
    assert sent == [f"fr.health.samu440_{number}" for number in range(1, 6)]


async def test_a_rejection_is_told_to_the_sender(gateway: House) -> None:
    issue = {
        "severity": "error",
        "code": "not-found",
        "diagnostics": "No such recipient",
        "details": {"coding": [{"code": "501"}]},
    }
    gateway.core.trouble = [CoreRejected(422, {"resourceType": "OperationOutcome", "issue": [issue]})]
    receipt = await gateway.send(case(1))
    await status_of(gateway, receipt, "rejected")
    (item,) = await gateway.inbox("lrm")
    body = json_codec.message(item["content"], "v3").body
    assert body["errorCode"] == {"statusCode": 501, "statusString": "UNROUTABLE_MESSAGE"}
    assert body["referencedDistributionID"] == "fr.health.samu440_1"
    assert (await gateway.send(case(2))).status_code == 202  # the lane is free
    await until(lambda: gateway.core.bundles)


async def test_expiry_while_waiting_is_told_to_the_sender(gateway: House) -> None:
    gateway.core.trouble = [CoreOutage("HTTP 503")]
    receipt = await gateway.send({**case(1), "dateTimeExpires": "2026-11-24T10:00:30+00:00"})
    await until(lambda: not gateway.core.trouble)
    gateway.clock.now += 60
    await status_of(gateway, receipt, "expired")
    (item,) = await gateway.inbox("lrm")
    assert json_codec.message(item["content"], "v3").body["errorCode"]["statusCode"] == 400


async def test_the_fire_side_gets_xml(gateway: House) -> None:
    await gateway.send(case(1, recipient="fr.fire.nexsis.sdisZ"))
    (bundle,) = await until(lambda: gateway.core.bundles)
    assert (await gateway.deliver(bundle)).status_code == 200
    (item,) = await gateway.inbox("fire")
    assert item["contentType"] == "application/xml"
    assert item["content"].startswith("<?xml")


async def test_answers_are_never_answered(gateway: House) -> None:
    about = answers.Correspondence("fr.health.samu440", "fr.health.samu750", "fr.health.samu750_77")
    sent = await gateway.send(answers.reference(about, gateway.clock()))
    assert sent.status_code == 202, sent.text
    (bundle,) = await until(lambda: gateway.core.bundles)
    await gateway.deliver(bundle)
    (item,) = await gateway.inbox("peer")
    done = await gateway.client.post(f"/v1/inbox/{item['id']}/ack", headers=await gateway.token("peer"))
    assert done.json() == {"id": item["id"], "acknowledged": True, "reference": None}
    await asyncio.sleep(0.05)
    assert len(gateway.core.bundles) == 1


async def test_without_reference_the_item_only_leaves(gateway: House) -> None:
    await gateway.send(case(1))
    (bundle,) = await until(lambda: gateway.core.bundles)
    await gateway.deliver(bundle)
    (item,) = await gateway.inbox("peer")
    headers = await gateway.token("peer")
    await gateway.client.post(f"/v1/inbox/{item['id']}/ack", json={"reference": False}, headers=headers)
    assert await gateway.inbox("peer") == []
    await asyncio.sleep(0.05)
    assert len(gateway.core.bundles) == 1


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b'{"step":"GONE"}', b'{"reference":1}', b'{"other":true}', b'{"step":["RECU"]}']
)
async def test_a_bad_ack_is_refused(gateway: House, body: bytes) -> None:
    headers = await gateway.token("peer")
    answer = await gateway.client.post("/v1/inbox/x/ack", content=body, headers=headers)
    assert answer.status_code == 400, answer.text


async def test_only_the_owner_of_an_item_may_acknowledge_it(gateway: House) -> None:
    await gateway.send(case(1))
    (bundle,) = await until(lambda: gateway.core.bundles)
    await gateway.deliver(bundle)
    (item,) = await gateway.inbox("peer")
    answer = await gateway.client.post(f"/v1/inbox/{item['id']}/ack", headers=await gateway.token("lrm"))
    assert answer.status_code == 404


async def test_a_long_poll_wakes_with_the_message(gateway: House) -> None:
    await gateway.send(case(1))
    (bundle,) = await until(lambda: gateway.core.bundles)
    waiting = asyncio.create_task(gateway.inbox("peer", "?wait=30"))
    await asyncio.sleep(0.05)
    await gateway.deliver(bundle)
    assert len(await asyncio.wait_for(waiting, 20)) == 1  # before the poll ends by itself


@pytest.mark.parametrize(
    "query", ["?wait=-1", "?wait=x", "?limit=0", "?limit=x", "?cursor=-", "?cursor=99999999999999999999"]
)
async def test_bad_parameters(gateway: House, query: str) -> None:
    answer = await gateway.client.get(f"/v1/inbox{query}", headers=await gateway.token("peer"))
    assert answer.status_code == 400


async def test_the_core_alone_delivers(gateway: House) -> None:
    await gateway.send(case(1))
    (bundle,) = await until(lambda: gateway.core.bundles)
    headers = {"Content-Type": "application/fhir+json", **await gateway.token()}
    answer = await gateway.client.post(
        "/core/$process-message", content=orjson.dumps(bundle), headers=headers
    )
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "broken", [{}, {"resourceType": "Bundle"}, {"resourceType": "Bundle", "type": "message", "entry": []}]
)
async def test_a_bundle_that_is_not_canonical_is_refused(gateway: House, broken: dict[str, Any]) -> None:
    assert (await gateway.deliver(broken)).status_code == 422


async def test_a_publisher_may_send_the_bundle_itself(gateway: House) -> None:
    bundle = translation.to_fhir(json_codec.message(case(1), "v3"))
    answer = await gateway.post(orjson.dumps(bundle), **{"Content-Type": "application/fhir+json"})
    assert answer.status_code == 202, answer.text
    (sent,) = await until(lambda: gateway.core.bundles)
    assert sent == bundle


async def test_a_restart_forwards_what_waits(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        gateway.core.trouble = [CoreOutage("HTTP 503")] * 99
        await gateway.send(case(1))
        await until(lambda: len(gateway.core.trouble) < 99)
    async with house(tmp_path) as gateway:
        gateway.clock.now += 3_600
        (bundle,) = await until(lambda: gateway.core.bundles)
        assert bundle["identifier"]["value"] == "fr.health.samu440_1"


async def test_the_stream_shows_what_comes(gateway: House) -> None:
    await gateway.send(case(1))
    (bundle,) = await until(lambda: gateway.core.bundles)
    await gateway.deliver(bundle)
    (item,) = await gateway.inbox("peer")
    stream = await open_stream(gateway, await gateway.token("peer"))
    event = await anext(stream)
    assert event.startswith(b"id: ")
    assert orjson.loads(event.partition(b"data: ")[2]) == item
    waiting = asyncio.ensure_future(anext(stream))
    assert (await waiting).startswith(b": waiting")
    later = asyncio.ensure_future(anext(stream))
    await gateway.send(case(2))
    await until(lambda: gateway.core.bundles[1:])
    await gateway.deliver(gateway.core.bundles[1])
    assert b"fr.health.samu440_2" in await asyncio.wait_for(later, 10)  # before it looks by itself


async def open_stream(gateway: House, headers: dict[str, str], query: bytes = b"") -> AsyncIterator[bytes]:
    """The events of the stream endpoint; httpx's in-process transport would wait for its end."""
    scope = {
        "type": "http",
        "method": "GET",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "query_string": query,
    }

    async def silent() -> dict[str, Any]:
        await asyncio.sleep(3_600)
        return {"type": "http.disconnect"}

    response = await stream.stream_inbox(gateway.runtime, Request(scope, silent))
    assert isinstance(response, StreamingResponse)
    return aiter(response.body_iterator)  # type: ignore[arg-type]


async def test_a_stream_ends_with_its_token(gateway: House) -> None:
    events = await open_stream(gateway, await gateway.token("peer"))
    gateway.clock.now += 3_600
    assert [event async for event in events] == []


@pytest.mark.parametrize("to", ["?to=fhir", "", "?to=RS-EDA&version=v3", "?to=RS-EDA&format=xml"])
async def test_translate_shows_the_wanted_form(gateway: House, to: str) -> None:
    headers = {"Content-Type": "application/json", **await gateway.token()}
    url = f"/v1/messages/$translate{to}"
    answer = await gateway.client.post(url, content=orjson.dumps(case(1)), headers=headers)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["further"], told["loss"]) == ([], [])
    if "xml" in to:
        assert edxl.decode(told["content"].encode(), edxl.XML, "v3").document == case(1)
    elif "RS-EDA" in to:
        assert told["content"] == case(1)
    else:
        assert translation.from_fhir(told["content"]) == case(1)
    assert gateway.core.bundles == []


async def test_translate_takes_several_items(gateway: House) -> None:
    two = case(1)
    two["content"] = [two["content"][0], case(1, owner="fr.health.samu750")["content"][0]]
    headers = {"Content-Type": "application/json", **await gateway.token()}
    url = "/v1/messages/$translate?to=RS-EDA"
    told = (await gateway.client.post(url, content=orjson.dumps(two), headers=headers)).json()
    assert told["content"] == case(1)
    (further,) = told["further"]
    message = json_codec.message(further["content"], "v3")
    assert (message.envelope.distribution_id, message.body["owner"]) == (
        "fr.health.samu440_1-2",
        "fr.health.samu750",
    )


@pytest.mark.parametrize(
    ("query", "body", "status"),
    [
        ("?to=RS-XXX", case(1), 400),
        ("?to=fhir&version=v9", case(1), 400),
        ("?to=RC-REF", case(1), 422),
        ("?to=fhir", case(1, caseId=7), 422),
        ("?to=fhir", {}, 400),
    ],
)
async def test_translate_refuses(gateway: House, query: str, body: dict[str, Any], status: int) -> None:
    headers = {"Content-Type": "application/json", **await gateway.token()}
    url = f"/v1/messages/$translate{query}"
    answer = await gateway.client.post(url, content=orjson.dumps(body), headers=headers)
    assert answer.status_code == status, answer.text


async def test_a_message_of_another_version_arrives_where_it_is_the_same_there(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        answer = await gateway.send(request(), **{"Model-Version": "v2"})
        assert answer.status_code == 202, answer.text
        (bundle,) = await until(lambda: gateway.core.bundles)
        assert (await gateway.deliver(bundle)).status_code == 200
        (item,) = await gateway.inbox("peer")
        assert (item["modelVersion"], item["content"]) == ("v3", request())


def request() -> dict[str, Any]:
    """An RS-DR, which is the same in models v2 and v3."""
    asked = {
        "requestId": "fr.health.samu440.request.1",
        "datetime": "2026-11-24T10:00:00+00:00",
        "convention": "HORS",
        "purpose": "SMUR",
    }
    body = {"caseId": "fr.health.samu440.DRFR1", "request": asked}
    return {**case(1), **enveloped_body("resourcesRequest", body)}


def enveloped_body(root_key: str, body: dict[str, Any]) -> dict[str, Any]:
    document = case(1)
    inner = document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    del inner["createCaseHealth"]
    inner[root_key] = body
    return {"content": document["content"]}


async def test_what_the_recipient_s_version_cannot_say_is_told_to_the_sender(tmp_path: Path) -> None:
    old = publisher("old", ("fr.health.samu750",), ("fr.health.samu750",), model_version="v1")
    engaged = {
        "caseId": "fr.health.samu440.DRFR1",
        "resource": [{"vehicleType": "SMUR.VLM", "team": {"medicalLevel": "MED"}}],
    }
    async with house(tmp_path, (PUBLISHERS[0], old)) as gateway:
        await gateway.send(case(1) | enveloped_body("resourcesEngagement", engaged))  # v1 has no RS-ER
        (bundle,) = await until(lambda: gateway.core.bundles)
        for _ in range(2):
            assert (await gateway.deliver(bundle)).status_code == 422
        (_, error) = await until(lambda: gateway.core.bundles[1:] and gateway.core.bundles)
        await gateway.deliver(error)
        (item,) = await gateway.inbox("lrm")
        body = json_codec.message(item["content"], "v3").body
        assert body["errorCode"] == {"statusCode": 600, "statusString": "MESSAGE_CONVERSION_ERROR"}
        assert body["referencedDistributionID"] == "fr.health.samu440_1"
        assert await gateway.inbox("old") == []


async def test_a_recipient_reads_its_own_version_and_is_told_what_that_cannot_say(tmp_path: Path) -> None:
    old = publisher("old", ("fr.health.samu750",), ("fr.health.samu750",), model_version="v1")
    async with house(tmp_path, (PUBLISHERS[0], old)) as gateway:
        receipt = await gateway.send(case(1, interventionType="T4", perimeter="AMU"))  # v3 alone has T4
        (bundle,) = await until(lambda: gateway.core.bundles)
        assert (await gateway.deliver(bundle)).status_code == 200
        (item,) = await gateway.inbox("old")
        assert item["modelVersion"] == "v1"
        body = json_codec.message(item["content"], "v1").body
        assert "interventionType" not in body and body["perimeter"] == "AMU"
        (lost,) = item["loss"]
        assert lost["path"].endswith("message.createCaseHealth.interventionType")
        assert lost["value"] == "T4"
        timeline = (await status_of(gateway, receipt, "forwarded"))["timeline"]
        (told,) = [step for step in timeline if step["step"] == "delivered"]
        assert (
            told["detail"]
            == "as RS-EDA v1, application/json; not said as sent: createCaseHealth.interventionType"
        )


async def test_an_ack_reaches_an_older_version_without_what_is_new(tmp_path: Path) -> None:
    old = publisher("old", ("fr.health.samu750",), ("fr.health.samu750",), model_version="v2")
    async with house(tmp_path, (PUBLISHERS[0], old)) as gateway:
        about = answers.Correspondence("fr.health.samu440", "fr.health.samu750", "fr.health.samu750_77")
        await gateway.send(answers.reference(about, gateway.clock(), "INTEGRE", refused=False))
        (bundle,) = await until(lambda: gateway.core.bundles)
        assert (await gateway.deliver(bundle)).status_code == 200
        (item,) = await gateway.inbox("old")
        kept = {"distributionID": "fr.health.samu750_77", "refused": False}
        assert json_codec.message(item["content"], "v2").body == kept
        path = "content[0].jsonContent.embeddedJsonContent.message.reference.step"
        (loss,) = item["loss"]
        assert (loss["path"], loss["target"], loss["value"]) == (path, "", "INTEGRE")
