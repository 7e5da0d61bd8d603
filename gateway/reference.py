"""From an issue to what the reference documentation says of its field.

The pages are `docs/reference/messages/<TYPE>-<version>.md`, made by `schemas.reference_pages` with an anchor for each field.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.errors import Issue
from schemas import ALL_ROOT_KEYS, VERSIONS
from schemas.fields import table

FOLDER = "/docs/reference/messages/"
ENVELOPE, HEADER = "EDXL-DE", "RC-DE"
MESSAGE = ["content", "jsonContent", "embeddedJsonContent", "message"]
INDEX = re.compile(r"\[[0-9]+\]")


@dataclass(frozen=True, slots=True)
class FieldIssue(Issue):
    """An issue about a place in a message of a model version: "v1", "v2" or "v3"."""

    model_version: str = ""


def about(issues: Iterable[Issue], model_version: str) -> tuple[Issue, ...]:
    """The issues of one message; each that has a place knows the message's model version too."""
    return tuple(
        i
        if not i.path or isinstance(i, FieldIssue)
        else FieldIssue(i.kind, i.diagnostics, i.path, i.pointer, i.severity, model_version)
        for i in issues
    )


def link(issue: Issue) -> str:
    """Path and fragment of an issue's field in the documentation, below the gateway's base URL; "" where it has none.

    `/docs/reference/messages/RS-EDA/v3#createCaseHealth.patient.sex`: the anchor is the field's path from the root of its
    table, without list indexes. What no table has is told by the nearest object around it.
    """
    version = issue.model_version if isinstance(issue, FieldIssue) else ""
    if version not in VERSIONS or not issue.path:
        return ""
    parts = INDEX.sub("", issue.path).split(".")
    message_type = ENVELOPE
    if parts[:4] == MESSAGE:
        parts = parts[4:]
        use_case = ALL_ROOT_KEYS[version].get(parts[0]) if parts else None
        message_type, parts = (use_case, parts[1:]) if use_case else (HEADER, parts)
    field = table(message_type, version).root
    anchor = field.name
    for part in parts:
        member = field.child(part)
        if member is None:
            break
        field, anchor = member, f"{anchor}.{part}"
    return f"{FOLDER}{message_type}/{version}#{anchor}"
