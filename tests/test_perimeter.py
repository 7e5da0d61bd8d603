"""What passes between health actors and the others, by HTTP: each type in each direction, at reception and at delivery."""

import io
from collections.abc import AsyncIterator
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from gateway import edxl, translation
from gateway.conversion.withholding import STRANGE
from gateway.hub import is_health
from gateway.model import JsonObject, Message
from gateway.perimeter import Passage, passage
from gateway.registry import Registry
from gateway.registry.fields import MESSAGE_TYPES
from tests.house import NOW, PUBLISHERS, House, house, publisher
from tests.patience import until, until_told
from tests.strategies import enveloped
from tests.test_conversion import some
from tests.test_conversion_cisu import FIRE_CASE, FIRE_TRUCK, HEALTH_CASE, SMUR

SAMU, PEER, FIRE, DIRECT = (
    "fr.health.samu440", "fr.health.samu750", "fr.fire.nexsis.sdisZ", "fr.health.samu690",
)  # fmt: skip
TYPES = schemas.message_types("v3")
GEO = {"GEO-POS", "GEO-REQ", "GEO-RES"}
CASE_ID = HEALTH_CASE["caseId"]

# the contract, cell by cell: message type -> (health to other, other to health)
PASSES, REFUSED = "as it is", "refused"
TABLE = {
    "RC-EDA": (PASSES, "RS-EDA"),
    "RC-RI": (PASSES, "RS-RI"),
    "EMSI": (PASSES, PASSES),
    "RC-REF": (PASSES, PASSES),
    "RS-ERROR": (PASSES, PASSES),
    "RS-EDA": ("RC-EDA", REFUSED),
    "RS-EDA-MAJ": ("no form alone", REFUSED),
    "RS-RI": ("RC-RI", REFUSED),
    "RS-SR": ("not applicable", REFUSED),
    "RS-DR": (REFUSED, PASSES),
}
BODIES: dict[str, JsonObject] = {
    "RS-EDA": HEALTH_CASE,
    "RC-EDA": FIRE_CASE,
    "RS-RI": {"caseId": CASE_ID, "resource": [SMUR]},
    "RC-RI": {"caseId": CASE_ID, "resource": [FIRE_TRUCK]},
    "RS-ERROR": {
        "errorCode": {"statusCode": 703, "statusString": "UNKNOWN_SENDER"},
        "errorCause": "Dossier inconnu",
        "referencedDistributionID": "fr.fire.sdisZ_1",
    },
    "RC-REF": {"distributionID": "fr.fire.sdisZ_1"},
}


def expected(message_type: str, to_health: bool) -> str:
    """What the table says; GEO-* pass where the recipient lists them, all else is refused."""
    if message_type in GEO:
        return PASSES
    return TABLE.get(message_type, (REFUSED, REFUSED))[to_health]


@pytest.fixture
async def gateway(tmp_path: Path, lines: io.BytesIO) -> AsyncIterator[House]:
    """Health and fire as the sandbox registers them, and a SAMU whose software reads the fire side's types."""
    listing = tuple(sorted(MESSAGE_TYPES))
    people = (
        publisher("lrm", (SAMU,), (SAMU,), message_types=listing),
        publisher("peer", (PEER,), (PEER,), message_types=listing),
        publisher("fire", (FIRE,), (FIRE,), format="xml", message_types=listing),
        publisher("direct", (DIRECT,), (DIRECT,), cisu="direct"),
        publisher("silent", ("fr.health.samu010",), ("fr.fire.sdisY", "fr.health.samu010")),
    )
    async with house(tmp_path, people, retry_base=0.01) as made:
        yield made


@cache
def body_of(message_type: str) -> JsonObject:
    return BODIES.get(message_type) or some(message_type, "v3")[0].body


def document(message_type: str, sender: str, recipient: str, body: JsonObject | None = None) -> JsonObject:
    root = schemas.root_key(message_type, "v3")
    made: JsonObject = enveloped(
        root, deepcopy(body or body_of(message_type)), sender=sender, recipient=recipient, internal_id=f"{message_type}-{recipient}",
        sent=datetime.fromtimestamp(NOW, UTC),
    )  # fmt: skip
    return made


