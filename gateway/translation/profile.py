"""The canonical profile as JSON Schema (draft-07), one for each kind of resource, made from the same tree as the code.

Closed: what no table names is not canonical. A server may add `id` and its own `meta`.
"""

from collections.abc import Iterable
from typing import Any

from gateway.model import JsonObject
from gateway.translation.codecs import ALWAYS_SAID, BASE64, CODE, NUMBERS, URL
from gateway.translation.instants import NAME
from gateway.translation.paths import spell
from gateway.translation.plan import Element, Items, Kind, Plan, Slice, Value, values
from gateway.translation.rows import MAPPING, VALUES, Derived, Fixed, Row

_STRING = {"type": "string", "minLength": 1}
URN = "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_META = {
    "versionId": _STRING,
    "lastUpdated": _STRING,
    "source": _STRING,
    "security": {"type": "array", "items": {"type": "object"}},
    "tag": {"type": "array", "items": {"type": "object"}},
}
_ABSENT = {"type": "object", "required": ["extension"]}


def resource(plan: Plan, kind: Kind, base: str) -> JsonObject:
    """The JSON Schema of one kind of resource; `base` is the URL of own StructureDefinitions."""
    schema = _element(plan, kind.element)
    properties: JsonObject = schema["properties"]
    if kind.name == "header":
        extension = properties["extension"]
        extension["items"] = {
            "anyOf": [
                *extension["items"]["anyOf"],
                _mark(base, "empty", _KIND),
                _mark(base, "raw", _VALUE),
                _closed({"url": {"enum": [base + NAME]}, "valueString": {"type": "string", "pattern": CODE}}),
            ]
        }
        extension.pop("maxItems", None)
    profile = {"type": "array", "items": {"enum": [kind.profile]}, "minItems": 1, "maxItems": 1}
    properties["resourceType"] = {"enum": [kind.type]}
    properties["id"] = _STRING
    own = {name: _among(plan, content) for name, content in kind.meta.fields.items()}
    properties["meta"] = _closed({**_META, **own, "profile": profile}, ["profile", *own])
    schema["required"] += ["resourceType", "meta"]
    if kind.type == "Bundle":
        entry = _closed({"fullUrl": _STRING, "resource": {"type": "object"}})
        properties["entry"] = {"type": "array", "minItems": 1, "items": entry}
        schema["required"].append("entry")
    return schema


def _among(plan: Plan, content: Element | Items | Value) -> JsonObject:
    """A list of a server's own items with ours among them."""
    assert isinstance(content, Items)
    ours = [{"contains": _schema(plan, part.content)} for part in content.slices]
    return {"type": "array", "items": {"type": "object"}, "allOf": ours}


_KIND = {"url": {"enum": ["kind"]}, "valueCode": {"enum": ["object", "array", "string"]}}
_VALUE = {"url": {"enum": ["value"]}, "valueBase64Binary": BASE64}


def _mark(base: str, name: str, second: JsonObject) -> JsonObject:
    path = _closed({"url": {"enum": ["path"]}, "valueUri": {"type": "string", "pattern": URL}})
    parts = {"type": "array", "minItems": 2, "maxItems": 2, "items": {"anyOf": [path, _closed(second)]}}
    return _closed({"url": {"enum": [base + name]}, "extension": parts})


def _closed(properties: JsonObject, required: list[str] | None = None) -> JsonObject:
    needed = list(properties) if required is None else required
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": needed}


def _schema(plan: Plan, content: Element | Items | Value) -> JsonObject:
    match content:
        case Element():
            return _element(plan, content)
        case Items():
            return _items(plan, content)
        case Fixed():
            return {"enum": [content.value]}
        case Row():
            return _leaf(plan, content)
        case Derived(function="source-path"):
            return {"type": "string", "pattern": _source_path(plan.kind(content.place))}
        case Derived() if content.function in VALUES:
            return {"enum": _told(content, content.names[:1])}
        case Derived() if content.function in NUMBERS:
            return {"type": "number"}
        case _ if content.function in MAPPING:
            return {"enum": _told(content, plan.maps[content.names[0]].values())}
        case _:
            return _STRING


