"""Between the health and the fire side: one way, always valid, nothing withheld crosses, and every lost leaf is reported."""

import random
from copy import deepcopy
from functools import cache
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from gateway import edxl, validation
from gateway.conversion import Context, cisu, convert, crossing, moving, places, rules
from gateway.dry_run import Target, translated
from gateway.errors import ConfigurationError, NotApplicable, Refused, Untranslatable
from gateway.hub import derived_id, origin_of
from gateway.model import JsonObject, Message
from schemas.fields import Field, table
from tests.strategies import enveloped, seeded
from tests.test_conversion import INNER, inner, leaves, some

SAMU, FIRE = "fr.health.samu440", "fr.fire.nexsis.sdisZ"
CASE_ID = "fr.health.samu440.DRFR15"
GIVEN = "given by rule"
MEDICAL = ("patient", "medicalNote", "decision")  # what never reaches the fire side
PLACE = {
    "locID": "L1",
    "locLabel": "Rue des Marins, Bouaye",
    "city": {"name": "Bouaye", "detail": "Lac"},
    "country": "BE",
}
CALL: JsonObject = {
    "reception": "2026-01-31T10:04:34+01:00",
    "caller": {"callerContact": {"channel": "PERSONNE", "type": "TEL", "detail": "+33671830523"}},
}
FIRE_CASE: JsonObject = {
    "caseId": CASE_ID,
    "creation": "2026-01-31T10:04:34+01:00",
    "referenceVersion": "1.3",
    "qualification": {
        "whatsHappen": {"code": "C09.03.00", "label": "Fuite de gaz"},
        "victims": {"count": "1", "mainVictim": "ADULTE", "freetext": "Dame tombée\nd'une échelle"},
    },
    "location": PLACE,
    "initialAlert": {
        **CALL,
        "id": "A1",
        "reporting": "ATTENTION",
        "location": {"locID": "L1", "country": "BE"},
        "qualification": {"whatsHappen": {"code": "C09.03.00", "label": "Fuite de gaz"}},
        "callTaker": {"organization": "fr.fire.sdisZ", "controlRoom": "CTA", "role": "opérateur"},
    },
    "additionalInformation": {"customMap": [{"key": str(n), "value": "sien"} for n in range(3)]},
}
HEALTH_CASE: JsonObject = {
    "caseId": CASE_ID,
    "creation": "2026-01-31T10:04:34+01:00",
    "qualification": {"details": {"priority": "P1", "status": "ACTIF"}},
    "location": {"detailedAddress": {"complete": "A11", "highway": {"name": "A11", "pk": "12"}}},
    "initialAlert": CALL,
    "owner": SAMU,
    "patient": [
        {"patientId": f"{SAMU}.patient.1", "detail": {"weight": 70.5, "medicalHistory": "asthme\n allergie"}}
    ],
    "decision": [
        {
            "creation": "2026-01-31T10:10:00+01:00",
            "operator": {"role": "MEDECIN"},
            "decisionType": "INTER",
            "medicalTransport": True,
        }
    ],
}


def message(message_type: str, body: Any, version: str = "v3") -> Message:
    fire = message_type.startswith("RC-")
    sender, recipient = (FIRE, SAMU) if fire else (SAMU, FIRE)
    root = schemas.root_key(message_type, version)
    made = edxl.message(enveloped(root, deepcopy(body), sender=sender, recipient=recipient), version)
    assert validation.is_valid(made)
    return made


def reported(one: Message, wanted: str) -> dict[str, str]:
    """The path of each loss, from the use case on, and its target."""
    lost = convert(one, "v3", wanted).lost
    return {loss["path"].removeprefix(INNER): loss["target"].removeprefix(INNER) for loss in lost}


