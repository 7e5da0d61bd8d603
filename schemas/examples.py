"""An example of every message type, made from its field table: all members, one entry a list, always the same."""

from typing import Any

from schemas import codes
from schemas.fields import OBJECTS, Field

TEXTS = {"datetime": "2026-01-31T10:04:34+01:00", "rfc3339": "2026-01-31T10:04:34+01:00"}
NUMBERS: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True}


def full(field: Field) -> Any:
    """One occurrence of a field with every member it may have. A free text says what it stands for."""
    if field.type in OBJECTS:
        made = {member.name: _entries(member, full(member)) for member in field.fields}
        return made | _label(field, made)
    return _scalar(field)


def minimal(field: Field) -> Any:
    """One occurrence of a field with its mandatory members only."""
    if field.type in OBJECTS:
        needed = [member for member in field.fields if member.required]
        made = {member.name: _entries(member, minimal(member)) for member in needed}
        return made | (_label(field, made) if "label" in made else {})
    return _scalar(field)


def _entries(field: Field, one: Any) -> Any:
    return [one] * max(1, field.min_items) if field.repeats else one


def _scalar(field: Field) -> Any:
    if field.values:
        return field.values[0]
    if field.pattern:
        return field.pattern.example
    if field.codes:
        return next(iter(codes.labels(field.codes)))
    return TEXTS.get(field.type) or NUMBERS.get(field.type) or field.title


def _label(field: Field, made: dict[str, Any]) -> dict[str, str]:
    coded, label = field.child("code"), field.child("label")
    name = (coded.codes or coded.list) if coded else ""
    if not coded or not label or not codes.exists(name):
        return {}
    return {"label": codes.labels(name).get(made["code"], made["label"])}
