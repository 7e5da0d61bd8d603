"""The judge of canonical Bundles, and what a Bundle says about itself."""

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import edxl, translation
from gateway.errors import Untranslatable
from gateway.model import JsonObject
from gateway.translation.canonical import MOST
from tests.strategies import enveloped, mutated

CASE = Path(__file__).parent / "cases" / "RS-EDA" / "full"
ACK = enveloped("reference", {"distributionID": "fr.health.samu750_1"})
FULL: JsonObject = orjson.loads((CASE / "bundle.json").read_bytes())


def resources(bundle: JsonObject, name: str) -> list[JsonObject]:
    return [
        e["resource"] for e in bundle["entry"] if e["resource"]["meta"]["profile"][0].endswith(f"/hub-{name}")
    ]


def first(bundle: JsonObject, name: str) -> JsonObject:
    return resources(bundle, name)[0]


def _second_header(b: JsonObject) -> None:
    b["entry"].append(
        copy.deepcopy(b["entry"][0]) | {"fullUrl": "urn:uuid:00000000-0000-8000-8000-000000000000"}
    )


def _header_last(b: JsonObject) -> None:
    b["entry"].append(b["entry"].pop(0))


def _dangling(b: JsonObject) -> None:
    first(b, "case")["subject"]["reference"] = "urn:uuid:00000000-0000-8000-8000-000000000000"


def _wrong_target(b: JsonObject) -> None:
    first(b, "case")["subject"]["reference"] = next(
        e["fullUrl"] for e in b["entry"] if e["resource"]["resourceType"] == "Location"
    )


def _wrong_member(b: JsonObject) -> None:
    first(b, "group")["member"][0]["entity"]["reference"] = b["entry"][1]["fullUrl"]


def _same_url(b: JsonObject) -> None:
    b["entry"][3]["fullUrl"] = b["entry"][2]["fullUrl"]


def _unknown_element(b: JsonObject) -> None:
    first(b, "patient")["maritalStatus"] = {"text": "x"}


def _unknown_extension(b: JsonObject) -> None:
    first(b, "patient")["extension"].append({"url": "https://other.example/x", "valueString": "y"})


def _status(b: JsonObject) -> None:
    first(b, "risk")["status"] = "banana"


def _code(b: JsonObject) -> None:
    first(b, "decision")["code"]["coding"][0]["code"] = "NOT-A-CODE"


def _no_status(b: JsonObject) -> None:
    del first(b, "weight")["status"]


def _impossible_date(b: JsonObject) -> None:
    first(b, "patient")["birthDate"] = "1948-02-30"


def _no_profile(b: JsonObject) -> None:
    del first(b, "patient")["meta"]


def _foreign_profile(b: JsonObject) -> None:
    first(b, "patient")["meta"]["profile"] = ["https://other.example/patient"]


def _no_source_path(b: JsonObject) -> None:
    del first(b, "decision")["extension"]


def _doubled_identifier(b: JsonObject) -> None:
    identifiers = first(b, "case")["identifier"]
    identifiers[1] = copy.deepcopy(identifiers[0])


def _doubled_place(b: JsonObject) -> None:
    b["entry"].append(
        copy.deepcopy(b["entry"][1]) | {"fullUrl": "urn:uuid:00000000-0000-8000-8000-000000000001"}
    )


def _broken_mark(b: JsonObject) -> None:
    b["entry"][0]["resource"]["extension"].append(
        {"url": "https://hub-fhir.example/fhir/StructureDefinition/raw", "extension": [{"url": "path"}]}
    )


FAULTS: dict[Callable[[JsonObject], None], str] = {
    _second_header: "entry[29].resource",
    _header_last: "entry[0].resource",
    _dangling: "entry[1].resource.subject.reference",
    _wrong_target: "entry[1].resource.subject.reference",
    _wrong_member: "entry[2].resource.member.entity.reference",
    _same_url: "entry[3].fullUrl",
    _unknown_element: "resource",
    _unknown_extension: "extension[1]",
    _status: "status",
    _code: "code",
    _no_status: "resource",
    _impossible_date: "birthDate",
    _no_profile: "meta.profile",
    _foreign_profile: "meta.profile",
    _no_source_path: "resource",
    _broken_mark: "extension",
}


def test_the_untouched_bundle_is_canonical() -> None:
    assert translation.canonical_issues(FULL) == ()


@pytest.mark.parametrize(("fault", "place"), FAULTS.items(), ids=lambda x: getattr(x, "__name__", ""))
def test_fault_is_found_at_its_place(fault: Callable[[JsonObject], None], place: str) -> None:
    bundle = copy.deepcopy(FULL)
    fault(bundle)
    found = translation.canonical_issues(bundle)
    assert found and any(place in path for path in found), found


@pytest.mark.parametrize("fault", [_doubled_identifier, _doubled_place])
def test_what_can_be_said_once_is_not_read_twice(fault: Callable[[JsonObject], None]) -> None:
    bundle = copy.deepcopy(FULL)
    fault(bundle)
    with pytest.raises(Untranslatable, match="twice"):
        translation.from_fhir(bundle)


