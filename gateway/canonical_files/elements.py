"""Trees of elements -> ElementDefinitions, the differentials of the profiles."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.canonical_files import r4
from gateway.canonical_files.artefact import last, name
from gateway.canonical_files.official import closed, field_of, spoken
from gateway.canonical_files.terminology import SYSTEMS, CodeList, own_system
from gateway.canonical_files.tree import Node, Told
from gateway.model import JsonObject
from gateway.translation.tables import BASE

MAPPING = {"identity": "hub-sante", "name": "Hub Santé message models"}
Lists = dict[str, CodeList]


@dataclass(frozen=True, slots=True)
class Scope:
    """What the elements of one definition are made with. `profile` is "" for an extension."""

    lists: Lists
    extensions: dict[str, Node]
    profile: str = ""


def slicing(kind: str, path: str) -> JsonObject:
    """How the items of a list are told apart; others may stand among them."""
    return {"discriminator": [{"type": kind, "path": path}], "rules": "open"}


def children(node: Node, at: str, path: str, scope: Scope) -> Iterator[JsonObject]:
    """The definitions of all below a node, in R4's order."""
    order = r4.order(node.type)
    if node.extensions:
        yield from _extension_slices(node, at, path, scope)
    done: set[str] = set()
    for child in sorted(node.children.values(), key=lambda child: order.index(child.name)):
        key = child.choice or child.name
        if key in done:
            continue
        done.add(key)
        spelled = f"{child.choice}[x]" if child.choice else child.name
        options = [c for c in node.children.values() if child.choice and c.choice == child.choice] or [child]
        yield from _element(options, f"{at}.{spelled}", f"{path}.{spelled}", scope)


def _extension_slices(node: Node, at: str, path: str, scope: Scope) -> Iterator[JsonObject]:
    others = [scope.extensions[url] for url in node.extensions if not url.startswith(BASE)]
    yield {
        "id": f"{at}.extension",
        "path": f"{path}.extension",
        "slicing": slicing("value", "url"),
        **(all_said(others, scope.profile) if ":" in at else {}),  # slices within a slice are not told apart
    }
    for url, each in node.extensions.items():
        yield {
            "id": f"{at}.extension:{last(url).replace('.', '-')}",
            "path": f"{path}.extension",
            "sliceName": last(url).replace(".", "-"),
            "min": 0,
            "max": "*" if each else "1",
            "type": [{"code": "Extension", "profile": [url]}],
            "mustSupport": True,
            **(all_said([scope.extensions[url]], scope.profile) if not url.startswith(BASE) else {}),
        }


def _element(options: list[Node], at: str, path: str, scope: Scope) -> Iterator[JsonObject]:
    node = options[0]
    entry: JsonObject = {"id": at, "path": path}
    if node.choice:
        entry["type"] = [type_of(option) for option in options]
    elif node.type == "Reference" and _targets(node):
        entry["type"] = [type_of(node)]
    if len(options) > 1:
        yield entry | {"mustSupport": True} | all_said(options)
        return
    whole = _whole(node)
    if whole and node.listed:
        code = whole["coding"][0]["code"] if "coding" in whole else whole["code"]
        yield entry | {"slicing": slicing("pattern", "$this")}
        told = {f"pattern{node.type}": whole}
        yield {"id": f"{at}:{code}", "path": path, "sliceName": code, "min": 0, "max": "1", **told}
    elif whole:
        yield entry | {f"pattern{node.type}": whole}
        yield from (e for e in children(node, at, path, scope) if e["path"] != f"{path}.coding")
    elif not node.slices:
        yield entry | said(node) | _fixed(node) | binding(node, scope)
        yield from children(node, at, path, scope)
    else:
        yield from _slices(node, entry, scope)


def _slices(node: Node, entry: JsonObject, scope: Scope) -> Iterator[JsonObject]:
    at, path = entry["id"], entry["path"]
    first = next(iter(node.slices.values()))
    by = next(iter(first.pattern)) if r4_backbone(node) else ""
    within = ":" in at  # of another slice: what is said here is told of the list
    said = all_said([node]) if within else all_said(list(node.children.values()))
    yield entry | {"slicing": slicing("pattern", by or "$this"), "mustSupport": True} | said
    for title, part in node.slices.items():
        here = f"{at}:{title.replace('.', '-')}"
        told: JsonObject = {} if by else {f"pattern{node.type}": _without_display(part.pattern)}
        yield {
            "id": here,
            "path": path,
            "sliceName": title.replace(".", "-"),
            "min": 0,
            "max": "*" if part.each or _listed_more(part) else "1",
            **told,
            "mustSupport": True,
            **binding(part, scope),
        }
        yield from _slice_children(part, here, path, by, scope)