def test_a_fire_case_for_the_health_side() -> None:
    there = convert(message("RC-EDA", FIRE_CASE), "v3", "RS-EDA")
    body = there.message.body
    assert body["owner"] == SAMU and body["qualification"]["details"] == {"priority": "P0"}
    assert body["additionalInformation"] == FIRE_CASE["additionalInformation"]  # it is full
    assert body["location"] == {
        "city": {"name": "Bouaye"},
        "freetext": "Détails de commune : Lac\nLocalisation : Rue des Marins, Bouaye\nPays : BE",
    }
    assert [note["freetext"] for note in body["initialAlert"]["notes"]] == [
        "Opérateur de l'alerte : fr.fire.sdisZ, CTA, opérateur"
    ]
    (note,) = body["medicalNote"]
    assert note["operator"] == {"label": "Passerelle", "role": "AUTRE"}
    assert note["freetext"] == (
        "Nombre de patients-victimes : 1\nType du patient-victime principal : ADULTE\nDame tombée\nd'une échelle"
    )
    found = reported(message("RC-EDA", FIRE_CASE), "RS-EDA")
    assert found["createCase"] == "createCaseHealth.owner"
    assert found["createCase.location.locLabel"] == "createCaseHealth.location.freetext"
    assert found["createCase.location.locID"] == found["createCase.referenceVersion"] == ""
    assert found["createCase.qualification.victims.freetext"] == "createCaseHealth.medicalNote[0]"
    assert found["createCase.initialAlert.reporting"] == "createCaseHealth.qualification.details.priority"
    assert "createCase.initialAlert.qualification.whatsHappen.code" not in found  # a copy of the case's own


def test_texts_of_the_fire_side_reach_the_samu_as_they_are() -> None:
    calm = {**FIRE_CASE["initialAlert"], "reporting": "STANDARD"}
    later = {
        **calm,
        "id": "A2",
        "notes": [{"freetext": "Elle respire mal"}],
        "attachment": [{"URI": "https://x.test/p"}],
    }
    body = FIRE_CASE | {
        "initialAlert": calm,
        "newAlert": [later],
        "freetext": ["Mari médecin", "", "2e étage"],
    }
    made = convert(message("RC-EDA", body), "v3", "RS-EDA").message.body
    assert (
        "details" not in made["qualification"]
    )  # STANDARD says nothing of the medical priority: none is made up
    texts = [note["freetext"] for note in made["initialAlert"]["notes"]]
    assert texts[:2] == ["Mari médecin", "2e étage"]
    assert "Nouvelle alerte reçue le 31/01/2026 à 10:04, appelant : +33671830523\nElle respire mal" in texts
    assert "Pièce jointe : https://x.test/p" in texts
    alone = {name: value for name, value in body.items() if name != "initialAlert"}
    notes = convert(message("RC-EDA", alone), "v3", "RS-EDA").message.body["medicalNote"]
    assert "Mari médecin" in [note["freetext"] for note in notes]
    assert len({note["medicalNoteId"] for note in notes}) == len(notes)


def test_a_health_case_for_the_fire_side() -> None:
    body = convert(message("RS-EDA", HEALTH_CASE), "v3", "RC-EDA").message.body
    assert body["initialAlert"]["reporting"] == "ATTENTION"
    assert body["qualification"]["victims"] == {"count": "1"}
    assert body["initialAlert"]["callTaker"] == {"organization": SAMU, "controlRoom": "CRRA samu440"}
    assert body["location"]["country"] == "FR" and body["initialAlert"]["location"] == body["location"]
    assert body["location"]["freetext"] == "Autoroute A11, PK 12"  # the alert's location has it too
    assert "freetext" not in body
    found = reported(message("RS-EDA", HEALTH_CASE), "RC-EDA")
    assert found["createCaseHealth.location.detailedAddress.highway.pk"] == "createCase.location.freetext"
    assert found["createCaseHealth.qualification.details.status"] == found["createCaseHealth.owner"] == ""


def test_the_sender_s_location_text_stays_before_the_sentence() -> None:
    location = {**HEALTH_CASE["location"], "freetext": "près du pont"}
    body = convert(message("RS-EDA", HEALTH_CASE | {"location": location}), "v3", "RC-EDA").message.body
    assert body["location"]["freetext"] == "près du pont\nAutoroute A11, PK 12"


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_a_withheld_subject_is_reported_once_without_its_leaves(version: str) -> None:
    one = convert(message("RS-EDA", HEALTH_CASE), version).message
    there = convert(one, "v3", "RC-EDA")
    assert not any(word in repr(there.message.document) for word in ("asthme", "70.5", "patient.1", "INTER"))
    medical = [
        loss for loss in there.lost if any(f"createCaseHealth.{name}" in loss["path"] for name in MEDICAL)
    ]
    assert [loss["path"].removeprefix(INNER) for loss in medical] == [
        f"createCaseHealth.{name}" for name in MEDICAL if name in HEALTH_CASE
    ]
    assert all(loss["reason"].endswith(crossing.WITHHELD) and loss["target"] == "" for loss in medical)


