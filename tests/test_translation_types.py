"""Each row's codec writes the FHIR type of its element, and each derived or constant element exists: asked of HL7's schema."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.translation import tables
from gateway.translation.plan import Element, Items, Kind, Value
from gateway.translation.rows import Fixed, Row
from tests.judges import asking
from tests.test_translation import SERVED

pytestmark = pytest.mark.skipif(not asking.INSTALLED, reason="the judges' npm packages are not installed")

CODECS = {
    "code": {"code", "icd-10", "digits"},
    "string": {"text"},
    "markdown": {"text"},
    "uri": {"url", "text"},  # an endpoint may be any text that the sender calls a URI
    "url": {"url"},
    "date": {"date"},
    "dateTime": {"dateTime"},
    "instant": {"dateTime"},
    "boolean": {"boolean"},
    "decimal": {"number", "number-text"},
    "number": {"number", "number-text"},
    "integer": {"integer"},
    "base64Binary": {"json"},
    "Quantity": {"age"},
}
SUFFIXES = {
    "Code": "code",
    "String": "string",
    "Uri": "uri",
    "DateTime": "dateTime",
    "Boolean": "boolean",
    "Decimal": "decimal",
    "Integer": "integer",
    "Base64Binary": "base64Binary",
    "Quantity": "Quantity",
}


def values(
    content: Element | Items | Value, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Every value of a resource with the names of the elements above it."""
    if isinstance(content, Element):
        for name, child in content.fields.items():
            yield from values(child, (*path, name))
    elif isinstance(content, Items):
        for part in content.slices:
            yield from values(part.content, path)
    else:
        yield path, content


def contained_type(kind: Kind) -> str:
    """The type of what a resource contains; ours contain one kind each."""
    found = {
        v.value
        for path, v in values(kind.element)
        if path == ("contained", "resourceType") and isinstance(v, Fixed)
    }
    return str(found.pop()) if found else ""


def fhir_type(kind: Kind, path: tuple[str, ...]) -> str:
    """The name of an element's type in R4, "" where R4 does not have the element."""
    definitions = asking.definitions()
    here = kind.type
    for name in path:
        if name.startswith("_"):
            here = "Element"
            continue
        found: Any = definitions.get(here, {}).get("properties", {}).get(name)
        if found is None:
            return ""
        inline = "code" if "enum" in found.get("items", found) or "const" in found else found.get("type", "")
        suffix = next((kind for end, kind in SUFFIXES.items() if name.endswith(end)), inline)
        here = found.get("items", found).get("$ref", "").rpartition("/")[2] or suffix
        if here == "ResourceList":
            here = contained_type(kind)
    return here


@pytest.mark.parametrize(("message_type", "version"), SERVED)
def test_each_row_writes_the_type_of_its_element(message_type: str, version: str) -> None:
    made = tables.translator(message_type, version)
    assert made is not None
    wrong = []
    for kind in made.plan.kinds:
        for path, value in values(kind.element):
            found = fhir_type(kind, path)
            codec = (
                "code"
                if isinstance(value, Row) and value.codec in made.plan.maps
                else getattr(value, "codec", "")
            )
            if not found or (codec and codec not in CODECS[found]):
                wrong.append(
                    f"{value.place}: {kind.type}.{'.'.join(path)} is {found or 'no element'}, not {codec}"
                )
    assert wrong == []


def test_an_unknown_element_and_a_wrong_codec_are_found() -> None:
    made = tables.translator("RS-SR", "v3")
    assert made is not None
    state = made.plan.kind("state")
    assert fhir_type(state, ("effectiveDateTime",)) == "dateTime"
    assert fhir_type(state, ("component", "valueBoolean")) == "boolean"
    assert fhir_type(state, ("code", "coding", "code")) == "code"
    assert fhir_type(state, ("effectiveDatetime",)) == ""
