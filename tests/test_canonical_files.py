"""The artefacts for FHIR tools: as the tables make them, valid, complete, and true of the Bundles."""

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway import canonical_files, translation
from gateway.canonical_files import official
from gateway.errors import ErrorKind, Issue
from gateway.model import JsonObject
from gateway.outcome import operation_outcome
from gateway.translation.tables import BASE, translator
from tests.judges import asking
from tests.test_translation import CASES, SERVED, message, seeded_documents, version_of
from tests.test_translation_rows import _other_header

JUDGES = pytest.mark.skipif(
    not (asking.INSTALLED and shutil.which("node")),
    reason="node or the judges' npm packages are not installed",
)
STRUCTURE = f"{BASE}/StructureDefinition/"


@cache
def artefacts() -> dict[str, JsonObject]:
    """All artefacts by canonical URL; a NamingSystem by the system that it names."""
    return {
        made.get("url") or made["uniqueId"][0]["value"]: made
        for made in canonical_files.artefacts()
        if made["resourceType"] != "MessageDefinition"
    }


@cache
def case_bundles() -> tuple[JsonObject, ...]:
    return tuple(
        translation.to_fhir(message(orjson.loads(path.read_bytes()), version_of(path))) for path in CASES
    )


def generated_bundles(count: int) -> Iterator[JsonObject]:
    for message_type, version in SERVED:
        for number, document in enumerate(seeded_documents(message_type, version, count)):
            told = _other_header(document) if number % 2 else document
            yield translation.to_fhir(message(told, version))


def test_the_files_are_as_the_tables_make_them() -> None:
    for which, made in canonical_files.texts().items():
        folder = canonical_files.FOLDERS[which]
        there = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.is_file()}
        drifted = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
        assert drifted == [], "run python -m gateway.canonical_files"


def test_write_makes_the_files_and_removes_the_others(tmp_path: Path) -> None:
    folders = {which: tmp_path / which for which in canonical_files.FOLDERS}
    assert len(canonical_files.write(folders)) == sum(map(len, canonical_files.texts().values()))
    (tmp_path / "fhir" / "CodeSystem-gone.json").write_text("{}")
    (tmp_path / "mappings" / "RS-EDA-v3.md").write_text("")
    assert [Path(path).name for path in canonical_files.write(folders)] == [
        "CodeSystem-gone.json",
        "RS-EDA-v3.md",
    ]
    assert canonical_files.write(folders) == []


def test_ids_urls_and_names_are_unique() -> None:
    made = canonical_files.artefacts()
    ids = [(each["resourceType"], each["id"]) for each in made]
    urls = [(each["url"], each["version"]) for each in made if "url" in each]
    names = [(each["resourceType"], each["name"]) for each in made]
    assert [len(set(told)) for told in (ids, urls, names)] == [len(told) for told in (ids, urls, names)]


def test_every_type_and_version_has_the_definition_that_its_header_names() -> None:
    there = {
        f"{each['url']}|{each['version']}"
        for each in canonical_files.artefacts()
        if each["resourceType"] == "MessageDefinition"
    }
    assert {bundle["entry"][0]["resource"]["definition"] for bundle in generated_bundles(1)} == there


def own_urls(value: Any) -> Iterator[str]:
    """Every URL of the gateway's base in an artefact, its own and ids of messages left out."""
    if isinstance(value, dict):
        for child in value.values():
            yield from own_urls(child)
    elif isinstance(value, list):
        for child in value:
            yield from own_urls(child)
    elif isinstance(value, str) and value.startswith(f"{BASE}/") and "|" not in value:
        yield value


def test_whatever_an_artefact_names_is_there() -> None:
    named = {url for made in artefacts().values() for url in own_urls(made)}
    missing = sorted(url for url in named if url not in artefacts() and "/MessageDefinition/" not in url)
    assert missing == []


def test_every_own_url_of_a_bundle_has_its_artefact() -> None:
    told: set[str] = set()
    for bundle in (*case_bundles(), *generated_bundles(10)):
        for entry in bundle["entry"]:
            told |= set(urls_and_systems(entry["resource"]))
        told |= set(urls_and_systems({k: v for k, v in bundle.items() if k != "entry"}))
    assert len(told) > 150
    assert sorted(url for url in told if url not in artefacts()) == []


