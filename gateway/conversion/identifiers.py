"""Identifiers across versions: each model version has its own pattern for them, and an id must stay the same id.

An id that the other version's pattern refuses is wrapped into one that it takes, in the hub's own name space, by rule
and so that it can be unwrapped: `76_45101#SMUR1#` is `fr.health.hub.resource.ext.76_5f45101_23SMUR1_23` where a
resourceId must have an organisation. The same id is always wrapped the same way, whoever converts it.
"""

import re
from collections.abc import Callable

# what an id's pattern is called (schemas/patterns.txt) -> what a wrapped one begins with
PREFIXES = {
    "resource-id": "fr.health.hub.resource.ext.",
    "patient-id": "fr.health.hub.patient.ext.",
    "request-id": "fr.health.hub.request.ext.",
    "medical-note-id": "fr.health.hub.medicalNote.ext.",
    "case-id": "fr.health.hub.case.",
    "organisation-id": "fr.health.hub_",
    "samu-id": "fr.health.hub_",
}
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_WRAPPED = re.compile(r"(?:[A-Za-z0-9]|_[0-9a-f]{2})+", re.ASCII)


def prefix(pattern_name: str) -> str:
    """What a wrapped id of that pattern begins with, "" where the pattern is not of an id."""
    return PREFIXES.get(re.sub(r"-v\d$", "", pattern_name), "")


def wrap(identifier: str, prefix: str) -> str:
    """The id, which is not empty, as one of letters, digits and `_` after the prefix."""
    return prefix + "".join(chr(byte) if byte in _PLAIN else f"_{byte:02x}" for byte in identifier.encode())


def unwrap(identifier: str, prefix: str) -> str | None:
    """The id that was wrapped, None where it is no wrapped one."""
    rest = identifier.removeprefix(prefix)
    if rest == identifier or not _WRAPPED.fullmatch(rest):
        return None
    try:
        return re.sub(r"_(..)", lambda match: chr(int(match[1], 16)), rest).encode("latin-1").decode()
    except UnicodeDecodeError:
        return None


def carried(identifier: str, prefix: str, fits: Callable[[str], bool]) -> str:
    """The id as a version says it whose pattern `fits` tells: unwrapped if that will do, wrapped if nothing else will."""
    plain = unwrap(identifier, prefix)
    if plain is not None and fits(plain):
        return plain
    return identifier if fits(identifier) or not identifier else wrap(identifier, prefix)
