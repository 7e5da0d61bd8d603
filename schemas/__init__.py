"""What a message may be, as data: the catalogue of message types and the door to their files.

Each message type is a folder, each model version a set of files in it:
`schemas/RS-EDA/v3.fields` (the field table, the source), `v3.schema.json` (JSON Schema draft-07 made from it) and
`v3.mapping` (the two-way table to the canonical FHIR Bundle; a type without one is known but not taken). Pure reading,
no import of the gateway.
"""

from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent

VERSIONS = ("v1", "v2", "v3")

_V1 = {
    "createCase": "RC-EDA",
    "createCaseHealth": "RS-EDA",
    "createCaseHealthUpdate": "RS-EDA-MAJ",
    "reference": "RC-REF",
    "error": "RS-ERROR",
    "info": "RS-INFO",
    "emsi": "EMSI",
    "resourcesInfo": "RS-RI",
    "resourcesRequest": "RS-DR",
    "resourcesResponse": "RS-RR",
    "resourcesStatus": "RS-SR",
    "rpis": "RS-RPIS",
    "geoPositionsUpdate": "GEO-POS",
    "geoResourcesRequest": "GEO-REQ",
    "geoResourcesDetails": "GEO-RES",
}
_V2 = _V1 | {
    "resourcesEngagement": "RS-ER",
    "interventionReport": "RS-BPV",
    "documentLink": "RS-URL",
}
_V3 = {key: kind for key, kind in _V2.items() if key != "info"} | {
    "resourcesInfoCisu": "RC-RI",
    "appointment": "RS-SAS-RDV",
}
# root key of the use case inside `message` -> message type, for each model version: all there are
ALL_ROOT_KEYS: dict[str, dict[str, str]] = {"v1": _V1, "v2": _V2, "v3": _V3}
# those that can be translated, and so are taken: the mapping table is there
ROOT_KEYS: dict[str, dict[str, str]] = {
    version: {key: kind for key, kind in keys.items() if (ROOT / kind / f"{version}.mapping").exists()}
    for version, keys in ALL_ROOT_KEYS.items()
}
# what else the official envelope schemas know beside the header; never taken here
OTHER_ROOT_KEYS = ("customContent", "technical", "technicalNoreq", "distributionElement")
TEST_ROOT_KEYS = frozenset(
    {"customContent", "technical", "technicalNoreq"}
)  # those of them that only test the platform
ALIASES = {"RPIS": "RS-RPIS"}
HEADERLESS = frozenset(
    {"RS-ERROR", "RS-INFO", "customContent"}
)  # types whose message carries no RC-DE header by rule


@cache
def root_key(message_type: str, version: str) -> str:
    """The key of a message type's use case, taken or not; "" where the version does not have the type."""
    return next((key for key, kind in ALL_ROOT_KEYS.get(version, {}).items() if kind == message_type), "")


def message_types(version: str) -> tuple[str, ...]:
    """The message types of a model version that are taken."""
    return tuple(ROOT_KEYS.get(version, {}).values())


def file(message_type: str, name: str) -> Path:
    """A file of a message type, such as `file("RS-EDA", "v3.fields")`."""
    return ROOT / message_type / name
