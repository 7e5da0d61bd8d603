"""Answers by HTTP: what a recipient says reaches the sender as what it is, and so does what the message became."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway import answers, edxl, translation
from gateway.answer_reading import answer_in
from gateway.conversion import convert
from gateway.edxl import json_codec
from gateway.errors import CoreRejected, NotApplicable
from gateway.hub import HUB_ID, derived_id
from gateway.model import Message, Publisher, Status
from tests.house import NOW, PUBLISHERS, House, case, house, publisher
from tests.patience import until, until_told

SAMU440, SAMU750 = "fr.health.samu440", "fr.health.samu750"
JsonObject = dict[str, Any]


def speaking(version: str) -> tuple[Publisher, ...]:
    """A sender of model v3 and a recipient of another."""
    return PUBLISHERS[0], publisher("peer", (SAMU750,), (SAMU750,), model_version=version)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as running:
        yield running


async def delivered(gateway: House, document: JsonObject | None = None) -> tuple[str, str]:
    """The location of a message that was sent and delivered, and the id of the recipient's item."""
    before = len(gateway.core.bundles)
    receipt = await gateway.send(document or case(1))
    assert receipt.status_code == 202, receipt.text
    location = receipt.headers["location"]
    await until_told(lambda: told(gateway, location), lambda one: one["status"] == "forwarded")
    answer = await gateway.deliver(gateway.core.bundles[before])
    assert answer.status_code == 200, answer.text
    return location, (await gateway.inbox("peer"))[-1]["id"]


async def told(gateway: House, location: str, client: str = "lrm") -> JsonObject:
    answer = await gateway.client.get(location, headers=await gateway.token(client))
    assert answer.status_code == 200, answer.text
    found: JsonObject = answer.json()
    return found


async def acknowledge(gateway: House, item: str, wish: JsonObject | None) -> JsonObject:
    """An ack; the RC-REF that it sends, if it is a new one, goes through the core to the sender."""
    before, headers = len(gateway.core.bundles), await gateway.token("peer")
    known = (await gateway.runtime.store.inbox_item("peer", item) or pytest.fail("no such item")).reference
    body = b"" if wish is None else orjson.dumps(wish)
    answer = await gateway.client.post(f"/v1/inbox/{item}/ack", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    done: JsonObject = answer.json()
    if done["reference"] not in {None, known}:
        (bundle,) = await until(lambda: gateway.core.bundles[before:])
        assert (await gateway.deliver(bundle)).status_code == 200
    assert len(gateway.core.bundles) - before == (done["reference"] not in {None, known})
    return done


async def references(gateway: House) -> list[Message]:
    """What the sender finds in its inbox, oldest first."""
    return [json_codec.message(item["content"], "v3") for item in await gateway.inbox("lrm")]


def bundle_of(document: JsonObject, version: str = "v3") -> JsonObject:
    return translation.to_fhir(json_codec.message(document, version))


# what an answer says


def said(body: JsonObject, kind: str = "RC-REF", sender: str = SAMU750) -> Status | None:
    """What the message becomes by an answer."""
    about = answers.Correspondence(sender, SAMU440, "fr.health.samu440_1")
    if kind == "RC-REF":
        document = answers.reference(about, NOW)
        document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["reference"].update(body)
    else:
        document = answers.error(about, NOW, (body["number"], "X"), "cause")
    found = answer_in(json_codec.message(document, "v3"))
    assert found is not None and found.refused == (found.status == Status.REFUSED)
    return found.status


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, Status.ACKNOWLEDGED),
        ({"refused": False}, Status.ACKNOWLEDGED),
        ({"step": "RECU"}, Status.ACKNOWLEDGED),
        ({"step": "INTEGRE"}, Status.ACKNOWLEDGED),
        ({"step": "CONSULTE"}, Status.ACKNOWLEDGED),
        ({"step": "SUPPRIME"}, None),
        ({"step": "SUPPRIME", "refused": True}, Status.REFUSED),
        ({"step": "ERREUR"}, Status.REFUSED),
        ({"step": "ERREUR", "refused": False}, Status.REFUSED),
        ({"refused": True}, Status.REFUSED),
        ({"step": "RECU", "refused": True}, Status.REFUSED),
    ],
)
def test_what_a_reference_says(body: JsonObject, expected: Status | None) -> None:
    assert said(body) == expected


