"""Bundles that say another message than was sent: refused, with the element and what is expected there."""

import copy
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import translation
from gateway.model import JsonObject
from tests import core_bundles
from tests.core_bundles import Touch, first, place
from tests.house import House, house

SD = "https://hub-fhir.example/fhir/StructureDefinition/"
NOBODY = "urn:uuid:00000000-0000-8000-8000-000000000000"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as running:
        yield running


def _type(b: JsonObject) -> None:
    b["type"] = "collection"


def _timestamp(b: JsonObject) -> None:
    b["timestamp"] = "2026-11-24T10:00:01.250Z"


def _whole_second(b: JsonObject) -> None:
    b["timestamp"] = "2026-11-24T10:00:00Z"


def _start(b: JsonObject) -> None:
    first(b, "case")["period"]["start"] = "2026-06-14T09:12:00Z"  # the offset cut off


def _no_received(b: JsonObject) -> None:
    del first(b, "alert")["received"]


def _instant_more(b: JsonObject) -> None:
    header = b["entry"][0]["resource"]
    told = next(x for x in header["extension"] if x["url"] == f"{SD}instants")
    told["valueString"] = told["valueString"].rpartition(" ")[0]


def _instants_twice(b: JsonObject) -> None:
    header = b["entry"][0]["resource"]
    header["extension"].append(copy.deepcopy(header["extension"][-1]))


def _event(b: JsonObject) -> None:
    b["entry"][0]["resource"]["eventCoding"]["code"] = "RS-XYZ"


def _no_header(b: JsonObject) -> None:
    b["entry"].pop(0)


def _header_last(b: JsonObject) -> None:
    b["entry"].append(b["entry"].pop(0))


def _second_header(b: JsonObject) -> None:
    b["entry"].append(copy.deepcopy(b["entry"][0]) | {"fullUrl": NOBODY})


def _dangling(b: JsonObject) -> None:
    first(b, "case")["subject"]["reference"] = NOBODY


def _wrong_target(b: JsonObject) -> None:
    first(b, "case")["subject"]["reference"] = b["entry"][0]["fullUrl"]


def _no_incident(b: JsonObject) -> None:
    b["entry"] = [e for e in b["entry"] if "/hub-incident" not in e["resource"]["meta"]["profile"][0]]


def _same_url(b: JsonObject) -> None:
    b["entry"][3]["fullUrl"] = b["entry"][2]["fullUrl"]


def _unknown_element(b: JsonObject) -> None:
    first(b, "patient")["maritalStatus"] = {"text": "x"}


def _modifier(b: JsonObject) -> None:
    first(b, "patient")["modifierExtension"] = [{"url": "https://vendor.example/not", "valueBoolean": True}]


def _implicit_rules(b: JsonObject) -> None:
    b["implicitRules"] = "https://vendor.example/rules"


def _own_extension(b: JsonObject) -> None:
    first(b, "patient").setdefault("extension", []).append({"url": f"{SD}blood-group", "valueCode": "AB"})


def _narrative(b: JsonObject) -> None:
    first(b, "patient")["text"] = {"status": "additional", "div": "<div>allergic</div>"}


def _status(b: JsonObject) -> None:
    first(b, "risk")["status"] = "banana"


def _no_status(b: JsonObject) -> None:
    del first(b, "weight")["status"]


def _decision(b: JsonObject) -> None:
    first(b, "decision")["code"]["coding"][0]["code"] = "NOT-A-CODE"


def _class(b: JsonObject) -> None:
    first(b, "case")["class"]["code"] = "IMP"


def _birth_date(b: JsonObject) -> None:
    first(b, "patient")["birthDate"] = "1948-02-30"


def _no_profile(b: JsonObject) -> None:
    del first(b, "patient")["meta"]["profile"]


def _other_profile(b: JsonObject) -> None:
    b["meta"]["profile"].append(f"{SD}hub-message-rs-ri")


def _no_source_path(b: JsonObject) -> None:
    del first(b, "decision")["extension"]


