"""StructureDefinitions, differentials only: a profile for each resource kind, a definition for each own extension."""

from collections.abc import Iterator

from gateway.canonical_files.artefact import FHIR_VERSION, head, last
from gateway.canonical_files.elements import (
    MAPPING,
    Lists,
    Scope,
    all_said,
    binding,
    children,
    said,
    slicing,
    type_of,
)
from gateway.canonical_files.official import field_of
from gateway.canonical_files.terminology import kebab
from gateway.canonical_files.tree import Forest, Node, Profile
from gateway.model import JsonObject
from gateway.translation.tables import BASE

_CORE = "http://hl7.org/fhir/StructureDefinition/"


def profiles(forest: Forest, lists: Lists) -> Iterator[JsonObject]:
    """The StructureDefinition of each resource kind."""
    for profile in forest.profiles.values():
        kind = profile.root.type
        identifier = last(profile.url)
        types = sorted({table.message_type for table, _ in profile.tables})
        root = {"id": kind, "path": kind}
        elements = [root, *_contained(profile, forest)]
        for element in children(profile.root, kind, kind, Scope(lists, forest.extensions, profile.url)):
            if element["id"].removeprefix(f"{kind}.") in profile.required:
                element["min"] = 1
            if len(element) > 2:  # it says more than where it is
                elements.append(element)
        yield head(
            "StructureDefinition",
            identifier,
            f"{kind}: {identifier.removeprefix('hub-').replace('-', ' ')}",
            f"What the canonical Bundles of {', '.join(types)} say in this {kind}; no message has all of it.",
            fhirVersion=FHIR_VERSION,
            mapping=[MAPPING],
            kind="resource",
            abstract=False,
            type=kind,
            baseDefinition=f"{_CORE}{kind}",
            derivation="constraint",
            differential={"element": elements},
        )


def extensions(forest: Forest, lists: Lists) -> Iterator[JsonObject]:
    """The StructureDefinition of each own extension."""
    for url, node in forest.extensions.items():
        if not url.startswith(BASE):
            continue
        identifier = last(url)
        elements = list(_extension_elements(node, "Extension", identifier, url, Scope(lists, {})))
        yield head(
            "StructureDefinition",
            identifier,
            f"Extension: {identifier.replace('-', ' ')}",
            _about(node),
            fhirVersion=FHIR_VERSION,
            mapping=[MAPPING],
            kind="complex-type",
            abstract=False,
            context=[{"type": "element", "expression": path} for path in sorted(forest.contexts[url])],
            type="Extension",
            baseDefinition=f"{_CORE}Extension",
            derivation="constraint",
            differential={"element": elements},
        )


def _about(node: Node) -> str:
    fields = dict.fromkeys(field_of(row).title for inner in node.below() for row in inner.rows)
    return f"{'; '.join(fields)}." if fields else "Made by the translation, not from a field."


def _extension_elements(node: Node, at: str, identifier: str, url: str, scope: Scope) -> Iterator[JsonObject]:
    path = at.replace(":", ".").split(".")
    spelled = ".".join(part for part in path if part in {"Extension", "extension", "value[x]"})
    if at == "Extension":
        yield {"id": at, "path": spelled, "short": identifier}
    yield from _inner_extensions(node, at, spelled, identifier, scope)
    yield {"id": f"{at}.url", "path": f"{spelled}.url", "fixedUri": url}
    values = [child for child in node.children.values() if child.choice]
    if not values:
        yield {"id": f"{at}.value[x]", "path": f"{spelled}.value[x]", "max": "0"}
        return
    entry: JsonObject = {
        "id": f"{at}.value[x]",
        "path": f"{spelled}.value[x]",
        "min": 1,
        "type": [type_of(v) for v in values],
    }
    if len(values) == 1:
        entry |= said(values[0]) | binding(values[0], scope, identifier)
        yield entry
        yield from children(values[0], entry["id"], entry["path"], scope)
    else:
        yield entry


def _inner_extensions(node: Node, at: str, path: str, identifier: str, scope: Scope) -> Iterator[JsonObject]:
    if not node.parts:
        yield {"id": f"{at}.extension", "path": f"{path}.extension", "max": "0"}
        return
    yield {"id": f"{at}.extension", "path": f"{path}.extension", "slicing": slicing("value", "url")}
    for part, inner in node.parts.items():
        here = f"{at}.extension:{part}"
        yield {
            "id": here,
            "path": f"{path}.extension",
            "sliceName": part,
            "min": 0,
            "max": "*" if inner.each else "1",
        }
        yield from _extension_elements(inner, here, f"{identifier}-{kebab(part)}", part, scope)


def _contained(profile: Profile, forest: Forest) -> Iterator[JsonObject]:
    """The resources inside this one: their type, and what the message says there."""
    kind = profile.root.type
    if profile.contained:
        told = ", ".join(f"#{key}: {node.type}" for key, node in profile.contained.items())
        inside = [inner for node in profile.contained.values() for inner in node.below()]
        urls = {url for inner in inside for url in inner.extensions if not url.startswith(BASE)}
        said = all_said([*inside, *(forest.extensions[url] for url in urls)], profile.url)
        yield {"id": f"{kind}.contained", "path": f"{kind}.contained", **said, "short": told}
