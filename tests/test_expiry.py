"""What nobody answers before it expires: its sender is told once, and the item stays."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway import edxl, intake, translation
from gateway.edxl.facts import instant
from gateway.expiry import expire_overdue, expiry_of
from gateway.hub import derived_id
from gateway.model import JsonObject, iso
from gateway.observability import METRICS
from tests.house import CASE, NOW, House, case, house
from tests.patience import until, until_told
from tests.postgres_server import PostgresServer
from tests.store_samples import delivery
from tests.strategies import enveloped
from tests.test_conversion_cisu import FIRE, FIRE_CASE, SAMU, SMUR
from tests.test_conversion_delivery import FIRE_RESOURCES, document
from tests.test_store_gateways import gateways

SENDER, RECIPIENT, FAR = "fr.health.samu440", "fr.health.samu750", "fr.health.samu330"
HOUR = 3_600.0


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


async def sent(gateway: House, number: int = 1, hours: float = 1.0) -> str:
    """A case that the core took and delivered: where its status is."""
    made = case(number) | {"dateTimeExpires": iso(NOW + hours * HOUR)}
    before = len(gateway.core.bundles)
    answer = await gateway.send(made)
    assert answer.status_code == 202, answer.text
    await until(lambda: len(gateway.core.bundles) > before)
    location = answer.headers["Location"]
    assert (await gateway.deliver(gateway.core.bundles[-1])).status_code == 200

    async def now_is() -> str:
        return str((await message(gateway, location))["status"])

    await until_told(now_is, lambda status: status == "forwarded")
    return location


async def message(gateway: House, location: str) -> JsonObject:
    answer = await gateway.client.get(location, headers=await gateway.token())
    found: JsonObject = answer.json()
    return found


async def pass_hours(gateway: House, hours: float) -> None:
    gateway.clock.now += hours * HOUR
    await expire_overdue(gateway.runtime)


async def brought(gateway: House, root_key: str, body: JsonObject, sender: str, recipient: str) -> Any:
    made = document(root_key, body, sender, recipient) | {"dateTimeExpires": iso(NOW + HOUR)}
    return await gateway.deliver(translation.to_fhir(edxl.message(made, "v3")))


def counted(result: str) -> float:
    return METRICS.get_sample_value("gateway_inbox_expired_total", {"result": result}) or 0.0


async def test_the_sender_is_told_once_and_the_item_can_still_be_read(gateway: House) -> None:
    location = await sent(gateway)
    before = counted("told")
    await pass_hours(gateway, 0.5)
    assert await gateway.inbox("lrm") == []
    assert "expired" not in (await gateway.inbox("peer"))[0]
    await pass_hours(gateway, 1.0)
    await pass_hours(gateway, 1.0)
    (error,) = await gateway.inbox("lrm")
    told = edxl.message(error["content"], "v3")
    assert told.envelope.sender_id == "fr.health.hub" and told.message_type == "RS-ERROR"
    assert told.body["errorCode"] == {"statusCode": 500, "statusString": "DEAD_LETTER_QUEUED"}
    assert told.body["referencedDistributionID"] == case(1)["distributionID"]
    assert "2026-11-24T11:00:00+00:00" in told.body["errorCause"]
    found = await message(gateway, location)
    assert (found["status"], [step["step"] for step in found["timeline"]][-1]) == ("expired", "expired")
    assert "neither acknowledged nor answered" in found["lastCause"]
    (item,) = await gateway.inbox("peer")
    assert item["expired"] is True and item["content"]["distributionID"] == case(1)["distributionID"]
    assert counted("told") == before + 1
    await pass_hours(gateway, 48.0)
    assert len(await gateway.inbox("lrm")) == 1, "an RS-ERROR raises none"


async def test_read_is_not_acknowledged(gateway: House) -> None:
    await sent(gateway)
    assert len(await gateway.inbox("peer")) == 1
    await pass_hours(gateway, 2.0)
    assert [one["messageType"] for one in await gateway.inbox("lrm")] == ["RS-ERROR"]


async def test_what_was_acknowledged_in_time_raises_nothing(gateway: House) -> None:
    location = await sent(gateway)
    await acknowledge(gateway, (await gateway.inbox("peer"))[0]["id"])
    await pass_hours(gateway, 2.0)
    assert (await message(gateway, location))["status"] == "acknowledged"
    assert [one["messageType"] for one in await gateway.inbox("lrm")] == ["RC-REF"]
    await pass_hours(gateway, 48.0)
    assert len(await gateway.inbox("lrm")) == 1, "an RC-REF raises none"


async def acknowledge(gateway: House, item_id: str) -> None:
    """Acknowledge, and bring the RC-REF that goes out for it."""
    before = len(gateway.core.bundles)
    answer = await gateway.client.post(f"/v1/inbox/{item_id}/ack", headers=await gateway.token("peer"))
    assert answer.status_code == 200, answer.text
    await until(lambda: len(gateway.core.bundles) > before)
    assert (await gateway.deliver(gateway.core.bundles[-1])).status_code == 200


async def test_a_late_acknowledgement_is_the_last_word(gateway: House) -> None:
    location = await sent(gateway)
    await pass_hours(gateway, 2.0)
    await acknowledge(gateway, (await gateway.inbox("peer"))[0]["id"])
    found = await message(gateway, location)
    assert found["status"] == "acknowledged"
    assert [step["step"] for step in found["timeline"]][-2:] == ["expired", "acknowledged"]
    assert await gateway.inbox("peer") == []


async def test_an_answer_of_the_recipients_own_software_counts(gateway: House) -> None:
    location = await sent(gateway)
    about = {"distributionID": case(1)["distributionID"], "step": "RECU"}
    reference = enveloped("reference", about, sender=RECIPIENT, recipient=SENDER, internal_id="own")
    reference["dateTimeExpires"] = iso(NOW + 24 * HOUR)
    assert (await gateway.send(reference, "peer")).status_code == 202
    await pass_hours(gateway, 2.0)  # the core has not brought it yet
    assert await gateway.inbox("lrm") == []
    assert "expired" not in (await gateway.inbox("peer"))[0]
    assert (await message(gateway, location))["status"] == "forwarded"


async def test_a_sender_behind_the_core_is_told_through_the_core(gateway: House) -> None:
    assert (await brought(gateway, "createCaseHealth", CASE, FAR, RECIPIENT)).status_code == 200
    await pass_hours(gateway, 2.0)
    await until(lambda: gateway.core.bundles)
    await pass_hours(gateway, 2.0)
    (bundle,) = gateway.core.bundles
    error = intake.from_bundle(orjson.dumps(bundle))
    assert (error.message_type, error.envelope.address) == ("RS-ERROR", FAR)
    assert error.body["errorCode"]["statusCode"] == 500


async def test_only_the_first_of_several_raises_an_error(gateway: House) -> None:
    resources = {"caseId": FIRE_CASE["caseId"], "resource": [{**SMUR}]}
    state = {"datetime": "2026-01-31T12:00:00+01:00", "status": "RETOUR"}
    status = {"caseId": FIRE_CASE["caseId"], "resourceId": SMUR["resourceId"], "state": state}
    assert (await brought(gateway, "resourcesStatus", status, SAMU, FIRE)).status_code == 200  # quiet
    assert (await brought(gateway, "resourcesInfo", resources, SAMU, FIRE)).status_code == 200
    assert (await brought(gateway, "resourcesInfoCisu", FIRE_RESOURCES, FIRE, RECIPIENT)).status_code == 200
    items = await gateway.inbox("peer")
    assert [item["messageType"] for item in items] == ["RS-RI", "RS-SR"]
    await pass_hours(gateway, 2.0)
    told = [edxl.decode(i["content"].encode(), edxl.XML, "v3") for i in await gateway.inbox("fire")]
    errors = [one.body["referencedDistributionID"] for one in told if one.message_type == "RS-ERROR"]
    assert errors == [items[0]["distributionID"]]
    assert ["expired" in item for item in await gateway.inbox("peer")] == [True, False]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, True),
        ({"distribution_id": derived_id(f"{SENDER}_1", 2)}, False),
        ({"quiet": True}, False),
    ],
)
def test_what_was_made_of_a_message_expires_in_silence(changes: JsonObject, told: bool) -> None:
    made = edxl.message(case(1), "v3")
    ends = instant(made.envelope.date_time_expires)
    assert expiry_of(made, delivery(**changes), 0) == (ends if told else None)


@pytest.mark.parametrize("root_key", ["reference", "error"])
def test_an_answer_expires_in_silence(root_key: str) -> None:
    made = edxl.message(enveloped(root_key, {}, sender=SENDER, recipient=RECIPIENT), "v3")
    assert expiry_of(made, delivery(), 24) is None


async def test_hours_after_delivery_at_the_latest_where_a_setting_says_so(tmp_path: Path) -> None:
    async with house(tmp_path, expiry_hours=24) as gateway:
        await sent(gateway, 1, hours=72.0)
        await sent(gateway, 2, hours=1.0)
        await pass_hours(gateway, 2.0)
        assert len(await gateway.inbox("lrm")) == 1
        await pass_hours(gateway, 21.9)
        assert len(await gateway.inbox("lrm")) == 1
        await pass_hours(gateway, 0.2)
        assert len(await gateway.inbox("lrm")) == 2


async def test_the_error_about_an_exercise_is_an_exercise(gateway: House) -> None:
    made = case(1) | {"dateTimeExpires": iso(NOW + HOUR), "distributionStatus": "Exercise"}
    kept: JsonObject = orjson.loads(orjson.dumps(made).replace(b'"status":"Actual"', b'"status":"Exercise"'))
    assert (await gateway.deliver(translation.to_fhir(edxl.message(kept, "v3")))).status_code == 200
    await pass_hours(gateway, 2.0)
    (error,) = await gateway.inbox("lrm")
    assert error["content"]["distributionStatus"] == "Exercise"


async def test_the_worker_does_it_by_itself(gateway: House) -> None:
    await sent(gateway)
    gateway.clock.now += 2 * HOUR

    async def told() -> int:
        return len(await gateway.inbox("lrm"))

    await until_told(told, lambda count: count == 1)


async def test_two_replicas_tell_a_sender_once(postgres: PostgresServer) -> None:
    async with gateways(postgres.fresh(), 2) as (here, there):
        locations = [await sent(here, number) for number in range(1, 11)]
        here.clock.now += 2 * HOUR
        await asyncio.gather(expire_overdue(here.runtime), expire_overdue(there.runtime))
        errors = await there.inbox("lrm")
        named = {error["content"]["distributionID"] for error in errors}
        assert len(errors) == len(named) == 10
        for location in locations:
            steps = [step["step"] for step in (await message(there, location))["timeline"]]
            assert steps.count("expired") == 1
