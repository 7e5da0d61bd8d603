"""Makes the snapshot of a StructureDefinition from its differential and HL7's definitions of R4."""

import copy
from functools import cache
from typing import Any

import orjson

from tests.judges.asking import MODULES

_R4 = MODULES / "@medplum" / "definitions" / "dist" / "fhir" / "r4"
Element = dict[str, Any]


@cache
def _bases() -> dict[str, list[Element]]:
    """The snapshot elements of every type and resource of R4."""
    found = {}
    for file in ("profiles-types", "profiles-resources"):
        for entry in orjson.loads((_R4 / f"{file}.json").read_bytes())["entry"]:
            resource = entry["resource"]
            if resource["resourceType"] == "StructureDefinition":
                found[resource["id"]] = resource["snapshot"]["element"]
    return found


def with_snapshot(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition with its snapshot. Raises KeyError where the differential names what R4 does not have."""
    elements = copy.deepcopy(_bases()[definition["type"]])
    for told in definition["differential"]["element"]:
        at = _at(elements, told["id"])
        elements[at] = {**elements[at], **told}
    sliced = {f"#{element['id']}" for element in elements if "slicing" in element}
    for element in elements:
        if (
            element.get("contentReference") in sliced
        ):  # medplum would copy the slices without what tells them apart
            del element["contentReference"]
            element["type"] = [{"code": "BackboneElement"}]
    return {**definition, "snapshot": {"element": elements}}


def _at(elements: list[Element], identifier: str) -> int:
    """Where an element is, put there first if need be."""
    known = _find(elements, identifier)
    if known is not None:
        return known
    parent, _, name = identifier.rpartition(".")
    above = _at(elements, parent)
    base_name, _, slice_name = name.partition(":")
    if slice_name:
        base = _at(elements, f"{parent}.{base_name}")
        inside = f"{parent}.{base_name}"
        end = base + 1
        while end < len(elements) and elements[end]["id"].startswith((f"{inside}.", f"{inside}:")):
            end += 1
        made = copy.deepcopy(elements[base])
        made.pop("slicing", None)
        elements.insert(end, made | {"id": identifier})
        return end
    elements[above + 1 : above + 1] = _inside(elements, elements[above])
    found = _find(elements, identifier)
    if found is None:
        raise KeyError(identifier)
    return found


def _find(elements: list[Element], identifier: str) -> int | None:
    return next((n for n, element in enumerate(elements) if element["id"] == identifier), None)


def _inside(elements: list[Element], above: Element) -> list[Element]:
    """The elements of an element's own type, or of the list that it is a slice of."""
    identifier, path = above["id"], above["path"]
    if ":" in identifier.rpartition(".")[2]:
        whole = identifier.rpartition(":")[0]
        beside = [e for e in elements if e["id"].startswith(f"{whole}.") and ":" not in e["id"][len(whole) :]]
        if beside:
            return [{**copy.deepcopy(e), "id": identifier + e["id"][len(whole) :]} for e in beside]
    code = above["type"][0]["code"]
    code = code.rpartition("System.")[2].lower() if "System." in code else code
    return [
        {**copy.deepcopy(e), "id": identifier + e["id"][len(code) :], "path": path + e["path"][len(code) :]}
        for e in _bases()[code][1:]
    ]