def _told(value: Derived, told: Iterable[str]) -> list[str]:
    """All that a derived value may say, the words of earlier Bundles among them."""
    return sorted({*told, value.withdrawn, value.was} - {""})


def _source_path(kind: Kind) -> str:
    index = r"\[(0|[1-9][0-9]{0,8})\]"
    return f"^{spell(kind.place[2:]).replace('.', '[.]').replace('[]', index)}$"


def _leaf(plan: Plan, row: Row) -> JsonObject:
    shape = plan.shape.at(row.leaf)
    assert shape is not None
    said = plan.codecs[row.key].fhir
    if row.codec in {"text", "code"} and "enum" in shape.leaf:
        said = {"enum": [code.strip() for code in shape.leaf["enum"]]}
    return said if row.otherwise is None else {"anyOf": [said, {"enum": [row.otherwise]}]}


def _element(plan: Plan, element: Element) -> JsonObject:
    properties = {name: _schema(plan, content) for name, content in element.fields.items()}
    required = [name for name, content in element.fields.items() if _always(plan, content)]
    for name, content in element.fields.items():
        if isinstance(content, Row) and content.required:
            properties[f"_{name}"] = _ABSENT
    return _closed(properties, required)


def _always(plan: Plan, content: Element | Items | Value) -> bool:
    """A constant, or a derived value that is never silent: it is written with whatever holds it."""
    if isinstance(content, Row):
        return content.otherwise is not None
    if isinstance(content, Items):
        return any(part.source is None and _always(plan, part.content) for part in content.slices)
    if isinstance(content, Element):
        return _element_always(plan, content)
    return isinstance(content, Fixed) or _never_silent(plan, content)


def _element_always(plan: Plan, element: Element) -> bool:
    found = list(values(element))
    if any(
        (value.required or value.otherwise is not None)
        if isinstance(value, Row)
        else isinstance(value, Fixed) and value.always
        for value in found
    ):
        return True
    spoken = [value for value in found if not isinstance(value, Fixed)]
    return not spoken or any(isinstance(v, Derived) and _never_silent(plan, v) for v in spoken)


def _never_silent(plan: Plan, value: Derived) -> bool:
    if value.function == "map":
        return len(value.paths) == 1 and "*" in plan.maps[value.names[0]]
    return value.function in ALWAYS_SAID or value.function in {"source-path", "always", "map-newest"}


def _items(plan: Plan, items: Items) -> JsonObject:
    schema: JsonObject = {"type": "array", "minItems": 1}
    parts = [_schema(plan, part.content) for part in items.slices]
    needed = [
        {"contains": part_schema}
        for part, part_schema in zip(items.slices, parts, strict=True)
        if part.source is None and len(parts) > 1 and _always(plan, part.content)
    ]
    if needed:
        schema["allOf"] = needed
    parts += [_listed_content(part) for part in items.listed]
    schema["items"] = parts[0] if len(parts) == 1 else {"anyOf": parts}
    if not items.listed and all(part.source is None for part in items.slices):
        schema["maxItems"] = len(items.slices)
    return schema


def _listed(item: Element) -> JsonObject:
    """An item that another resource adds: its URL and its index are not constants."""
    properties: JsonObject = {}
    for name, content in item.fields.items():
        if isinstance(content, Element):
            properties[name] = _listed(content)
        elif isinstance(content, Items):
            most = {} if content.listed else {"maxItems": 1}
            inner = [_listed_content(part) for part in (*content.slices, *content.listed)]
            properties[name] = {"type": "array", "minItems": 1, **most, "items": {"anyOf": inner}}
        else:
            properties[name] = _placeholder(content)
    return _closed(properties)


def _listed_content(part: Slice) -> JsonObject:
    return _listed(part.content) if isinstance(part.content, Element) else _placeholder(part.content)


def _placeholder(content: Any) -> JsonObject:
    if content.value == "@self":
        return {"type": "string", "pattern": URN}
    if isinstance(content.value, str) and content.value.startswith("@n"):
        return {"type": "integer", "minimum": 0}
    return {"enum": [content.value]}
