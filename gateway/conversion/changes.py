"""How a leaf's value changes from one version to another: code maps, wrapped ids, numbers that one of them writes as text."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from math import isfinite
from typing import Any

import jsonschema_rs

from gateway.conversion import doubt, identifiers
from gateway.conversion.code_sections import List
from gateway.conversion.codes import Correspondence, climbed, correspondences, otherwise
from gateway.model import JsonObject
from gateway.translation.codecs import LINEAR, Codec
from gateway.translation.paths import Path
from gateway.translation.shape import Shape
from schemas import codes
from schemas.fields import Field, patterns, table

PATIENT_IDS = frozenset({"patientId", "idPat"})

GONE: Any = object()
"""What cannot be said."""

Change = Callable[[Any, JsonObject], tuple[Any, str]]
"""A value and the object that it stands in -> the value there, or GONE, and why it is not the same ("" where it is)."""

UNKNOWN_CODE = "the version has no such code, nor one that is wider"
OTHER_TEXT = "the version has a number here, this is none"
REASONS = {
    "wider": "the version has no such code; the one that stands there is wider",
    "narrower": "the version has no such code; the one that stands there is narrower",
    "inexact": "the version has no such code; the one that stands there is near",
}


@dataclass(frozen=True, slots=True)
class Side:
    """A leaf in one of the two versions."""

    message_type: str
    version: str
    leaf: Path  # from `message` down
    shape: Shape
    codec: Codec

    @property
    def field(self) -> Field | None:
        """The leaf in its field table, None for those of header and envelope: they are the same in every version."""
        root = table(self.message_type, self.version).root
        return (
            root
            if self.leaf[1:] == (root.name,)
            else _below(root, self.leaf, self.message_type, self.version)
        )


def _below(root: Field, leaf: Path, message_type: str, version: str) -> Field | None:
    if leaf[:2] != ("message", root.name):
        return None
    return table(message_type, version).at([name for name in leaf[2:] if name[0].isalpha()])


def change(source: Side, target: Side) -> Change | None:
    """The change between two leaves that say the same, None where the value stays as it is."""
    here, there = source.field, target.field
    if here is None or there is None:
        return None
    pattern = there.pattern or here.pattern
    prefix = identifiers.prefix(pattern.name) if pattern else ""
    if pattern is None and there.name in PATIENT_IDS and source.version != target.version:
        return _patient_link(source.version, target.version)
    if prefix and here.pattern != there.pattern:
        return _identifier(prefix, target.shape.leaf)
    if source.shape.type != target.shape.type:
        return _number(target.shape.type)
    if here.values or here.codes:
        return _code(source, target, here, there)
    if here.name == "label":
        return _label(source, target)
    return None


def _identifier(prefix: str, leaf: JsonObject) -> Change:
    fits = jsonschema_rs.Draft7Validator(leaf, pattern_options=LINEAR).is_valid
    return lambda value, _: (identifiers.carried(value, prefix, fits), "")


def _patient_link(source: str, target: str) -> Change:
    """An id of a patient, in a field that takes any text: it changes as that patient's own id does, or the link would break."""
    name = "patient-id"
    before, after = (
        re.compile(patterns()[name if version == "v3" else f"{name}-{version}"].regex).search
        for version in (source, target)
    )

    def changed(value: Any, _: JsonObject) -> tuple[Any, str]:
        if not isinstance(value, str) or not before(value):
            return value, ""
        return identifiers.carried(value, identifiers.prefix(name), lambda one: bool(after(one))), ""

    return changed


def _number(target_type: str) -> Change:
    def to_text(value: Any, _: JsonObject) -> tuple[Any, str]:
        return str(int(value)) if value == int(value) else str(value), ""

    def to_number(value: Any, _: JsonObject) -> tuple[Any, str]:
        try:
            number = float(value)
        except ValueError:
            return GONE, OTHER_TEXT
        if not isfinite(number):
            return GONE, OTHER_TEXT
        return (int(number) if number == int(number) else number), ""

    return to_text if target_type == "string" else to_number


def _known(field: Field) -> frozenset[str]:
    """The codes of a field, () where any text may stand there."""
    return frozenset(field.values or (codes.labels(field.codes) if field.codes else ()))


def _list(field: Field) -> str:
    """What the field's code list is called; codes that the field table itself names go by the field's name."""
    return field.list or field.codes or field.name


@cache
def _map(source: tuple[str, Field], target: tuple[str, Field]) -> Mapping[str, Correspondence]:
    (version, here), (other, there) = source, target
    return correspondences((version, _list(here)), (other, _list(there)), _known(here), _known(there))


@lru_cache(maxsize=4096)
def _odd(source: List, target: List, there: Field, code: str) -> Correspondence | None:
    """A code of another list than the field's own, or one that the list lacks and its pattern takes."""
    return correspondences(source, target, frozenset({code}), _known(there)).get(code)


def _by_label(
    source: List, target: List, there: Field, code: str, said: Correspondence, label: str
) -> Correspondence | None:
    """An unknown code goes to no ancestor that its label contradicts: the number is in doubt, and the label decides. One that
    both lists number alike stays, with its label.
    """
    if not climbed(code, said.code):
        return said
    named = doubt.contradicting(target[1], said.code, label)
    if len(named) == 1 and named[0] in _known(there):
        return Correspondence(named[0], "inexact")
    wide = otherwise(source, target, _known(there))
    return wide if wide and (named or doubt.is_other(target[1], said.code, label)) else said


def _code(source: Side, target: Side, here: Field, there: Field) -> Change | None:
    if not _known(there) or (there.codes and here.codes):
        return None
    found = _map((source.version, here), (target.version, there))
    closed = bool(here.values)  # no other code can come
    if closed and all(found.get(code) == Correspondence(code, "equivalent") for code in here.values):
        return None
    free = bool(there.codes)  # any code of the right form passes there
    ends = (source.version, _list(here)), (target.version, _list(there))
    twice = doubt.choices(ends[0])

    def fate(code: str, label: str) -> Correspondence | None:
        if (choice := twice.get(code)) and (meant := choice.meant(label)):
            same = choice.target == ends[1]
            return Correspondence(meant, "equivalent") if same else _odd(choice.target, ends[1], there, meant)
        if code in found or closed:
            return found.get(code)
        said = _odd(*ends, there, code)
        return _by_label(*ends, there, code, said, label) if said else None

    def changed(value: Any, holder: JsonObject) -> tuple[Any, str]:
        said = fate(value, str(holder.get("label", ""))) if isinstance(value, str) else None
        if said is None:
            return (value, "") if free else (GONE, UNKNOWN_CODE)
        return said.code, REASONS.get(said.equivalence, "")

    return changed


def _label(source: Side, target: Side) -> Change | None:
    """A label is the sender's and stays, also beside a wider code: there it is the only word of what was meant.

    It goes where its code goes: nothing is left to label.
    """
    here, there = (
        Side(s.message_type, s.version, (*s.leaf[:-1], "code"), s.shape, s.codec).field
        for s in (source, target)
    )
    if here is None or there is None:
        return None
    changed = _code(source, target, here, there) if _known(here) else None
    if changed is None:
        return None

    def label(value: Any, holder: JsonObject) -> tuple[Any, str]:
        code, _ = changed(holder.get("code"), holder)
        return (GONE, UNKNOWN_CODE) if code is GONE else (value, "")

    return label
