"""What FHIR tools and people read of the mapping tables: conformance resources and the pages of docs/mappings/. Pure.

`python -m gateway.canonical_files` writes both anew; a test sees when they differ from the tables.
"""

import json
from functools import cache
from pathlib import Path

import schemas
from gateway.canonical_files import (
    concept_maps,
    definitions,
    messaging,
    outcomes,
    pages,
    side_maps,
    terminology,
    version_maps,
)
from gateway.canonical_files.tree import Forest, forest
from gateway.model import JsonObject

__all__ = ["artefacts", "files", "texts", "write"]

FOLDERS = {
    "fhir": schemas.ROOT / "canonical" / "fhir",
    "mappings": schemas.ROOT.parent / "docs" / "mappings",
}


@cache
def _forest() -> Forest:
    return forest()


def artefacts() -> list[JsonObject]:
    """Every conformance resource, valid FHIR R4. Raises ConfigurationError for a bad table or code file."""
    grown = _forest()
    lists = terminology.code_lists(grown)
    made = [
        *definitions.profiles(grown, lists),
        *definitions.extensions(grown, lists),
        *terminology.code_systems(lists),
        *terminology.value_sets(lists),
        *concept_maps.concept_maps(grown, lists),
        *version_maps.version_maps(lists),
        *side_maps.side_maps(lists),
        *outcomes.outcome_artefacts(),
        *messaging.naming_systems(grown),
        *messaging.message_definitions(grown),
        messaging.capability_statement(grown),
    ]
    return [*made, messaging.implementation_guide(made)]


def files() -> dict[str, str]:
    """The text of every file of `schemas/canonical/fhir/`, by name."""
    made = {f"{resource['resourceType']}-{resource['id']}.json": resource for resource in artefacts()}
    return {
        name: json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        for name, content in ({"package.json": messaging.package()} | made).items()
    }


def texts() -> dict[str, dict[str, str]]:
    """The text of every generated file, by folder (`fhir`, `mappings`) and name."""
    return {"fhir": files(), "mappings": pages.pages(_forest().tables)}


def write(folders: dict[str, Path] | None = None) -> list[str]:
    """Makes every file anew and removes those that are no more; the paths of those that changed."""
    changed = []
    for which, made in texts().items():
        folder = (folders or FOLDERS)[which]
        folder.mkdir(parents=True, exist_ok=True)
        old = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.is_file()}
        for name in old.keys() - made.keys():
            (folder / name).unlink()
        for name, text in made.items():
            if old.get(name) != text:
                (folder / name).write_text(text, encoding="utf-8")
        changed += [f"{folder}/{n}" for n in sorted(old.keys() | made.keys()) if old.get(n) != made.get(n)]
    return changed
