"""ConceptMaps: the code maps of the mapping tables, each from the code system that it is used on."""

from collections import Counter
from collections.abc import Iterator, Mapping

from gateway.canonical_files.artefact import head
from gateway.canonical_files.terminology import SYSTEMS, CodeList, own_system
from gateway.canonical_files.tree import Forest, Node
from gateway.model import JsonObject
from gateway.translation.paths import EACH, Path, leaf_of
from gateway.translation.rows import MAPPING

_HL7 = "http://hl7.org/fhir/"
# what R4 binds its own elements of type code to
BOUND = {
    "Patient.gender": f"{_HL7}administrative-gender",
    "Encounter.status": f"{_HL7}encounter-status",
    "Task.status": f"{_HL7}task-status",
    "ServiceRequest.status": f"{_HL7}request-status",
    "CareTeam.status": f"{_HL7}care-team-status",
    "ServiceRequest.priority": f"{_HL7}request-priority",
    "Communication.priority": f"{_HL7}request-priority",
    "Appointment.status": f"{_HL7}appointmentstatus",
    "Appointment.participant.status": f"{_HL7}participationstatus",
}
MAPPED = "mapped"  # the code's system is computed by the map `<name>-system`
Use = tuple[str, str]  # source and target code system
Leaf = tuple[str, str, Path]  # message type, version, path


def concept_maps(forest: Forest, lists: Mapping[str, CodeList]) -> Iterator[JsonObject]:
    """A ConceptMap for each code map. A map onto URIs (identifier systems) is none: `docs/mappings/` has it."""
    pairs = {name: dict(said) for table in forest.tables for name, said in table.plan.maps.items()}
    both_ways = {row.row.codec for node in forest.nodes() for row in node.rows}
    for name, uses in sorted(_uses(forest).items()):
        sources = sorted({source for source, _ in uses})
        yield head(
            "ConceptMap",
            name,
            f"Code map: {name}",
            "Read in both directions."
            if name in both_ways
            else "Written for FHIR readers; the exact code stands beside it.",
            **({"sourceUri": lists[sources[0]].value_set} if sources[0] in lists else {}),
            group=[
                _group(source, system, codes, exact=name in both_ways)
                for source, target in sorted(uses)
                for system, codes in _by_system(name, target, pairs)
            ],
        )


def _by_system(
    name: str, target: str, pairs: Mapping[str, dict[str, str]]
) -> Iterator[tuple[str, dict[str, str]]]:
    """The pairs of a map, apart by target system where that is mapped too."""
    if target != MAPPED:
        yield target, pairs[name]
        return
    systems = pairs[f"{name}-system"]
    for system in dict.fromkeys(systems.values()):
        yield system, {code: to for code, to in pairs[name].items() if systems[code] == system}


def _group(source: str, target_system: str, pairs: Mapping[str, str], *, exact: bool) -> JsonObject:
    default = pairs.get("*")
    codes = {code: target for code, target in pairs.items() if code != "*"}
    often = Counter(codes.values())
    elements = [
        {
            "code": code,
            "target": [{"code": target, "equivalence": _equivalence(often[target], exact=exact)}],
        }
        for code, target in codes.items()
    ]
    unmapped = {"unmapped": {"mode": "fixed", "code": default}} if default else {}
    return {"source": source, "target": target_system, "element": elements, **unmapped}


def _equivalence(often: int, *, exact: bool) -> str:
    if exact:
        return "equivalent"
    return "wider" if often > 1 else "relatedto"


def _uses(forest: Forest) -> dict[str, set[Use]]:
    """The code systems that each map leads from and to."""
    systems = _systems(forest)
    found: dict[str, set[Use]] = {}
    for node in forest.nodes():
        for child in node.children.values():
            target = _target(node, child)
            if not target:
                continue
            for row in child.rows:
                if row.row.codec in row.table.plan.maps:
                    found.setdefault(row.row.codec, set()).add((SYSTEMS + row.row.codec, target))
            for told in child.computed:
                if told.value.function in MAPPING and told.value.paths:
                    path = leaf_of(told.value.paths[0])
                    status = () if told.value.function == "map" else (EACH, "status")
                    leaf = (told.table.message_type, told.table.version, (*path, *status))
                    found.setdefault(told.value.names[0], set()).add((systems[leaf], target))
    return found


def _target(node: Node, child: Node) -> str:
    """The code system of a code, "" where the child holds none."""
    if child.type != "code":
        return ""
    system = node.children.get("system")
    if system is None:
        return BOUND.get(child.path, "")
    return str(system.constants[0]) if system.constants else MAPPED if system.computed else ""


def _systems(forest: Forest) -> dict[Leaf, str]:
    """The own code system that each leaf is said in."""
    found: dict[Leaf, str] = {}
    for node in forest.nodes():
        system = own_system(node)
        for row in node.children["code"].rows if system and "code" in node.children else ():
            found[(row.table.message_type, row.table.version, leaf_of(row.row.leaf))] = system
        for row in node.rows if node.path in BOUND else ():
            found.setdefault(
                (row.table.message_type, row.table.version, leaf_of(row.row.leaf)), BOUND[node.path]
            )
    return found
