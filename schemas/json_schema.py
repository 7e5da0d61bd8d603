"""Field table -> JSON Schema draft-07. The schema files beside the tables are made here and never edited."""

import json
from collections.abc import Iterator
from typing import Any

from schemas.fields import OBJECTS, ROOT, Field, Table, table

Schema = dict[str, Any]

# The Hub Santé's rule for instants: no fraction, no Z (hence the pattern), and a real date (hence the format).
DATETIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[\-+]\d{2}:\d{2}$"
SCALARS: dict[str, Schema] = {
    "datetime": {"type": "string", "format": "date-time", "pattern": DATETIME},
    "rfc3339": {"type": "string", "format": "date-time"},
}


def file_schema(source: Table) -> Schema:
    """The schema as published: titles, one definition a block in use."""
    blocks = {name: source.blocks[name] for name in sorted(set(_used(source.root)))}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"urn:regulation-gateway:schema:{source.message_type}:{source.version}",
        "$comment": f"Made from {source.version}.fields by python -m schemas; edit the table.",
        "title": source.root.title,
        **_object(source.root, named=True),
        "definitions": {
            name: {"title": block.title, **_object(block, named=True)} for name, block in blocks.items()
        },
    }


def plain(field: Field) -> Schema:
    """The schema of one occurrence of a field, with every block spelled out: quicker to validate by, same verdict."""
    return _occurrence(field, named=False)


def text(source: Table) -> str:
    """The schema file's text."""
    return json.dumps(file_schema(source), ensure_ascii=False, indent=1) + "\n"


def tables() -> list[tuple[str, str]]:
    """Message type and version of every field table there is."""
    return sorted((path.parent.name, path.stem) for path in ROOT.glob("*/v*.fields"))


def write() -> list[str]:
    """Make every schema file anew; the names of those that changed. Raises TableError."""
    changed = []
    for message_type, version in tables():
        path = ROOT / message_type / f"{version}.schema.json"
        made = text(table(message_type, version))
        if not path.exists() or path.read_text(encoding="utf-8") != made:
            path.write_text(made, encoding="utf-8")
            changed.append(f"{message_type}/{path.name}")
    return changed


def _scalar(field: Field) -> Schema:
    schema = dict(SCALARS.get(field.type) or {"type": field.type})
    if field.pattern:
        schema["pattern"] = field.pattern.regex
    if field.values:
        schema["enum"] = list(field.values)
    return schema


def _used(field: Field) -> Iterator[str]:
    for member in field.fields:
        if member.block:
            yield member.block
        yield from _used(member)


def _object(field: Field, *, named: bool) -> Schema:
    return {
        "type": "object",
        "required": [member.name for member in field.fields if member.required],
        "properties": {member.name: _member(member, named=named) for member in field.fields},
        "additionalProperties": field.type == "open object",
    }


def _member(field: Field, *, named: bool) -> Schema:
    one = _occurrence(field, named=named)
    if field.repeats:
        one = {"type": "array", "items": one}
        if field.min_items:
            one["minItems"] = field.min_items
        if field.max_items is not None:
            one["maxItems"] = field.max_items
    # draft-07 ignores what stands beside $ref, so a referring member has the title of its block
    return {"title": field.title, **one} if named and "$ref" not in one else one


def _occurrence(field: Field, *, named: bool) -> Schema:
    if field.type not in OBJECTS:
        return _scalar(field)
    if named and field.block:
        return {"$ref": f"#/definitions/{field.block}"}
    return _object(field, named=named)
