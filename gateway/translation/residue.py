"""What FHIR cannot hold: `""`, `[]`, `{}`, values outside a codec's domain, properties that the schema does not know.

`take_out` removes them from a document and tells each as a mark (JSON Pointer, value); what is left can be said in FHIR
element by element. The marks travel as extensions of the MessageHeader and `put_back` restores them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote

import jsonschema_rs

from gateway.model import JsonObject
from gateway.translation.codecs import LINEAR, Codec, json_back, json_to
from gateway.translation.paths import EACH, ONE, Path
from gateway.translation.shape import Shape

Mark = tuple[tuple[str, ...], Any]
GONE: Any = object()
EMPTY = {"object": {}, "array": [], "string": ""}


@dataclass(frozen=True, slots=True)
class Sieve:
    """The shape of a document with the test for each leaf. Neither `fields` nor `item`: a leaf."""

    fits: Callable[[Any], bool]
    salvage: Callable[[Any], Any] | None = None
    fields: "Mapping[str, Sieve] | None" = None
    item: "Sieve | None" = None


def sieve(shape: Shape, codecs: Mapping[Path, Codec], path: Path = ()) -> Sieve:
    """The sieve of a document's shape; `codecs` are by path."""
    if shape.fields:
        fields = {name: sieve(child, codecs, (*path, name)) for name, child in shape.fields.items()}
        return Sieve(lambda value: isinstance(value, dict), fields=fields)
    if shape.item is not None:
        one = any(known[: len(path) + 1] == (*path, ONE) for known in codecs)
        item = sieve(shape.item, codecs, (*path, ONE if one else EACH))
        item = replace(item, salvage=None)  # a mark puts a list's item back beside the others
        return Sieve(lambda value: isinstance(value, list) and not (one and len(value) > 1), item=item)
    codec = codecs[path]
    return Sieve(jsonschema_rs.Draft4Validator(codec.domain, pattern_options=LINEAR).is_valid, codec.salvage)


def take_out(value: Any, sieve: Sieve, marks: list[Mark], pointer: tuple[str, ...] = ()) -> Any:
    """What FHIR can hold of the value, GONE if nothing; adds the rest to `marks`, outer before inner."""
    if not sieve.fits(value):
        marks.append((pointer, value))
        return sieve.salvage(value) if sieve.salvage and sieve.salvage(value) is not None else GONE
    if sieve.fields is None and sieve.item is None:
        return value
    at = len(marks)
    kept: Any
    if sieve.item is not None:
        items = (take_out(item, sieve.item, marks, (*pointer, str(n))) for n, item in enumerate(value))
        kept = [item for item in items if item is not GONE]
    else:
        kept = {}
        for name, child in value.items():
            inner = (sieve.fields or {}).get(name)
            if inner is None:
                marks.append(((*pointer, name), child))
                continue
            left = take_out(child, inner, marks, (*pointer, name))
            if left is not GONE:
                kept[name] = left
    if kept:
        return kept
    marks.insert(at, (pointer, type(value)()))
    return GONE


def put_back(document: JsonObject, marks: list[Mark]) -> JsonObject:
    """The document with the marks restored, in their order. Raises KeyError, IndexError, ValueError, TypeError."""
    top: JsonObject = {"": document}
    for pointer, value in marks:
        *above, last = ("", *pointer)
        here: Any = top
        for name in above:
            here = here[int(name)] if isinstance(here, list) else here[name]
        if isinstance(here, list):
            here.insert(int(last), value)
        else:
            here[last] = value
    if not isinstance(top[""], dict):
        raise TypeError("a document is an object")
    return top[""]


def extensions(marks: list[Mark], names: Mapping[str, str]) -> list[JsonObject]:
    """The marks as extensions: `empty` for an empty string, list or object, `raw` for anything else."""
    return [_extension(pointer, value, names["sd"]) for pointer, value in marks]


def _extension(pointer: tuple[str, ...], value: Any, base: str) -> JsonObject:
    fragment = "#" + "".join(
        "/" + quote(name.replace("~", "~0").replace("/", "~1"), safe="~") for name in pointer
    )
    path = {"url": "path", "valueUri": fragment}
    for kind, empty in EMPTY.items():
        if type(value) is type(empty) and value == empty:
            return {"url": f"{base}empty", "extension": [path, {"url": "kind", "valueCode": kind}]}
    data = {"url": "value", "valueBase64Binary": json_to(value)}
    return {"url": f"{base}raw", "extension": [path, data]}


def read_marks(found: list[JsonObject], names: Mapping[str, str]) -> list[Mark]:
    """The marks among a MessageHeader's extensions. Raises KeyError, ValueError, TypeError where they are malformed."""
    marks: list[Mark] = []
    for extension in found:
        kind = extension["url"].removeprefix(names["sd"])
        if kind not in {"empty", "raw"}:
            continue
        parts = {part["url"]: part for part in extension["extension"]}
        fragment = parts["path"]["valueUri"].removeprefix("#")
        pointer = tuple(unquote(n).replace("~1", "/").replace("~0", "~") for n in fragment.split("/")[1:])
        if kind == "raw":
            marks.append((pointer, json_back(parts["value"]["valueBase64Binary"])))
        else:
            marks.append((pointer, type(EMPTY[parts["kind"]["valueCode"]])()))
    return marks