@pytest.mark.parametrize(
    ("patients", "count"), [(0, None), (1, "1"), (2, "PLUSIEURS"), (4, "PLUSIEURS"), (5, "BEAUCOUP")]
)
def test_victims_are_as_many_as_patients(patients: int, count: str | None) -> None:
    people = [{"patientId": f"{SAMU}.patient.{n}"} for n in range(patients)]
    made = convert(message("RS-EDA", HEALTH_CASE | {"patient": people}), "v3", "RC-EDA").message
    assert made.body["qualification"].get("victims", {}).get("count") == count


@pytest.mark.parametrize(
    ("priority", "reporting"),
    [("P0", "ATTENTION"), ("P1", "ATTENTION"), ("P3", "STANDARD"), (None, "STANDARD")],
)
def test_priority_and_reporting(priority: str | None, reporting: str) -> None:
    details = {"priority": priority} if priority else {"status": "ACTIF"}
    one = message("RS-EDA", HEALTH_CASE | {"qualification": {"details": details}})
    assert convert(one, "v3", "RC-EDA").message.body["initialAlert"]["reporting"] == reporting


SMUR: JsonObject = {
    "datetime": "2026-01-31T10:10:00+01:00",
    "resourceId": f"{SAMU}.resource.VLM1",
    "vehicleType": "SMUR.VLM",
    "missionId": "M1",
    "patientId": f"{SAMU}.patient.1",
    "state": [
        {"datetime": "2026-01-31T10:20:00+01:00", "status": "ARRIVEE"},
        {"datetime": "2026-01-31T09:30:00+00:00", "status": "PEC", "availability": False},
    ],
    "freetext": ["Eric"],
}


def test_engaged_resources_for_the_fire_side() -> None:
    ambulance = {**SMUR, "vehicleType": "TSU.AMB", "resourceId": f"{SAMU}.resource.A1"}
    bare = {name: SMUR[name] for name in ("datetime", "resourceId", "vehicleType")}
    one = message("RS-RI", {"caseId": CASE_ID, "resource": [ambulance, SMUR, bare]})
    there = convert(one, "v3", "RC-RI")
    first, second = there.message.body["resource"]
    assert first["vehicleType"] == "SMUR" and first["operationId"] == "M1" and "missionId" not in first
    assert first["state"] == SMUR["state"][1] and first["freetext"] == ["Eric"]
    assert second["state"] == {"status": "DECLENCHE", "datetime": SMUR["datetime"]}
    lost = [loss["path"].removeprefix(INNER) for loss in there.lost if loss["target"] == ""]
    assert lost == [
        "resourcesInfo.resource[0]",
        "resourcesInfo.resource[1].patientId",
        "resourcesInfo.resource[1].state[0].datetime",
        "resourcesInfo.resource[1].state[0].status",
    ]


def test_what_does_not_concern_the_fire_side_is_not_applicable() -> None:
    one = message("RS-RI", {"caseId": CASE_ID, "resource": [{**SMUR, "vehicleType": "TSU.AMB"}]})
    with pytest.raises(NotApplicable, match="SMUR, SIS") as nothing:
        convert(one, "v3", "RC-RI")
    assert nothing.value.path == INNER + "resourcesInfo.resource"


FIRE_TRUCK = {
    "datetime": "2026-01-31T10:10:00+01:00",
    "resourceId": "fr.fire.sis044.resource.VSAV1",
    "vehicleType": "SIS",
    "operationId": "O1",
    "missionId": "M1",
    "state": {"datetime": "2026-01-31T10:20:00+01:00", "status": "ARRIVEE"},
    "position": {
        "datetime": "2026-01-31T10:20:00+01:00",
        "coord": {"lat": 47.1, "lon": -1.6},
    },
}


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_engaged_resources_for_the_health_side(version: str) -> None:
    other = {**FIRE_TRUCK, "resourceId": "fr.fire.sis044.resource.VSAV2"}
    one = message("RC-RI", {"caseId": CASE_ID, "resource": [FIRE_TRUCK, other]})
    there = convert(one, version, "RS-RI")
    identifier = one.envelope.distribution_id
    every = (there.message, *there.further)
    assert [m.envelope.distribution_id for m in every] == [
        identifier, derived_id(identifier, 2), derived_id(identifier, 3)
    ]  # fmt: skip
    assert [m.header["messageId"] for m in every] == [m.envelope.distribution_id for m in every]
    assert [m.message_type for m in every] == ["RS-RI", "RS-SR", "RS-SR"]
    assert all(validation.is_valid(m) and m.model_version == version for m in every)
    if version == "v3":
        assert there.message.body["resource"][0]["missionId"] == "O1"
        assert there.further[1].body["state"] == FIRE_TRUCK["state"]
        lost = [
            loss["path"].removeprefix(INNER + "resourcesInfoCisu.resource[0].") for loss in there.lost[:5]
        ]
        assert lost[:4] == ["missionId", "position.datetime", "position.coord.lat", "position.coord.lon"]


