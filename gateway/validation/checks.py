"""What `gateway check` asks of schemas/: tables that parse, schema files that are up to date and sound."""

from collections.abc import Iterator
from pathlib import Path

from jsonschema import Draft7Validator, SchemaError

import schemas
from gateway.validation import structure
from schemas import codes, fields, json_schema
from schemas.fields import Table


def check() -> list[str]:
    """Every finding about field tables, schema files and code lists, naming the file; [] where all is well."""
    try:
        return list(_findings())
    except (fields.TableError, ValueError, OSError) as error:
        return [str(error)]


def _findings() -> Iterator[str]:
    codes.incomplete()
    for name in codes.names():
        codes.labels(name)
    for message_type, version in json_schema.tables():
        yield from _table(message_type, version)
    for version, roots in schemas.ALL_ROOT_KEYS.items():
        for root_key, message_type in roots.items():
            yield from _catalogue(message_type, version, root_key)


def _table(message_type: str, version: str) -> Iterator[str]:
    name = f"schemas/{message_type}/{version}"
    source = fields.table(message_type, version)
    if (source.message_type, source.version) != (message_type, version):
        yield f"{name}.fields:1: names {source.message_type} {source.version}"
    yield from schema_findings(source, schemas.file(message_type, f"{version}.schema.json"))


def schema_findings(source: Table, path: Path) -> Iterator[str]:
    """What is wrong with the schema file of a field table: not what the table makes, or no schema at all."""
    name = f"schemas/{source.message_type}/{path.name}"
    if not path.exists() or path.read_text(encoding="utf-8") != json_schema.text(source):
        yield f"{name}: is not what {source.version}.fields makes; run python -m schemas"
        return
    try:
        Draft7Validator.check_schema(json_schema.file_schema(source))
    except SchemaError as error:
        yield f"{name}: {error.message} at /{'/'.join(map(str, error.absolute_path))}"


def _catalogue(message_type: str, version: str, root_key: str) -> Iterator[str]:
    if not schemas.file(message_type, f"{version}.fields").exists():
        yield f"schemas/__init__.py: {message_type} {version} has no field table"
        return
    if fields.table(message_type, version).root.name != root_key:
        yield f"schemas/{message_type}/{version}.fields: the root field is not {root_key}"
    structure.whole_document(message_type, version)
