"""Between the health and the fire side: always valid, and everything comes back or is named in the report."""

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
from gateway.conversion import cisu, convert, crossing, moving, notes, rest, rules
from gateway.conversion.notes import Note
from gateway.conversion.rest import ABSENT
from gateway.dry_run import Target, translated
from gateway.errors import ConfigurationError, Refused, Untranslatable
from gateway.model import JsonObject, Message
from gateway.validation.place import Place
from schemas.fields import Field, table
from tests.strategies import enveloped, seeded
from tests.test_conversion import INNER, inner, leaves, some

SAMU, FIRE = "fr.health.samu440", "fr.fire.nexsis.sdisZ"
CASE_ID = "fr.health.samu440.DRFR15"
GIVEN = "given by rule"
MEDICAL = ("patient", "medicalNote", "decision")  # what the fire side is not told
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


def there_and_back(one: Message) -> Message:
    other = convert(one, "v3", cisu.OTHER[one.message_type])
    return convert(other.message, "v3", one.message_type).message


def test_a_fire_case_for_the_health_side() -> None:
    there = convert(message("RC-EDA", FIRE_CASE), "v3", "RS-EDA")
    body = there.message.body
    assert body["owner"] == SAMU and body["qualification"]["details"] == {"priority": "P0"}
    assert body["additionalInformation"] == FIRE_CASE["additionalInformation"]
    (alert,) = body["initialAlert"]["notes"]
    assert "Rôle agent : opérateur" in alert["freetext"].splitlines()
    assert [note["freetext"].splitlines()[0][:22] for note in body["medicalNote"]] == [
        "[RC-EDA] Partage d'aff",
        "[RC-EDA] Qualification",
        "[RC-EDA] Localisation ",
    ]
    assert "Dame tombée\n  d'une échelle" in body["medicalNote"][1]["freetext"]
    told = {(loss["path"].removeprefix(INNER), loss["target"].removeprefix(INNER)) for loss in there.lost}
    assert ("createCase", "createCaseHealth.owner") in told
    assert ("createCase.location.locLabel", "createCaseHealth.medicalNote[2]") in told
    assert (
        "createCase.initialAlert.reporting",
        "createCaseHealth.qualification.details.priority",
    ) in told


def test_a_health_case_for_the_fire_side() -> None:
    there = convert(message("RS-EDA", HEALTH_CASE), "v3", "RC-EDA")
    body = there.message.body
    assert body["initialAlert"]["reporting"] == "ATTENTION"
    assert body["qualification"]["victims"] == {"count": "1"}
    assert body["location"]["country"] == "FR" and body["initialAlert"]["location"] == body["location"]
    back = there_and_back(message("RS-EDA", HEALTH_CASE)).body
    assert without_medical(back) == without_medical(HEALTH_CASE)
    (note,) = back["medicalNote"]  # what the fire side knows of the victims
    assert note["freetext"].endswith("Nombre de patients-victimes : 1")


def without_medical(body: JsonObject) -> JsonObject:
    return {name: value for name, value in body.items() if name not in MEDICAL}


def test_medical_secrecy_holds_towards_the_fire_side_and_is_told() -> None:
    """Each word about a patient and a physician's decision is withheld, and named in the report."""
    there = convert(message("RS-EDA", HEALTH_CASE), "v3", "RC-EDA")
    assert not any(word in repr(there.message.body) for word in ("asthme", "70.5", "patient.1", "INTER"))
    withheld = {loss["path"] for loss in there.lost if loss["reason"].endswith(crossing.WITHHELD)}
    told = leaves(inner(message("RS-EDA", HEALTH_CASE)), INNER[:-1])
    assert withheld == {
        path for path, _ in told if path.startswith(tuple(f"{INNER}createCaseHealth.{m}" for m in MEDICAL))
    }


