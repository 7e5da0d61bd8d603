"""A case over the whole way: what each viewer gets back, what it never gets, and how long that holds."""

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway import edxl, translation
from gateway.case_context import before, counted
from gateway.case_memory import Memory
from gateway.hub import derived_id
from gateway.model import Contribution, JsonObject, Message
from gateway.registry import Registry
from tests.house import PUBLISHERS, House, house, publisher
from tests.patience import until, until_told
from tests.strategies import enveloped
from tests.test_conversion_cisu import FIRE, MEDICAL, SAMU, SMUR, resource
from tests.test_conversion_context import OTHER_SAMU, RICH_HEALTH, UPDATE, said
from tests.test_conversion_delivery import message_type
from tests.test_delivery_failures import served

DAY = 86_400.0
SENDERS = {SAMU: "lrm", OTHER_SAMU: "peer", FIRE: "fire"}
ROOTS = {"RS-EDA": "createCaseHealth", "RC-EDA": "createCase", "RS-EDA-MAJ": "createCaseHealthUpdate"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, PUBLISHERS) as made:
        yield made


async def tell(
    gateway: House, kind: str, body: JsonObject, sender: str, recipient: str, name: str
) -> JsonObject:
    """A message all the way: accepted, forwarded, brought back by the core. The last item of its recipient's inbox."""
    await send(gateway, kind, body, sender, recipient, name)
    items = await gateway.inbox(SENDERS[recipient])
    return items[-1] if items else {}


async def send(
    gateway: House, kind: str, body: JsonObject, sender: str, recipient: str, name: str
) -> JsonObject:
    """The Bundle that the core brought."""
    document = enveloped(ROOTS[kind], body, sender=sender, recipient=recipient, internal_id=name)
    answer = await gateway.send(dated(document), SENDERS[sender])
    assert answer.status_code == 202, answer.text
    identifier = document["distributionID"]
    (bundle,) = await until(
        lambda: [b for b in gateway.core.bundles if translation.describe(b).distribution_id == identifier]
    )
    brought = await gateway.deliver(bundle)
    assert brought.status_code in {200, 422}, brought.text
    return bundle


def dated(document: JsonObject) -> JsonObject:
    """The document as if it was sent at the time of the tests' clock."""
    document |= {"dateTimeSent": "2026-11-24T10:00:00+00:00", "dateTimeExpires": "2099-01-01T00:00:00+00:00"}
    inner = document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    inner["sentAt"] = document["dateTimeSent"]
    return document


def body_of(item: JsonObject) -> JsonObject:
    content = item["content"]
    raw = content.encode() if isinstance(content, str) else orjson.dumps(content)
    return edxl.decode(raw, item["contentType"], item["modelVersion"]).body


async def test_each_side_gets_its_own_parts_back(gateway: House) -> None:
    there = await tell(gateway, "RS-EDA", RICH_HEALTH, SAMU, FIRE, "1")
    assert "no-context" in there["loss"][0]["reason"]
    answer = body_of(there) | {"freetext": ["Accès par la cour"]}
    back = await tell(gateway, "RC-EDA", answer, FIRE, SAMU, "2")
    body = body_of(back)
    assert all(body[name] == RICH_HEALTH[name] for name in (*MEDICAL, "perimeter", "location"))
    assert not any("no-context" in one["reason"] for one in back["loss"])
    changed = body | {"qualification": body["qualification"] | {"details": {"priority": "P3"}}}
    again = body_of(await tell(gateway, "RS-EDA", changed, SAMU, FIRE, "3"))
    assert again["freetext"] == ["Accès par la cour"]  # the fire side's own
    assert again["initialAlert"]["reporting"] == "STANDARD"


async def test_what_changes_nothing_is_not_delivered_and_what_is_brought_again_is_kept_once(
    gateway: House,
) -> None:
    bundle = await send(gateway, "RS-EDA", RICH_HEALTH, SAMU, FIRE, "1")
    await send(gateway, "RS-EDA", RICH_HEALTH | {"decision": []}, SAMU, FIRE, "2")
    assert (await gateway.deliver(bundle)).status_code == 200
    assert len(await gateway.inbox("fire")) == 1
    status = await gateway.client.get("/v1/messages", headers=await gateway.token())
    second = next(one for one in status.json()["items"] if one["distributionID"] == f"{SAMU}_2")
    assert (second["status"], "nothing changes" in second["lastCause"]) == ("forwarded", True)