def urls_and_systems(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from urls_and_systems(child, key)
    elif isinstance(value, list):
        for child in value:
            yield from urls_and_systems(child, name)
    elif name in {"url", "system", "profile"} and isinstance(value, str) and value.startswith(f"{BASE}/"):
        yield value


def test_the_codes_of_a_complete_code_system_are_all_there_are() -> None:
    codes = {
        url: {concept["code"] for concept in made.get("concept", ())}
        for url, made in artefacts().items()
        if made.get("content") == "complete"
    }
    told = {
        (coding["system"], coding["code"])
        for bundle in (*case_bundles(), *generated_bundles(10))
        for coding in codings(bundle)
    }
    assert len({system for system, _ in told if system in codes}) > 50
    assert (
        sorted((system, code) for system, code in told if system in codes and code not in codes[system]) == []
    )


def codings(value: Any) -> Iterator[JsonObject]:
    if isinstance(value, dict):
        if isinstance(value.get("system"), str) and isinstance(value.get("code"), str):
            yield value
        for child in value.values():
            yield from codings(child)
    elif isinstance(value, list):
        for child in value:
            yield from codings(child)


def test_every_leaf_of_every_type_is_in_a_definition() -> None:
    told = {
        mapping["map"]
        for made in artefacts().values()
        for element in made.get("differential", {}).get("element", ())
        for mapping in element.get("mapping", ())
    }
    leaves = set()
    newest = dict(SERVED)  # the last version of each
    for kind, version in newest.items():
        table = translator(kind, version)
        assert table is not None
        rows = table.plan.rows.values()
        leaves |= {f"{kind} {version}: {official.spoken(table, row.leaf)}" for row in rows}
    assert len(leaves) > 800
    assert sorted(leaves - told) == []


def test_each_code_map_of_the_tables_is_a_concept_map_or_leads_to_uris() -> None:
    maps = {
        name: pairs
        for kind, version in SERVED
        if (table := translator(kind, version)) is not None
        for name, pairs in table.plan.maps.items()
    }
    uris = {name for name, pairs in maps.items() if all(":" in target for target in pairs.values())}
    concept_maps = {m["id"] for m in artefacts().values() if m["resourceType"] == "ConceptMap"}
    assert uris and maps.keys() - concept_maps == uris


def test_a_concept_map_says_what_its_map_says() -> None:
    status = artefacts()[f"{BASE}/ConceptMap/case-status"]["group"][0]
    assert status["unmapped"] == {"mode": "fixed", "code": "unknown"}
    assert status["target"] == "http://hl7.org/fhir/encounter-status"
    assert {"code": "ACTIF", "target": [{"code": "in-progress", "equivalence": "relatedto"}]} in status[
        "element"
    ]
    sex = artefacts()[f"{BASE}/ConceptMap/sexe-v1-to-v2"]["group"][0]
    assert (sex["sourceVersion"], sex["targetVersion"]) == ("v1", "v2")
    assert {"code": "MASC", "target": [{"code": "M", "equivalence": "equivalent"}]} in sex["element"]


def test_the_parts_of_an_extension_have_plain_names() -> None:
    parts = {
        element["fixedUri"]
        for made in artefacts().values()
        if made.get("type") == "Extension"
        for element in made["differential"]["element"]
        if element["path"].endswith(".extension.url")
    }
    assert "id" in parts and not [part for part in parts if "/" in part]


# -- judges that nobody here wrote


@JUDGES
def test_judges_accept_every_artefact() -> None:
    medplum = asking.Medplum()
    try:
        for made in canonical_files.artefacts():
            bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": made}]}
            found = [*asking.fhir_resources(bundle), *asking.hl7(bundle), *medplum(made)]
            assert found == [], f"{made['resourceType']}/{made['id']}"
    finally:
        medplum.close()


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.judges.snapshots import with_snapshot

    definitions = [m for m in artefacts().values() if m["resourceType"] == "StructureDefinition"]
    path = tmp_path_factory.mktemp("profiles") / "own.json"
    path.write_text(json.dumps([with_snapshot(made) for made in definitions]), encoding="utf-8")
    return path


def answers(resources: list[JsonObject], snapshots: Path) -> list[list[str]]:
    """What medplum finds against the profiles that the resources claim, for each resource."""
    lines = b"\n".join(orjson.dumps(resource) for resource in resources)
    ran = subprocess.run(
        ["node", "profiles.mjs", str(snapshots)],
        cwd=asking.HERE,
        input=lines,
        capture_output=True,
        check=True,
    )
    told: list[list[str]] = [orjson.loads(line) for line in ran.stdout.splitlines()]
    assert len(told) == len(resources)
    return told


def against_profiles(resources: list[JsonObject], snapshots: Path) -> list[str]:
    """All that medplum finds, each issue with its profile."""
    told = zip(resources, answers(resources, snapshots), strict=True)
    return [f"{resource['meta']['profile'][0]}: {issue}" for resource, issues in told for issue in issues]


@JUDGES
def test_every_resource_of_the_cases_follows_its_profile(snapshots: Path) -> None:
    found = [entry["resource"] for bundle in case_bundles() for entry in bundle["entry"]]
    assert against_profiles([*found, *case_bundles()], snapshots) == []


@JUDGES
def test_every_resource_of_generated_messages_follows_its_profile(snapshots: Path) -> None:
    bundles = list(generated_bundles(6))
    found = [entry["resource"] for bundle in bundles for entry in bundle["entry"]]
    assert against_profiles([*found, *bundles], snapshots) == []


def changed(profile: str, change: dict[str, Any]) -> JsonObject:
    """A resource of the cases with some elements set, None = taken away."""
    resource = next(
        entry["resource"]
        for bundle in case_bundles()
        for entry in bundle["entry"]
        if entry["resource"]["meta"]["profile"] == [STRUCTURE + profile]
    )
    made = copy.deepcopy(resource) | change
    return {name: value for name, value in made.items() if value is not None}


FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("hub-request", {"intent": "plan"}, "intent"),
    ("hub-state", {"code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}}, "code"),
    ("hub-state", {"code": None}, "code"),
    ("hub-engagement", {"intent": "plan"}, "intent"),
    ("hub-weight", {"code": {"text": "weight"}}, "code"),
    ("hub-case", {"identifier": [{"system": f"{BASE}/id/case", "value": v} for v in "ab"]}, "slice 'case'"),
]


@JUDGES
def test_the_profiles_refuse(snapshots: Path) -> None:
    sound = [changed(profile, {}) for profile, _, _ in FAULTS]
    told = answers([*sound, *(changed(profile, change) for profile, change, _ in FAULTS)], snapshots)
    assert told[: len(FAULTS)] == [[]] * len(FAULTS)
    for (profile, change, says), found in zip(FAULTS, told[len(FAULTS) :], strict=True):
        assert len(found) >= 1 and all(says in issue for issue in found), (profile, change, found)


# -- extensions against their definitions: medplum does not look into them


def extension_faults(extension: JsonObject, definition: JsonObject, at: str = "Extension") -> list[str]:
    """Where an extension has a part, a value type or more repetitions than its definition says."""
    rules = {element["id"]: element for element in definition["differential"]["element"]}
    types = [f"value{t['code'][0].upper()}{t['code'][1:]}" for t in rules[f"{at}.value[x]"].get("type", ())]
    values = [name for name in extension if name.startswith("value")]
    faults = [] if len(values) == len(types[:1]) and set(values) <= set(types) else [f"{at}: {values}"]
    parts = extension.get("extension", [])
    for part in parts:
        here = f"{at}.extension:{part['url']}"
        if here not in rules:
            faults.append(here)
            continue
        faults += extension_faults(part, definition, here)
        if rules[here]["max"] == "1" and [p["url"] for p in parts].count(part["url"]) > 1:
            faults.append(f"{here} repeats")
    return list(dict.fromkeys(faults))


def extensions(value: Any, path: str) -> Iterator[tuple[str, JsonObject]]:
    """The extensions of a resource that have a URL, each with the path of its element."""
    if isinstance(value, list):
        for child in value:
            yield from extensions(child, path)
    elif isinstance(value, dict):
        path = str(value.get("resourceType", path))
        for name, child in value.items():
            if name == "extension":
                yield from ((path, found) for found in child if ":" in found["url"])
            yield from extensions(child, f"{path}.{name.removeprefix('_')}")


def test_every_extension_follows_its_definition_and_stands_where_it_may() -> None:
    seen: set[str] = set()
    faults: set[str] = set()
    for bundle in (*case_bundles(), *generated_bundles(10)):
        for entry in bundle["entry"]:
            for place, extension in extensions(entry["resource"], ""):
                definition = artefacts().get(extension["url"])
                if definition is None:  # another's
                    assert not extension["url"].startswith(BASE)
                    continue
                seen.add(extension["url"])
                faults |= {f"{extension['url']} {fault}" for fault in extension_faults(extension, definition)}
                path = re.sub(r"[.]content[A-Z]\w+$", ".content[x]", place)
                if path not in [context["expression"] for context in definition["context"]]:
                    faults.add(f"{extension['url']} on {path}")
    assert sorted(faults) == []
    defined = {
        url
        for url, made in artefacts().items()
        if made.get("type") == "Extension" and made["context"][0]["expression"] != "OperationOutcome.issue"
    }
    assert sorted(defined - seen) == []


@pytest.mark.parametrize("kind", ErrorKind, ids=lambda kind: kind.name)
def test_an_answer_to_an_error_has_its_artefacts(kind: ErrorKind) -> None:
    found = Issue(kind, "caseId is absent", "content[0].jsonContent.x.createCaseHealth.caseId", "/content/0")
    outcome = operation_outcome((found,))
    for coding in codings(outcome):
        assert coding["code"] in {c["code"] for c in artefacts()[coding["system"]]["concept"]}
    told = list(extensions(outcome, ""))
    assert len(told) >= 2
    for path, extension in told:
        definition = artefacts()[extension["url"]]
        assert extension_faults(extension, definition) == []
        assert path in [context["expression"] for context in definition["context"]]
    retry = next(x["valueCode"] for _, x in told if x["url"].endswith("/retry"))
    assert retry in {c["code"] for c in artefacts()[f"{BASE}/CodeSystem/retry"]["concept"]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("case-origin", {"valueString": "x"}),
        ("case-origin", {}),
        ("contact", {"extension": [{"url": "type", "valueString": "TEL"}]}),
        ("contact", {"extension": [{"url": "kind", "valueCode": "TEL"}]}),
        ("contact", {"extension": [{"url": "type", "valueCode": "TEL"}] * 2}),
        ("emsi-context", {"extension": [{"url": "link", "extension": [{"url": "id", "valueCode": "x"}]}]}),
    ],
)
def test_a_wrong_extension_is_found(name: str, content: JsonObject) -> None:
    definition = artefacts()[STRUCTURE + name]
    assert len(extension_faults({"url": STRUCTURE + name} | content, definition)) == 1