def bundle(message_type: str, sender: str, recipient: str, body: JsonObject | None = None) -> JsonObject:
    return translation.to_fhir(edxl.message(document(message_type, sender, recipient, body), "v3"))


def unroutable(outcome: Any) -> bool:
    """Whether an OperationOutcome names the Hub's error 501."""
    codings = [coding for issue in outcome["issue"] for coding in issue["details"]["coding"]]
    return any(str(coding["code"]) == "501" for coding in codings)


def read(item: JsonObject) -> Message:
    content = item["content"]
    raw = content.encode() if isinstance(content, str) else orjson.dumps(content)
    return edxl.decode(raw, item["contentType"], item["modelVersion"])


CELLS = [(message_type, to_health) for message_type in TYPES for to_health in (False, True)]


@pytest.mark.parametrize(("message_type", "to_health"), CELLS)
async def test_a_cell_at_reception(gateway: House, message_type: str, to_health: bool) -> None:
    client, sender, recipient = ("fire", FIRE, SAMU) if to_health else ("lrm", SAMU, FIRE)
    answer = await gateway.send(document(message_type, sender, recipient), client)
    if expected(message_type, to_health) == REFUSED:
        assert answer.status_code == 422 and unroutable(answer.json()), answer.text
    else:
        assert answer.status_code == 202, answer.text


@pytest.mark.parametrize(("message_type", "to_health"), CELLS)
async def test_a_cell_at_delivery(gateway: House, message_type: str, to_health: bool) -> None:
    """The core brings it whatever was said at reception: an older gateway, or another one, may have let it in."""
    sender, recipient, client = (FIRE, SAMU, "lrm") if to_health else (SAMU, FIRE, "fire")
    answer = await gateway.deliver(bundle(message_type, sender, recipient))
    items = await gateway.inbox(client)
    match expected(message_type, to_health):
        case "refused":
            assert (answer.status_code, items) == (422, []) and unroutable(answer.json()), answer.text
        case "no form alone":
            assert (answer.status_code, items) == (422, []) and "send the whole case" in answer.text
        case "not applicable":
            assert (answer.status_code, items) == (200, []), answer.text
        case "as it is":
            assert answer.status_code == 200, answer.text
            assert [item["messageType"] for item in items] == [message_type]
        case converted:
            assert answer.status_code == 200, answer.text
            assert items[0]["messageType"] == converted and read(items[0]).message_type == converted


@pytest.mark.parametrize("message_type", TYPES)
async def test_among_health_actors_every_type_passes(gateway: House, message_type: str) -> None:
    answer = await gateway.deliver(bundle(message_type, SAMU, PEER))
    assert answer.status_code == 200, answer.text
    assert [item["messageType"] for item in await gateway.inbox("peer")] == [message_type]


@pytest.mark.parametrize("message_type", ["RC-EDA", "RC-RI"])
async def test_a_direct_health_actor_gets_the_fire_side_s_types(gateway: House, message_type: str) -> None:
    assert (await gateway.deliver(bundle(message_type, FIRE, DIRECT))).status_code == 200
    (item,) = await gateway.inbox("direct")
    assert (item["messageType"], item["loss"]) == (message_type, [])


@pytest.mark.parametrize("message_type", sorted(GEO))
async def test_positions_pass_only_where_the_recipient_lists_them(gateway: House, message_type: str) -> None:
    refused = await gateway.send(document(message_type, SAMU, "fr.fire.sdisY"))
    assert refused.status_code == 422 and "lists it in message_types" in refused.text
    assert (await gateway.deliver(bundle(message_type, FIRE, DIRECT))).status_code == 422


async def test_a_publisher_of_both_sides_goes_by_the_id(gateway: House) -> None:
    """One registration holds a SAMU and a fire service: each id gets what its own side gets."""
    for recipient in ("fr.fire.sdisY", "fr.health.samu010"):
        assert (await gateway.deliver(bundle("RS-EDA", SAMU, recipient))).status_code == 200
    assert [item["messageType"] for item in await gateway.inbox("silent")] == ["RC-EDA", "RS-EDA"]


async def test_a_registration_of_no_health_actor_cannot_ask_for_health_types(tmp_path: Path) -> None:
    people = (PUBLISHERS[0], publisher("fire", (FIRE,), (FIRE,), cisu="direct"))
    async with house(tmp_path, people) as gateway:
        assert (await gateway.deliver(bundle("RS-EDA", SAMU, FIRE))).status_code == 200
        (item,) = await gateway.inbox("fire")
        assert item["messageType"] == "RC-EDA"


