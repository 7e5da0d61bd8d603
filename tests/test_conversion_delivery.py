"""What crosses between the health and the fire side reaches its recipient in the types of its own."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway import edxl, translation
from gateway.hub import derived_id
from gateway.model import JsonObject
from tests.house import PUBLISHERS, House, house, publisher
from tests.patience import until
from tests.strategies import enveloped
from tests.test_conversion_cisu import FIRE, FIRE_CASE, FIRE_TRUCK, HEALTH_CASE, SAMU, SMUR

CISU = "fr.health.samu690"
FIRE_RESOURCES = {"caseId": FIRE_CASE["caseId"], "resource": [FIRE_TRUCK]}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[House]:
    people = (*PUBLISHERS, publisher("cisu", (), (CISU,)))
    async with house(tmp_path, people) as made:
        yield made


def document(root_key: str, body: JsonObject, sender: str, recipient: str, name: str = "") -> JsonObject:
    made: JsonObject = enveloped(
        root_key, body, sender=sender, recipient=recipient, internal_id=name or root_key
    )
    return made | {"dateTimeExpires": "2099-01-01T00:00:00+00:00"}


async def brought(
    gateway: House, root_key: str, body: JsonObject, sender: str, recipient: str, name: str = ""
) -> Any:
    """What the core is answered when it brings the Bundle of a message."""
    made = edxl.message(document(root_key, body, sender, recipient, name), "v3")
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
    assert (await brought(gateway, "resourcesStatus", status, SAMU, FIRE)).status_code == 200
    assert await gateway.inbox("fire") == []  # nobody told the fire side of this resource
    bare = {name: SMUR[name] for name in ("datetime", "resourceId", "vehicleType")}  # engaged without a state
    await brought(gateway, "resourcesInfo", {**case, "resource": [bare]}, SAMU, FIRE)
    assert (await brought(gateway, "resourcesStatus", status, SAMU, FIRE)).status_code == 200  # again
    later = status | {"state": state | {"datetime": "2026-01-31T13:00:00+01:00", "status": "REN-BASE"}}
    for _ in range(2):
        assert (await brought(gateway, "resourcesStatus", later, SAMU, FIRE, "later")).status_code == 200
    told = [edxl.decode(i["content"].encode(), edxl.XML, "v3") for i in await gateway.inbox("fire")]
    assert [one.message_type for one in told] == ["RC-RI", "RC-RI"]
    resources = [one.body["resource"] for one in told]
    # the status from before is in the first
    assert [[one["state"] for one in listed] for listed in resources] == [[state], [later["state"]]]
    assert {one["resourceId"] for listed in resources for one in listed} == {SMUR["resourceId"]}


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
        derived_id(first, n) for n in range(2, len(kinds) + 1)
    ]
    headers = await gateway.token("cisu")
    acks = [await gateway.client.post(f"/v1/inbox/{item['id']}/ack", headers=headers) for item in items]
    assert [bool(ack.json()["reference"]) for ack in acks] == [True] + [False] * (len(items) - 1)


async def test_between_health_actors_nothing_changes_its_type(gateway: House) -> None:
    assert (await brought(gateway, "createCaseHealth", HEALTH_CASE, SAMU, CISU)).status_code == 200
    assert (await brought(gateway, "createCase", FIRE_CASE, SAMU, CISU)).status_code == 200
    assert [item["messageType"] for item in await gateway.inbox("cisu")] == ["RS-EDA", "RC-EDA"]


async def test_what_the_fire_side_cannot_get_is_a_dead_letter_and_its_sender_gets_an_error(
    gateway: House,
) -> None:
    update = document("createCaseHealthUpdate", {"caseId": FIRE_CASE["caseId"]}, SAMU, FIRE)
    sent = await gateway.send(update | {"dateTimeSent": "2026-11-24T10:00:00+00:00"})
    assert sent.status_code in {202, 400}
    answer = await brought(gateway, "createCaseHealthUpdate", {"caseId": FIRE_CASE["caseId"]}, SAMU, FIRE)
    assert answer.status_code == 422 and "send the whole case (RS-EDA)" in answer.text
    (bundle,) = await until(lambda: [b for b in gateway.core.bundles if message_type(b) == "RS-ERROR"])
    error = edxl.message(translation.from_fhir(bundle), "v3").body["errorCode"]
    assert error == {"statusCode": 600, "statusString": "MESSAGE_CONVERSION_ERROR"}
    assert await gateway.inbox("fire") == []


def message_type(bundle: JsonObject) -> str:
    return translation.describe(bundle).message_type


async def test_the_dry_run_shows_every_message(gateway: House) -> None:
    body = orjson.dumps(document("resourcesInfoCisu", FIRE_RESOURCES, FIRE, SAMU))
    headers = {"Content-Type": "application/json", **await gateway.token("fire")}
    url = "/v1/messages/$translate?to=RS-RI"
    told = (await gateway.client.post(url, content=body, headers=headers)).json()
    assert set(told) == {"contentType", "content", "further", "loss"}
    (status,) = told["further"]
    assert status["content"]["distributionID"] == derived_id(told["content"]["distributionID"], 2)
    assert "loss" not in status and told["loss"]
    refused = await gateway.client.post("/v1/messages/$translate?to=RS-EDA", content=body, headers=headers)
    assert refused.status_code == 422 and "RC-RI is not translated to RS-EDA" in refused.text