def status(resource: str, at: str, version: str = "v3") -> Message:
    body = {"caseId": CASE_ID, "resourceId": resource, "state": {"datetime": at, "status": "RETOUR"}}
    made = message("RS-SR", body)
    return made if version == "v3" else convert(made, version).message


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_a_status_repeats_what_the_fire_side_was_sent_with_the_new_state(version: str) -> None:
    second = {name: SMUR[name] for name in ("datetime", "vehicleType")} | {
        "resourceId": f"{SAMU}.resource.VLM2"
    }
    older = message("RS-RI", {"caseId": CASE_ID, "resource": [SMUR, second]})
    newer = message("RS-RI", {"caseId": CASE_ID, "resource": [second]})
    before = [convert(one, "v3", "RC-RI").message for one in (newer, older)]
    there = convert(
        status(SMUR["resourceId"], "2026-01-31T12:00:00+01:00", version), "v3", "RC-RI", Context(before)
    )
    assert validation.is_valid(there.message) and there.lost == () and there.further == ()
    other, first = there.message.body["resource"]  # what the sender stated last, then the one of the status
    assert first["state"] == {"datetime": "2026-01-31T12:00:00+01:00", "status": "RETOUR"}
    assert other == before[0].body["resource"][0]
    # a resource that was engaged without a state has one that the rule gave
    late = convert(
        status(second["resourceId"], "2026-01-31T12:00:00+01:00", version), "v3", "RC-RI", Context(before)
    )
    assert [one["state"]["status"] for one in late.message.body["resource"]] == ["RETOUR"]


def sent(*resources: JsonObject, sender: str = SAMU) -> Message:
    """An RC-RI that the fire side was sent."""
    one = message("RS-RI", {"caseId": CASE_ID, "resource": list(resources)})
    made = convert(one, "v3", "RC-RI").message
    return edxl.message({**made.document, "senderID": sender}, "v3")


def resource(name: str, at: str, code: str = "DEPART", **more: Any) -> JsonObject:
    """A SMUR whose state began at HH:MM of one day."""
    state = {"datetime": f"2026-01-31T{at}:00+01:00", "status": code}
    return {**SMUR, "resourceId": f"{SAMU}.resource.{name}", "state": [state], **more}


def states(made: Message) -> dict[str, tuple[str, str]]:
    """Each resource's status and hour."""
    return {
        one["resourceId"].rpartition(".")[2]: (one["state"]["status"], one["state"]["datetime"][11:16])
        for one in made.body["resource"]
    }


def status_of(name: str, at: str, code: str = "ARRIVEE") -> Message:
    state = {"datetime": f"2026-01-31T{at}:00+01:00", "status": code}
    return message("RS-SR", {"caseId": CASE_ID, "resourceId": f"{SAMU}.resource.{name}", "state": state})


def test_a_status_that_is_not_newer_is_not_applicable() -> None:
    before = [sent(resource("A", "10:30"))]
    for at, code in (("10:00", "ARRIVEE"), ("10:30", "DEPART")):
        with pytest.raises(NotApplicable, match="as new or newer"):
            convert(status_of("A", at, code), "v3", "RC-RI", Context(before))
    now = convert(
        status_of("A", "10:30", "ARRIVEE"), "v3", "RC-RI", Context(before)
    ).message  # another one of that second
    assert states(now) == {"A": ("ARRIVEE", "10:30")}


