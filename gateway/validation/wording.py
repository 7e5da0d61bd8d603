"""What an issue tells the sender: what was found, what is expected, what to change.

The texts quote the message, so they go to its sender only.
"""

import difflib
from collections.abc import Iterable
from typing import Any

import orjson

from schemas import codes
from schemas.fields import Field

SHOWN = 60  # characters of a found value
LISTED = 12  # options named before "and n more"
TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "datetime": "a date and time written YYYY-MM-DDThh:mm:ss+hh:mm, without fraction and without Z",
    "rfc3339": "a date and time with an offset (RFC 3339), such as 2026-01-31T10:00:00+01:00",
    "object": "an object",
    "open object": "an object",
}


def shown(value: Any) -> str:
    """A value as it is quoted in a text: JSON, at most SHOWN characters; objects and lists by their size."""
    if isinstance(value, dict):
        return f"an object with {len(value)} member{'' if len(value) == 1 else 's'}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        text = orjson.dumps(value[: SHOWN + 1]).decode()
    else:
        text = orjson.dumps(value).decode()
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def several(options: Iterable[str]) -> str:
    """Options, the first LISTED of them."""
    names = [odd(name) for name in options]
    rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + rest


def odd(text: str) -> str:
    """A text as it is; quoted where it begins or ends with white space, which nobody would see."""
    return text if text == text.strip() else shown(text)


def expectation(field: Field, *, item: bool = False) -> str:
    """What a field (with `item`, one entry of a list) may be, in words."""
    if field.repeats and not item:
        high = f" to {field.max_items}" if field.max_items is not None else " or more"
        return f"a list of {field.min_items}{high}, each {expectation(field, item=True)}"
    if field.values:
        return f"one of {several(field.values)}" + (f" (code list {field.list})" if field.list else "")
    if field.pattern:
        return f"{field.pattern.meaning}, such as {field.pattern.example}"
    if field.fields:
        needed = [member.name for member in field.fields if member.required]
        return f"an object with {several(needed)}" if needed else "an object"
    return TYPES[field.type]


def missing(field: Field) -> str:
    """A member that must be there is not."""
    return f"Found no {field.name} ({field.title}); expected {expectation(field)}. Add it."


def unexpected(name: str, field: Field, *, hint: bool) -> str:
    """A member that the object does not have. `hint` looks for the nearest name."""
    near = nearest(name, [member.name for member in field.fields]) if hint else []
    change = f"Write {near[0]} if that was meant, or leave it out." if near else "Leave it out."
    names = several(member.name for member in field.fields)
    return f"Found the member {shown(name)}; expected only {names}. {change}"


def wrong_value(value: Any, field: Field, *, item: bool, hint: bool) -> str:
    """A value that breaks its type, pattern, format, enum or number of entries. `hint` looks for the nearest codes."""
    expected = f"Found {shown(value)}; expected {expectation(field, item=item)}."
    return f"{expected} {_change(value, field, item=item, hint=hint)}"


def _change(value: Any, field: Field, *, item: bool, hint: bool) -> str:
    listed = field.repeats and not item
    if value is None:
        return (
            "Give a value." if field.required or listed or item else "Give a value, or leave the member out."
        )
    if listed and not isinstance(value, list):
        return "Put it into a list: [ … ]."
    if listed:
        return f"Send {field.min_items} to {field.max_items or 'any number of'} entries."
    if isinstance(value, list):
        return _unlisted(len(value))
    if field.type == "string" and isinstance(value, (int, float)):
        return "Write it as text, in quotes."
    if field.type in ("number", "integer", "boolean") and isinstance(value, str):
        return "Write it without quotes."
    if (
        hint
        and field.values
        and isinstance(value, str)
        and (near := nearest(value, field.values, field.list))
    ):
        return f"Nearest: {', '.join(map(shown, near))}. Send one of the codes."
    return "Correct the value."


def _unlisted(count: int) -> str:
    """What to do about a list where one value belongs."""
    if count == 1:
        return "It is written as a list: send its entry without the list around it."
    return "It is written as a list: " + ("send one value." if count else "send a value.")


def nearest(text: str, options: Iterable[str], code_list: str = "") -> list[str]:
    """At most three options near a text: the code of that label, one alike but for case and spaces, or few letters off."""
    wanted = text[:SHOWN].strip().casefold()
    labels = codes.labels(code_list) if code_list and codes.exists(code_list) else {}
    folded = {option.strip().casefold(): option for option in options}
    if by_label := [code for code, label in labels.items() if label.casefold() == wanted]:
        # a list of an older version may lack the code
        return [folded[code.casefold()] for code in by_label if code.casefold() in folded][:3]
    if wanted in folded:
        return [folded[wanted]]
    return [folded[near] for near in difflib.get_close_matches(wanted, folded, 3)]
