"""Code lists behind patterns: the schema takes any code of the right form, these lists know which ones exist.

A list that is known in part only (`codes.incomplete`) says nothing here: neither that a code is unknown nor that a label
is another's.

An accepted message must not pay much for what is only a warning: places are put together where there is something to tell,
and what is told of a code and its label is remembered, because the same software sends the same pairs again and again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from gateway.errors import ErrorKind, Issue
from gateway.model import Message
from gateway.reference import FieldIssue
from gateway.validation.place import MESSAGE_PATH, MESSAGE_POINTER
from gateway.validation.wording import shown
from schemas import codes
from schemas.fields import Field, table

REMEMBERED = 4_096  # pairs of code and label
LONG = 256  # characters of a pair that is not remembered


@dataclass(frozen=True, slots=True)
class _Node:
    """A member on the way to coded fields; `codes` and `labelled` where it is one itself."""

    name: str
    codes: str
    labelled: bool
    below: "tuple[_Node, ...]"


@dataclass(frozen=True, slots=True)
class _Listed:
    """A label of a code list as it is compared, and as it is quoted."""

    folded: str
    shown: str


@dataclass(frozen=True, slots=True)
class _Told:
    """What is to be said of a code, or of the label beside it."""

    text: str
    of_label: bool


_Where = tuple[Any, str | int]  # (where, part), and () above the message's body
_Coded = tuple[str, str | None, str, _Where]  # code, label, code list, place


def issues(message: Message, *, strict: bool) -> Iterator[Issue]:
    """Codes that their list does not have (warnings, or errors where `strict`), and labels that differ (information)."""
    if not message.message_type:
        return
    found: list[_Coded] = []
    _collect(message.body, _plan(message.message_type, message.model_version), (), found)
    for code, label, name, where in found:
        known = codes.labels(name).get(code)
        if known is not None and label in (known, None):
            continue
        short = len(code) + len(label or "") <= LONG
        told = _remembered(code, label, name) if short else _judged(code, label, name)
        if told is not None:
            yield _issue(told, where, message, strict=strict)


def _issue(told: _Told, where: _Where, message: Message, *, strict: bool) -> Issue:
    text, severity = told.text, "error" if strict else "warning"
    if told.of_label:
        where, severity = (where[0], "label"), "information"
    elif not strict:
        text = f"{text} The message is taken with it."
    path, pointer = "", ""  # all names are those of a field table, so they need neither check nor escape
    rest: Any = where
    while rest:
        rest, part = rest
        path = f"[{part}]{path}" if isinstance(part, int) else f".{part}{path}"
        pointer = f"/{part}{pointer}"
    path, pointer = (
        f"{MESSAGE_PATH}.{message.root_key}{path}",
        f"{MESSAGE_POINTER}/{message.root_key}{pointer}",
    )
    return FieldIssue(ErrorKind.CODE, text, path, pointer, severity, message.model_version)


@cache
def _plan(message_type: str, version: str) -> tuple[_Node, ...]:
    return _nodes(table(message_type, version).root)


def _nodes(field: Field) -> tuple[_Node, ...]:
    labelled = field.child("label") is not None
    found = (
        _Node(member.name, _judging(member), labelled and member.name == "code", _nodes(member))
        for member in field.fields
    )
    return tuple(node for node in found if node.codes or node.below)


def _judging(field: Field) -> str:
    return field.codes if codes.complete(field.codes) else ""


def _collect(value: Any, plan: tuple[_Node, ...], where: Any, found: list[_Coded]) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            _collect(item, plan, (where, index), found)
        return
    if not isinstance(value, dict):
        return
    for node in plan:
        member = value.get(node.name)
        if member is None:
            continue
        if node.below:
            _collect(member, node.below, (where, node.name), found)
        elif isinstance(member, str):
            label = value.get("label") if node.labelled else None
            found.append((member, label if isinstance(label, str) else None, node.codes, (where, node.name)))
        elif isinstance(member, list):
            inside = (where, node.name)
            found += [
                (c, None, node.codes, (inside, index)) for index, c in enumerate(member) if isinstance(c, str)
            ]


def _judged(code: str, label: str | None, name: str) -> _Told | None:
    known = _listed(name).get(code)
    if known is None:
        near = ", ".join(f"{option} ({codes.labels(name)[option]})" for option in _near(code, name))
        change = f"Nearest: {near}." if near else "Look the code up in the list."
        return _Told(f"Found {shown(code)}; expected a code of the list {name}. {change}", of_label=False)
    if label is None or _says(label, known):
        return None
    # which of the two is wrong is not known: to take over the list's label would make a wrong code look right
    text = (
        f"Found {shown(label)} with {code}, which the list {name} calls {known.shown}. "
        "Code and label disagree: check which of the two is meant."
    )
    return _Told(text, of_label=True)


_remembered = lru_cache(REMEMBERED)(_judged)


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


@cache
def _listed(name: str) -> dict[str, _Listed]:
    return {code: _Listed(_folded(label), shown(label)) for code, label in codes.labels(name).items()}


def _says(label: str, known: _Listed) -> bool:
    # senders often write the label's ancestors too: "Domicile ; Maison particulière, pavillon ; Dépendance"
    if _folded(label) == known.folded:
        return True
    return ";" in label and known.folded in map(_folded, label.split(";"))


def _folded(label: str) -> str:
    return " ".join(label.replace("’", "'").split()).casefold()
