"""Loads the mapping tables and turns each into a translator, once."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs

import schemas
from gateway.errors import ConfigurationError
from gateway.model import JsonObject
from gateway.translation import canonical, reading, writing
from gateway.translation.codecs import DERIVATIONS, LINEAR, Codecs
from gateway.translation.instants import CODEC, Instants, instants
from gateway.translation.lines import safe
from gateway.translation.notation import parse
from gateway.translation.paths import EACH, ONE, Path
from gateway.translation.plan import Plan, bind
from gateway.translation.residue import Sieve, sieve
from gateway.translation.rows import Table
from gateway.translation.shape import Shape, document, without_content

BASE = "https://hub-fhir.example/fhir"
VOCABULARY = "canonical/vocabulary.mapping"


@dataclass(frozen=True, slots=True)
class Translator:
    """One message type in one model version, both ways."""

    message_type: str
    version: str
    root_key: str
    names: Mapping[str, str]
    plan: Plan
    whole: Shape
    fits: Callable[[Any], bool]  # the document needs no marks and has all that the schema requires
    sieve: Sieve
    write: Callable[..., JsonObject]
    write_any: Callable[..., JsonObject]
    read: Callable[[list[Any]], JsonObject]
    layout: reading.Layout
    instants: Instants
    court: canonical.Court


@cache
def translator(message_type: str, version: str) -> Translator | None:
    """The translator of a message type, None where it has no table. Raises ConfigurationError for a bad table."""
    if not schemas.file(message_type, f"{version}.mapping").exists():
        return None
    return compile_table(message_type, version)


def compile_table(message_type: str, version: str, load: Callable[[str], str] | None = None) -> Translator:
    """Compiles one table; `load` gives the text of a file below `schemas/`. Raises ConfigurationError with file and line."""
    names = {
        "TYPE": message_type,
        "DEFINITION": f"{BASE}/MessageDefinition/{message_type}|{version[1:]}.0",
        "sd": f"{BASE}/StructureDefinition/",
        "cs": f"{BASE}/CodeSystem/",
        "id": f"{BASE}/id/",
        "base": f"{BASE}/",
    }
    read_file = load or _load
    whole = _document(message_type, version, read_file)
    table = parse(f"{message_type}/{version}.mapping", read_file, names)
    plan = bind(table, without_content(whole))
    return _translator(message_type, version, table, plan, whole)


def check() -> list[str]:
    """What is wrong with the tables: each must compile, and hold every leaf of its schema once. Also compiles them all."""
    wrong = []
    for version in schemas.VERSIONS:
        for message_type in schemas.message_types(version):
            try:
                made = translator(message_type, version)
            except ConfigurationError as error:
                wrong.append(str(error))
            else:
                if made is None:
                    wrong.append(f"{message_type}/{version}.mapping: the type has no table")
    return wrong


def _load(file: str) -> str:
    path = schemas.ROOT / file
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from error


def _document(message_type: str, version: str, load: Callable[[str], str]) -> Shape:
    def schema(name: str) -> JsonObject:
        loaded: JsonObject = json.loads(load(f"{name}/{version}.schema.json"))
        return loaded

    header = None if message_type in schemas.HEADERLESS else schema("RC-DE")
    root_key = schemas.root_key(message_type, version)
    return document(schema("EDXL-DE"), header, root_key, schema(message_type))


def _translator(message_type: str, version: str, table: Table, plan: Plan, whole: Shape) -> Translator:
    space = _namespace(table)
    for text in (writing.source(plan, strict=True), reading.source(plan)):
        exec(compile(text, f"<{message_type} {version}>", "exec"), space)  # noqa: S102 our own tables
    strict = space["write"]
    exec(compile(writing.source(plan, strict=False), f"<{message_type} {version}>", "exec"), space)  # noqa: S102
    codecs = {_in_document(path): codec for path, codec in plan.codecs.items()}
    fits = jsonschema_rs.Draft4Validator(narrowed(whole, codecs), pattern_options=LINEAR).is_valid
    return Translator(
        message_type,
        version,
        schemas.root_key(message_type, version),
        table.names,
        plan,
        whole,
        fits,
        sieve(whole, codecs),
        strict,
        space["write"],
        space["read"],
        reading.layout(plan),
        instants(row.leaf for row in plan.rows.values() if row.codec == CODEC),
        canonical.court(plan, table.names["sd"]),
    )


def _namespace(table: Table) -> dict[str, Any]:
    codecs = Codecs(table.maps)
    space: dict[str, Any] = {"N": {}, "Misplaced": reading.Misplaced}
    for name in {row.codec for resource in table.resources.values() for row in resource.rows}:
        codec = codecs.named(name)
        space[f"C_{safe(name)}"], space[f"B_{safe(name)}"] = codec.to, codec.back
        space[f"D_{safe(name)}"] = jsonschema_rs.Draft4Validator(
            codec.domain, pattern_options=LINEAR
        ).is_valid
    space |= {f"M_{safe(name)}": pairs for name, pairs in table.maps.items()}
    return space | {f"F_{safe(name)}": function for name, function in DERIVATIONS.items()}


def _in_document(path: Path) -> Path:
    """A table's path (`message` at the root) as a path in the document."""
    return ("content", EACH, "jsonContent", "embeddedJsonContent", *path) if path[0] == "message" else path


def narrowed(shape: Shape, codecs: Mapping[Path, Any], path: Path = ()) -> JsonObject:
    """The JSON Schema (draft 4) of the documents that FHIR can hold without marks."""
    if shape.fields:
        properties = {name: narrowed(child, codecs, (*path, name)) for name, child in shape.fields.items()}
        needed = {"required": sorted(shape.required)} if shape.required else {}
        return {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            "minProperties": 1,
            **needed,
        }
    if shape.item is not None:
        one = any(known[: len(path) + 1] == (*path, ONE) for known in codecs)
        items = narrowed(shape.item, codecs, (*path, ONE if one else EACH))
        return {"type": "array", "minItems": 1, **({"maxItems": 1} if one else {}), "items": items}
    domain: JsonObject = codecs[path].domain
    return domain
