"""Conversion between model versions: always valid, nothing lost without being said, nothing said to be lost that came through."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import orjson
import pytest

import schemas
from gateway import edxl, translation, validation
from gateway.conversion import Converted, convert
from gateway.errors import Untranslatable
from gateway.model import Message
from gateway.translation.tables import translator
from schemas.fields import table
from tests.strategies import enveloped, seeded

MESSAGES = 120  # of each type and pair of versions
INNER = "content[0].jsonContent.embeddedJsonContent.message."
FACT = {"code": "C02.05.01", "label": "Médicale"}
MOTIVE = {"code": "M08.02.00", "label": "Arrêt cardio-respiratoire"}
PAIRS = [
    (message_type, source, target)
    for source in schemas.VERSIONS
    for target in schemas.VERSIONS
    for message_type in schemas.message_types(source)
    if source != target and message_type in schemas.message_types(target)
]


def message(message_type: str, version: str, body: Any) -> Message:
    return edxl.message(enveloped(schemas.root_key(message_type, version), body), version)


@cache
def some(message_type: str, version: str) -> tuple[Message, ...]:
    rng = random.Random(f"{message_type} {version}")
    root = table(message_type, version).root
    made = (message(message_type, version, seeded(root, rng, chance=rng.random())) for _ in range(MESSAGES))
    return tuple(one for one in made if validation.is_valid(one))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Paths as the loss report spells them; an empty list or object is a leaf."""
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def generic(path: str) -> str:
    return "".join(part.partition("]")[2] if "]" in part else part for part in path.split("["))


def inner(one: Message) -> Any:
    return one.document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]


def kept(source: Message, converted: Converted) -> Counter[tuple[str, str]]:
    """The leaves that the report does not name."""
    lost = {loss["path"] for loss in converted.lost}
    told = leaves(inner(source), INNER[:-1])
    return Counter((generic(path), repr(value)) for path, value in told if path not in lost)


@pytest.mark.parametrize(("message_type", "source", "target"), PAIRS, ids="-".join)
def test_every_message_stays_valid_and_every_loss_is_told(
    message_type: str, source: str, target: str
) -> None:
    refused = 0
    for one in some(message_type, source):
        there = converted(one, target)
        if there is None:
            refused += 1
            continue
        assert validation.is_valid(there.message), there
        assert there.message.envelope == one.envelope
        paths = [path for path, _ in leaves(inner(one), INNER[:-1])]
        given = [loss for loss in there.lost if loss["path"] not in paths]
        assert all("given by rule" in loss["reason"] for loss in given), given
        back = convert(there.message, source)
        lost_back = {loss["path"] for loss in back.lost}
        came = Counter(
            (generic(path), repr(value)) for path, value in leaves(inner(back.message), INNER[:-1])
        )
        lines = {
            path for path, value in came if path.endswith("freetext")
        }  # a text may have got a further line
        missing = {
            path: value
            for path, value in kept(one, there) - came
            if value not in ("{}", "[]") and not (path in lines and path.endswith("freetext"))
        }
        assert not missing or lost_back, missing
    assert refused < MESSAGES


@pytest.mark.parametrize(("message_type", "source", "target"), PAIRS, ids="-".join)
def test_a_conversion_repeats_to_the_byte_and_leaves_its_source_alone(
    message_type: str, source: str, target: str
) -> None:
    for one in some(message_type, source)[:20]:
        before = orjson.dumps(one.document)
        first, second = converted(one, target), converted(one, target)
        assert first == second
        if first is not None and second is not None:
            assert orjson.dumps(first.message.document) == orjson.dumps(second.message.document)
        assert orjson.dumps(one.document) == before


def elements(one: Message) -> set[str]:
    """The places in FHIR that a message fills, by profile, each value's type and the code system's version left out."""
    found = set()
    for entry in translation.to_fhir(one)["entry"]:
        resource = entry["resource"]
        for path, value in leaves(resource, resource["meta"]["profile"][0]):
            if "source-path" not in repr(value) and not path.endswith("coding[0].version"):
                found.add(re.sub(r"\.value[A-Z].*", ".value", generic(path)))
    return found


