"""Reads the two contracts under openapi/: every operation, response, body and example, references followed."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

FOLDER = Path(__file__).parents[1] / "openapi"
NAMES = ("gateway.yaml", "core.yaml")
METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})


@cache
def document(name: str) -> dict[str, Any]:
    """A contract as plain data."""
    loaded = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@cache
def registry() -> Registry[Any]:
    """Both contracts, under their file names, so that `gateway.yaml#/…` is found from either."""
    return Registry().with_resources(
        (f"file:///{name}", DRAFT202012.create_resource(document(name))) for name in NAMES
    )


class Place(NamedTuple):
    """A value inside a contract: which file, the JSON Pointer, the value (never a reference)."""

    name: str
    pointer: str
    value: Any

    def __truediv__(self, key: str | int) -> "Place":
        """The member or item, its reference followed."""
        token = str(key).replace("~", "~0").replace("/", "~1")
        return follow(Place(self.name, f"{self.pointer}/{token}", self.value[key]))

    def members(self, key: str) -> Iterator[tuple[str, "Place"]]:
        """The named members below a key; none where the key is absent."""
        for name in self.value.get(key, {}):
            yield name, self / key / name


def follow(place: Place) -> Place:
    """What a place's `$ref` points at; a schema's own keywords beside `$ref` stay the validator's business."""
    if not (isinstance(place.value, dict) and set(place.value) == {"$ref"}):
        return place
    name, _, pointer = place.value["$ref"].partition("#")
    found = Place(name or place.name, pointer, document(name or place.name))
    for token in pointer.lstrip("/").split("/"):
        found = Place(
            found.name, pointer, found.value[token.replace("~1", "/").replace("~0", "~").replace("%24", "$")]
        )
    return follow(found)


def documented(name: str = "gateway.yaml") -> set[tuple[str, str]]:
    """Every (METHOD, path) that a contract documents."""
    return {(method.upper(), path) for method, path, _ in operations(name)}


def operations(name: str) -> Iterator[tuple[str, str, Place]]:
    """Every operation as (method, path, place)."""
    root = Place(name, "", document(name))
    for path, item in root.members("paths"):
        for method in METHODS & set(item.value):
            yield method, path, item / method


def responses(name: str) -> Iterator[tuple[str, str, Place]]:
    """Every response as (operationId, status, place)."""
    for _, _, operation in operations(name):
        for status, response in operation.members("responses"):
            yield operation.value["operationId"], status, response


def parameters(name: str) -> Iterator[tuple[str, Place]]:
    """Every parameter of every operation, the path's own included."""
    root = Place(name, "", document(name))
    for method, path, operation in operations(name):
        for holder in (root / "paths" / path, operation):
            for number in range(len(holder.value.get("parameters", []))):
                yield f"{method} {path}", holder / "parameters" / number


def bodies(name: str) -> Iterator[tuple[str, Place]]:
    """Every media type of every request and response."""
    for _, _, operation in operations(name):
        if "requestBody" in operation.value:
            for media_type, content in (operation / "requestBody").members("content"):
                yield f"{operation.value['operationId']} request {media_type}", content
    for operation_id, status, response in responses(name):
        for media_type, content in response.members("content"):
            yield f"{operation_id} {status} {media_type}", content


def examples(holder: Place) -> Iterator[tuple[str, Any]]:
    """The examples of a media type, parameter or header."""
    if "example" in holder.value:
        yield "example", holder.value["example"]
    for name, example in holder.members("examples"):
        yield name, example.value["value"]


def judge(schema: Place, value: Any) -> list[str]:
    """What a schema of a contract says against a value."""
    validator = Draft202012Validator(
        {"$ref": f"file:///{schema.name}#{schema.pointer}"},
        registry=registry(),
        format_checker=FormatChecker(),
    )
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(value)]