async def test_the_answer_to_a_fire_service_s_request_is_no_rs_rr(gateway: House) -> None:
    refused = await gateway.send(document("RS-RR", SAMU, FIRE))
    assert refused.status_code == 422
    assert "answered by an RC-REF or by telephone" in refused.json()["issue"][0]["diagnostics"]


async def test_validate_reports_a_type_that_does_not_pass_beside_the_rest(gateway: House) -> None:
    wrong = document("RS-BPV", SAMU, FIRE)
    wrong["dateTimeExpires"] = "2020-01-01T00:00:00+00:00"
    headers = {"Content-Type": "application/json", **await gateway.token()}
    answer = await gateway.client.post("/v1/messages/$validate", content=orjson.dumps(wrong), headers=headers)
    codes = {issue["details"]["coding"][0]["code"] for issue in answer.json()["issue"]}
    assert answer.status_code == 200 and {"unroutable", "expired"} <= codes


SECRET = "Zébulon-7731"
WITHHELD: dict[str, JsonObject] = {
    "RS-EDA": {
        **HEALTH_CASE,
        "patient": [{
            "patientId": f"{SAMU}.patient.{SECRET[-4:]}x1",
            "administrativeFile": {
                "externalId": [{"source": "NIR", "value": SECRET}],
                "generalPractitioner": {"detailedName": {"complete": SECRET}, "rppsId": SECRET},
            },
            "identity": {
                "strictFeatures": {"birthName": SECRET, "birthDate": "1969-07-31", "sex": "F"},
                "nonStrictFeatures": {"complete": SECRET, "lastName": SECRET, "firstName": SECRET},
            },
            "detail": {"medicalHistory": SECRET, "treatment": SECRET, "weight": 77.31},
            "hypothesis": {
                "mainDiagnosis": {"code": "T58", "label": SECRET},
                "otherDiagnosis": [{"code": "I20.0", "label": SECRET}],
            },
        }],
        "medicalNote": [{
            "medicalNoteId": f"{SAMU}.medicalNote.{SECRET[-4:]}x2",
            "operator": {"role": "MEDECIN", "label": SECRET},
            "freetext": f"[RC-EDA] Partage d'affaire (CISU)\n{SECRET}",
        }],
        "decision": [{
            **HEALTH_CASE["decision"][0],
            "operator": {"role": "MEDECIN", "label": SECRET},
            "destination": {"freetext": SECRET},
        }],
    },
    "RS-RI": {"caseId": CASE_ID, "resource": [{**SMUR, "patientId": f"{SAMU}.patient.{SECRET[-4:]}x1"}]},
    "RS-ERROR": {
        "errorCode": {"statusCode": 703, "statusString": "UNKNOWN_SENDER"},
        "errorCause": "Dossier inconnu",
        "referencedDistributionID": f"{FIRE}_1",
        "sourceMessage": {"createCaseHealth": {"patient": [{"detail": {"treatment": SECRET, "weight": 77.31}}]}},
    },
}  # fmt: skip
TRACES = (SECRET, "7731", "77.31", "1969-07-31", "T58", "I20.0")


@pytest.mark.parametrize("message_type", list(WITHHELD))
async def test_no_secret_is_anywhere_at_the_other_side(
    gateway: House, lines: io.BytesIO, message_type: str
) -> None:
    """Sent, forwarded, brought by the core: nothing withheld is in the inbox, its losses, the answers or the log."""
    sent = await gateway.send(document(message_type, SAMU, FIRE, WITHHELD[message_type]))
    assert sent.status_code == 202, sent.text
    (brought,) = await until(lambda: gateway.core.bundles)
    answer = await gateway.deliver(brought)
    assert answer.status_code == 200, answer.text
    page = (await gateway.client.get("/v1/inbox", headers=await gateway.token("fire"))).text
    (item,) = orjson.loads(page)["items"]
    status = await gateway.client.get(sent.headers["Location"], headers=await gateway.token())
    seen = page + answer.text + lines.getvalue().decode() + status.text
    assert not [
        trace for trace in TRACES if trace in seen.replace(sent.json()["id"], "").replace(item["id"], "")
    ]
    subjects = {
        "RS-EDA": ["createCaseHealth.patient", "createCaseHealth.decision", "createCaseHealth.medicalNote"],
        "RS-RI": ["resourcesInfo.resource[0].patientId"],
        "RS-ERROR": ["error.sourceMessage"],
    }
    reported = [loss["path"].partition(".message.")[2] for loss in item["loss"]]
    for subject in subjects[message_type]:
        assert [path for path in reported if path.startswith(subject)] == [subject]
        assert subject in status.json()["timeline"][-1]["detail"], status.text
    assert not [loss for loss in item["loss"] if "value" in loss]