def test_a_status_gives_every_resource_its_newest_state() -> None:
    """RS-RI with A and B, then one with B alone: a status of A takes B back to nothing older."""
    before = [sent(resource("B", "11:00", "RETOUR")), sent(resource("A", "10:00"), resource("B", "10:00"))]
    made = convert(status_of("A", "11:05"), "v3", "RC-RI", Context(before)).message
    assert states(made) == {"B": ("RETOUR", "11:00"), "A": ("ARRIVEE", "11:05")}
    again = convert(status_of("B", "11:10", "REN-BASE"), "v3", "RC-RI", Context([made, *before])).message
    assert states(again) == {"B": ("REN-BASE", "11:10"), "A": ("ARRIVEE", "11:05")}


def test_a_state_that_only_the_rule_gave_hides_no_real_one() -> None:
    bare = {**resource("A", "10:00"), "datetime": "2026-01-31T10:31:00+01:00"}
    del bare["state"]
    made = convert(status_of("A", "10:30"), "v3", "RC-RI", Context([sent(bare)])).message
    assert states(made) == {"A": ("ARRIVEE", "10:30")}


def test_a_status_repeats_what_its_own_sender_stated_and_no_other_one_s_resources() -> None:
    other = sent(resource("X", "10:00"), sender="fr.health.samu750")
    own = sent(resource("A", "10:00"))
    made = convert(status_of("A", "10:10"), "v3", "RC-RI", Context([other, own])).message
    assert states(made) == {"A": ("ARRIVEE", "10:10")}
    foreign = convert(status_of("X", "10:10"), "v3", "RC-RI", Context([other, own])).message
    assert states(foreign) == {"A": ("DEPART", "10:00"), "X": ("ARRIVEE", "10:10")}


def test_a_resource_that_is_listed_twice_is_changed_twice() -> None:
    made = convert(
        status_of("A", "10:10"),
        "v3",
        "RC-RI",
        Context([sent(resource("A", "10:00"), resource("A", "10:05"))]),
    )
    assert [one["state"]["status"] for one in made.message.body["resource"]] == ["ARRIVEE", "ARRIVEE"]


@given(st.text(min_size=1), st.integers(2, 99_999))
def test_a_derived_id_names_its_origin_and_no_other_id_does(identifier: str, number: int) -> None:
    assert origin_of(derived_id(identifier, number)) == identifier
    assert origin_of(f"{identifier}-{number}") == origin_of(identifier) == ""


def test_a_status_of_an_unknown_resource_or_case_is_not_applicable() -> None:
    other = message("RS-RI", {"caseId": CASE_ID + "6", "resource": [SMUR]})
    before = [convert(other, "v3", "RC-RI").message]
    with pytest.raises(NotApplicable, match="no such resource"):
        convert(status(SMUR["resourceId"], "2026-01-31T10:00:00+01:00"), "v3", "RC-RI", Context(before))


@pytest.mark.parametrize(
    ("message_type", "wanted"),
    [("RS-EDA", "RC-RI"), ("RC-RI", "RS-SR"), ("RS-DR", "RC-EDA"), ("RS-EDA-MAJ", "RC-EDA")],
)
def test_what_has_no_counterpart_is_refused(message_type: str, wanted: str) -> None:
    one = some(message_type, "v3")[0]
    with pytest.raises(Untranslatable):
        convert(one, "v3", wanted)


@cache
def many(message_type: str) -> tuple[Message, ...]:
    rng = random.Random(message_type)
    root = table(message_type, "v3").root
    made = [message(message_type, seeded(root, rng, chance=rng.random())) for _ in range(150)]
    return tuple(one for one in made if validation.is_valid(one))


@pytest.mark.parametrize("message_type", list(cisu.OTHER))
def test_every_message_is_valid_repeatable_and_its_report_exact(message_type: str) -> None:
    """What is neither in the result as it was nor in the report does not exist; what is reported names a leaf or a part."""
    done = 0
    for one in many(message_type):
        before = orjson.dumps(one.document)
        try:
            there = convert(one, "v3", cisu.OTHER[message_type])
        except NotApplicable:
            continue
        done += 1
        assert validation.is_valid(there.message) and all(map(validation.is_valid, there.further))
        assert convert(one, "v3", cisu.OTHER[message_type]) == there and orjson.dumps(one.document) == before
        source = dict(leaves(inner(one), INNER[:-1]))
        result = repr([value for _, value in leaves(inner(there.message), INNER[:-1])])
        no_leaf = (GIVEN, cisu.NO_CONTEXT)
        lost = tuple(loss["path"] for loss in there.lost if not loss["reason"].endswith(no_leaf))
        assert all(any(path.startswith(part) for path in source) for part in lost)
        said = {path: repr(value).strip("'\"") for path, value in source.items() if value not in EMPTY}
        assert not [path for path, value in said.items() if not path.startswith(lost) and value not in result]
    assert done


