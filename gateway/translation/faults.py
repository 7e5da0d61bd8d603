"""What keeps a Bundle from being canonical, in words: the element, and what the profile expects there. No value of the Bundle."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs
import orjson

from gateway.translation.codecs import CODE, DATE, LINEAR, TEXT, TIME, URL

SAID = 8  # options named
WORDS = {
    TIME: "an instant such as 2026-01-31T10:00:00+01:00",
    DATE: "a date YYYY-MM-DD",
    TEXT: "a text with a letter in it",
    CODE: "a code without spaces at its ends",
    URL: "a URL",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One element that is wrong. `path` is simple (`entry[1].resource.status`); `expected` is "" where only the path is known."""

    path: str
    expected: str = ""


def faults(schema: Any, validator: Any, value: Any, prefix: str) -> Iterator[Fault]:
    """The faults of a value that breaks a schema, the innermost places that can be told."""
    for error in validator.iter_errors(value):
        place = prefix + spelled(error.instance_path)
        yield from _fault(error, schema, value, place)


def spelled(path: Any) -> str:
    """The names and indexes of a path, to go behind what stands before it."""
    return "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in path)


def places(value: Any, text: str, path: str = "") -> Iterator[str]:
    """The paths of the elements of a Bundle that say a text."""
    if value == text:
        yield path.removeprefix(".")
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, inner in members:
        yield from places(inner, text, path + spelled((name,)))


def _fault(error: Any, schema: Any, value: Any, place: str) -> Iterator[Fault]:
    kind, path = error.kind, list(error.schema_path)
    match kind.name:
        case "required":
            below = _at_schema(schema, [*path[:-1], "properties", kind.property])
            yield Fault(f"{place}.{kind.property}", _of_schema(below) or "it to be there")
        case "additionalProperties":
            for name in kind.unexpected[:SAID]:
                yield Fault(f"{place}.{name}", "no such element: the profile has none here")
        case "contains":
            wanted = _constants(_at_schema(schema, path))
            yield Fault(place, f"an item with {wanted or 'what the profile names'}")
        case "anyOf":
            yield from _nearest(_at_schema(schema, path), _at(value, error.instance_path), place)
        case "maxItems":
            yield Fault(place, f"at most {kind.limit}")
        case "minItems":
            yield Fault(place, f"at least {kind.limit}")
        case _:
            yield Fault(place, _of_schema(_at_schema(schema, path[:-1])))


def _nearest(alternatives: Any, value: Any, place: str) -> Iterator[Fault]:
    """The faults within the one alternative that the value is meant to be, or what it may be."""
    meant = [one for one in alternatives if isinstance(one, dict) and _shares_constant(one, value)]
    if len(meant) == 1:
        validator = jsonschema_rs.Draft7Validator(meant[0], pattern_options=LINEAR)
        yield from islice(faults(meant[0], validator, value, place), SAID)
        return
    told = dict.fromkeys(text for one in alternatives if (text := _constants(one) or _of_schema(one)))
    yield Fault(place, f"one of: {' | '.join(list(told)[:SAID])}{' | …' if len(told) > SAID else ''}")


def _shares_constant(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value has the URL, system or resource type that the schema wants."""
    if not isinstance(value, dict):
        return False
    wanted = [
        (name, below["enum"])
        for name, below in schema.get("properties", {}).items()
        if name in {"url", "system", "resourceType"} and "enum" in below
    ]
    return bool(wanted) and all(value.get(name) in told for name, told in wanted)


def options(values: list[Any]) -> str:
    """Constants of the profile as they are told."""
    if len(values) == 1:
        return _shown(values[0])
    more = f" and {len(values) - SAID} more" if len(values) > SAID else ""
    return f"one of {', '.join(map(str, values[:SAID]))}{more}"


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode()


def _of_schema(schema: Any) -> str:
    if not isinstance(schema, dict):
        return ""
    if "enum" in schema:
        return options(schema["enum"])
    if "pattern" in schema:
        return WORDS.get(schema["pattern"], f"a text that fits {schema['pattern']}")
    kind = str(schema.get("type", ""))
    if kind == "object":
        inside = _constants(schema)
        return f"an object with {inside}" if inside else "an object"
    words = {
        "string": "a text that is not empty",
        "number": "a number",
        "integer": "a whole number",
        "array": "a list",
    }
    return words.get(kind, "")


def _constants(schema: Any, name: str = "") -> str:
    """The constants inside a schema: `system "x", code "y"`."""
    return ", ".join(islice(_constant_parts(schema, name), SAID))


def _constant_parts(schema: Any, name: str) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    if name and len(schema.get("enum", ())) == 1:
        yield f"{name} {_shown(schema['enum'][0])}"
    for below, inner in schema.get("properties", {}).items():
        if below in schema.get("required", (below,)):
            yield from _constant_parts(inner, below)
    for part in (schema.get("items"), *(one.get("contains") for one in schema.get("allOf", ()))):
        yield from _constant_parts(part, name)


def _at(value: Any, path: Any) -> Any:
    for name in path:
        value = value[name]
    return value


def _at_schema(schema: Any, path: list[Any]) -> Any:
    try:
        return _at(schema, path)
    except (KeyError, IndexError, TypeError):
        return None
