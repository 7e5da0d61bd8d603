"""The tree of a message as its JSON Schema says it: what the tables bind to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.model import JsonObject
from gateway.translation.paths import EACH, ONE, Path

_CONSTRAINTS = frozenset({"enum", "pattern", "format"})
MESSAGE: Path = ("content", EACH, "jsonContent", "embeddedJsonContent", "message")


@dataclass(frozen=True, slots=True)
class Shape:
    """One place of a message. Exactly one of `fields`, `item` is set for an object, a list; neither for a leaf."""

    type: str  # object, array, string, number, integer, boolean; "open" is an object of any content
    fields: Mapping[str, "Shape"] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    item: "Shape | None" = None
    leaf: JsonObject = field(default_factory=dict)  # the leaf's own constraints: enum, pattern, format

    def at(self, path: Path) -> "Shape | None":
        """The shape at a path below, None where the schema has none."""
        shape: Shape | None = self
        for name in path:
            if shape is None:
                return None
            shape = shape.item if name in {EACH, ONE} else shape.fields.get(name)
        return shape

    def leaves(self, path: Path = ()) -> Iterator[Path]:
        """The paths of all leaves."""
        if self.item is not None:
            yield from self.item.leaves((*path, EACH))
        elif self.fields:
            for name, child in self.fields.items():
                yield from child.leaves((*path, name))
        else:
            yield path


def from_schema(schema: JsonObject) -> Shape:
    """The shape that a JSON Schema (draft-07, local `$ref`s) describes."""
    return _shape(schema, schema)


def _shape(schema: JsonObject, root: JsonObject) -> Shape:
    while "$ref" in schema:
        target: Any = root
        for name in schema["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        schema = target
    properties = schema.get("properties")
    if properties:
        fields = {name: _shape(child, root) for name, child in properties.items()}
        return Shape("object", fields, frozenset(schema.get("required", ())))
    kind = schema.get("type", "open")
    if kind == "array":
        return Shape("array", item=_shape(schema["items"], root))
    if kind == "object":
        return Shape("open")
    return Shape(kind, leaf={key: value for key, value in schema.items() if key in _CONSTRAINTS})


def document(envelope: JsonObject, header: JsonObject | None, root_key: str, body: JsonObject) -> Shape:
    """The shape of a whole EDXL-DE document that holds one use case; `header` None = a type without RC-DE header."""
    top = from_schema({**envelope, "properties": {**envelope["properties"], "content": {"type": "string"}}})
    head = from_schema(header) if header else Shape("object")
    message = Shape("object", {**head.fields, root_key: from_schema(body)}, head.required | {root_key})
    embedded = Shape("object", {"message": message}, frozenset({"message"}))
    json_content = Shape("object", {"embeddedJsonContent": embedded}, frozenset({"embeddedJsonContent"}))
    item = Shape("object", {"jsonContent": json_content}, frozenset({"jsonContent"}))
    return Shape("object", {**top.fields, "content": Shape("array", item=item)}, top.required)


def without_content(whole: Shape) -> Shape:
    """The document as the tables see it: the envelope's fields, and `message` beside them."""
    message = whole.at(MESSAGE)
    assert message is not None
    fields = {name: child for name, child in whole.fields.items() if name != "content"}
    return Shape("object", {**fields, "message": message}, whole.required - {"content"} | {"message"})
