"""ConceptMaps between the model versions' code lists, one for each direction of a section of `schemas/conversion/*.codes`."""

from collections.abc import Iterator, Mapping

from gateway.canonical_files.artefact import head
from gateway.canonical_files.terminology import SYSTEMS, CodeList, kebab
from gateway.conversion.code_sections import Correspondence, List, lists, sections
from gateway.conversion.codes import correspondences, otherwise
from gateway.model import JsonObject
from schemas import codes as terminology

_COMMENTS = {
    "narrower": "The target says more than the source.",
    "inexact": "Near, neither wider nor narrower.",
}
_KEPT = "Kept as it is: one of the two lists is known in part only, and may mean something else by this code."


def version_maps(known: Mapping[str, CodeList]) -> Iterator[JsonObject]:
    """The ConceptMaps. Raises ConfigurationError for a bad file."""
    for section in sections():
        for source, target in ((section.left, section.right), (section.right, section.left)):
            yield _map(source, target, known)


def _map(source: List, target: List, known: Mapping[str, CodeList]) -> JsonObject:
    codes = lists()
    found = correspondences(source, target, codes[source], codes[target])
    whole = terminology.complete(source[1]) and terminology.complete(target[1])
    identifier = f"{kebab(source[1])}-{source[0]}-to-{target[0]}"
    if source[1] != target[1]:
        identifier += f"-{kebab(target[1])}"
    group: JsonObject = {
        "source": code_system(source, known),
        "sourceVersion": source[0],
        "target": code_system(target, known),
        "targetVersion": target[0],
        "element": [
            {"code": code.strip(), "target": [_target(code, found.get(code), whole=whole)]}
            for code in sorted(codes[source])
        ],
    }
    rest = otherwise(source, target, codes[target])
    if rest and terminology.complete(source[1]):  # of a list known in part, codes without an element may stay
        group["unmapped"] = {"mode": "fixed", "code": rest.code}
    return head(
        "ConceptMap",
        identifier,
        f"{source[1]} {source[0]} to {target[1]} {target[0]}",
        "What a code of one model version is called in another.",
        group=[group],
    )


def _target(code: str, to: Correspondence | None, *, whole: bool) -> JsonObject:
    if to is None:
        return {"equivalence": "unmatched"}
    if code == to.code and to.equivalence == "equivalent" and not whole:
        return {"code": to.code.strip(), "equivalence": "relatedto", "comment": _KEPT}
    comment = {"comment": _COMMENTS[to.equivalence]} if to.equivalence in _COMMENTS else {}
    return {"code": to.code.strip(), "equivalence": to.equivalence, **comment}


def code_system(named: List, known: Mapping[str, CodeList]) -> str:
    """The code system of a list: the version's own where there is one, such as `sex-v1`."""
    version, name = named
    urls = [url for url, found in known.items() if name in found.names]
    own = [url for url in urls if url.endswith(f"-{version}")]
    return next(iter(own + urls), SYSTEMS + kebab(name))