def test_a_mark_cannot_make_the_document_something_else() -> None:
    bundle = copy.deepcopy(FULL)
    base = "https://hub-fhir.example/fhir/StructureDefinition/"
    path = {"url": "path", "valueUri": "#"}
    value = {"url": "value", "valueBase64Binary": "W10="}  # []
    bundle["entry"][0]["resource"]["extension"].append({"url": f"{base}raw", "extension": [path, value]})
    assert translation.canonical_issues(bundle) == ()
    with pytest.raises(Untranslatable):
        translation.from_fhir(bundle)


def test_issues_hold_no_value() -> None:
    bundle = copy.deepcopy(FULL)
    first(bundle, "patient")["birthDate"] = "SECRET-VALUE"
    assert "SECRET" not in "".join(translation.canonical_issues(bundle))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.integers(1, 3))
def test_a_damaged_bundle_is_refused_or_read_but_never_breaks(seed: int, times: int) -> None:
    rng = random.Random(seed)
    bundle: Any = FULL
    for _ in range(times):
        bundle = mutated(bundle, rng)
    if not isinstance(bundle, dict):
        return
    issues = translation.canonical_issues(bundle)
    try:
        document = translation.from_fhir(bundle)
    except Untranslatable as error:
        twice = "twice" in error.reason or bool(error.expected)  # an instant that was not sent
    else:
        twice = False
        assert orjson.dumps(document)
        return
    assert issues or twice


@pytest.mark.parametrize(
    "bundle",
    [
        {},
        {"entry": []},
        {"entry": [None]},
        {"entry": [{"resource": {"resourceType": "MessageHeader"}}]},
        {"entry": [{"resource": {"eventCoding": {"code": []}, "definition": 3}}]},
        {"entry": [{"resource": {"eventCoding": {"code": "RS-EDA"}, "definition": "x|9.0"}}]},
        {"entry": [{"resource": {"eventCoding": {"code": "../RS-EDA"}, "definition": "x|3.0"}}]},
        {"entry": [{"resource": {"eventCoding": {"code": "RS-EDA"}, "definition": "x|3.0"}}]},
    ],
)
def test_what_is_no_bundle_of_ours_is_untranslatable(bundle: JsonObject) -> None:
    assert translation.canonical_issues(bundle)
    with pytest.raises(Untranslatable):
        translation.from_fhir(bundle)


def test_a_bundle_describes_itself() -> None:
    document = orjson.loads((CASE / "in.json").read_bytes())
    about = translation.describe(translation.to_fhir(edxl.message(document, "v3")))
    assert about == translation.Description(
        message_type="RS-EDA",
        model_version="v3",
        distribution_id="fr.health.samu440_2608323d",
        sender_id="fr.health.samu440",
        recipient_id="fr.health.samu490",
        case_id="fr.health.samu440.DRFR15440261650002",
        date_time_expires="2026-07-26T10:04:34+02:00",
        kind="Report",
        status="Actual",
        refers_to="",
    )


@pytest.mark.parametrize(
    ("root_key", "body"),
    [
        ("reference", {"distributionID": "fr.health.samu750_1", "refused": True}),
        (
            "error",
            {
                "errorCode": {"statusCode": 300, "statusString": "INVALID_MESSAGE"},
                "errorCause": "x",
                "referencedDistributionID": "fr.health.samu750_1",
            },
        ),
    ],
)
def test_an_answer_says_what_it_answers(root_key: str, body: JsonObject) -> None:
    bundle = translation.to_fhir(edxl.message(enveloped(root_key, body), "v3"))
    assert translation.describe(bundle).refers_to == "fr.health.samu750_1"
    response = bundle["entry"][0]["resource"]["response"]
    asked = translation.to_fhir(
        edxl.message(enveloped("reference", body) | {"distributionID": "fr.health.samu750_1"}, "v3")
    )
    assert response["code"] == "fatal-error"
    assert asked["entry"][0]["fullUrl"] == f"urn:uuid:{response['identifier']}"


def test_describing_what_is_no_bundle_is_untranslatable() -> None:
    with pytest.raises(Untranslatable):
        translation.describe({"entry": [{"resource": {"resourceType": "Patient"}}]})


def test_what_is_partial_must_say_so() -> None:
    bundle: JsonObject = orjson.loads((CASE.parents[1] / "RS-SR" / "full" / "bundle.json").read_bytes())
    meta = first(bundle, "case")["meta"]
    meta["tag"].insert(0, {"system": "https://other.example", "code": "a server's own"})
    assert translation.canonical_issues(bundle) == ()
    meta["tag"].pop()
    assert translation.canonical_issues(bundle) == ("entry[1].resource.meta.tag",)


def test_a_bundle_with_thousands_of_faults_is_told_by_its_first() -> None:
    bundle = translation.to_fhir(edxl.message(ACK, "v3"))
    odd = {"url": "x", "valueString": "y"}
    header = bundle["entry"][0]["resource"]
    header["extension"] = [*header["extension"], *(dict(odd) for _ in range(20_000))]
    found = translation.canonical_issues(bundle)
    assert 0 < len(found) <= MOST
    assert all(path.startswith("entry[0].resource") for path in found)


def test_a_fault_behind_the_shortened_part_is_told_by_its_resource() -> None:
    bundle = translation.to_fhir(edxl.message(ACK, "v3"))
    header = bundle["entry"][0]["resource"]
    good = dict(header["extension"][0])
    header["extension"] = [good] * 200 + [{"url": "x", "valueString": "y"}]
    assert translation.canonical_issues(bundle)[0].startswith("entry[0].resource")
