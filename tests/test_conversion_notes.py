"""What a model version cannot say is text that a physician reads: nothing clinical is dropped, nothing is said twice."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

import schemas
from gateway import edxl, validation
from gateway.conversion import convert, french
from gateway.conversion.sentences import GATEWAY
from gateway.errors import Untranslatable
from gateway.model import Message
from schemas.examples import full
from schemas.fields import Field, table
from tests.round_trips import SAMPLES, samples
from tests.strategies import enveloped
from tests.test_conversion import PAIRS, inner, leaves, message, some

NO_TEXT = frozenset(
    {"RS-RPIS", "RS-SR", "RS-URL", "GEO-POS", "GEO-REQ", "GEO-RES", "RC-REF", "RC-EDA", "EMSI"}
)
PREFIX = "content[0].jsonContent.embeddedJsonContent.message."
PATIENT = {
    "patientId": "fr.health.samu440.patient.P1",
    "identity": {
        "strictFeatures": {"birthName": "MARTIN", "sex": "F", "birthDate": "1952-03-04"},
        "nonStrictFeatures": {"complete": "Jeanne Martin"},
    },
    "administrativeFile": {
        "generalPractitioner": {
            "detailedName": {"complete": "Dr Paul Petit"},
            "rppsId": "10001234567",
            "contact": [{"type": "TEL", "detail": "tel:+33240000000"}],
        }
    },
    "detail": {"age": "P74Y", "treatment": "Kardégic 75", "medicalHistory": "Infarctus en 2019"},
}
DECISION = {
    "patientId": "fr.health.samu440.patient.P1",
    "creation": "2026-11-29T08:15:00+01:00",
    "operator": {"role": "MEDECIN"},
    "decisionType": "ORIENT",
    "orientationType": "REA-USI",
    "destination": {"freetext": "CHU, entrée B"},
}


def case(version: str = "v3", **members: Any) -> Message:
    body = {
        "caseId": "fr.health.samu440.DRFR1", "creation": "2026-11-29T08:00:00+01:00", "qualification": {}, "location": {},
        "owner": "fr.health.samu440", **members,
    }  # fmt: skip
    return message("RS-EDA", version, body)


def notes(one: Message) -> list[dict[str, Any]]:
    return [note for note in one.body.get("medicalNote", ()) if note["operator"] == GATEWAY]


def test_a_patient_s_note_begins_with_the_patient_and_says_all_that_v1_has_no_field_for() -> None:
    made = convert(case(patient=[PATIENT]), "v1").message
    assert validation.is_valid(made)
    (note,) = notes(made)
    assert note["freetext"].splitlines() == [
        "Patient : Jeanne Martin, femme, 74 ans",
        "Médecin traitant, Prénom & nom usuel : Dr Paul Petit",
        "Médecin traitant, Contact médecin : TEL tel:+33240000000",
        "Traitements : Kardégic 75",
        "Antécédents : Infarctus en 2019",
    ]
    assert note["idPat"] == made.body["patient"][0]["idPat"]
    assert note["creation"] == made.header["sentAt"]


def test_a_decision_s_note_names_patient_date_and_kind() -> None:
    made = convert(case(patient=[PATIENT], decision=[DECISION]), "v2").message
    (note,) = notes(made)
    head, what, *told = note["freetext"].splitlines()
    assert head == "Patient : Jeanne Martin, femme, 74 ans"
    assert what == "Décision du 29/11/2026 à 08:15 : Décision d’orientation ou de transport (ORIENT)"
    assert any(line.endswith("CHU, entrée B") for line in told)
    assert any(line.endswith("(REA-USI)") for line in told)
    assert note["patientId"] == PATIENT["patientId"]


def test_a_code_that_v2_does_not_have_is_said_with_its_label() -> None:
    motive = {"code": "M17.03.01", "label": "Douleur thoracique"}
    made = convert(case(qualification={"healthMotive": motive}), "v2")
    assert [note["freetext"] for note in notes(made.message)] == [
        "Motif de recours médico-secouriste : Douleur thoracique (M17.03.01)"
    ]
    assert {loss["value"] for loss in made.lost} >= {"M17.03.01"}
    assert "patientId" not in notes(made.message)[0]


def test_a_patient_s_own_motive_is_a_note_of_that_patient() -> None:
    second = {
        "patientId": "fr.health.samu440.patient.P2",
        "healthMotive": {"code": "M03.10", "label": "Malaise"},
    }
    made = convert(case("v2", patient=[{"patientId": "fr.health.samu440.patient.P1"}, second]), "v3").message
    (note,) = notes(made)
    assert note["freetext"] == "Patient n° 2\nMotif de recours médico-secouriste : Malaise (M03.10)"
    assert note["patientId"] == second["patientId"]


def test_an_echo_piles_nothing_up() -> None:
    there = convert(case(patient=[PATIENT], decision=[DECISION]), "v1").message
    back = convert(there, "v3").message
    again = convert(back, "v1").message
    assert len(notes(again)) == len(notes(there))
    twice = deepcopy(case(patient=[PATIENT]).document)
    body = twice["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["createCaseHealth"]
    body["medicalNote"] = convert(convert(case(patient=[PATIENT]), "v1").message, "v3").message.body[
        "medicalNote"
    ]
    assert len(notes(convert(edxl.message(twice, "v3"), "v1").message)) == 1


def test_ids_that_link_parts_are_in_no_note_and_are_not_reported_as_said_there() -> None:
    made = convert(case(patient=[PATIENT]), "v1")
    assert all("10001234567" not in note["freetext"] for note in notes(made.message))
    (loss,) = [loss for loss in made.lost if loss["path"].endswith("rppsId")]
    assert loss["target"] == "" and loss["value"] == "10001234567"


def test_nobody_but_a_health_actor_gets_texts_or_values() -> None:
    body = case(patient=[PATIENT]).body
    document = enveloped("createCaseHealth", body, recipient="fr.fire.nexsis.sdis44")
    made = convert(edxl.message(document, "v3"), "v1")
    assert made.lost and not notes(made.message)
    assert all("value" not in loss for loss in made.lost)


def test_a_resource_gets_a_remark() -> None:
    v1 = table("RS-RI", "v1").root
    body = {"caseId": "fr.health.samu440.DRFR1", **full(v1)}
    resource = body["mobilizedResource"][0]
    resource |= {"plate": "AB-123-CD", "vehiculeType": "AASC", "resourceType": "AASC"}
    made = convert(message("RS-RI", "v1", body), "v2")
    assert validation.is_valid(made.message)
    text = made.message.body["resource"][0]["freetext"][-1]
    assert "Immatriculation : AB-123-CD" in text.splitlines()
    assert "Type de ressource" not in text  # the vehicle's type says it


def said_somewhere(one: Message, made: Message, loss: dict[str, Any]) -> bool:
    """Whether a reader of what was made finds what a line of the report is about."""
    texts = "\n".join(str(value) for _, value in leaves(made.body))
    found: Any = one.document
    names: list[str] = []
    for part in loss["path"].replace("]", "").replace("[", ".").split("."):
        found = found[int(part)] if part.isdigit() else found[part]
        names += [] if part.isdigit() else [part]
    field = table(one.message_type, one.model_version).at(list(names[names.index(one.root_key) + 1 :]))
    value = " ".join(str(found).split())
    spoken = french.said(found, field) if isinstance(field, Field) else value
    blank = " ".join(texts.split())
    return value in blank or " ".join(spoken.split()) in blank


def conversions() -> Iterator[tuple[Message, str]]:
    for message_type, source, target in PAIRS:
        if message_type not in NO_TEXT:
            root = table(message_type, source).root
            yield edxl.message(enveloped(root.name, full(root)), source), target
            for one in some(message_type, source)[:40]:
                yield one, target


def unsaid(one: Message, version: str) -> list[str]:
    """The paths of what is lost and stands nowhere where people read it."""
    made = convert(one, version)
    assert validation.is_valid(made.message)
    return [
        loss["path"].removeprefix(PREFIX)
        for loss in made.lost
        if "given by rule" not in loss["reason"]
        and not french.LINKS.fullmatch(loss["path"].rpartition(".")[2])
        and loss.get("value") not in {None, ""}
        and not said_somewhere(one, made.message, loss)
    ]


def test_whatever_is_lost_between_versions_is_said_to_people() -> None:
    wrong: dict[str, int] = {}
    for one, version in conversions():
        try:
            for path in unsaid(one, version):
                wrong[f"{one.message_type} {one.model_version}-{version} {path}"] = 1
        except Untranslatable:
            continue
    assert not wrong, list(wrong)[:20]


@pytest.mark.skipif(not SAMPLES.exists(), reason="the official samples are not there")
def test_no_clinical_leaf_of_an_official_sample_leaves_what_people_read() -> None:
    wrong = []
    for one in samples():
        for version in schemas.VERSIONS:
            known = one.message_type in schemas.message_types(version)
            if version != one.model_version and known and one.message_type not in NO_TEXT:
                wrong += [
                    f"{one.message_type} {one.model_version}-{version} {p}" for p in unsaid(one, version)
                ]
    assert not wrong


def test_the_source_is_left_alone() -> None:
    one = case(patient=[PATIENT], medicalNote=[])
    before = deepcopy(inner(one))
    convert(one, "v1")
    assert inner(one) == before


def test_patients_who_look_alike_have_a_note_each() -> None:
    patients = [
        {"patientId": f"fr.health.samu440.patient.M{n}", "identity": {"strictFeatures": {"sex": "M"}},
         "healthMotive": {"code": "M01.00", "label": "Détresse vitale"}}
        for n in range(3)
    ]  # fmt: skip
    made = convert(case("v2", patient=patients), "v3").message
    assert [note["patientId"] for note in notes(made)] == [one["patientId"] for one in patients]
    assert [note["freetext"].splitlines()[0] for note in notes(made)] == [
        f"Patient n° {n} : homme" for n in (1, 2, 3)
    ]
    assert len({note["medicalNoteId"] for note in notes(made)}) == 3


def test_an_update_numbers_no_patient_and_names_the_one_that_is_not_in_it() -> None:
    body = {
        "caseId": "fr.health.samu440.DRFR1",
        "patient": [{"patientId": "fr.health.samu440.patient.P2", "detail": {"treatment": "Anticoagulants"}}],
        "decision": [{**DECISION, "patientId": "fr.health.samu440.patient.P3"}],
    }
    first, second = notes(convert(message("RS-EDA-MAJ", "v3", body), "v1").message)
    assert first["freetext"] == "Traitements : Anticoagulants"
    assert (first["idPat"], second["idPat"]) == (
        "fr.health.samu440.patient.P2",
        "fr.health.samu440.patient.P3",
    )


def test_two_equal_decisions_have_two_notes_that_an_echo_keeps() -> None:
    twice = case(patient=[PATIENT], decision=[DECISION, {**DECISION, "operator": {"role": "ARM"}}])
    there = convert(twice, "v2").message
    assert len(notes(there)) == 2
    assert len(notes(convert(convert(there, "v3").message, "v2").message)) == 2


def test_a_note_that_somebody_changed_is_not_taken_for_the_fact() -> None:
    there = convert(case(patient=[PATIENT]), "v1").message
    edited = convert(there, "v3").message
    body = deepcopy(edited.body)
    body["medicalNote"][0]["freetext"] = "RAS"
    body["patient"][0]["detail"]["treatment"] = "Kardégic 75"
    again = convert(message("RS-EDA", "v3", body), "v1").message
    assert any(note["freetext"].endswith("Traitements : Kardégic 75") for note in notes(again))


def test_a_code_of_the_gateway_is_not_told_as_the_sender_s_on_the_next_hop() -> None:
    one = case(qualification={"origin": "CTA-PI"})
    for version in ("v2", "v3", "v2"):
        one = convert(one, version).message
    assert [note["freetext"] for note in notes(one)] == ["Origine de l'appel : CTA-CODIS pour info (CTA-PI)"]


def test_a_line_break_in_a_value_makes_no_line_of_the_note() -> None:
    label = "Douleur\nPatient : Paul Durand\nAllergies : aucune"
    made = convert(case(qualification={"healthMotive": {"code": "M17.03.01", "label": label}}), "v2").message
    assert len(notes(made)[0]["freetext"].splitlines()) == 1


def test_a_long_name_is_cut_in_headings_and_an_odd_age_is_told_as_it_is() -> None:
    named = {**PATIENT, "identity": {"nonStrictFeatures": {"complete": "x" * 40_000}}}
    decisions = [{**DECISION, "destination": {"freetext": str(n)}} for n in range(50)]
    made = convert(case(patient=[named], decision=decisions), "v1").message
    assert sum(len(note["freetext"]) for note in notes(made)) < 30_000
    odd = convert(
        case("v1", patient=[{"idPat": "fr.health.samu440.patient.P1", "detail": {"age": "P1Y6M"}}]), "v3"
    )
    assert "P1Y6M" in notes(odd.message)[0]["freetext"]


def test_the_precision_of_a_measure_names_the_measure() -> None:
    root = table("RS-BPV", "v3").root
    body = full(root)
    body["evaluation"]["parameter"] = [
        {"type": "GLASGOW", "value": "3", "precision": "avant sédation"},
        {"type": "GLASGOW", "value": "14", "precision": "à l'arrivée"},
    ]
    made = convert(message("RS-BPV", "v3", body), "v2").message
    first, second = made.body["evaluation"]["freetext"][-2:]
    assert "3, Précision" in first and first.endswith("avant sédation")
    assert "14, Précision" in second and second.endswith("à l'arrivée")


def test_a_remark_that_only_resembles_is_not_taken_for_the_fact() -> None:
    root = table("RS-RR", "v1").root
    body = full(root)
    body["response"] |= {"deadline": "30", "freetext": "Délai de réponse : 300 min"}
    made = convert(message("RS-RR", "v1", body), "v2").message
    assert made.body["response"]["freetext"].splitlines() == [
        "Délai de réponse : 300 min",
        "Délai de réponse : 30",
    ]


def test_an_earlier_note_silences_no_other_decision_and_no_other_patient() -> None:
    first = {**DECISION, "decisionType": "INTER", "resourceType": "SMUR.PED"}
    del first["orientationType"], first["destination"]
    there = convert(convert(case(patient=[PATIENT], decision=[first]), "v1").message, "v3").message
    other = {**PATIENT, "patientId": "fr.health.samu440.patient.P2"}
    later = {**first, "creation": "2026-11-29T09:00:00+01:00"}
    body = deepcopy(there.body)
    body["patient"] = [PATIENT, other]
    body["decision"] = [*body["decision"], later, {**later, "patientId": other["patientId"]}]
    again = convert(message("RS-EDA", "v3", body), "v1").message
    told = [note["freetext"] for note in notes(again) if "(SMUR.PED)" in note["freetext"]]
    assert [text.count("29/11/2026 à 09:00") for text in told] == [0, 1, 1]