MEDICAL_FREE = {"RS-EDA": frozenset(MEDICAL), "RS-RI": frozenset({"patientId"})}


@pytest.mark.parametrize("message_type", ["RS-EDA", "RS-RI"])
def test_no_value_below_a_withheld_member_is_anywhere_in_what_crosses(message_type: str) -> None:
    def marked(value: Any, within: bool) -> Any:
        """A copy with every text below a withheld member replaced by one that is seen wherever it is."""
        if isinstance(value, dict):
            return {k: marked(v, within or k in MEDICAL_FREE[message_type]) for k, v in value.items()}
        if isinstance(value, list):
            return [marked(item, within) for item in value]
        return "SECRET" if within and isinstance(value, str) else value

    for one in many(message_type):
        secret = edxl.message(
            {**one.document, "content": [{"jsonContent": {"embeddedJsonContent": {"message": {
                **one.header, one.root_key: marked(one.body, within=False)}}}}]}, "v3"
        )  # fmt: skip
        try:
            there = convert(secret, "v3", cisu.OTHER[message_type])
        except NotApplicable:
            continue
        assert b"SECRET" not in orjson.dumps([there.message.document, there.lost])


OLD_NOTES = (
    "[RS-EDA] Qualification\nPriorité de régulation médicale : P3\nEtat du dossier : CLOTURE",
    "[RS-EDA] Patient n° 1\nID patient partagé : fr.health.samu440.patient.1\nTraitements : aucune allergie",
    "[RS-EDA] Décision n° 1\nRôle : MEDECIN\nType de décision : INTER",
    "[RC-EDA] Partage d'affaire (CISU)\nVersion des nomenclatures du référentiel CISU : 9",
    "[RC-EDA] Qualification (réf. 0123abcd)\nNombre de patients-victimes : 1",
    "[RS-RI] Ressource\nID partagé du patient transporté : fr.health.samu440.patient.1",
    "Autoroute A11, PK 12",
    "Nombre de patients-victimes : 5\nType du patient-victime principal : ADULTE",
    "Opérateur de l'alerte : fr.health.samu440, CRRA",
    '{"priority": "P3"}',
)
TEXTS = st.sampled_from(OLD_NOTES) | st.text(min_size=1, max_size=40).filter(str.strip)


def structure(value: Any) -> Any:
    """A use case without its texts for people, and without the notes that hold nothing else."""
    if isinstance(value, dict):
        return {
            k: structure(v)
            for k, v in value.items()
            if k not in {"freetext", "notes", "medicalNote", "locID", "id"}
        }
    return [structure(item) for item in value] if isinstance(value, list) else value


def written(value: Any, text: str) -> Any:
    """A copy of a use case in which every free text says this; `freetext` beside a `uri` is a code."""
    if isinstance(value, dict):
        free = {
            name: [text] if isinstance(value[name], list) else text for name in value.keys() & {"freetext"}
        }
        return {name: written(member, text) for name, member in value.items()} | (
            {} if "uri" in value else free
        )
    return [written(item, text) for item in value] if isinstance(value, list) else value


@given(st.sampled_from(list(cisu.OTHER)), st.data())
def test_no_text_becomes_anything_but_text(source: str, data: st.DataObject) -> None:
    """Whatever a free text says: the structured part of the result is that of the same message with a plain text."""
    body = data.draw(st.sampled_from(many(source))).body
    if source == "RC-EDA":
        body = body | {"freetext": [""]}
    if source == "RS-EDA":
        note = {"medicalNoteId": f"{SAMU}.medicalNote.1", "operator": {"role": "MEDECIN"}, "freetext": ""}
        body = body | {"medicalNote": [note]}
    results = []
    for text in (data.draw(TEXTS), "x"):
        try:
            results.append(convert(message(source, written(body, text)), "v3", cisu.OTHER[source]))
        except NotApplicable:
            return
    changed, plain = results
    assert structure(changed.message.body) == structure(plain.message.body)
    assert [structure(one.body) for one in changed.further] == [structure(one.body) for one in plain.further]
    counts = [len(one.message.body.get("medicalNote", ())) for one in results]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("message_type", ["RS-EDA", "RC-EDA", "RS-RI", "RC-RI"])