@pytest.mark.parametrize(
    ("number", "sender", "expected"),
    [
        (703, SAMU750, Status.REFUSED),
        (500, SAMU750, Status.REFUSED),
        (500, HUB_ID, Status.EXPIRED),
        (400, HUB_ID, Status.EXPIRED),
        (501, HUB_ID, Status.REJECTED),
        (600, HUB_ID, Status.REJECTED),
    ],
)
def test_what_an_error_says(number: int, sender: str, expected: Status) -> None:
    assert said({"number": number}, "RS-ERROR", sender) == expected


def test_what_is_no_answer_says_nothing() -> None:
    assert answer_in(json_codec.message(case(1), "v3")) is None


# what the sender is told


async def test_the_latest_answer_wins(gateway: House) -> None:
    location, item = await delivered(gateway)
    before = await told(gateway, location)
    assert "answer" not in before
    assert (before["sender"], before["recipient"], before["caseId"]) == (SAMU440, SAMU750, case(1)["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["createCaseHealth"]["caseId"])  # fmt: skip
    assert (before["attempts"], before["lastCause"]) == (1, None)
    await acknowledge(gateway, item, None)
    assert (await told(gateway, location))["status"] == "acknowledged"
    await acknowledge(gateway, item, {"step": "ERREUR"})
    refused = await told(gateway, location)
    assert refused["status"] == "refused"
    assert refused["answer"] == {"step": "ERREUR", "refused": True, "errorDistributionID": None}
    page = (await gateway.client.get("/v1/messages?status=refused", headers=await gateway.token())).json()
    assert [one["id"] for one in page["items"]] == [refused["id"]]
    assert page["items"][0]["answer"] == refused["answer"]
    await acknowledge(gateway, item, {"step": "INTEGRE"})
    last = await told(gateway, location)
    assert last["status"] == "acknowledged"
    assert last["answer"] == {"step": "INTEGRE", "refused": False, "errorDistributionID": None}
    ids = [message.envelope.distribution_id for message in await references(gateway)]
    assert len(set(ids)) == 3
    steps = [(one["step"], one["detail"]) for one in last["timeline"] if one["step"] not in {"received", "translated", "forwarded"}]  # fmt: skip
    assert steps == [
        ("acknowledged", f"RC-REF {ids[0]}; step RECU"),
        ("refused", f"RC-REF {ids[1]}; step ERREUR; refused"),
        ("acknowledged", f"RC-REF {ids[2]}; step INTEGRE"),
    ]


async def test_a_recipient_s_own_error_refuses(gateway: House) -> None:
    location, _ = await delivered(gateway)
    about = answers.Correspondence(SAMU750, SAMU440, "fr.health.samu440_1")
    error = answers.error(about, NOW, (703, "UNKNOWN_SENDER"), "Not known here.")
    reference = answers.reference(about, NOW, "ERREUR", refused=True)
    body = reference["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["reference"]
    body["errorDistributionID"] = error["distributionID"]
    assert (await gateway.deliver(bundle_of(error))).status_code == 200
    first = await told(gateway, location)
    assert first["status"] == "refused"
    assert first["answer"] == {"step": None, "refused": True, "errorDistributionID": error["distributionID"]}
    assert first["timeline"][-1]["detail"] == f"RS-ERROR {error['distributionID']} (703)"
    assert (await gateway.deliver(bundle_of(reference))).status_code == 200
    second = await told(gateway, location)
    assert second["answer"] == {"step": "ERREUR", "refused": True, "errorDistributionID": error["distributionID"]}  # fmt: skip
    assert second["timeline"][-1]["detail"].endswith(
        f"; step ERREUR; refused; errorDistributionID {error['distributionID']}"
    )


async def test_an_answer_of_somebody_else_changes_nothing(gateway: House) -> None:
    location, _ = await delivered(gateway)
    about = answers.Correspondence("fr.health.samu690", SAMU440, "fr.health.samu440_1")
    for document in (answers.reference(about, NOW, "INTEGRE"), answers.error(about, NOW, (703, "X"), "no")):
        assert (await gateway.deliver(bundle_of(document))).status_code == 200
    assert (await told(gateway, location))["status"] == "forwarded"


# what an ack sends


async def test_an_ack_without_a_body_says_recu(gateway: House) -> None:
    _, item = await delivered(gateway)
    await acknowledge(gateway, item, None)
    (message,) = await references(gateway)
    assert message.body == {"distributionID": "fr.health.samu440_1", "step": "RECU"}


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    ("wish", "expected", "status"),
    [
        (None, {}, "acknowledged"),
        ({"step": "INTEGRE"}, {}, "acknowledged"),
        ({"step": "INTEGRE", "refused": False}, {"refused": False}, "acknowledged"),
        ({"refused": True}, {"refused": True}, "refused"),
        ({"step": "ERREUR"}, {"refused": True}, "refused"),
        ({"step": "ERREUR", "refused": False}, {"refused": True}, "refused"),
        ({"step": "SUPPRIME", "refused": True}, {"refused": True}, "refused"),
    ],
)
async def test_an_older_version_refuses_too(
    tmp_path: Path, version: str, wish: JsonObject | None, expected: JsonObject, status: str
) -> None:
    async with house(tmp_path, speaking(version)) as gateway:
        location, item = await delivered(gateway)
        await acknowledge(gateway, item, wish)
        (message,) = await references(gateway)
        assert message.body == {"distributionID": "fr.health.samu440_1", **expected}
        assert (await told(gateway, location))["status"] == status


async def test_an_older_version_cannot_say_that_a_file_was_deleted(tmp_path: Path) -> None:
    async with house(tmp_path, speaking("v2")) as gateway:
        _, item = await delivered(gateway)
        path, headers = f"/v1/inbox/{item}/ack", await gateway.token("peer")
        answer = await gateway.client.post(path, json={"step": "SUPPRIME"}, headers=headers)
        assert answer.status_code == 400 and "SUPPRIME" in answer.text
        assert len(await gateway.inbox("peer")) == 1
        await acknowledge(gateway, item, {"step": "SUPPRIME", "reference": False})


@pytest.mark.parametrize(
    ("version", "wishes", "sent"),
    [
        ("v3", ["", "RECU", "INTEGRE", "RECU", "INTEGRE", "CONSULTE", "INTEGRE"], ["RECU", "INTEGRE", "CONSULTE"]),
        ("v3", ["INTEGRE", "RECU", "ERREUR", "ERREUR", "SUPPRIME"], ["INTEGRE", "ERREUR", "SUPPRIME"]),
        ("v3", ["ERREUR", "INTEGRE", "ERREUR", "INTEGRE"], ["ERREUR", "INTEGRE", "ERREUR", "INTEGRE"]),
        ("v2", ["RECU", "INTEGRE", "ERREUR", "ERREUR", "INTEGRE"], [None, None, None]),
    ],
)  # fmt: skip
async def test_a_later_step_sends_one_more(
    tmp_path: Path, version: str, wishes: list[str], sent: list[str | None]
) -> None:
    async with house(tmp_path, speaking(version)) as gateway:
        _, item = await delivered(gateway)
        named = []
        for wish in wishes:
            gateway.clock.now += 1
            done = await acknowledge(gateway, item, {"step": wish} if wish else None)
            named.append(done["reference"])
        messages = await references(gateway)
        assert [message.body.get("step") for message in messages] == sent
        assert list(dict.fromkeys(named)) == [message.envelope.distribution_id for message in messages]
        again = await acknowledge(gateway, item, {"reference": False})
        assert again["reference"] == named[-1]


async def test_what_was_taken_out_without_an_answer_is_not_answered_later(gateway: House) -> None:
    location, item = await delivered(gateway)
    assert (await acknowledge(gateway, item, {"reference": False}))["reference"] is None
    assert (await acknowledge(gateway, item, {"step": "INTEGRE"}))["reference"] is None
    assert (await told(gateway, location))["status"] == "forwarded"


# exercises


def exercise(number: int = 1, **changes: Any) -> JsonObject:
    document = {**case(number, **changes), "distributionStatus": "Exercise"}
    document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["status"] = "Exercise"
    return document


def stati(message: Message) -> tuple[str, Any]:
    return message.envelope.distribution_status, message.header.get("status")


async def test_the_answer_to_an_exercise_is_an_exercise(gateway: House) -> None:
    for number, document in enumerate((exercise(0), case(1))):
        _, item = await delivered(gateway, document)
        await acknowledge(gateway, item, None)
        expected = "Actual" if number else "Exercise"
        assert stati((await references(gateway))[-1]) == (expected, expected)


async def test_a_later_answer_to_an_exercise_is_one_after_its_content_is_erased(gateway: House) -> None:
    _, item = await delivered(gateway, exercise())
    await acknowledge(gateway, item, None)
    assert await gateway.runtime.store.erase(NOW + 60)
    await acknowledge(gateway, item, {"step": "INTEGRE"})
    assert [stati(message) for message in await references(gateway)] == [("Exercise", "Exercise")] * 2


async def test_the_core_s_refusal_of_an_exercise_is_an_exercise(gateway: House) -> None:
    issue = {"severity": "error", "code": "invalid"}
    gateway.core.trouble = [CoreRejected(422, {"resourceType": "OperationOutcome", "issue": [issue]})]
    await gateway.send(exercise())
    (error,) = await until_told(lambda: references(gateway), bool)
    assert stati(error) == ("Exercise", None)


async def test_the_error_for_an_exercise_that_cannot_be_delivered_is_an_exercise(tmp_path: Path) -> None:
    engaged = {
        "caseId": "fr.health.samu440.DRFR1",
        "resource": [{"vehicleType": "SMUR.VLM", "team": {"medicalLevel": "MED"}}],
    }
    document = exercise()
    inner = document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    del inner["createCaseHealth"]
    inner["resourcesEngagement"] = engaged
    async with house(tmp_path, speaking("v1")) as gateway:  # v1 has no RS-ER
        await gateway.send(document)
        (bundle,) = await until(lambda: gateway.core.bundles)
        assert (await gateway.deliver(bundle)).status_code == 422
        (_, error) = await until(lambda: gateway.core.bundles[1:] and gateway.core.bundles)
        assert translation.from_fhir(error)["distributionStatus"] == "Exercise"


def test_the_same_answer_has_the_same_id_and_each_step_its_own() -> None:
    about = answers.Correspondence(SAMU750, SAMU440, "x")
    given = [(None, None), ("RECU", None), ("INTEGRE", None), ("ERREUR", True), (None, True)]
    ids = [answers.reference(about, NOW, *one)["distributionID"] for one in given]
    assert len(set(ids)) == len(given)
    assert ids == [answers.reference(about, NOW + 9, *one)["distributionID"] for one in given]
    assert edxl.encode(answers.reference(about, NOW, "RECU"), edxl.XML, "v3").lost == ()


# forged answers

SAMU690 = "fr.health.samu690"
OTHERS = (
    *PUBLISHERS,
    publisher("other", (SAMU690,), (SAMU690,)),
)


def answering(refers_to: str, kind: str = "RC-REF", sender: str = SAMU690) -> JsonObject:
    about = answers.Correspondence(sender, SAMU440, refers_to)
    if kind == "RC-REF":
        return answers.reference(about, NOW, "INTEGRE")
    return answers.error(about, NOW, (703, "UNKNOWN_SENDER"), "Not known here.")


async def validated(
    gateway: House, body: bytes, client: str, media_type: str = edxl.JSON
) -> list[JsonObject]:
    headers = {"Content-Type": media_type, **await gateway.token(client)}
    answer = await gateway.client.post("/v1/messages/$validate", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[JsonObject] = answer.json()["issue"]
    return found


def hub_code(issue: JsonObject) -> str:
    return str(issue["details"]["coding"][1]["code"])


@pytest.mark.parametrize("kind", ["RC-REF", "RS-ERROR"])
@pytest.mark.parametrize(
    "named",
    ["fr.health.samu440_1", derived_id("fr.health.samu440_1", 2), derived_id("fr.health.samu440_1", 17)],
)
async def test_only_the_recipient_answers(tmp_path: Path, kind: str, named: str) -> None:
    async with house(tmp_path, OTHERS) as gateway:
        location, _ = await delivered(gateway)
        forged = answering(named, kind)
        refused = await gateway.send(forged, "other")
        assert refused.status_code == 403, refused.text
        (issue,) = refused.json()["issue"]
        assert hub_code(issue) == "200" and SAMU750 not in issue["diagnostics"]
        assert issue["expression"][0].endswith(f".{'reference.distributionID' if kind == 'RC-REF' else 'error.referencedDistributionID'}")  # fmt: skip
        (same,) = await validated(gateway, orjson.dumps(forged), "other")
        assert same == issue
        assert (await told(gateway, location))["status"] == "forwarded"
        real = answering(named, kind, SAMU750)
        assert (await gateway.send(real, "peer")).status_code == 202
        assert [issue["severity"] for issue in await validated(gateway, orjson.dumps(real), "peer")] == ["information"]  # fmt: skip


async def test_a_publisher_of_several_ids_answers_by_the_right_one(tmp_path: Path) -> None:
    both = publisher("peer", (SAMU690, SAMU750), (SAMU690, SAMU750))
    async with house(tmp_path, (PUBLISHERS[0], both)) as gateway:
        await delivered(gateway)
        assert (await gateway.send(answering("fr.health.samu440_1"), "peer")).status_code == 403
        real = answering("fr.health.samu440_1", sender=SAMU750)
        assert (await gateway.send(real, "peer")).status_code == 202


async def test_an_answer_to_what_is_not_known_is_accepted_with_a_warning(tmp_path: Path) -> None:
    async with house(tmp_path, OTHERS) as gateway:
        await delivered(gateway)
        for named in ("fr.health.samu440_7", "fr.health.samu440_1-2", "fr.health.samu440_1-2-00000000"):
            (warning,) = await validated(gateway, orjson.dumps(answering(named)), "other")
            assert (warning["severity"], hub_code(warning)) == ("warning", "200")
        assert (await gateway.send(answering("fr.health.samu440_7"), "other")).status_code == 202


async def test_an_answer_that_is_addressed_to_another_id_is_no_way_round(tmp_path: Path) -> None:
    """Software that goes by the id alone would take it for the answer to its message."""
    async with house(tmp_path, OTHERS) as gateway:
        await delivered(gateway)
        about = answers.Correspondence(SAMU690, "fr.fire.nexsis.sdisZ", "fr.health.samu440_1")
        assert (await gateway.send(answers.reference(about, NOW), "other")).status_code == 403


async def test_a_part_that_is_refused_refuses_the_message_that_it_was_made_of() -> None:
    part = derived_id("fr.fire.nexsis.sdisZ_1", 2)
    about = answers.Correspondence(SAMU750, "fr.fire.nexsis.sdisZ", part)
    said = [
        answer_in(edxl.message(answers.reference(about, NOW, "RECU", refused), "v3"))
        for refused in (True, False)
    ]
    assert [(one.refers_to, one.status) for one in said if one] == [
        ("fr.fire.nexsis.sdisZ_1", Status.REFUSED), ("fr.fire.nexsis.sdisZ_1", None),
    ]  # fmt: skip


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
async def test_a_refusal_is_never_swallowed(tmp_path: Path, version: str) -> None:
    async with house(tmp_path, speaking(version)) as gateway:
        location, item = await delivered(gateway)
        for wish, status in (
            ({"step": "INTEGRE"}, "acknowledged"),
            ({"refused": True}, "refused"),
            ({"refused": False}, "acknowledged"),
            ({"refused": True}, "refused"),
        ):
            gateway.clock.now += 1
            await acknowledge(gateway, item, wish)
            sent = (await references(gateway))[-1]
            assert bool(sent.body.get("refused")) == (status == "refused")
            assert (await told(gateway, location))["status"] == status


async def test_a_refusal_after_the_item_was_taken_out_is_sent_and_one_that_is_not_to_be_sent_is_400(
    gateway: House,
) -> None:
    _, item = await delivered(gateway)
    path, headers = f"/v1/inbox/{item}/ack", await gateway.token("peer")
    wrong = await gateway.client.post(path, json={"reference": False, "refused": True}, headers=headers)
    assert wrong.status_code == 400 and "nothing is sent" in wrong.text
    await acknowledge(gateway, item, {"reference": False})
    await acknowledge(gateway, item, {"refused": True})
    (sent,) = await references(gateway)
    assert sent.body["refused"] is True


async def test_a_message_from_elsewhere_is_known_by_the_inbox_that_it_is_in(tmp_path: Path) -> None:
    async with house(tmp_path, OTHERS) as gateway:
        bundle = bundle_of(case(1))  # of a sender that this gateway does not serve
        assert (await gateway.deliver(bundle)).status_code == 200
        assert (await gateway.send(answering("fr.health.samu440_1"), "other")).status_code == 403
        assert (
            await gateway.send(answering("fr.health.samu440_1", sender=SAMU750), "peer")
        ).status_code == 202


async def test_a_forged_answer_is_refused_with_all_else_that_is_wrong(tmp_path: Path) -> None:
    async with house(tmp_path, OTHERS) as gateway:
        await delivered(gateway)
        wrong = answering("fr.health.samu440_1")
        wrong["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["reference"]["step"] = "GONE"
        refused = await gateway.send(wrong, "other")
        codes = [issue["details"]["coding"][0]["code"] for issue in refused.json()["issue"]]
        assert refused.status_code == 403 and codes == ["sender-inconsistent", "invalid-message"]
        body = edxl.encode(answering("fr.health.samu440_1"), edxl.XML, "v3").content
        (issue,) = await validated(gateway, body, "other", edxl.XML)
        pointer = next(e["valueString"] for e in issue["extension"] if e["url"].endswith("/pointer"))
        assert pointer.endswith("/contentXML/embeddedXMLContent/message/reference/distributionID")


async def test_a_repeat_of_an_answer_is_never_refused(tmp_path: Path) -> None:
    async with house(tmp_path, OTHERS) as gateway:
        early = answering("fr.health.samu440_1")
        assert (await gateway.send(early, "other")).status_code == 202
        await gateway.send(case(1))
        assert (await gateway.send(early, "other")).status_code == 200


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_an_answer_in_an_older_version_is_no_acknowledgement_that_nobody_gave(version: str) -> None:
    """A publisher's own RC-REF of v3 on its way to a sender whose version has no step."""

    def converted(step: str, refused: bool | None = None) -> JsonObject:
        about = answers.Correspondence(SAMU750, "fr.health.samu440", "fr.health.samu440_1")
        return convert(edxl.message(answers.reference(about, NOW, step, refused), "v3"), version).message.body

    assert converted("ERREUR")["refused"] is True
    assert converted("SUPPRIME", refused=True)["refused"] is True
    assert converted("INTEGRE") == {"distributionID": "fr.health.samu440_1"}
    with pytest.raises(NotApplicable, match="deleted"):
        converted("SUPPRIME")