def test_where_nothing_is_lost_both_say_the_same_in_fhir() -> None:
    whole = Counter[tuple[str, str, str]]()
    for message_type, source, target in PAIRS:
        root = table(message_type, source).root
        rng = random.Random(f"{message_type} {source} {target}")
        for _ in range(60):
            one = message(message_type, source, seeded(root, rng, chance=rng.random() / 2))
            there = converted(one, target)
            if there is not None and not there.lost and plain(one) and plain(there.message):
                assert elements(one) == elements(there.message)
                whole[message_type, source, target] += 1
    assert len(whole) > 0.8 * len(PAIRS) and whole.total() > 1_000


def plain(one: Message) -> bool:
    """Whether FHIR holds all of it at its own places, with nothing marked as odd."""
    table = translator(one.message_type, one.model_version)
    return table is not None and table.fits(one.document)


def converted(one: Message, version: str) -> Converted | None:
    try:
        return convert(one, version) if validation.is_valid(one) else None
    except Untranslatable:
        return None


def case(**qualification: Any) -> Message:
    body = {
        "caseId": "fr.health.samu440.DRFR15",
        "creation": "2026-01-31T10:04:34+01:00",
        "qualification": qualification,
        "location": {"name": "Place du Marché"},
        "owner": "fr.health.samu440",
    }
    return message("RS-EDA", "v3", body)


def test_an_unknown_risk_takes_nothing_else_with_it_and_keeps_its_words() -> None:
    known, unknown = {"code": "R01", "label": "Incendie"}, {"code": "R99", "label": "?"}
    there = convert(case(riskThreat=[unknown, known, unknown, known]), "v2")
    odd = {"code": "R37", "label": "?"}
    assert there.message.body["qualification"]["riskThreat"] == [odd, known, odd, known]
    lost = [loss["path"].removeprefix(INNER + "createCaseHealth.qualification.") for loss in there.lost]
    assert lost == ["riskThreat[0].code", "riskThreat[2].code"]


@pytest.mark.parametrize(
    ("name", "code", "wide"),
    [
        ("whatsHappen", "C11.06.05", "C11.06.00"),
        ("whatsHappen", "C99.01.00", "C11.06.00"),
        ("locationKind", "L08.01.12", "L07.01.00"),
        ("healthMotive", "M08.02.00", "M06.04"),
    ],
)
def test_a_code_that_the_version_lacks_is_a_wide_one_with_the_sender_s_label(
    name: str, code: str, wide: str
) -> None:
    for version in ("v1", "v2"):
        there = convert(case(**{name: {"code": code, "label": "Libellé du Samu"}}), version)
        assert there.message.body["qualification"][name] == {"code": wide, "label": "Libellé du Samu"}
        assert [loss["target"].rpartition(".")[2] for loss in there.lost] == ["code"]
        assert all(loss["reason"].endswith("is wider") for loss in there.lost)
        assert [loss["value"] for loss in there.lost] == [code]


def fact(version: str, code: str, label: str, to: str) -> tuple[str, int]:
    """What a fact of a version becomes in another one, and the number of its losses."""
    said = message("RS-EDA", version, case(whatsHappen={"code": code, "label": label}).body)
    there = convert(said, to)
    assert there.message.body["qualification"]["whatsHappen"]["label"] == label
    return there.message.body["qualification"]["whatsHappen"]["code"], len(there.lost)


def test_of_a_code_that_v1_has_twice_the_label_says_which_it_is() -> None:
    for code, label in (("C02.14.01", "Suspicion de viol"), ("C02.15.04", "Violences intra familiales")):
        old, lost = fact("v2", code, label, "v1")
        assert (old, lost) == (f"C02.14.{code[-2:]}", 1)
        assert fact("v1", old, label, "v2") == (code, 0)
        assert fact("v1", old, label.upper() + ".", "v3") == (code, 0)
    assert fact("v1", "C02.14.04", "VIF", "v2") == ("C02.00.00", 1)
    assert fact("v2", "C02.14.01", "Rixe ou bagarre", "v3") == ("C02.14.01", 0)  # no doubt there


