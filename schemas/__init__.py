"""What a message may be, as data: the catalogue of message types and the door to their files.

Each message type is a folder, each model version a set of files in it:
`schemas/RS-EDA/v3.fields` (the field table, the source), `v3.schema.json` (JSON Schema draft-07 made from it) and
`v3.mapping` (the two-way table to the canonical FHIR Bundle). Pure reading, no import of the gateway.
"""

from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent

# root key of the use case inside `message` -> message type, for each model version
ROOT_KEYS: dict[str, dict[str, str]] = {
    "v3": {
        "createCaseHealth": "RS-EDA",
        "reference": "RC-REF",
        "error": "RS-ERROR",
    },
}
ALIASES = {"RPIS": "RS-RPIS"}
VERSIONS = ("v1", "v2", "v3")
HEADERLESS = frozenset({"RS-ERROR", "customContent"})  # types whose message carries no RC-DE header by rule


@cache
def root_key(message_type: str, version: str) -> str:
    """The key of a message type's use case, "" where the version does not have the type."""
    return next((key for key, kind in ROOT_KEYS.get(version, {}).items() if kind == message_type), "")


def message_types(version: str) -> tuple[str, ...]:
    """The message types that a model version has."""
    return tuple(ROOT_KEYS.get(version, {}).values())


def file(message_type: str, name: str) -> Path:
    """A file of a message type, such as `file("RS-EDA", "v3.fields")`."""
    return ROOT / message_type / name
