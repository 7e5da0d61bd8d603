"""What no real message meets is refused before anything is made of it: items, persons, resources, Bundle bytes, issues."""

import tracemalloc
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway import dry_run, edxl, translation, validation
from gateway.errors import ErrorKind, Refused
from gateway.validation import bounds
from tests.error_examples import PATIENT
from tests.house import House, case, house

CASES = Path(__file__).parent.parent / "cases"
TO_FHIR = dry_run.Target(dry_run.FHIR, "v3", "json")
NOTE = {
    "medicalNoteId": "fr.health.samu440.medicalNote.1",
    "operator": {"role": "AMBULANCIER"},
    "freetext": "RAS",
    "creation": "2026-11-24T10:05:00+01:00",
}


async def post(gateway: House, path: str, document: Any) -> Any:
    headers = {"Content-Type": "application/json", **await gateway.token()}
    return await gateway.client.post(path, content=orjson.dumps(document), headers=headers)


def issues(answer: Any) -> list[tuple[str, str]]:
    """Code and place of each issue that is an error."""
    return [
        (issue["details"]["coding"][0]["code"], issue["expression"][0])
        for issue in answer.json()["issue"]
        if issue["severity"] == "error"
    ]


# $translate


async def test_translate_takes_20_items_and_no_more(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        document = case()
        document["content"] *= 20
        answer = await post(gateway, "/v1/messages/$translate?to=fhir", document)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["further"]) == 19
        document["content"] += document["content"][:1]
        answer = await post(gateway, "/v1/messages/$translate?to=fhir", document)
        assert answer.status_code == 422
        assert issues(answer) == [("too-many", "content")]


def peak(document: dict[str, Any]) -> int:
    """Bytes that a refused translation of a document holds at its peak."""
    message = edxl.message(document, "v3")
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            dry_run.translated(message, TO_FHIR)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_as_envelope_times_items() -> None:
    long_id = "a" * 200_000
    assert (
        peak({**case(), "distributionID": long_id, "content": [1] * 2_000}) < 2_000_000
    )  # was 400 MB and more
    assert peak({**case(), "distributionID": long_id, "content": [1] * 20}) < 2_000_000  # was 8 MB and more


# persons and resources


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/$translate?to=fhir"])
async def test_500_patients_are_taken_and_501_are_not(tmp_path: Path, path: str) -> None:
    async with house(tmp_path) as gateway:
        answer = await post(gateway, path, case(1, patient=[PATIENT] * 500))
        assert answer.status_code in {200, 202}, answer.text
        answer = await post(gateway, path, case(2, patient=[PATIENT] * 501))
        assert answer.status_code == 422
        place = "content[0].jsonContent.embeddedJsonContent.message.createCaseHealth.patient"
        assert issues(answer) == [("too-many", place)]


async def test_validate_tells_it_beside_what_the_registry_says(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        document = case(1, recipient="fr.health.samu123", patient=[PATIENT] * 501)
        answer = await post(gateway, "/v1/messages/$validate", document)
        assert answer.status_code == 200
        assert [code for code, _ in issues(answer)] == ["unroutable", "too-many"]


@pytest.mark.parametrize(
    ("message_type", "name", "member"),
    [("RC-RI", "full", "resource"), ("RS-RI", "full", "resource"), ("GEO-POS", "full", "position"),
     ("GEO-REQ", "full", "resourceId"), ("EMSI", "full", "RESOURCE"), ("RS-ER", "full", "resource")],
)  # fmt: skip
def test_resources_are_counted_in_every_type(message_type: str, name: str, member: str) -> None:
    message = edxl.message(sample(message_type, name), "v3")
    message.body[member] = message.body[member][:1] * 501
    assert [issue.kind for issue in validation.judge(message) if issue.severity == "error"] == [
        ErrorKind.TOO_MANY
    ]
    assert not validation.accepts(message)


# Bundle bytes


def sample(message_type: str, name: str) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads((CASES / message_type / name / "in.json").read_bytes())
    return document


def test_no_official_kind_of_message_comes_near_a_bound() -> None:
    for path in sorted(CASES.glob("*/*/in.json")):
        version = path.parent.name[-2:] if path.parent.name[-3:-1] == "-v" else "v3"
        message = edxl.message(orjson.loads(path.read_bytes()), version)
        most, _ = bounds.BUNDLES.get(message.message_type, (bounds.OTHERS, 0))
        assert bounds.within(message)
        assert bounds.estimated_bundle(message) * 10 < most, path


@pytest.mark.parametrize(
    ("message_type", "member"),
    [("RS-EDA", "patient"), ("RS-EDA", "medicalNote"), ("RS-EDA", "decision"), ("RS-EDA-MAJ", "patient"),
     ("RC-EDA", "newAlert"), ("EMSI", "RESOURCE"), ("EMSI", "MISSION"), ("GEO-POS", "position"),
     ("GEO-RES", "resource"), ("RC-RI", "resource"), ("RS-RI", "resource"), ("RS-ER", "resource"),
     ("RS-URL", "document")],
)  # fmt: skip
def test_the_estimate_of_a_long_list_is_near_what_is_made(message_type: str, member: str) -> None:
    message = edxl.message(sample(message_type, "full"), "v3")
    message.body[member] = message.body[member][:1] * 300
    made = len(orjson.dumps(translation.to_fhir(message)))
    assert made / 2 < bounds.estimated_bundle(message) < made * 4


async def test_a_valid_message_whose_bundle_would_be_huge_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        notes = [NOTE] * 5_500
        document = case(1, medicalNote=notes)
        assert len(orjson.dumps(document)) < 1_048_576
        answer = await post(gateway, "/v1/messages", document)
        assert answer.status_code == 422, answer.text
        assert [code for code, _ in issues(answer)] == ["too-many"]
        assert (await post(gateway, "/v1/messages", case(2, medicalNote=notes[:500]))).status_code == 202


# issues


async def test_at_most_200_issues_are_listed_and_the_rest_counted(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        wrong = [{**NOTE, "freetext": 1}] * 300
        document = case(1, recipient="fr.health.samu123", medicalNote=wrong)
        for path, status in (("/v1/messages/$validate", 200), ("/v1/messages", 422)):
            answer = await post(gateway, path, document)
            assert answer.status_code == status
            *listed, last = answer.json()["issue"]
            assert len(listed) == 200
            assert listed[0]["details"]["coding"][0]["code"] == "unroutable"
            assert last["severity"] == "information" and "101 more" in last["diagnostics"]