@pytest.mark.parametrize(
    ("patients", "count"), [(0, None), (1, "1"), (2, "PLUSIEURS"), (4, "PLUSIEURS"), (5, "BEAUCOUP")]
)
def test_victims_are_as_many_as_patients(patients: int, count: str | None) -> None:
    people = [{"patientId": f"{SAMU}.patient.{n}"} for n in range(patients)]
    made = convert(message("RS-EDA", HEALTH_CASE | {"patient": people}), "v3", "RC-EDA").message
    assert made.body["qualification"].get("victims", {}).get("count") == count


@pytest.mark.parametrize(
    ("priority", "reporting", "back"),
    [
        ("P0", "ATTENTION", "P0"),
        ("P1", "ATTENTION", "P1"),
        ("P3", "STANDARD", "P3"),
        (None, "STANDARD", None),
    ],
)
def test_priority_and_reporting(priority: str | None, reporting: str, back: str | None) -> None:
    """STANDARD says nothing of the medical priority: none is made up."""
    details = {"priority": priority} if priority else {"status": "ACTIF"}
    one = message("RS-EDA", HEALTH_CASE | {"qualification": {"details": details}})
    assert convert(one, "v3", "RC-EDA").message.body["initialAlert"]["reporting"] == reporting
    assert there_and_back(one).body["qualification"]["details"].get("priority") == back


def test_a_text_that_no_longer_fits_its_fields_stays_a_text() -> None:
    there = convert(message("RC-EDA", FIRE_CASE), "v3", "RS-EDA").message
    moved = deepcopy(there.body)
    moved["location"] = {"city": {"name": "Nantes"}}
    back = convert(message("RS-EDA", moved), "v3", "RC-EDA").message.body
    assert "locLabel" not in back["location"] and back["referenceVersion"] == "1.3"
    assert not any(
        "Rue des Marins" in text for text in back.get("freetext", ())
    )  # it is a physician's note by now


def test_an_edited_text_never_makes_the_message_invalid() -> None:
    there = convert(message("RS-EDA", HEALTH_CASE), "v3", "RC-EDA").message
    for old, new in (
        ("70.5", "lourd"),
        ("Poids : 70.5", "Poids : (sans)"),
        ("patient.1", "#"),
        ("n° 1", "n° 0"),
        ("n° 1", "n° 9"),
        ("Poids", "Masse"),
        ("[RS-EDA] Patient n° 1", "[RS-EDA] Patient"),
        ("[RS-EDA] Patient n° 1", "[RS-EDA] Qualification"),
        ("Poids : 70.5", "Poids : ["),
    ):
        edited = orjson.loads(orjson.dumps(there.body).decode().replace(old, new))
        back = convert(message("RC-EDA", edited), "v3", "RS-EDA").message
        assert validation.is_valid(back), (old, new)


@given(st.data())
def test_no_text_breaks_a_conversion(data: st.DataObject) -> None:
    source, other = data.draw(st.sampled_from([("RS-EDA", "RC-EDA"), ("RC-EDA", "RS-EDA")]))
    there = convert(message(source, HEALTH_CASE if source == "RS-EDA" else FIRE_CASE), "v3", other).message
    body = deepcopy(there.body)
    lists = [body["freetext"]] if other == "RC-EDA" else [body["medicalNote"], body["initialAlert"]["notes"]]
    items = data.draw(st.sampled_from(lists))
    index = data.draw(st.integers(0, len(items) - 1))
    text = items[index] if other == "RC-EDA" else items[index]["freetext"]
    at = data.draw(st.integers(0, len(text)))
    piece = data.draw(
        st.text(max_size=3) | st.sampled_from([" n° 2", "(sans)", "\n  ", "[" * 9_000, "9" * 5_000])
    )
    text = text[:at] + piece + text[at + data.draw(st.integers(0, 20)) :]
    items[index] = text if other == "RC-EDA" else {**items[index], "freetext": text}
    back = convert(message(other, body), "v3", source)
    assert validation.is_valid(back.message)


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
    assert first["state"] == SMUR["state"][1] and first["freetext"][0] == "Eric"
    assert second["state"] == {"status": "DECLENCHE", "datetime": SMUR["datetime"]}
    lost = [loss for loss in there.lost if loss["target"] == ""]
    assert {loss["path"].removeprefix(INNER)[:25] for loss in lost} == {"resourcesInfo.resource[0]"}
    assert len(lost) == len(list(leaves(ambulance)))
    back = convert(there.message, "v3", "RS-RI").message.body
    assert back["resource"] == [SMUR, bare]


