"""The official field behind a leaf: its French title and its codes, from the field tables."""

import schemas
from gateway.canonical_files.tree import Told
from gateway.translation.paths import EACH, ONE, Path, leaf_of, spell
from gateway.translation.tables import Translator
from schemas import codes
from schemas.fields import Field, table


def field_of(told: Told) -> Field:
    """The field of a row's leaf."""
    return field_at(told.table, told.row.leaf)


def field_at(translator: Translator, path: Path) -> Field:
    """The field at a table's message path. Raises KeyError where the version has none."""
    names = [name for name in leaf_of(path) if name not in {EACH, ONE}]
    source, below = _source(translator, names)
    found = table(source, translator.version).at(list(below))
    if found is None:
        raise KeyError(spell(path))
    return found


def _source(translator: Translator, names: list[str]) -> tuple[str, list[str]]:
    if names[0] != "message":
        return "EDXL-DE", names
    if names[1:2] == [translator.root_key]:
        return translator.message_type, names[2:]
    return "RC-DE", names[1:]


def spoken(translator: Translator, path: Path) -> str:
    """A leaf as people name it: below the use case without the words around it, `/` for the envelope and the header."""
    inner = ("message", translator.root_key)
    path = tuple(EACH if name == ONE else name for name in leaf_of(path))
    if path[:2] == inner:
        return spell(path[2:])
    return f"/{spell(path)}"


def code_list(field: Field) -> str:
    """The name of the terminology list that a field takes its codes from, "" where it has none."""
    name = field.list or field.codes
    return name if name and codes.exists(name) else ""


def told_codes(field: Field) -> dict[str, str]:
    """The codes that a field may hold, each with its official label; "" where none is known."""
    name = code_list(field)
    labels = codes.labels(name) if name else {}
    said = field.values or tuple(labels)
    return {code.strip(): labels.get(code, "") for code in said}


def closed(field: Field) -> bool:
    """Whether the schema refuses any other code."""
    return bool(field.values)


def title(message_type: str) -> str:
    """The official title of a message type."""
    version = next(v for v in reversed(schemas.VERSIONS) if message_type in schemas.message_types(v))
    return table(message_type, version).root.title