def test_an_unknown_code_goes_to_no_ancestor_that_its_label_contradicts() -> None:
    assert fact("v3", "C02.13.09", "Pendaison", "v2") == ("C02.13.00", 1)  # a suicide attempt
    assert fact("v3", "C02.13.09", "Obstétrique", "v2") == ("C02.05.02", 1)
    assert fact("v3", "C02.13.09", "Obstétrique", "v1") == ("C02.05.02", 1)
    assert fact("v3", "C02.13.09", "Obstétrique - hémorragie", "v2") == ("C11.06.00", 1)
    assert fact("v3", "C02.13.09", "Accouchement", "v1") == ("C11.06.00", 1)
    assert fact("v3", "C02.13.09", "Médicamenteuse", "v2") == ("C02.13.00", 1)  # in the same branch
    assert fact("v3", "C02.13.09", "Incendie", "v2") == ("C04.00.00", 1)


def test_a_level_that_an_older_version_lacks_and_demands_is_said_to_be_near() -> None:
    regulation = {"whatsHappen": FACT, "healthMotive": MOTIVE, "medicalLevel": "SANS"}
    rng = random.Random(0)
    body = {**seeded(table("RS-RPIS", "v3").root, rng, chance=0.0), "regulation": regulation}
    for version, name in (("v2", "medicalLevel"), ("v1", "initialTeamCare")):
        there = convert(message("RS-RPIS", "v3", body), version)
        assert there.message.body["regulation"] == {
            "whatsHappen": FACT, "healthMotive": {**MOTIVE, "code": "M06.04"}, name: "SECOURS",
        }  # fmt: skip
        assert [(one["path"].rpartition("regulation.")[2], one["target"] != "") for one in there.lost] == [
            ("healthMotive.code", True), ("medicalLevel", True),
        ]  # fmt: skip
        assert not any("does not say it" in one["reason"] for one in there.lost)


def test_a_message_with_thousands_of_refused_values_is_refused_soon() -> None:
    diagnoses = [{"code": "MAUVAIS CODE", "label": str(n)} for n in range(1_001)]
    patient = {"idPat": "fr.health.samu440.patient.P1", "hypothesis": {"otherDiagnosis": diagnoses}}
    one = message("RS-EDA", "v1", {**case().body, "patient": [patient]})
    assert validation.is_valid(one)
    with pytest.raises(Untranslatable, match="more than 1000"):
        convert(one, "v3")


def test_a_decision_keeps_its_patient_where_the_patient_s_id_is_wrapped() -> None:
    patients = [{"patientId": f"fr.health.a.b.c.d.patient.P{n}"} for n in (1, 2)]
    decision = {
        "creation": "2026-11-29T08:15:00+01:00", "operator": {"role": "MEDECIN"}, "decisionType": "ORIENT",
        "patientId": patients[1]["patientId"],
    }  # fmt: skip
    one = message("RS-EDA", "v3", {**case().body, "patient": patients, "decision": [decision]})
    there = convert(one, "v2").message
    assert there.body["decision"][0]["patientId"] == there.body["patient"][1]["patientId"]
    assert convert(there, "v3").message.body["decision"] == [decision]


def test_an_id_that_the_older_version_refuses_is_wrapped_and_comes_back() -> None:
    positions = {"resourceId": ["76_45101#SMUR1#", "fr.health.samu760.resource.VLM1", "été 12"]}
    one = message("GEO-REQ", "v1", positions)
    there = convert(one, "v3")
    assert there.lost == () and validation.is_valid(there.message)
    assert there.message.body["resourceId"][:2] == [
        "fr.health.hub.resource.ext.76_5f45101_23SMUR1_23", "fr.health.samu760.resource.VLM1",
    ]  # fmt: skip
    assert convert(there.message, "v1").message.body == one.body
