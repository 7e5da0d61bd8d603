"""Code lists behind patterns: the schema takes any code of the right form, these lists know which ones exist."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from gateway.errors import ErrorKind, Issue
from gateway.model import Message
from gateway.validation.place import MESSAGE, Place, issue_at
from gateway.validation.wording import shown
from schemas import codes
from schemas.fields import Field, table


@dataclass(frozen=True, slots=True)
class _Node:
    """A member on the way to coded fields; `codes` and `labelled` where it is one itself."""

    name: str
    codes: str
    labelled: bool
    below: "tuple[_Node, ...]"


def issues(message: Message, *, strict: bool) -> Iterator[Issue]:
    """Codes that their list does not have (warnings, or errors where `strict`), and labels that differ (information)."""
    if message.message_type:
        place = (*MESSAGE, message.root_key)
        yield from _walk(
            message.body, _plan(message.message_type, message.model_version), place, strict=strict
        )


@cache
def _plan(message_type: str, version: str) -> tuple[_Node, ...]:
    return _nodes(table(message_type, version).root)


def _nodes(field: Field) -> tuple[_Node, ...]:
    labelled = field.child("label") is not None
    found = (
        _Node(member.name, member.codes, labelled and member.name == "code", _nodes(member))
        for member in field.fields
    )
    return tuple(node for node in found if node.codes or node.below)


def _walk(value: Any, plan: tuple[_Node, ...], place: Place, *, strict: bool) -> Iterator[Issue]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, plan, (*place, index), strict=strict)
        return
    if not isinstance(value, dict):
        return
    for node in plan:
        member = value.get(node.name)
        if member is None:
            continue
        if node.below:
            yield from _walk(member, node.below, (*place, node.name), strict=strict)
        else:
            label = value.get("label") if node.labelled else None
            for code, at in _codes(member, (*place, node.name)):
                yield from _coded(code, label, node.codes, at, strict=strict)


def _codes(member: Any, place: Place) -> Iterator[tuple[str, Place]]:
    if isinstance(member, str):
        yield member, place
    elif isinstance(member, list):
        yield from ((code, (*place, index)) for index, code in enumerate(member) if isinstance(code, str))


def _coded(code: str, label: Any, name: str, place: Place, *, strict: bool) -> Iterator[Issue]:
    known = codes.labels(name).get(code)
    if known is None:
        near = ", ".join(f"{option} ({codes.labels(name)[option]})" for option in _near(code, name))
        change = f"Nearest: {near}." if near else "Look the code up in the list."
        passed = "" if strict else " The message is taken with it."
        text = f"Found {shown(code)}; expected a code of the list {name}. {change}{passed}"
        yield issue_at(ErrorKind.CODE, text, place, severity="error" if strict else "warning")
    elif isinstance(label, str) and label != known and not _says(label, known):
        text = f"Found {shown(label)}; expected {shown(known)}, the label of {code} in the list {name}. Take it over."
        yield issue_at(ErrorKind.CODE, text, (*place[:-1], "label"), severity="information")


def _near(code: str, name: str) -> tuple[str, ...]:
    prefixes = _by_prefix(name)
    return next(
        (prefixes[code[:end]] for end in range(min(len(code), 12), 2, -1) if code[:end] in prefixes), ()
    )


@cache
def _by_prefix(name: str) -> dict[str, tuple[str, ...]]:
    # made once: an accepted message with an unknown code must not pay for a search through the whole list
    found: dict[str, tuple[str, ...]] = {}
    for code in codes.labels(name):
        for end in range(3, len(code) + 1):
            found[code[:end]] = (*found.get(code[:end], ()), code)[:3]
    return found


def _says(label: str, known: str) -> bool:
    # senders often write the label's ancestors too: "Domicile ; Maison particulière, pavillon ; Dépendance"
    return label.rpartition(";")[2].strip() == known or _folded(known) in map(
        _folded, (label, *label.split(";"))
    )


def _folded(label: str) -> str:
    return " ".join(label.replace("’", "'").split()).casefold()
