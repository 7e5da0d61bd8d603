"""Bundles that an honest FHIR server touched: the message is delivered, byte for byte as from the untouched Bundle."""

import random
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import intake
from gateway.model import JsonObject
from tests import core_bundles
from tests.core_bundles import Touch, first, objects
from tests.house import House, house

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
SERVER = "https://core.example/fhir"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as running:
        yield running


# -- what servers do


def respelled(bundle: JsonObject, offset: timedelta, ending: str | None = None, *, digits: str = "") -> None:
    """Every instant of the elements in another spelling."""
    for inside in objects(bundle):
        for name, value in inside.items():
            if isinstance(value, str) and INSTANT.fullmatch(value):
                at = datetime.fromisoformat(value).astimezone(timezone(offset))
                text = at.isoformat(timespec="milliseconds" if digits or at.microsecond else "seconds")
                inside[name] = text if ending is None else text[:-6] + ending


def _zulu(b: JsonObject) -> None:
    respelled(b, timedelta(), "Z")


def _milliseconds_and_zulu(b: JsonObject) -> None:
    respelled(b, timedelta(), "Z", digits="000")


def _milliseconds_in_utc(b: JsonObject) -> None:
    respelled(b, timedelta(), digits="000")


def _in_another_zone(b: JsonObject) -> None:
    respelled(b, timedelta(hours=-4))


def _nanoseconds(b: JsonObject) -> None:
    b["timestamp"] = "2026-11-24T10:00:00.250000000Z"


def _meta_stored(b: JsonObject) -> None:
    b["meta"] |= {"versionId": "7", "lastUpdated": "2026-11-29T07:00:00.123Z", "source": "#aFz81"}


def _meta_replaced(b: JsonObject) -> None:
    b["meta"] = {"lastUpdated": "2026-11-29T07:00:00.123Z"}


def _no_meta(b: JsonObject) -> None:
    del b["meta"]


def _further_profile(b: JsonObject) -> None:
    b["meta"]["profile"].insert(0, f"{SERVER}/StructureDefinition/core-message")


def _profiles_with_version(b: JsonObject) -> None:
    for entry in b["entry"]:
        entry["resource"]["meta"]["profile"][0] += "|0.1.0"


def _tags(b: JsonObject) -> None:
    b["meta"]["tag"] = [{"system": f"{SERVER}/tags", "code": "routed"}]
    b["entry"][3]["resource"]["meta"]["tag"] = [{"system": f"{SERVER}/tags", "code": "routed"}]


def _bundle_id(b: JsonObject) -> None:
    b["id"] = "0af7c2"


def _links(b: JsonObject) -> None:
    b["link"] = [{"relation": "self", "url": f"{SERVER}/Bundle/0af7c2"}]
    b["entry"][1]["link"] = [{"relation": "alternate", "url": f"{SERVER}/Encounter/1"}]


def _total(b: JsonObject) -> None:
    b["total"] = len(b["entry"])


def _search(b: JsonObject) -> None:
    for entry in b["entry"]:
        entry["search"] = {"mode": "match", "score": 1}


def _response(b: JsonObject) -> None:
    for entry in b["entry"]:
        entry["response"] = {
            "status": "201 Created",
            "etag": 'W/"1"',
            "lastModified": "2026-11-29T07:00:00.123Z",
        }


def _narrative(b: JsonObject) -> None:
    for entry in b["entry"]:
        entry["resource"]["text"] = {
            "status": "generated",
            "div": '<div xmlns="http://www.w3.org/1999/xhtml"/>',
        }


def _resource_ids_and_meta(b: JsonObject) -> None:
    for at, entry in enumerate(b["entry"]):
        entry["resource"]["id"] = f"r{at}"
        entry["resource"]["meta"] |= {"versionId": "1", "lastUpdated": "2026-11-29T07:00:00Z"}


def _element_ids(b: JsonObject) -> None:
    for at, inside in enumerate(objects(b)):
        if "resourceType" not in inside and "resource" not in inside and "profile" not in inside:
            inside["id"] = f"e{at}"


def _meta_extension(b: JsonObject) -> None:
    told = [{"url": "https://vendor.example/stored-at", "valueString": "shard 3"}]
    b["entry"][2]["resource"]["meta"]["extension"] = told


def _extensions_of_others(b: JsonObject) -> None:
    mark = {"url": "https://vendor.example/normalised", "valueBoolean": True}
    first(b, "patient").setdefault("extension", []).insert(0, mark)
    first(b, "patient")["_birthDate"] = {"extension": [mark]}


def _upper_case_uuids(b: JsonObject) -> None:
    for inside in objects(b):
        for name in ("fullUrl", "reference"):
            if str(inside.get(name, "")).startswith("urn:uuid:"):
                inside[name] = "urn:uuid:" + inside[name].removeprefix("urn:uuid:").upper()


def _own_urls(b: JsonObject) -> None:
    urls = {e["fullUrl"]: f"{e['resource']['resourceType']}/{at}" for at, e in enumerate(b["entry"])}
    for inside in objects(b):
        if "fullUrl" in inside:
            inside["fullUrl"] = f"{SERVER}/{urls[inside['fullUrl']]}"
        if str(inside.get("reference", "")) in urls:
            inside["reference"] = urls[inside["reference"]]