def with_extras(document: JsonObject) -> JsonObject:
    """A document with members that no model knows, at every level that the schemas leave open."""
    extra = {"patient": [{"treatment": SECRET}], "sourceMessage": {"note": SECRET}}
    made = deepcopy(document)
    content = made["content"][0]
    inner = content["jsonContent"]["embeddedJsonContent"]
    for holder in (content, content["jsonContent"], inner, inner["message"]):
        holder |= extra
    return made


@pytest.mark.parametrize("message_type", ["RS-EDA", "RS-RI", "RC-EDA", "RC-REF", "RS-ERROR"])
@pytest.mark.parametrize("kind", ["json", "xml"])
async def test_members_that_no_model_knows_do_not_pass(tmp_path: Path, message_type: str, kind: str) -> None:
    people = (PUBLISHERS[0], publisher("fire", (FIRE,), (FIRE,), format=kind))
    body = WITHHELD.get(message_type) or body_of(message_type)
    async with house(tmp_path, people) as gateway:
        sent = await gateway.send(with_extras(document(message_type, SAMU, FIRE, body)))
        assert sent.status_code == 202, sent.text
        (brought,) = await until(lambda: gateway.core.bundles)
        assert (await gateway.deliver(brought)).status_code == 200
        page = (await gateway.client.get("/v1/inbox", headers=await gateway.token("fire"))).text
        assert SECRET not in page
        (item,) = orjson.loads(page)["items"]
        beside = [loss["path"] for loss in item["loss"] if loss["reason"].endswith(STRANGE)]
        prefix = "content[0].jsonContent.embeddedJsonContent.message"
        assert f"{prefix}.patient" in beside and f"{prefix}.sourceMessage" in beside


async def test_a_fire_service_s_unknown_members_do_not_reach_a_samu(gateway: House) -> None:
    made = with_extras(document("RC-EDA", FIRE, SAMU))
    assert (await gateway.deliver(translation.to_fhir(edxl.message(made, "v3")))).status_code == 200
    page = (await gateway.client.get("/v1/inbox", headers=await gateway.token("lrm"))).text
    assert SECRET not in page


@pytest.mark.parametrize("message_type", list(WITHHELD))
async def test_an_actor_behind_the_core_gets_no_secret_either(tmp_path: Path, message_type: str) -> None:
    """Its inbox is not here, so the Bundle that leaves is converted already."""
    behind = "fr.fire.behind.core"
    registry = Registry.of((PUBLISHERS[0],), core_recipients=("fr.fire.*",))
    async with house(tmp_path, (PUBLISHERS[0],)) as gateway:
        gateway.runtime.registry.reload(lambda: registry)
        sent = await gateway.send(with_extras(document(message_type, SAMU, behind, WITHHELD[message_type])))
        assert sent.status_code == 202, sent.text
        (bundle,) = await until(lambda: gateway.core.bundles)
        wanted = {"RS-EDA": "RC-EDA", "RS-RI": "RC-RI"}.get(message_type, message_type)
        assert translation.describe(bundle).message_type == wanted
        told = orjson.dumps(translation.from_fhir(bundle)).decode()
        assert not [trace for trace in TRACES if trace in told.replace(sent.json()["id"], "")]


