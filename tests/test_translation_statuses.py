"""The status of a resource never says otherwise than the message: read alone, a Bundle tells what is still going on."""

import csv
from pathlib import Path

import orjson
import pytest

import schemas
from gateway import edxl, translation
from gateway.model import JsonObject, Message
from schemas import examples
from schemas.fields import table
from tests.strategies import enveloped
from tests.test_conversion_cisu import CASE_ID, HEALTH_CASE, SMUR

LISTS = Path(schemas.__file__).parent / "terminology"
# code of the vehicle's state, its official label, Task.status, CareTeam.status: reviewed; a change of the table is seen here.
# FHIR R4: requested = ready to be acted upon; accepted = the performer agreed; in-progress = begun, not finished;
# completed = done; cancelled = not done.
VEHICLE = """
DECISION  Décision                          requested    active
DECLENCHE Déclenché                         accepted     active
DEPART    Début d’intervention              in-progress  active
ANNULE    Annulation de l’intervention      cancelled    inactive
ARRIVEE   Arrivée sur les lieux             in-progress  active
PEC       Début de prise en charge          in-progress  active
BILAN     Transmission du bilan             in-progress  active
ORIENTAT  Transmission de la destination    in-progress  active
TRANSP    Départ des lieux                  in-progress  active
ETAPE1    Etape de transit 1                in-progress  active
TRANSP2   Départ étape 1                    in-progress  active
ETAPE2    Etape de transit 2                in-progress  active
TRANSP3   Départ étape 2                    in-progress  active
DESTIN    Arrivée à destination             in-progress  active
FINPEC    Fin de prise en charge            in-progress  active
RETOUR    Quitte la destination             completed    inactive
RET-BASE  Retour à la base                  completed    inactive
REN-BASE  Rentrée à la base                 completed    inactive
"""
REVIEWED = [
    (line[:10].strip(), line[10:44].strip(), *line[44:].split()) for line in VEHICLE.strip().splitlines()
]
TEAM = {"medicalLevel": "MED"}


def said(message_type: str, body: JsonObject, kind: str = "Report") -> Message:
    document = enveloped(schemas.root_key(message_type, "v3"), body) | {"distributionKind": kind}
    return edxl.message(document, "v3")


def statuses(message: Message) -> dict[str, list[str]]:
    """The statuses of the Bundle's resources by type; the Bundle is canonical, and the message comes back from it."""
    bundle = translation.to_fhir(message)
    assert translation.canonical_issues(bundle) == ()
    assert translation.from_fhir(bundle) == message.document
    found: dict[str, list[str]] = {}
    for entry in bundle["entry"]:
        one = entry["resource"]
        if "status" in one:
            found.setdefault(one["resourceType"], []).append(one["status"])
    return found


def engaged(*states: tuple[str, str]) -> JsonObject:
    resource = {name: value for name, value in SMUR.items() if name != "state"} | {"team": TEAM}
    told = [{"datetime": f"2026-01-31T{at}:00+01:00", "status": status} for at, status in states]
    return {"caseId": CASE_ID, "resource": [resource | ({"state": told} if told else {})]}


def test_each_state_of_the_list_was_reviewed() -> None:
    with (LISTS / "statutVecteur.csv").open(encoding="utf-8") as file:
        listed = [(row["code"], row["label"]) for row in csv.DictReader(file, delimiter=";")]
    assert [(code, label) for code, label, *_ in REVIEWED] == listed


@pytest.mark.parametrize(("code", "label", "task", "crew"), REVIEWED, ids=[one[0] for one in REVIEWED])
def test_an_engagement_is_as_far_as_its_vehicle(code: str, label: str, task: str, crew: str) -> None:
    health = statuses(said("RS-RI", engaged(("10:00", code))))
    assert (health["Task"], health["CareTeam"]) == ([task], [crew]), label
    fire = engaged(("10:00", code))
    fire["resource"][0] |= {"vehicleType": "SMUR", "state": fire["resource"][0]["state"][0]}
    there = statuses(said("RC-RI", fire))
    assert (there["Task"], there["CareTeam"]) == ([task], [crew]), label