def test_the_texts_go_through_xml(message_type: str) -> None:
    body = {"RS-EDA": HEALTH_CASE, "RC-EDA": FIRE_CASE}.get(message_type) or {
        "caseId": CASE_ID,
        "resource": [SMUR if message_type == "RS-RI" else FIRE_TRUCK],
    }
    there = convert(message(message_type, body), "v3", cisu.OTHER[message_type]).message
    written = edxl.encode(there.document, edxl.XML, "v3")
    assert written.lost == () and edxl.decode(written.content, edxl.XML, "v3").document == there.document


EMPTY: tuple[Any, ...] = ([], {})
WHOLE = (crossing.WITHHELD, crossing.UNKNOWN_VEHICLE, cisu.NO_CONTEXT)
CHAINS = [
    pytest.param(source, version, wanted, target, id=f"{source}-{version}-{wanted}-{target}")
    for source, wanted in {**cisu.OTHER}.items()
    for version in schemas.VERSIONS
    for target in schemas.VERSIONS
    if source in schemas.message_types(version) and wanted in schemas.message_types(target)
]


@pytest.mark.parametrize(("source", "version", "wanted", "target"), CHAINS)
def test_other_versions_go_by_way_of_v3(source: str, version: str, wanted: str, target: str) -> None:
    done = 0
    for one in some(source, version)[:25]:
        try:
            there = convert(one, target, wanted)
        except Untranslatable:
            continue
        done += 1
        assert all(validation.is_valid(made) for made in (there.message, *there.further))
        paths = {path for path, _ in leaves(inner(one), INNER[:-1])}
        targets = [path for path, _ in leaves(inner(there.message), INNER[:-1])]
        for loss in there.lost:
            whole = loss["reason"].endswith((moving.GIVEN, crossing.GIVEN, *WHOLE))
            assert loss["path"] in paths or (whole and any(path.startswith(loss["path"]) for path in paths))
            assert any(path.startswith(loss["target"]) for path in targets)
    assert done


@given(
    st.recursive(
        st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        ),
    )
)
def test_the_leaves_of_a_value_put_at_their_places_are_that_value(value: Any) -> None:
    made: JsonObject = {}
    for place, leaf in places.leaves({"a": value}):
        places.put(made, place, leaf)
    assert made == {"a": value}


def test_the_rules_name_members_that_are_there() -> None:
    assert rules.check() == []
    for message_type, source in cisu.OTHER.items():
        root, found = cisu.side(message_type).root, rules.rules(message_type)
        assert {*found.withheld} <= {field.name for field in cisu.side(source).root.fields}
        assert not {*found.withheld} & {field.name for field in root.fields}
        for steps in [rule.steps for rule in (*found.replacing, *found.filling)]:
            field: Field | None = root
            for step in steps:
                field = field if step == "[]" or field is None else field.child(step.removesuffix("?"))
            assert field is not None, (message_type, steps)


@pytest.mark.parametrize("line", ["RC-EDA  owner", "RC-EDA  owner  guess", "RC-EDA  a  code b"])
def test_a_wrong_line_is_reported(line: str) -> None:
    with pytest.raises(ConfigurationError, match=r":1: .*(expected|none of)"):
        list(rules.read([line]))


def test_further_messages_of_several_items_have_ids_of_their_own() -> None:
    one = message("RC-RI", {"caseId": CASE_ID, "resource": [FIRE_TRUCK]})
    two = edxl.message({**one.document, "content": one.document["content"] * 2}, "v3")
    told = translated(two, Target("RS-RI", "v3", "json"))
    ids = [form["content"]["distributionID"] for form in told]
    first = one.envelope.distribution_id
    assert ids == [first, derived_id(first, 2), f"{first}-3", derived_id(first, 4)]
    assert all(form["loss"] == [] for form in (told[1], told[3]))
    with pytest.raises(Refused):
        translated(some("RS-SR", "v3")[0], Target("RC-RI", "v3", "json"))