def _identifier_twice(b: JsonObject) -> None:
    identifiers = first(b, "case")["identifier"]
    identifiers[1] = copy.deepcopy(identifiers[0])


def _case_id(b: JsonObject) -> None:
    first(b, "case")["identifier"][0]["value"] = "no case"


def _broken_mark(b: JsonObject) -> None:
    b["entry"][0]["resource"]["extension"].append({"url": f"{SD}raw", "extension": [{"url": "path"}]})


# what is done, the element that the answer names ({x} is the place of the first resource of kind x), what it says of it
CHANGES: tuple[tuple[Touch, str, str], ...] = (
    (_type, "type", '"message"'),
    (_timestamp, "timestamp", "2026-11-24T10:00:00.250Z"),
    (_whole_second, "timestamp", "2026-11-24T10:00:00.250Z"),
    (_start, "{case}.period.start", "2026-06-14T09:12:00+02:00"),
    (_no_received, "entry[0].resource.extension", "2026-06-14T09:11:40+02:00"),
    (_instant_more, ".authoredOn", "no such element"),
    (_instants_twice, "entry[0].resource.extension", "twice"),
    (_event, "entry[0].resource.eventCoding.code", "a message type that is served"),
    (_no_header, "entry[0].resource", "a MessageHeader"),
    (_header_last, "entry[0].resource", "a MessageHeader"),
    (_second_header, "entry[29].resource", "no second MessageHeader"),
    (_dangling, "{case}.subject.reference", "hub-group"),
    (_wrong_target, "{case}.subject.reference", "hub-group"),
    (_no_incident, "{case}.location.location.reference", "hub-incident"),
    (_same_url, "entry[3].fullUrl", "a URL that no other entry has"),
    (_unknown_element, "{patient}.maritalStatus", "no such element"),
    (_modifier, "{patient}.modifierExtension", "no such element"),
    (_implicit_rules, "implicitRules", "no such element"),
    (_own_extension, "{patient}.extension", "expected"),
    (_narrative, "{patient}.text", "no such element"),
    (_status, "{risk}.status", "one of active, inactive"),
    (_no_status, "{weight}.status", "one of entered-in-error, final"),
    (_decision, "{decision}.code.coding[0].code", "one of"),
    (_class, "{case}.class", '"EMER"'),
    (_birth_date, "{patient}.birthDate", "a date YYYY-MM-DD"),
    (_no_profile, "{patient}.meta.profile", "hub-patient"),
    (_other_profile, "meta.profile", "at most 1"),
    (_no_source_path, "{decision}.extension", "expected"),
    (_identifier_twice, "{case}.identifier", "twice"),
    (_case_id, "createCaseHealth.caseId", "{country}.{domain}.{organisation}.{local id}"),
    (_broken_mark, "entry[0].resource.extension", "expected"),
)


@pytest.mark.parametrize(("touch", "element", "expected"), CHANGES, ids=lambda x: getattr(x, "__name__", " "))
async def test_a_changed_bundle_is_refused_by_its_element(
    gateway: House, touch: Touch, element: str, expected: str
) -> None:
    whole = core_bundles.bundle()
    kinds = {name: place(whole, name) for name in ("case", "decision", "patient", "risk", "weight")}
    answer = await gateway.deliver(core_bundles.touched(touch))
    assert answer.status_code == 422, answer.text
    told = answer.json()["issue"]
    assert any(
        element.format(**kinds) in " ".join(issue.get("expression", [])) and expected in issue["diagnostics"]
        for issue in told
    ), told
    assert await gateway.inbox("peer") == []


def test_no_change_is_told_with_a_value_of_the_bundle() -> None:
    """What stands in the Bundle is the patient's; what is expected is the profile's."""
    bundle = core_bundles.bundle()
    first(bundle, "patient")["birthDate"] = "SECRET-1"
    first(bundle, "decision")["code"]["coding"][0]["code"] = "SECRET-2"
    first(bundle, "patient")["extension"] = [{"url": "SECRET-3"}]
    assert "SECRET" not in repr(translation.faults_of(translation.without_additions(bundle)))
