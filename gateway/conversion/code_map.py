"""The codes of a qualification in the other side's lists, by the official map between CISU 1.9 and Hub Santé 2.3. Pure.

The map is in `schemas/conversion/cisu-1.9-hubsante-2.3.map` (notation: `code_map_file`). It says of a code what replaces it,
with the label to write; a code without a line is kept, and its label stays the sender's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.conversion.code_map_file import Target, by_field, check
from gateway.model import JsonObject
from gateway.validation.place import Place

__all__ = ["CodeChange", "check", "crossed"]


@dataclass(frozen=True, slots=True)
class CodeChange:
    """A code that the other side's list says otherwise, or does not say.

    `source` is the place below the qualification that was given, such as `("riskThreat", 2)`; `target` the place below the
    one that was made, `()` where the code was removed. `target_code` is "" where it was removed. `folded`: an earlier item
    says the same code on the other side already, so this item was joined to it and `target` is that item's place.
    """

    source: Place
    target: Place
    source_code: str
    target_code: str
    folded: bool = False


def crossed(qualification: JsonObject, to_health: bool) -> tuple[JsonObject, tuple[CodeChange, ...]]:
    """A qualification with the codes of the other side's lists, and each code that is not the same; the rest as it is.

    `to_health`: from CISU 1.9 to Hub Santé 2.3, else from 2.3 to 1.9. `qualification` is not changed. Members that are no
    code, and values of another form than the schemas have, are kept. Raises ConfigurationError where the map is wrong.
    """
    made: JsonObject = {}
    changes: list[CodeChange] = []
    fields = by_field(to_health=to_health)
    for name, value in qualification.items():
        if name in fields and isinstance(value, list):
            items = _items(name, value, fields[name], changes)
            if items or not value:
                made[name] = items
        elif name in fields:
            item, change = _item((name,), value, fields[name], (name,))
            if change is not None:
                changes.append(change)
            if change is None or change.target:
                made[name] = item
        else:
            made[name] = value
    return made, tuple(changes)


def _items(name: str, values: list[Any], lines: Mapping[str, Target], changes: list[CodeChange]) -> list[Any]:
    """The items of a list. Where a replaced code meets its equal, the first item is kept; the sender's doubles stay."""
    made: list[Any] = []
    first: dict[str, int] = {}  # code there -> index of the first item that says it
    replaced: set[str] = set()  # codes there that stand for another one
    for index, value in enumerate(values):
        item, change = _item((name, index), value, lines, (name, len(made)))
        code = _code(item)
        if code and code in first and (change is not None or code in replaced):
            changes.append(CodeChange((name, index), (name, first[code]), _code(value), code, folded=True))
            continue
        if change is not None:
            changes.append(change)
        if change is None or change.target:
            replaced |= {code} if change is not None else set()
            first.setdefault(code, len(made))
            made.append(item)
    return made


def _item(
    source: Place, value: Any, lines: Mapping[str, Target], target: Place
) -> tuple[Any, CodeChange | None]:
    """The code and label there, None where the map removes them, and what changed."""
    code = _code(value)
    line = lines.get(code)
    if line is None:
        return value, None
    if not line.code:
        return None, CodeChange(source, (), code, "")
    change = CodeChange(source, target, code, line.code)
    return {**value, "code": line.code, "label": line.label}, change


def _code(value: Any) -> str:
    code = value.get("code") if isinstance(value, dict) else None
    return code if isinstance(code, str) else ""
