"""EDXL-DE in XML, written so that the official XSDs accept it: namespaces, order of elements, decimals."""

import re
from decimal import Decimal
from typing import Any

from lxml import etree

import schemas
from gateway.edxl.xml_codec import DE, XLINK
from gateway.errors import Untranslatable
from gateway.model import JsonObject
from schemas.fields import OBJECTS, Field, table

NAMESPACES = {"v2": "urn:emergency:cisu:2.0", "v3": "urn:emergency:eda:1.9"}
KEPT_CASE = frozenset(
    {"createCase", "createCaseHealth", "createCaseHealthUpdate"}
)  # v3 lowers every other name
NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # characters that XML 1.0 cannot say
XML_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
LINK_TYPE = f"{{{XLINK}}}type"


def encode(document: JsonObject, model_version: str) -> bytes:
    """The bytes of an EDXL-DE document that is valid in its model version. Raises Untranslatable (path only) where XML
    cannot say it.
    """
    if model_version not in NAMESPACES:
        raise Untranslatable(f"model {model_version} has no XML form")
    root = etree.Element(
        f"{{{DE}}}edxlDistribution", {LINK_TYPE: "extended"}, nsmap=_default(DE, xlink=XLINK)
    )
    envelope = table("EDXL-DE", model_version).root
    for field in envelope.fields:
        if field.name in document and field.name != "content":
            _write(root, field, document[field.name], DE, field.name)
    for descriptor in root.findall(f"{{{DE}}}descriptor"):
        descriptor.set(LINK_TYPE, "resource")
    content = etree.SubElement(root, f"{{{DE}}}content")
    for number, item in enumerate(document["content"]):
        holder = etree.SubElement(content, f"{{{DE}}}contentObject", {LINK_TYPE: "resource"})
        embedded = etree.SubElement(
            etree.SubElement(holder, f"{{{DE}}}contentXML"), f"{{{DE}}}embeddedXMLContent"
        )
        inner = item["jsonContent"]["embeddedJsonContent"]["message"]
        _message(embedded, inner, model_version, f"content[{number}]")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def body_namespace(root_key: str, model_version: str) -> str:
    """The namespace of a use case's element in the official XSD."""
    name = root_key if model_version == "v2" or root_key in KEPT_CASE else root_key.lower()
    return f"{NAMESPACES[model_version]}:{name}"


def _default(namespace: str, **more: str) -> Any:
    return {None: namespace, **more}  # Any: lxml's stubs know no default namespace


def _message(parent: etree._Element, inner: JsonObject, version: str, path: str) -> None:
    namespace = NAMESPACES[version]
    root_key = next(key for key in inner if key in schemas.ROOT_KEYS[version])
    message_type = schemas.ROOT_KEYS[version][root_key]
    element = etree.SubElement(parent, f"{{{namespace}}}message", nsmap=_default(namespace))
    if (
        message_type not in schemas.HEADERLESS
    ):  # the XSD has no header beside these, and the envelope says the same
        for field in table("RC-DE", version).root.fields:
            if field.name in inner:
                _write(element, field, inner[field.name], namespace, f"{path}.{field.name}")
    _write(
        element,
        table(message_type, version).root,
        inner[root_key],
        body_namespace(root_key, version),
        f"{path}.{root_key}",
    )


def _write(parent: etree._Element, field: Field, value: Any, namespace: str, path: str) -> None:
    if field.repeats:
        if not value:
            raise Untranslatable("an empty list has no form in XML", path)
        for number, item in enumerate(value):
            _element(parent, field, item, namespace, f"{path}[{number}]")
    else:
        _element(parent, field, value, namespace, path)


def _element(parent: etree._Element, field: Field, value: Any, namespace: str, path: str) -> None:
    element = etree.SubElement(parent, f"{{{namespace}}}{field.name}", nsmap=_default(namespace))
    if field.type not in OBJECTS:
        element.text = _text(value, path)
    elif field.type == "open object" and not field.fields:
        _free(element, value, namespace, path)
    else:
        for inner in field.fields:
            if inner.name in value:
                _write(element, inner, value[inner.name], namespace, f"{path}.{inner.name}")


def _free(element: etree._Element, value: Any, namespace: str, path: str) -> None:
    if not isinstance(value, dict):
        element.text = _text(value, path)
        return
    for name, item in value.items():
        if not XML_NAME.fullmatch(name):
            raise Untranslatable("a member's name is no XML name", path)
        for one in item if isinstance(item, list) and item else [item]:
            _free(etree.SubElement(element, f"{{{namespace}}}{name}"), one, namespace, f"{path}.{name}")


def _text(value: Any, path: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")  # xs:decimal has no exponent
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise Untranslatable("null and nested lists have no form in XML", path)
    if NO_XML.search(value):
        raise Untranslatable("the text has a control character that XML cannot say", path)
    return value