async def test_an_update_reaches_the_fire_side_as_a_whole_case(gateway: House) -> None:
    """What the sender told another SAMU counts, what another SAMU told the fire side does not."""
    await send(gateway, "RS-EDA", RICH_HEALTH, SAMU, OTHER_SAMU, "1")
    foreign = RICH_HEALTH | {"location": {"freetext": "ailleurs"}}
    await send(gateway, "RS-EDA", foreign, OTHER_SAMU, FIRE, "2")
    item = await tell(gateway, "RS-EDA-MAJ", UPDATE, SAMU, FIRE, "3")
    body = body_of(item)
    assert (item["messageType"], body["location"]["freetext"]) == ("RC-EDA", "Autoroute A11, PK 12")
    assert body["qualification"]["victims"] == {"count": "PLUSIEURS"}
    count = len(await gateway.inbox("fire"))
    alone = {"caseId": UPDATE["caseId"], "owner": OTHER_SAMU}
    await send(
        gateway, "RS-EDA-MAJ", alone, OTHER_SAMU, FIRE, "4"
    )  # changes nothing that the fire side knows
    await send(gateway, "RS-EDA-MAJ", alone | {"caseId": UPDATE["caseId"] + "9"}, SAMU, FIRE, "5")
    (error,) = await until(lambda: [b for b in gateway.core.bundles if message_type(b) == "RS-ERROR"])
    assert translation.describe(error).refers_to == f"{SAMU}_5"
    assert len(await gateway.inbox("fire")) == count + 1


async def test_an_update_that_another_publisher_sends_does_not_bring_out_the_case(gateway: House) -> None:
    """Two publishers may send for one id; one of them has its inbox."""
    people = (*PUBLISHERS, publisher("other", (SAMU,), ("fr.health.samu999",)))
    gateway.runtime.registry.current = Registry.of(
        people, exclusive_senders=False, core_recipients=("fr.fire.behind.core",)
    )
    await send(gateway, "RS-EDA", RICH_HEALTH, SAMU, OTHER_SAMU, "1")
    for number, recipient in enumerate((FIRE, "fr.fire.behind.core"), 2):
        document = dated(enveloped(ROOTS["RS-EDA-MAJ"], UPDATE, recipient=recipient, internal_id=f"{number}"))
        assert (await gateway.send(document, "other")).status_code == 202
    (bundle,) = await until(lambda: [b for b in gateway.core.bundles if message_type(b) == "RS-EDA-MAJ"])
    assert (await gateway.deliver(bundle)).status_code == 422
    await dead(gateway, {f"{SAMU}_2", f"{SAMU}_3"})


async def dead(gateway: House, expected: set[str]) -> None:
    """Waits until these are the dead letters."""
    store = gateway.runtime.store
    letters = await until_told(lambda: store.dead_letters(10), lambda told: len(told) == len(expected))
    assert {letter.distribution_id for letter in letters} == expected


async def test_an_update_leaves_for_an_actor_behind_the_core_as_a_whole_case(gateway: House) -> None:
    people = gateway.runtime.registry.current.publishers
    gateway.runtime.registry.current = Registry.of(people, core_recipients=("fr.fire.behind.core",))
    await send(gateway, "RS-EDA", RICH_HEALTH, SAMU, OTHER_SAMU, "1")
    for name, case in (("2", UPDATE["caseId"]), ("3", UPDATE["caseId"] + "9")):
        document = enveloped(
            "createCaseHealthUpdate",
            UPDATE | {"caseId": case},
            recipient="fr.fire.behind.core",
            internal_id=name,
        )
        assert (await gateway.send(dated(document))).status_code == 202
    await dead(gateway, {f"{SAMU}_3"})
    (whole,) = [
        edxl.message(translation.from_fhir(b), "v3")
        for b in gateway.core.bundles
        if message_type(b) == "RC-EDA"
    ]
    assert whole.body["location"]["freetext"] == "Autoroute A11, PK 12"
    assert not [word for word in ("asthme", "patient.1", "douleur") if word in repr(whole.document)]


