"""A Bundle as the core hands it over, and ways to go through it."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from gateway import edxl, translation
from gateway.model import JsonObject

FULL = Path(__file__).parent / "cases" / "RS-EDA" / "full" / "in.json"
RECIPIENT = "fr.health.samu750"  # the publisher `peer` of tests/house.py
Touch = Callable[[JsonObject], None]


def document() -> JsonObject:
    """A whole RS-EDA with the spellings that senders have: Z and milliseconds in the envelope, two offsets in the message."""
    found: JsonObject = orjson.loads(FULL.read_bytes())
    inner = found["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    found["dateTimeSent"], inner["sentAt"] = "2026-11-24T10:00:00.250Z", "2026-11-24T11:00:00+01:00"
    found["dateTimeExpires"] = "2036-11-24T10:00:00Z"
    found["descriptor"]["explicitAddress"]["explicitAddressValue"] = RECIPIENT
    inner["recipient"] = [{"name": RECIPIENT, "URI": f"hubex:{RECIPIENT}"}]
    inner["createCaseHealth"]["decision"][0]["creation"] = "2026-06-14T07:18:00+00:00"
    return found


def bundle(message: JsonObject | None = None) -> JsonObject:
    """The canonical Bundle of a message, as parsed from its bytes."""
    made: JsonObject = orjson.loads(
        orjson.dumps(translation.to_fhir(edxl.message(message or document(), "v3")))
    )
    return made


def touched(touch: Touch, message: JsonObject | None = None) -> JsonObject:
    """The Bundle after a server's touch."""
    made = copy.deepcopy(bundle(message))
    touch(made)
    return made


def resources(of: JsonObject, name: str) -> list[JsonObject]:
    """The resources of one kind."""
    return [
        e["resource"] for e in of["entry"] if e["resource"]["meta"]["profile"][0].endswith(f"/hub-{name}")
    ]


def first(of: JsonObject, name: str) -> JsonObject:
    """The first resource of a kind."""
    return resources(of, name)[0]


def place(of: JsonObject, name: str) -> str:
    """The path of the first resource of a kind."""
    at = next(
        n for n, e in enumerate(of["entry"]) if e["resource"]["meta"]["profile"][0].endswith(f"/hub-{name}")
    )
    return f"entry[{at}].resource"


def objects(value: Any) -> Iterator[JsonObject]:
    """Every object in a value, outermost first."""
    if isinstance(value, dict):
        yield value
    for inner in (
        list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from objects(inner)
