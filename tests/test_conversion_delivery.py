"""What a health actor sends reaches the fire side in its types, and the other way where the registration says so."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway import edxl, translation
from gateway.model import JsonObject
from tests.house import PUBLISHERS, House, house, publisher
from tests.patience import until
from tests.strategies import enveloped
from tests.test_conversion_cisu import FIRE, FIRE_CASE, FIRE_TRUCK, HEALTH_CASE, SAMU, SMUR

CISU = "fr.health.samu690"  # its software knows RS types alone
FIRE_RESOURCES = {"caseId": FIRE_CASE["caseId"], "resource": [FIRE_TRUCK]}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[House]:
    fire = replace(next(one for one in PUBLISHERS if one.id == "fire"), cisu="convert")
    others = (one for one in PUBLISHERS if one.id != "fire")
    people = (*others, fire, publisher("cisu", (), (CISU,), cisu="convert"))
    async with house(tmp_path, people) as made:
        yield made


def document(root_key: str, body: JsonObject, sender: str, recipient: str) -> JsonObject:
    made: JsonObject = enveloped(root_key, body, sender=sender, recipient=recipient, internal_id=root_key)
    return made | {"dateTimeExpires": "2099-01-01T00:00:00+00:00"}


async def brought(gateway: House, root_key: str, body: JsonObject, sender: str, recipient: str) -> Any:
    """What the core is answered when it brings the Bundle of a message."""
    made = edxl.message(document(root_key, body, sender, recipient), "v3")
    return await gateway.deliver(translation.to_fhir(made))


@pytest.mark.parametrize(
    ("root_key", "body", "kind"),
    [
        ("createCaseHealth", HEALTH_CASE, "RC-EDA"),
        ("resourcesInfo", {"caseId": FIRE_CASE["caseId"], "resource": [SMUR]}, "RC-RI"),
        ("createCase", FIRE_CASE, "RC-EDA"),
        ("reference", {"distributionID": f"{FIRE}_1"}, "RC-REF"),
    ],
)
async def test_the_fire_side_gets_its_types(
    gateway: House, root_key: str, body: JsonObject, kind: str
) -> None:
    assert (await brought(gateway, root_key, body, SAMU, FIRE)).status_code == 200
    (item,) = await gateway.inbox("fire")
    assert (item["messageType"], item["contentType"]) == (kind, edxl.XML)
    assert edxl.decode(item["content"].encode(), edxl.XML, "v3").message_type == kind
    assert bool(item["loss"]) == root_key.endswith(("Health", "Info"))


async def test_a_status_reaches_the_fire_side_with_the_resources_of_its_case(gateway: House) -> None:
    case = {"caseId": FIRE_CASE["caseId"]}
    state = {"datetime": "2026-01-31T12:00:00+01:00", "status": "RETOUR"}
    status = {**case, "resourceId": SMUR["resourceId"], "state": state}
    refused = await brought(gateway, "resourcesStatus", status, SAMU, FIRE)
    assert refused.status_code == 422 and "no such resource" in refused.text
    await brought(gateway, "resourcesInfo", {**case, "resource": [SMUR]}, SAMU, FIRE)
    assert (await brought(gateway, "resourcesStatus", status, SAMU, FIRE)).status_code == 200
    item = (await gateway.inbox("fire"))[-1]
    (resource,) = edxl.decode(item["content"].encode(), edxl.XML, "v3").body["resource"]
    assert (item["messageType"], resource["state"]) == ("RC-RI", state)
    assert resource["resourceId"] == SMUR["resourceId"]


async def test_who_did_not_ask_for_conversion_gets_what_was_sent(tmp_path: Path) -> None:
    async with house(tmp_path) as plain:
        assert (await brought(plain, "createCaseHealth", HEALTH_CASE, SAMU, FIRE)).status_code == 200
        (item,) = await plain.inbox("fire")
        assert item["messageType"] == "RS-EDA"


async def test_among_the_fire_side_nothing_changes_its_type(gateway: House) -> None:
    assert (await brought(gateway, "createCaseHealth", HEALTH_CASE, "fr.fire.sdisA", FIRE)).status_code == 200
    (item,) = await gateway.inbox("fire")
    assert (item["messageType"], item["loss"]) == ("RS-EDA", [])


@pytest.mark.parametrize(
    ("root_key", "body", "kinds"),
    [
        ("createCase", FIRE_CASE, ["RS-EDA"]),
        ("resourcesInfoCisu", FIRE_RESOURCES, ["RS-RI", "RS-SR"]),
        ("resourcesRequest", {"caseId": FIRE_CASE["caseId"], "request": {}}, ["RS-DR"]),
    ],
)
async def test_a_health_actor_gets_health_types_if_it_wants_them(
    gateway: House, root_key: str, body: JsonObject, kinds: list[str]
) -> None:
    if root_key == "resourcesRequest":
        body = body | {
            "request": {
                "requestId": f"{SAMU}.request.1", "datetime": "2026-01-31T10:10:00+01:00", "purpose": "SMUR",
            }
        }  # fmt: skip
    for _ in range(2):  # the core may bring it again
        answer = await brought(gateway, root_key, body, FIRE, CISU)
        assert answer.status_code == 200, answer.text
    items = await gateway.inbox("cisu")
    assert [item["messageType"] for item in items] == kinds
    first = items[0]["distributionID"]
    assert [item["distributionID"] for item in items[1:]] == [
        f"{first}-{n}" for n in range(2, len(kinds) + 1)
    ]
    headers = await gateway.token("cisu")
    acks = [await gateway.client.post(f"/v1/inbox/{item['id']}/ack", headers=headers) for item in items]
    assert [bool(ack.json()["reference"]) for ack in acks] == [True] + [False] * (len(items) - 1)


async def test_without_the_wish_a_health_actor_gets_it_as_it_was_sent(gateway: House) -> None:
    sent = document("createCase", FIRE_CASE, FIRE, SAMU)
    assert (await gateway.deliver(translation.to_fhir(edxl.message(sent, "v3")))).status_code == 200
    (item,) = await gateway.inbox("lrm")
    assert (item["messageType"], item["content"], item["loss"]) == ("RC-EDA", sent, [])


async def test_between_health_actors_nothing_changes_its_type(gateway: House) -> None:
    assert (await brought(gateway, "createCaseHealth", HEALTH_CASE, SAMU, CISU)).status_code == 200
    assert (await brought(gateway, "createCase", FIRE_CASE, SAMU, CISU)).status_code == 200
    assert [item["messageType"] for item in await gateway.inbox("cisu")] == ["RS-EDA", "RC-EDA"]


async def test_what_the_fire_side_cannot_be_told_is_refused_and_its_sender_told(gateway: House) -> None:
    ambulance = {"caseId": FIRE_CASE["caseId"], "resource": [{**SMUR, "vehicleType": "TSU.AMB"}]}
    answer = await brought(gateway, "resourcesInfo", ambulance, SAMU, FIRE)
    assert answer.status_code == 422 and "RS-RI v3 cannot be said in RC-RI v3: none of" in answer.text
    (bundle,) = await until(lambda: gateway.core.bundles)
    error = edxl.message(translation.from_fhir(bundle), "v3").body["errorCode"]
    assert error == {"statusCode": 600, "statusString": "MESSAGE_CONVERSION_ERROR"}
    assert await gateway.inbox("fire") == []


async def test_the_dry_run_shows_every_message(gateway: House) -> None:
    body = orjson.dumps(document("resourcesInfoCisu", FIRE_RESOURCES, FIRE, SAMU))
    headers = {"Content-Type": "application/json", **await gateway.token("fire")}
    url = "/v1/messages/$translate?to=RS-RI"
    told = (await gateway.client.post(url, content=body, headers=headers)).json()
    assert set(told) == {"contentType", "content", "further", "loss"}
    (status,) = told["further"]
    assert status["content"]["distributionID"] == told["content"]["distributionID"] + "-2"
    assert "loss" not in status and told["loss"]
    refused = await gateway.client.post("/v1/messages/$translate?to=RS-EDA", content=body, headers=headers)
    assert refused.status_code == 422 and "RC-RI is not translated to RS-EDA" in refused.text
