"""A walk along a field table through a part of a message that the validator refused: one issue for each thing wrong.

The walk is lazy and knows each field, so an issue can say what the field is for; listing all errors by the validator
takes seconds on a hostile message. Each single value is still judged by a validator compiled from its field.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

import jsonschema_rs
from jsonschema_rs import Draft7Validator

from gateway.errors import ErrorKind, Issue
from gateway.validation import wording
from gateway.validation.place import Place, issue_at
from schemas import json_schema
from schemas.fields import OBJECTS, Field, table

HINTS = 20  # issues that look for the nearest word: a search in a long code list takes up to a millisecond


@dataclass(frozen=True, slots=True)
class _Node:
    """A field, the validator of one occurrence where it is a scalar, and its members by name."""

    field: Field
    scalar: Draft7Validator | None
    below: "dict[str, _Node]"


@dataclass(frozen=True, slots=True)
class _Report:
    """What the issues of one walk have in common."""

    kind: ErrorKind
    number: "count[int]"

    def issue(self, value: Any, field: Field, place: Place, *, item: bool) -> Issue:
        text = wording.wrong_value(value, field, item=item, hint=next(self.number) < HINTS)
        return issue_at(self.kind, text, place)


def compiled(schema: json_schema.Schema) -> Draft7Validator:
    """A validator that asserts formats, on the engine that takes linear time whatever the pattern."""
    return Draft7Validator(schema, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions())


def walk(message_type: str, version: str, value: Any, place: Place, kind: ErrorKind) -> Iterator[Issue]:
    """Every issue of a value at a place that is to fit a field table. Raises TableError where the table is wrong."""
    return _one(value, _root(message_type, version), place, _Report(kind, count()))


@cache
def _root(message_type: str, version: str) -> _Node:
    return _node(table(message_type, version).root)


def _node(field: Field) -> _Node:
    scalar = None if field.type in OBJECTS else compiled(json_schema.plain(field))
    return _Node(field, scalar, {member.name: _node(member) for member in field.fields})


def _member(value: Any, node: _Node, place: Place, report: _Report) -> Iterator[Issue]:
    field = node.field
    if not field.repeats:
        yield from _one(value, node, place, report)
        return
    if not isinstance(value, list) or not field.min_items <= len(value) <= (field.max_items or len(value)):
        yield report.issue(value, field, place, item=False)
    if isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _one(entry, node, (*place, index), report)


def _one(value: Any, node: _Node, place: Place, report: _Report) -> Iterator[Issue]:
    if node.scalar is not None:
        if not node.scalar.is_valid(value):
            yield report.issue(value, node.field, place, item=True)
    elif isinstance(value, dict):
        yield from _members(value, node, place, report)
    else:
        yield report.issue(value, node.field, place, item=True)


def _members(value: dict[str, Any], node: _Node, place: Place, report: _Report) -> Iterator[Issue]:
    for name, below in node.below.items():
        if name in value:
            yield from _member(value[name], below, (*place, name), report)
        elif below.field.required:
            yield issue_at(report.kind, wording.missing(below.field), place, absent=name)
    if node.field.type == "open object" or value.keys() <= node.below.keys():
        return
    for name in value:
        if name not in node.below:
            text = wording.unexpected(name, node.field, hint=next(report.number) < HINTS)
            yield issue_at(report.kind, text, (*place, name))