def _slice_children(part: Node, at: str, path: str, by: str, scope: Scope) -> Iterator[JsonObject]:
    """The definitions inside a slice: slices within it are not told apart again."""
    if by:
        told = r4.element(part.type, by).type
        pattern = {f"pattern{told}": part.pattern[by]}
        yield {"id": f"{at}.{by}", "path": f"{path}.{by}", "min": 1, **pattern}
    for entry in children(part, at, path, scope):
        inner = entry["id"].removeprefix(at)
        if ":" not in inner and not (by and inner.startswith(f".{by}")):
            yield {key: value for key, value in entry.items() if key != "slicing"}


def _listed_more(part: Node) -> bool:
    """Whether other resources add items like this one, as each vital sign adds a section entry."""
    return any(inner.rows and "[]" in inner.rows[0].row.leaf and inner.listed for inner in part.below())


def r4_backbone(node: Node) -> bool:
    """Whether the node is a backbone element, whose content cannot be a pattern."""
    return r4.R4Element(node.type, node.listed).backbone


def _targets(node: Node) -> set[str]:
    return node.children["reference"].targets if "reference" in node.children else set()


def type_of(node: Node) -> JsonObject:
    """The type of an element, for a reference with the profiles that it points to."""
    targets = sorted(_targets(node)) if node.type == "Reference" else []
    return {"code": node.type, **({"targetProfile": targets} if targets else {})}


def said(node: Node) -> JsonObject:
    """What the message says here."""
    if not node.rows:
        return {"mustSupport": True} if any(inner.rows for inner in node.below()) else {}
    titles = "; ".join(dict.fromkeys(field_of(row).title for row in node.rows))
    return {"short": titles, "mustSupport": True, "mapping": list(_mappings(node.rows))}


def all_said(nodes: list[Node], profile: str = "") -> JsonObject:
    """What the message says in these elements and below, of one profile's resources or of all."""
    found = {id(inner): inner for node in nodes for inner in node.below()}
    rows = [row for node in found.values() for row in node.rows if profile in {"", row.profile}]
    if not rows:
        return {}
    titles = "; ".join(dict.fromkeys(field_of(row).title for row in rows))
    return {"short": titles, "mustSupport": True, "mapping": list(_mappings(rows))}


def _mappings(rows: list[Told]) -> Iterator[JsonObject]:
    """The leaves of the newest version of each type that has one."""
    newest: dict[str, str] = {}
    for row in rows:
        kind = row.table.message_type
        if newest.setdefault(kind, row.table.version) == row.table.version:
            told = f"{kind} {row.table.version}: {spoken(row.table, row.row.leaf)}"
            yield {"identity": MAPPING["identity"], "map": told}


def _fixed(node: Node) -> JsonObject:
    """The one value that an element has wherever it is."""
    if node.rows or node.computed or node.targets or len(node.constants) != 1:
        return {}
    value = node.constants[0]
    kind = name(node.type)
    if isinstance(value, dict):
        return {f"pattern{kind}": _without_display(value)}
    return {f"fixed{kind}": value}


def _whole(node: Node) -> JsonObject | None:
    """The Coding that a node always is, or the CodeableConcept that always holds one."""
    coding = node.children.get("coding") if node.type == "CodeableConcept" else node
    if (
        coding is None
        or coding.type != "Coding"
        or coding.slices
        or coding.rows
        or len(coding.constants) != 1
    ):
        return None
    told = coding.constants[0]
    if not isinstance(told, dict):
        return None
    return _without_display(told) if coding is node else {"coding": [_without_display(told)]}


def _without_display(pattern: Any) -> Any:
    return {key: value for key, value in pattern.items() if key != "display"}


def binding(node: Node, scope: Scope, plain: str = "") -> JsonObject:
    """The value set of an element whose codes are the gateway's own; `plain` names that of a code without a system."""
    system = SYSTEMS + plain if plain and node.type == "code" else own_system(node)
    rows = node.rows if node.type == "code" else node.children["code"].rows if "code" in node.children else []
    if system not in scope.lists or not rows:
        return {}
    refuses = scope.lists[system].complete and all(closed(field_of(row)) for row in rows)
    strength = "required" if refuses else "preferred"
    return {"binding": {"strength": strength, "valueSet": scope.lists[system].value_set}}