async def test_nobody_gets_what_another_viewer_of_the_same_case_sent(gateway: House) -> None:
    texts = {SAMU: "notre patient", OTHER_SAMU: "leur patient"}
    for number, (samu, text) in enumerate(texts.items()):
        patient = RICH_HEALTH["patient"][0] | {"detail": {"medicalHistory": text}}
        own = RICH_HEALTH | {"owner": samu, "patient": [patient]}
        there = await tell(gateway, "RS-EDA", own, samu, FIRE, f"{number}")
    answer = body_of(there) | {"freetext": ["x"]}
    for number, samu in enumerate(texts, 5):
        item = await tell(gateway, "RC-EDA", answer, FIRE, samu, f"{number}")
        assert [text for text in texts.values() if text in repr(item)] == [texts[samu]]
    told = repr(await gateway.inbox("fire"))
    assert not [text for text in texts.values() if text in told]


async def test_an_id_that_moves_to_another_publisher_starts_with_nothing(gateway: House) -> None:
    there = await tell(gateway, "RS-EDA", RICH_HEALTH, SAMU, FIRE, "1")
    registry = gateway.runtime.registry
    moved = publisher("peer", (OTHER_SAMU, SAMU), (OTHER_SAMU, SAMU))
    lrm = replace(PUBLISHERS[0], sends_for=("fr.health.samu999",), inbox_for=("fr.health.samu999",))
    registry.current = type(registry.current).of((lrm, moved, PUBLISHERS[2]))
    await send(gateway, "RC-EDA", body_of(there) | {"freetext": ["x"]}, FIRE, SAMU, "2")
    (item,) = await gateway.inbox("peer")
    assert "patient" not in body_of(item) and "no-context" in item["loss"][0]["reason"]


@pytest.mark.parametrize(("status", "days", "is_back"), [("ACTIF", 6.9, True), ("ACTIF", 7.1, False), ("CLOTURE", 0.9, True), ("CLOTURE", 1.1, False)])  # fmt: skip
async def test_a_case_is_forgotten(gateway: House, status: str, days: float, is_back: bool) -> None:
    case = deepcopy(RICH_HEALTH)
    case["qualification"]["details"]["status"] = status
    there = await tell(gateway, "RS-EDA", case, SAMU, FIRE, "1")
    gateway.clock.now += days * DAY
    document = enveloped("createCase", body_of(there) | {"freetext": ["x"]}, sender=FIRE, recipient=SAMU)
    document |= {"dateTimeExpires": "2099-01-01T00:00:00+00:00"}
    answer = await gateway.deliver(translation.to_fhir(edxl.message(document, "v3")))
    assert answer.status_code == 200
    (item,) = await gateway.inbox("lrm")
    assert ("patient" in body_of(item)) is is_back


async def test_a_message_that_stays_what_it_is_asks_for_no_history(gateway: House) -> None:
    class Asked:
        def __getattr__(self, name: str) -> Any:
            assert name != "case_history"
            return getattr(gateway.runtime.store, name)

    store: Any = Asked()
    async with served(gateway, replace(gateway.runtime, store=store)) as other:
        assert await tell(other, "RS-EDA", RICH_HEALTH, SAMU, OTHER_SAMU, "1")


async def translation_of(gateway: House, client: str, message: Message, query: str) -> Any:
    headers = {"Content-Type": "application/json", **await gateway.token(client)}
    url = f"/v1/messages/$translate?{query}"
    return await gateway.client.post(url, content=orjson.dumps(message.document), headers=headers)


