"""Message -> Bundle -> message: nothing is lost, nothing depends on chance, every row of the tables counts."""

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import schemas
from gateway import edxl, translation
from gateway.errors import Untranslatable
from gateway.model import JsonObject, Message
from gateway.translation import tables
from gateway.translation.paths import ONE
from schemas.fields import table
from tests.strategies import ODD_TEXTS, enveloped, messages, seeded

# tests/cases/<TYPE>/<name>/in.json; a name that ends in -v1 or -v2 is of that model version
CASES = sorted((Path(__file__).parent / "cases").glob("*/*/in.json"))
SERVED = [(kind, version) for version in schemas.VERSIONS for kind in schemas.message_types(version)]
MESSAGE = ("content", 0, "jsonContent", "embeddedJsonContent", "message")
HEADER_ONLY = {
    ("message", *path)
    for path in (("messageId",), ("sentAt",), ("kind",), ("status",))  # said only where they differ
}
RELAXED = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def said(value: Any) -> bytes:
    """A JSON value, comparable: the order of an object's members does not count, 48 and 48.0 differ."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def message(document: JsonObject, version: str = "v3") -> Message:
    return edxl.message(document, version)


def version_of(path: Path) -> str:
    name = path.parent.name
    return name[-2:] if name[-3:] in {"-v1", "-v2"} else "v3"


def case(name: str) -> JsonObject:
    loaded: JsonObject = orjson.loads((Path(__file__).parent / "cases" / name / "in.json").read_bytes())
    return loaded


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        document = document[name]
    return document


# -- examples


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parts[-3]}/{p.parts[-2]}")
def test_case_gives_its_bundle_and_comes_back(path: Path) -> None:
    document = orjson.loads(path.read_bytes())
    bundle = translation.to_fhir(message(document, version_of(path)))
    if version_of(path) == "v3":  # the other versions' tables are like v3's
        assert said(bundle) == said(orjson.loads((path.parent / "bundle.json").read_bytes()))
    assert said(translation.from_fhir(bundle)) == said(document)
    assert translation.canonical_issues(bundle) == ()


def cases_of(message_type: str, version: str) -> list[JsonObject]:
    paths = [path for path in CASES if (path.parts[-3], version_of(path)) == (message_type, version)]
    return [orjson.loads(path.read_bytes()) for path in paths]


@pytest.mark.parametrize(("message_type", "version"), SERVED)
def test_the_cases_of_a_type_have_every_leaf(message_type: str, version: str) -> None:
    made = tables.translator(message_type, version)
    assert made is not None
    told: set[tuple[str, ...]] = set(HEADER_ONLY)
    for document in cases_of(message_type, version):
        told |= set(_leaves({**document, "message": at(document, MESSAGE)}))
    leaves = {tuple("[]" if name == ONE else name for name in row.leaf) for row in made.plan.rows.values()}
    assert [leaf for leaf in leaves if not any(path[: len(leaf)] == leaf for path in told)] == []


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _leaves(child, (*path, name))
    elif isinstance(value, list):
        for child in value:
            yield from _leaves(child, (*path, "[]"))
    else:
        yield path


# -- any valid message


@st.composite
def documents(draw: st.DrawFn, message_type: str) -> JsonObject:
    """Valid documents of a type of v3, some of them odd in envelope and header too."""
    document = enveloped(schemas.root_key(message_type, "v3"), draw(messages(message_type, "v3")))
    if draw(st.booleans()):
        return document
    texts = st.sampled_from(ODD_TEXTS) | st.text(max_size=8)
    inner = at(document, MESSAGE)
    document["distributionID"] = draw(texts)
    document["descriptor"]["language"] = draw(texts)
    document["distributionStatus"] = draw(st.sampled_from(["Actual", "Exercise"]))
    document["dateTimeSent"] = draw(st.sampled_from(["2026-01-31T10:04:34.123Z", "2026-01-31t10:04:34z"]))
    if message_type not in schemas.HEADERLESS:
        inner["sender"] = {"name": draw(texts), "URI": draw(texts)}
        inner["status"] = "System"
        inner["recipient"].append({"name": draw(texts), "URI": draw(texts)})
    inner[f"x-{draw(texts)}"] = draw(st.sampled_from([None, "", [], {}, 1.0, {"~/": [None, {}]}]))
    document["content"][0]["contentDescription"] = draw(texts)
    return document


def seeded_documents(message_type: str, version: str, count: int) -> Iterator[JsonObject]:
    """Valid documents of a type: many members or few, odd texts, empty lists."""
    rng = random.Random(f"{message_type} {version}")
    root = table(message_type, version).root
    for _ in range(count):
        yield enveloped(root.name, seeded(root, rng, chance=rng.choice((0.1, 0.4, 0.7, 1))))


def dangling(bundle: JsonObject) -> list[str]:
    """The references to contained resources that are not there."""
    found = []
    for entry in bundle["entry"]:
        told = {f"#{inner['id']}" for inner in entry["resource"].get("contained", ())}
        found += [text for text in _references(entry["resource"]) if text[0] == "#" and text not in told]
    return found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for child in value:
            yield from _references(child)
    elif isinstance(value, dict):
        for name, child in value.items():
            yield from [child] if name == "reference" and isinstance(child, str) else _references(child)


def check_round_trip(document: JsonObject, version: str = "v3") -> None:
    before = said(document)
    bundle = translation.to_fhir(message(document, version))
    assert said(document) == before, "the message was changed"
    received = orjson.loads(orjson.dumps(bundle))
    assert translation.canonical_issues(received) == ()
    assert dangling(received) == []
    assert said(translation.from_fhir(received)) == before
    again = message(copy.deepcopy(document), version)
    assert orjson.dumps(translation.to_fhir(again)) == orjson.dumps(bundle)


@pytest.mark.parametrize(("message_type", "version"), SERVED)
def test_every_message_comes_back(message_type: str, version: str) -> None:
    for document in seeded_documents(message_type, version, 200):
        check_round_trip(document, version)


@RELAXED
@given(documents("RS-EDA"))
def test_any_rs_eda_comes_back(document: JsonObject) -> None:
    check_round_trip(document)


@RELAXED
@given(documents("RC-REF"))
def test_any_rc_ref_comes_back(document: JsonObject) -> None:
    check_round_trip(document)


@RELAXED
@given(documents("RS-ERROR"))
def test_any_rs_error_comes_back(document: JsonObject) -> None:
    check_round_trip(document)


@pytest.mark.parametrize("number", [48, 48.0, -0.0, 1e22, 2**63, 70.25, 1.5e-7])
def test_numbers_keep_their_value_and_kind(number: float) -> None:
    document = case("RS-EDA/full")
    at(document, MESSAGE)["createCaseHealth"]["patient"][0]["detail"]["weight"] = number
    bundle = orjson.loads(orjson.dumps(translation.to_fhir(message(document))))
    assert said(translation.from_fhir(bundle)) == said(document)


def test_an_age_with_a_leading_zero_keeps_its_meaning_and_its_text() -> None:
    document = case("RS-EDA/full")
    at(document, MESSAGE)["createCaseHealth"]["patient"][0]["detail"]["age"] = "P078Y"
    bundle = translation.to_fhir(message(document))
    ages = [e["resource"] for e in bundle["entry"] if "valueQuantity" in e["resource"]]
    assert {"value": 78, "unit": "a", "system": "http://unitsofmeasure.org", "code": "a"} in [
        observation["valueQuantity"] for observation in ages
    ]
    assert said(translation.from_fhir(bundle)) == said(document)


def resources(bundle: JsonObject, resource_type: str) -> list[JsonObject]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == resource_type]


@pytest.mark.parametrize(
    ("times", "newest"),
    [
        (["10:00:00+02:00", "09:30:00+00:00"], 1),  # by instant, not by text
        (["09:30:00+00:00", "10:00:00+02:00"], 0),  # the list is not in the order of time
        (["10:00:00+02:00", "08:00:00+00:00"], 1),  # of two at one instant, the last said
    ],
)
def test_the_newest_state_of_a_vehicle_is_the_status_of_its_task(times: list[str], newest: int) -> None:
    document = case("RS-RI/full")
    states = [
        {"datetime": f"2026-06-14T{time}", "status": status}
        for time, status in zip(times, ["DEPART", "ARRIVEE"], strict=True)
    ]
    at(document, MESSAGE)["resourcesInfo"]["resource"][0]["state"] = states
    task = resources(translation.to_fhir(message(document)), "Task")[0]
    assert task["businessStatus"]["coding"][0]["code"] == states[newest]["status"]


@pytest.mark.parametrize(
    ("system", "points", "said_as_position"),
    [("EPSG-4326", 1, True), (None, 1, True), ("EPSG-2154", 1, False), ("EPSG-4326", 2, False)],
)
def test_only_a_single_point_in_wgs_84_is_a_position(
    system: str | None, points: int, said_as_position: bool
) -> None:
    document = case("EMSI/one-point")
    place = at(document, MESSAGE)["emsi"]["EVENT"]["EGEO"][0]["POSITION"]
    place |= {"COORDSYS": system, "COORD": [{"LAT": 47.5, "LONG": -1.5}] * points}
    if system is None:
        del place["COORDSYS"]
    location = resources(translation.to_fhir(message(document)), "Location")[0]
    assert location.get("position") == ({"longitude": -1.5, "latitude": 47.5} if said_as_position else None)


def test_an_exercise_is_labelled_on_every_resource() -> None:
    document = case("RS-EDA/full")
    document["distributionStatus"] = "Exercise"
    bundle = translation.to_fhir(message(document))
    for resource in [bundle, *(entry["resource"] for entry in bundle["entry"])]:
        assert resource["meta"]["security"][0]["code"] == "HTEST"


def test_a_bundle_that_another_server_wrote_anew_reads_the_same() -> None:
    document = case("RS-EDA/odd")
    bundle = translation.to_fhir(message(document))
    rng = random.Random(7)
    for _ in range(20):
        other = _rewritten(bundle, rng)
        tail = other["entry"][1:]
        rng.shuffle(tail)
        other["entry"][1:] = tail
        assert translation.canonical_issues(other) == ()
        assert said(translation.from_fhir(other)) == said(document)


def _rewritten(value: Any, rng: random.Random) -> Any:
    """The same JSON value, its members in another order, with what a server adds of its own."""
    if isinstance(value, list):
        return [_rewritten(item, rng) for item in value]
    if not isinstance(value, dict):
        return value
    members = [(name, _rewritten(child, rng)) for name, child in value.items()]
    if "resourceType" in value and value["resourceType"] != "PractitionerRole":
        members.append(("id", f"server-{rng.randrange(10**6)}"))
    if "profile" in value:
        members.append(("lastUpdated", "2026-06-14T09:20:00.000Z"))
    rng.shuffle(members)
    return dict(members)


def test_notes_of_unknown_and_of_doubled_patients_refer_by_identifier_only() -> None:
    bundle = translation.to_fhir(message(case("RS-EDA/odd")))
    notes = [e["resource"] for e in bundle["entry"] if "sent" in e["resource"] or "payload" in e["resource"]]
    assert notes and all("reference" not in note["subject"] for note in notes)


@pytest.mark.parametrize("content", [[], [{}, {}], None])
def test_other_than_one_content_item_is_untranslatable(content: Any) -> None:
    document = {**case("RS-EDA/minimal"), "content": content}
    with pytest.raises(Untranslatable):
        translation.to_fhir(Message(document, message(document).envelope, {}, "", "RS-EDA", "v3", {}))


def test_a_type_without_a_table_is_untranslatable() -> None:
    document = case("RS-EDA/minimal")
    whole = message(document)
    with pytest.raises(Untranslatable):
        translation.to_fhir(Message(document, whole.envelope, {}, "", "RS-XX", "v3", {}))