def _reference_displays(b: JsonObject) -> None:
    for inside in objects(b):
        if str(inside.get("reference", "")).startswith("urn:uuid:"):
            inside |= {"display": "a resource", "type": inside.get("type", "Resource")}
        if inside.get("type") == "Organization" and "identifier" in inside:
            inside["display"] = "an organisation"


def _coding_versions(b: JsonObject) -> None:
    for inside in objects(b):
        if "system" in inside and "code" in inside and "value" not in inside:
            inside |= {"version": "2026", "userSelected": False}


def _constant_displays(b: JsonObject) -> None:
    first(b, "case")["class"]["display"] = "Emergency"


def _signature(b: JsonObject) -> None:
    b["signature"] = {
        "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.5"}],
        "when": "2026-11-29T07:00:00.123Z",
        "who": {"reference": "Device/core"},
        "data": "c2lnbmVk",
    }


def _entries_in_another_order(b: JsonObject) -> None:
    tail = b["entry"][1:]
    random.Random(3).shuffle(tail)
    b["entry"][1:] = tail


def _members_in_another_order(b: JsonObject) -> None:
    for inside in list(objects(b)):
        members = sorted(inside.items(), key=lambda member: member[0], reverse=True)
        inside.clear()
        inside |= dict(members)


TOUCHES: tuple[Touch, ...] = (
    _zulu,
    _milliseconds_and_zulu,
    _milliseconds_in_utc,
    _in_another_zone,
    _nanoseconds,
    _meta_stored,
    _meta_replaced,
    _no_meta,
    _further_profile,
    _profiles_with_version,
    _tags,
    _bundle_id,
    _links,
    _total,
    _search,
    _response,
    _narrative,
    _resource_ids_and_meta,
    _element_ids,
    _meta_extension,
    _extensions_of_others,
    _upper_case_uuids,
    _own_urls,
    _reference_displays,
    _coding_versions,
    _constant_displays,
    _signature,
    _entries_in_another_order,
    _members_in_another_order,
)
UNTOUCHED = orjson.dumps(intake.from_bundle(orjson.dumps(core_bundles.bundle())).document)


def read(bundle: JsonObject) -> bytes:
    return orjson.dumps(intake.from_bundle(orjson.dumps(bundle)).document)


def test_the_untouched_bundle_gives_the_message_as_it_was_sent() -> None:
    assert orjson.loads(UNTOUCHED) == core_bundles.document()


@pytest.mark.parametrize("touch", TOUCHES, ids=lambda touch: touch.__name__)
async def test_a_touched_bundle_is_delivered_as_the_untouched_one(gateway: House, touch: Touch) -> None:
    bundle = core_bundles.touched(touch)
    assert bundle != core_bundles.bundle() or touch is _members_in_another_order
    assert read(bundle) == UNTOUCHED
    answer = await gateway.deliver(bundle)
    assert answer.status_code == 200, answer.text
    (item,) = await gateway.inbox("peer")
    assert item["content"] == core_bundles.document()
    assert item["loss"] == []


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from([t for t in TOUCHES if t is not _nanoseconds]), max_size=6, unique=True))
def test_touches_add_up(touches: list[Touch]) -> None:
    def all_of_them(bundle: JsonObject) -> None:
        for touch in touches:
            touch(bundle)

    # the profile tells what a resource is: it is taken away last, where it is
    touches.sort(key=lambda touch: touch in (_meta_replaced, _no_meta, _profiles_with_version))
    if _no_meta in touches:
        touches = [t for t in touches if t not in (_meta_stored, _tags, _further_profile, _meta_replaced)]
    assert read(core_bundles.touched(all_of_them)) == UNTOUCHED


def without_instants(bundle: JsonObject) -> None:
    header = bundle["entry"][0]["resource"]
    header["extension"] = [x for x in header["extension"] if not x["url"].endswith("/instants")]


def plain(message: JsonObject) -> JsonObject:
    """A message whose sender wrote all instants in UTC."""
    found: JsonObject = orjson.loads(
        re.sub(rb'(T\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)"', rb'\1+00:00"', orjson.dumps(message))
    )
    return found


def test_a_bundle_of_another_maker_may_say_its_instants_in_utc() -> None:
    message = plain(core_bundles.document())

    def touch(bundle: JsonObject) -> None:
        without_instants(bundle)
        _milliseconds_and_zulu(bundle)

    assert orjson.loads(read(core_bundles.touched(touch, message))) == message


def test_a_server_may_keep_milliseconds_of_microseconds() -> None:
    message: dict[str, Any] = core_bundles.document() | {"dateTimeSent": "2026-11-24T10:00:00.250987Z"}

    def cut(bundle: JsonObject) -> None:
        bundle["timestamp"] = "2026-11-24T10:00:00.250Z"

    assert orjson.loads(read(core_bundles.touched(cut, message))) == message