def test_nothing_that_the_fire_side_knows_is_refused() -> None:
    one = message("RS-RI", {"caseId": CASE_ID, "resource": [{**SMUR, "vehicleType": "TSU.AMB"}]})
    with pytest.raises(Untranslatable, match="SMUR, SIS") as refused:
        convert(one, "v3", "RC-RI")
    assert refused.value.path == INNER + "resourcesInfo.resource"


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
    assert [m.envelope.distribution_id for m in every] == [identifier, f"{identifier}-2", f"{identifier}-3"]
    assert [m.header["messageId"] for m in every] == [m.envelope.distribution_id for m in every]
    assert [m.message_type for m in every] == ["RS-RI", "RS-SR", "RS-SR"]
    assert all(validation.is_valid(m) and m.model_version == version for m in every)
    if version == "v3":
        assert there.message.body["resource"][0]["missionId"] == "O1"
        assert there.further[1].body["state"] == FIRE_TRUCK["state"]
        assert convert(there.message, version, "RC-RI").message.body == one.body


def status(resource: str, at: str, version: str = "v3") -> Message:
    body = {"caseId": CASE_ID, "resourceId": resource, "state": {"datetime": at, "status": "RETOUR"}}
    made = message("RS-SR", body)
    return made if version == "v3" else convert(made, version).message


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_a_status_repeats_what_the_fire_side_was_told_with_the_new_state(version: str) -> None:
    second = {**SMUR, "resourceId": f"{SAMU}.resource.VLM2", "state": SMUR["state"][:1]}
    older = message("RS-RI", {"caseId": CASE_ID, "resource": [SMUR, second]})
    newer = message("RS-RI", {"caseId": CASE_ID, "resource": [second]})
    told = [convert(one, "v3", "RC-RI").message for one in (newer, older)]
    there = convert(status(SMUR["resourceId"], "2026-01-31T12:00:00+01:00", version), "v3", "RC-RI", told)
    assert validation.is_valid(there.message) and there.lost == () and there.further == ()
    first, other = there.message.body["resource"]
    assert first["state"] == {"datetime": "2026-01-31T12:00:00+01:00", "status": "RETOUR"}
    assert other == told[1].body["resource"][1]
    again = convert(status(SMUR["resourceId"], "2026-01-31T12:00:00+01:00"), "v3", "RC-RI", [there.message])
    assert again.message.body == there.message.body
    back = convert(there.message, "v3", "RS-RI").message.body["resource"][0]
    assert back["state"] == [first["state"], *SMUR["state"]]


def test_a_status_that_came_late_is_not_the_newest() -> None:
    told = [convert(message("RS-RI", {"caseId": CASE_ID, "resource": [SMUR]}), "v3", "RC-RI").message]
    there = convert(status(SMUR["resourceId"], "2026-01-31T10:00:00+01:00"), "v3", "RC-RI", told)
    (resource,) = there.message.body["resource"]
    assert resource["state"] == told[0].body["resource"][0]["state"]
    lost = [(loss["path"].removeprefix(INNER), loss["target"].removeprefix(INNER)) for loss in there.lost]
    (index,) = (n for n, text in enumerate(resource["freetext"]) if "RETOUR" in text)
    text = f"resourcesInfoCisu.resource[0].freetext[{index}]"
    assert lost == [(f"resourcesStatus.state.{name}", text) for name in ("datetime", "status")]


def test_a_status_of_an_unknown_resource_or_case_is_refused() -> None:
    other = message("RS-RI", {"caseId": CASE_ID + "6", "resource": [SMUR]})
    told = [convert(other, "v3", "RC-RI").message]
    with pytest.raises(Untranslatable, match="no such resource"):
        convert(status(SMUR["resourceId"], "2026-01-31T10:00:00+01:00"), "v3", "RC-RI", told)