@pytest.mark.parametrize("padding", [0, 20_000])
async def test_the_dry_run_uses_the_caller_s_own_ids_alone(gateway: House, padding: int) -> None:
    """`padding`: a message that is work for a worker."""
    there = await tell(gateway, "RS-EDA", RICH_HEALTH, SAMU, FIRE, "1")
    answer = said("RC-EDA", body_of(there) | {"freetext": ["x" * padding]}, 2)
    own = (await translation_of(gateway, "lrm", answer, "to=RS-EDA")).json()
    told = edxl.message(own["content"], "v3").body
    assert told["patient"] == RICH_HEALTH["patient"]
    assert not any("no-context" in loss["reason"] for loss in own["loss"])
    for client, query in (("lrm", "to=RS-EDA&context=none"), ("fire", "to=RS-EDA"), ("peer", "to=RS-EDA")):
        without = (await translation_of(gateway, client, answer, query)).json()
        assert "patient" not in edxl.message(without["content"], "v3").body
        assert "no-context" in without["loss"][0]["reason"]
    assert (await translation_of(gateway, "lrm", answer, "to=RS-EDA&context=all")).status_code == 400
    update = said("RS-EDA-MAJ", UPDATE, 3)
    found = await translation_of(gateway, "lrm", update, "to=RC-EDA")
    whole = edxl.message(found.json()["content"], "v3").body
    assert whole["location"]["freetext"] == "Autoroute A11, PK 12"
    for client, query in (("lrm", "to=RC-EDA&context=none"), ("peer", "to=RC-EDA")):
        assert (await translation_of(gateway, client, update, query)).status_code == 422


def contribution(name: str, sender: str = SAMU, at: float = 0.0) -> Contribution:
    content = orjson.dumps(said("RS-EDA", RICH_HEALTH).document)
    return Contribution(name, sender, FIRE, "RS-EDA", "v3", edxl.JSON, content, at, sent=True)


def test_what_came_after_a_message_or_was_made_of_it_does_not_count() -> None:
    one = said("RS-EDA", RICH_HEALTH)
    own = one.envelope.distribution_id
    names = ["later", derived_id(own, 2), own, "earlier"]
    history = [contribution(name) for name in names]
    assert [each.distribution_id for each in before(history, own, SAMU)] == ["earlier"]
    others = [contribution(own, OTHER_SAMU), contribution("earlier")]
    assert before(others, own, SAMU) == others


def test_an_old_part_of_a_case_counts_as_long_as_the_case_goes_on() -> None:
    history = [contribution(str(day), at=day * DAY) for day in (12, 6, 0)]
    assert len(counted(history, 13 * DAY, Memory.of(7, 24))) == 3
    assert counted(history, 20 * DAY, Memory.of(7, 24)) == ()


async def test_a_status_that_is_kept_is_seen_by_nobody(gateway: House) -> None:
    state = {"datetime": "2026-01-31T12:00:00+01:00", "status": "RETOUR"}
    body = {"caseId": UPDATE["caseId"], "resourceId": SMUR["resourceId"], "state": state}
    made = said("RS-SR", body)
    assert (await gateway.deliver(translation.to_fhir(made))).status_code == 200
    assert await gateway.inbox("fire") == []
    (kept,) = await gateway.runtime.store.case_history("fire", FIRE, UPDATE["caseId"], 0.0, 10)
    assert (kept.message_type, kept.sent) == ("RS-SR", False)


@pytest.mark.parametrize("is_list_first", [True, False])
async def test_a_list_and_a_status_at_one_moment_are_both_told(gateway: House, is_list_first: bool) -> None:
    vehicle = resource("1", "10:00")
    state = {"datetime": "2026-01-31T11:00:00+01:00", "status": "ARRIVEE"}
    listed = {"caseId": "fr.health.samu440.DRFR9", "resource": [vehicle]}
    arrived = {"caseId": listed["caseId"], "resourceId": vehicle["resourceId"], "state": state}
    bundles = []
    for root, body, name in (("resourcesInfo", listed, "a1"), ("resourcesStatus", arrived, "a2")):
        document = dated(enveloped(root, body, sender=SAMU, recipient=FIRE, internal_id=name))
        bundles.append(translation.to_fhir(edxl.message(document, "v3")))
    await asyncio.gather(*map(gateway.deliver, bundles if is_list_first else reversed(bundles)))
    (last,) = [body_of(one)["resource"] for one in (await gateway.inbox("fire"))[-1:]]
    assert [one["state"]["status"] for one in last] == ["ARRIVEE"]