@pytest.mark.parametrize(("message_type", "status"), [("RS-EDA-MAJ", "dead"), ("RS-SR", "forwarded")])
async def test_what_has_no_form_alone_does_not_leave_for_an_actor_behind_the_core(
    tmp_path: Path, message_type: str, status: str
) -> None:
    registry = Registry.of((PUBLISHERS[0],), core_recipients=("fr.fire.*",))
    async with house(tmp_path, (PUBLISHERS[0],)) as gateway:
        gateway.runtime.registry.reload(lambda: registry)
        sent = await gateway.send(document(message_type, SAMU, "fr.fire.behind.core"))
        where, headers = sent.headers["Location"], await gateway.token()

        async def ask() -> Any:
            return (await gateway.client.get(where, headers=headers)).json()

        found = await until_told(ask, lambda told: told["status"] == status and told["lastCause"])
        assert ("not-applicable" in [step["step"] for step in found["timeline"]]) == (status == "forwarded")
        assert gateway.core.bundles == []


async def test_a_derived_message_takes_no_other_message_s_place(gateway: House) -> None:
    """RC-RI _1 becomes RS-RI _1 and an RS-SR; a case that its sender calls _1-2 arrives all the same."""
    first = document("RC-RI", FIRE, SAMU)
    second = document("RC-EDA", FIRE, SAMU)
    for name in ("distributionID",):
        second[name] = f"{first[name]}-2"
    inner = second["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    inner["messageId"] = second["distributionID"]
    for made in (first, second):
        assert (await gateway.deliver(translation.to_fhir(edxl.message(made, "v3")))).status_code == 200
    assert [item["messageType"] for item in await gateway.inbox("lrm")] == ["RS-RI", "RS-SR", "RS-EDA"]


ACTORS = st.sampled_from(
    [SAMU, "fr.health", "fr.healthcare.x", "fr.health2.x", "fr.fire.sdis", "FR.HEALTH.x", ""]
)


@given(st.sampled_from(sorted(MESSAGE_TYPES)), ACTORS, ACTORS, st.booleans())
def test_nothing_of_health_reaches_others_but_what_is_named(
    message_type: str, sender: str, recipient: str, direct: bool
) -> None:
    found = passage(message_type, sender, recipient, direct=direct, listed=())
    if is_health(sender) and not is_health(recipient):
        open_types = {"RC-EDA", "RC-RI", "RC-SR", "EMSI", "RC-REF", "RS-ERROR"}
        assert (found is Passage.AS_IS) == (message_type in open_types)


@pytest.mark.parametrize(
    ("actor", "health"),
    [
        ("fr.health", True),
        ("fr.health.samu440", True),
        ("fr.healthcare.x", False),
        ("fr.fire.health.x", False),
    ],
)
def test_health_actors_are_below_fr_health(actor: str, health: bool) -> None:
    assert is_health(actor) is health


async def test_an_actor_whose_id_only_looks_like_health_is_none(tmp_path: Path) -> None:
    people = (PUBLISHERS[0], publisher("care", ("fr.healthcare.x",), ("fr.healthcare.x",)))
    async with house(tmp_path, people) as gateway:
        assert (await gateway.deliver(bundle("RS-EDA", SAMU, "fr.healthcare.x"))).status_code == 200
        (item,) = await gateway.inbox("care")
        assert item["messageType"] == "RC-EDA"
        refused = await gateway.send(document("RC-REF", "fr.healthcare.x", "fr.fire.sdisA"), "care")
        assert refused.status_code == 422


async def test_only_ambulances_are_not_applicable(gateway: House) -> None:
    """An everyday RS-RI of private ambulances: nothing is delivered, and nothing has failed."""
    ambulances = [
        {**SMUR, "vehicleType": kind, "resourceId": f"{SAMU}.resource.{kind[:3]}"}
        for kind in ("TSU", "LIB.INF", "AUTREVEC.TAXI")
    ]
    sent = await gateway.send(document("RS-RI", SAMU, FIRE, {"caseId": CASE_ID, "resource": ambulances}))
    (brought,) = await until(lambda: gateway.core.bundles)
    for _ in range(2):  # the core may bring it again
        assert (await gateway.deliver(brought)).status_code == 200
    status = (await gateway.client.get(sent.headers["Location"], headers=await gateway.token())).json()
    assert (status["status"], [step["step"] for step in status["timeline"]].count("not-applicable")) == (
        "forwarded",
        1,
    )
    assert "SMUR, SIS" in status["lastCause"]
    assert await gateway.inbox("fire") == await gateway.inbox("lrm") == []
    assert len(gateway.core.bundles) == 1  # no RS-ERROR went out