@pytest.mark.parametrize(
    ("message_type", "wanted"),
    [("RS-SR", "RC-RI"), ("RS-EDA", "RC-RI"), ("RC-RI", "RS-SR"), ("RS-DR", "RC-EDA")],
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


@pytest.mark.parametrize("message_type", ["RS-EDA", "RC-EDA", "RC-RI"])
def test_every_message_comes_back_equal(message_type: str) -> None:
    for one in many(message_type):
        there = there_and_back(one).body
        if message_type == "RS-EDA":  # it may bring texts of the fire side, where a list was empty before
            came, left = dict(leaves(there)), dict(leaves(without_medical(one.body)))
            assert {path: value for path, value in left.items() if value != came.get(path, []) != []} == {}
        else:
            assert there == one.body


@pytest.mark.parametrize("message_type", list(cisu.OTHER))
def test_every_message_is_valid_repeatable_and_its_report_exact(message_type: str) -> None:
    refused = 0
    for one in many(message_type):
        before = orjson.dumps(one.document)
        try:
            there = convert(one, "v3", cisu.OTHER[message_type])
        except Untranslatable:
            refused += 1
            continue
        assert validation.is_valid(there.message) and all(map(validation.is_valid, there.further))
        assert convert(one, "v3", cisu.OTHER[message_type]) == there and orjson.dumps(one.document) == before
        paths = dict(leaves(inner(one), INNER[:-1]))
        assert all(loss["path"] in paths or GIVEN in loss["reason"] for loss in there.lost)
        ends = (crossing.NO_PLACE, crossing.WITHHELD)
        gone = {loss["path"] for loss in there.lost if loss["reason"].endswith(ends)}
        back = dict(leaves(inner(convert(there.message, "v3", message_type).message), INNER[:-1]))
        kept = {path: value for path, value in paths.items() if path not in gone}
        if not gone:
            assert kept.items() <= back.items()
        assert len(back) >= len(kept)
    assert refused < len(many(message_type))


@pytest.mark.parametrize("message_type", ["RS-EDA", "RC-EDA", "RS-RI", "RC-RI"])
def test_the_texts_go_through_xml(message_type: str) -> None:
    body = {"RS-EDA": HEALTH_CASE, "RC-EDA": FIRE_CASE}.get(message_type) or {
        "caseId": CASE_ID,
        "resource": [SMUR if message_type == "RS-RI" else FIRE_TRUCK],
    }
    there = convert(message(message_type, body), "v3", cisu.OTHER[message_type]).message
    written = edxl.encode(there.document, edxl.XML, "v3")
    assert written.lost == () and edxl.decode(written.content, edxl.XML, "v3").document == there.document


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
            assert loss["path"] in paths or loss["reason"].endswith((moving.GIVEN, crossing.GIVEN))
            assert any(path.startswith(loss["target"]) for path in targets)
    assert done


@pytest.mark.parametrize("message_type", list(cisu.OTHER))
def test_each_field_has_a_name_of_its_own(message_type: str) -> None:
    known = cisu.side(message_type)
    assert len(known.words.titles) == len(known.words.members) == len(known.root.fields) + 1
    for member, names in known.words.names.items():
        part = known.root.child(member) or known.root
        assert len(names.paths) == len(names.names) >= len(part.fields)
        assert not any(" : " in name or "\n" in name or name.startswith(" ") for name in names.paths)


@given(st.text(), st.none() | st.text(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_a_text_says_exactly_what_it_was_made_of(
    text: str, other: str | None, number: float, flag: bool
) -> None:
    words = cisu.side("RS-EDA").words
    said: dict[Place, Any] = {
        ("patientId",): text,
        ("administrativeFile", "externalId", 11, "value"): ABSENT if other is None else other,
        ("administrativeFile", "externalId"): [],
        ("detail", "weight"): number,
    }
    note = Note("RS-EDA", "patient", 3, said, "0123abcd")
    written = notes.written(note, words)
    assert notes.read(written, words) == note
    assert notes.read(written, cisu.side("RC-EDA").words) is None
    alone = notes.written(Note("RS-EDA", "patient", 0, {("patientId",): text}), words)
    assert alone == alone.rstrip()  # some software trims
    flags = Note("RS-EDA", "decision", 0, {("medicalTransport",): flag})
    assert notes.read(notes.written(flags, words), words) == flags


JSON = st.recursive(
    st.text(max_size=2) | st.integers(0, 2) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abc"), JSON), st.dictionaries(st.sampled_from("abc"), JSON))
def test_a_difference_makes_one_value_the_other(wanted: JsonObject, there: JsonObject) -> None:
    made = deepcopy(there)
    rest.merge(made, rest.difference(wanted, there))
    assert orjson.dumps(made, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        wanted, option=orjson.OPT_SORT_KEYS
    )


@pytest.mark.parametrize(
    ("wanted", "there"),
    [({"a": True}, {"a": 1}), ({"a": [1]}, {"a": [1, 2, 3]}), ({"a": {}}, {"a": {"b": 1}}), ({}, {"a": []})],
)
def test_a_difference_of_these_too(wanted: JsonObject, there: JsonObject) -> None:
    rest.merge(there, rest.difference(wanted, there))
    assert orjson.dumps(there) == orjson.dumps(wanted)


def test_a_text_that_only_looks_like_a_note_comes_back_as_a_text() -> None:
    looks = "[RC-EDA] Partage d'affaire (CISU)\nVersion des nomenclatures du référentiel CISU : 9"
    body = FIRE_CASE | {
        "initialAlert": FIRE_CASE["initialAlert"] | {"notes": [{"freetext": looks}, {"freetext": "b"}]},
        "freetext": [looks],
    }
    assert there_and_back(message("RC-EDA", body)).body == body


def test_paths_are_those_of_the_message_before_its_notes_were_read() -> None:
    there = convert(message("RS-EDA", HEALTH_CASE), "v3", "RC-EDA").message
    texts = [*there.body["freetext"], "Accès par la cour"]
    back = convert(message("RC-EDA", there.body | {"freetext": texts}), "v3", "RS-EDA")
    told = [loss["path"].removeprefix(INNER) for loss in back.lost]
    assert f"createCase.freetext[{len(texts) - 1}]" in told and "createCase.freetext[0]" not in told


def test_the_rules_name_members_that_are_there() -> None:
    assert rules.check() == []
    for message_type in cisu.OTHER:
        root, found = cisu.side(message_type).root, rules.rules(message_type)
        for steps in [r.steps for r in (*found.said, *found.given)] + [home.steps for home in found.homes]:
            field: Field | None = root
            for step in steps:
                field = field if step == "[]" or field is None else field.child(step.removesuffix("?"))
            assert field is not None, (message_type, steps)


@pytest.mark.parametrize(
    "line", ["RC-EDA  owner", "RC-EDA  owner  guess", "RC-EDA  a  code b", "RC-EDA  note a  text"]
)
def test_a_wrong_line_is_told(line: str) -> None:
    with pytest.raises(ConfigurationError, match=r":1: .*(expected|none of|list)"):
        list(rules.read([line]))


def test_further_messages_of_several_items_have_ids_of_their_own() -> None:
    one = message("RC-RI", {"caseId": CASE_ID, "resource": [FIRE_TRUCK]})
    two = edxl.message({**one.document, "content": one.document["content"] * 2}, "v3")
    told = translated(two, Target("RS-RI", "v3", "json"))
    ids = [form["content"]["distributionID"] for form in told]
    assert ids == [one.envelope.distribution_id + end for end in ("", "-2", "-3", "-4")]
    assert all(form["loss"] == [] for form in (told[1], told[3]))
    with pytest.raises(Refused):
        translated(some("RS-SR", "v3")[0], Target("RC-RI", "v3", "json"))
