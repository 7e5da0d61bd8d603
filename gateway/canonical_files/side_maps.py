"""ConceptMaps of the official code map between CISU 1.9 and Hub Santé 2.3, one for each direction."""

from collections.abc import Iterator

from gateway.canonical_files.artefact import head
from gateway.canonical_files.terminology import CodeList
from gateway.canonical_files.version_maps import code_system
from gateway.conversion.code_map_file import Section, Target, sections
from gateway.model import JsonObject
from schemas import codes

_CISU, _HEALTH = ("cisu", "CISU", "1.9"), ("hubsante", "Hub Santé", "2.3")


def side_maps(known: dict[str, CodeList]) -> Iterator[JsonObject]:
    """The ConceptMaps, with a group for each field. Raises ConfigurationError for a bad file."""
    for to, source, target in (("health", _CISU, _HEALTH), ("fire", _HEALTH, _CISU)):
        yield head(
            "ConceptMap",
            f"{source[0]}-{source[2]}-to-{target[0]}-{target[2]}",
            f"{source[1]} {source[2]} to {target[1]} {target[2]}",
            "The official map of the codes of a qualification between the health side and the others (ANS and ANSC). A code "
            "that is not in it is kept. The map does not say how two codes stand to each other.",
            group=[
                _group(section, source[2], target[2], known) for section in sections() if section.to == to
            ],
        )


def _group(section: Section, source: str, target: str, known: dict[str, CodeList]) -> JsonObject:
    labels = codes.labels(section.source)
    return {
        "source": code_system(("v3", section.source), known),
        "sourceVersion": source,
        "target": code_system(("v3", section.target), known),
        "targetVersion": target,
        "element": [
            {"code": code, "display": labels[code], "target": [_target(to)]}
            for code, to in section.lines.items()
        ],
        "unmapped": {"mode": "provided"},
    }


def _target(to: Target) -> JsonObject:
    if not to.code:
        return {"equivalence": "unmatched"}
    return {"code": to.code, "display": to.label, "equivalence": "relatedto"}