def test_the_newest_state_decides_wherever_it_stands() -> None:
    newest_first = engaged(("11:00", "ANNULE"), ("10:00", "DEPART"))
    assert statuses(said("RS-RI", newest_first))["Task"] == ["cancelled"]
    newest_last = engaged(("10:00", "DEPART"), ("11:00", "RETOUR"))
    assert statuses(said("RS-RI", newest_last))["Task"] == ["completed"]
    assert statuses(said("RS-RI", engaged()))["Task"] == ["requested"]


def test_a_message_that_withdraws_leaves_nothing_going_on() -> None:
    vehicles = statuses(said("RS-RI", engaged(("10:00", "PEC")), "Cancel"))
    assert vehicles == {
        "Encounter": ["unknown"],  # the case is only named: it is not withdrawn
        "CareTeam": ["inactive"],
        "Task": ["cancelled"],
        "Observation": ["entered-in-error"],
    }
    root, body = schemas.root_key("RS-EDA", "v3"), examples.full(table("RS-EDA", "v3").root)
    document = enveloped(root, body) | {"distributionKind": "Cancel"}
    case = statuses(edxl.message(document, "v3"))
    assert {*case["Encounter"]} == {"cancelled"}
    assert {*case["ServiceRequest"]} == {"revoked"}
    assert {*case["Flag"]} == {"inactive"}
    assert {*case["Observation"], *case["Communication"]} == {"entered-in-error"}


def test_an_advice_is_carried_out_once_it_is_given() -> None:
    decisions = [{"decisionType": code} for code in ("CONSEIL", "PASPLUS", "INTER")]
    case = HEALTH_CASE | {
        "decision": [{**examples.full(table("RS-EDA", "v3").root)["decision"][0], **d} for d in decisions]
    }
    found = statuses(said("RS-EDA", case))
    assert found["ServiceRequest"] == ["completed", "completed", "active"]


def test_an_acknowledgement_of_a_deleted_case_is_no_ok() -> None:
    for step, code in (("CONSULTE", "ok"), ("SUPPRIME", "fatal-error"), ("ERREUR", "fatal-error")):
        body = {"distributionID": "fr.health.samu440_1", "step": step}
        header = translation.to_fhir(said("RC-REF", body))["entry"][0]["resource"]
        assert header["response"]["code"] == code


EARLIER = {  # a status or code -> what a Bundle of before this table said in its place
    ("Task", "cancelled"): "in-progress",
    ("Task", "completed"): "in-progress",
    ("CareTeam", "inactive"): "active",
    ("ServiceRequest", "completed"): "active",
}


def test_bundles_of_before_are_read_as_ever() -> None:
    for message in (
        said("RS-RI", engaged(("10:00", "ANNULE"))),
        said("RS-RI", engaged(("10:00", "REN-BASE"))),
    ):
        bundle = translation.to_fhir(message)
        for entry in bundle["entry"]:
            one = entry["resource"]
            if (one["resourceType"], one.get("status")) in EARLIER:
                one["status"] = EARLIER[one["resourceType"], one["status"]]
        assert translation.canonical_issues(bundle) == ()
        assert translation.from_fhir(bundle) == message.document
    case = orjson.loads(orjson.dumps(HEALTH_CASE))
    case.setdefault("qualification", {}).setdefault("details", {})["priority"] = "P2"
    message = said("RS-EDA", case)
    bundle = translation.to_fhir(message)
    text = orjson.dumps(bundle)
    urgency = b'"http://terminology.hl7.org/CodeSystem/v3-ActPriority","code":"R"'
    assert text.count(urgency) == 1  # P2 is routine in FHIR's words: "A" would be as soon as possible
    earlier = orjson.loads(text.replace(urgency, urgency[:-3] + b'"A"'))
    assert translation.canonical_issues(earlier) == ()
    assert translation.from_fhir(earlier) == message.document
