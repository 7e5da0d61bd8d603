"""EDXL-DE in XML (OASIS EDXL-DE 2.0 as the Hub Santé profiles it), read into and written from the same JSON form.

The field tables say what is an object, a list, a number: one source of truth for both formats. No DTD, no entity
beyond XML's own five, no network. Namespaces of the message are the official XSDs'; an older one is read too.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from lxml import etree

import schemas
from gateway.edxl.json_codec import MAX_DEPTH, MAX_ITEMS, message
from gateway.errors import ErrorKind, Issue, Refused
from gateway.model import JsonObject, Message
from schemas.fields import OBJECTS, Field, table

DE = "urn:oasis:names:tc:emergency:EDXL:DE:2.0"
XLINK = "http://www.w3.org/1999/xlink"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
MESSAGE_NAMESPACES = ("urn:emergency:eda:1.9", "urn:emergency:cisu:3.0", "urn:emergency:cisu:2.0")
WRAPPERS = ("contentXML", "embeddedXMLContent", "message")
SPACE = " \t\r\n"


def decode(body: bytes, model_version: str) -> Message:
    """The message in an XML body. Raises Refused: 400 (Hub 102) where it cannot be read, 422 (Hub 300) where its form
    is none that the official XSD could accept (attributes, mixed content, order of elements).
    """
    root = _parse(body)
    if etree.QName(root) != etree.QName(DE, "edxlDistribution"):
        raise _unreadable(f"The root element is not edxlDistribution in the namespace {DE}.")
    return message(_Reader(model_version).document(root), model_version)


def _parse(body: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise _unreadable(f"The body is not well-formed XML{f' (line {line})' if line else ''}.") from None
    found = root.getroottree().docinfo
    if found.internalDTD is not None or found.externalDTD is not None:
        raise _unreadable(
            "The body has a document type declaration. Remove it: no DTD and no entity is read."
        )
    if (found.encoding or "UTF-8").upper() not in {"UTF-8", "US-ASCII", "ASCII"}:
        raise _unreadable(f"The body is in {found.encoding}; send UTF-8.")
    _refuse_excess(root)
    return root


def _refuse_excess(root: etree._Element) -> None:
    level, depth, items = [root], 0, 0
    while level:
        depth, items = depth + 1, items + len(level)
        if depth > MAX_DEPTH:
            raise _unreadable(f"The body nests deeper than {MAX_DEPTH} levels.")
        if items > MAX_ITEMS:
            raise _unreadable(f"The body has more than {MAX_ITEMS} elements. Split the message.")
        level = [child for element in level for child in element]


class _Reader:
    """One document's way from elements to JSON values, along the field tables of one model version."""

    def __init__(self, model_version: str) -> None:
        self._version = model_version
        self._envelope = table("EDXL-DE", model_version).root
        self._header = table("RC-DE", model_version).root

    def document(self, root: etree._Element) -> JsonObject:
        """The EDXL-DE JSON form of the whole document."""
        _refuse_form(root)
        contents = root.findall(f"{{{DE}}}content")
        fields = [child for child in root if child not in contents]
        _refuse_order(root, self._envelope)
        value: JsonObject = {
            _name(child): self._value(child, self._envelope.child(_name(child))) for child in fields
        }
        if contents:
            value["content"] = [self._item(item) for content in contents for item in content]
        return value

    def _item(self, item: etree._Element) -> JsonObject:
        _refuse_form(item)
        element = item
        for wrapper in WRAPPERS:
            found = [child for child in element if _name(child) == wrapper]
            if len(found) != 1:
                return {}  # validation says what is missing, and where
            element = found[0]
            _refuse_form(element)
        return {"jsonContent": {"embeddedJsonContent": {"message": self._message(element)}}}

    def _message(self, element: etree._Element) -> JsonObject:
        namespace = etree.QName(element).namespace or ""
        if namespace not in MESSAGE_NAMESPACES:
            raise _bad_form(
                element,
                f"message is in the namespace {namespace!r}; expected one of {', '.join(MESSAGE_NAMESPACES)}",
            )
        _refuse_form(element)
        _refuse_order(element, self._header)
        value: JsonObject = {}
        for child in element:
            name = _name(child)
            field = self._header.child(name) or self._use_case(child, namespace)
            _add(value, name, self._value(child, field), field)
        return value

    def _use_case(self, element: etree._Element, namespace: str) -> Field | None:
        name = _name(element)
        message_type = schemas.ROOT_KEYS.get(self._version, {}).get(name)
        if message_type is None:
            return None
        expected = f"{namespace}:{name}"
        if (etree.QName(element).namespace or "").lower() != expected.lower():
            raise _bad_form(element, f"{name} is not in the namespace {expected}")
        return table(message_type, self._version).root

    def _value(self, element: etree._Element, field: Field | None) -> Any:
        _refuse_form(element)
        if field is None or (field.type == "open object" and not field.fields):
            return self._free(element)
        if field.type not in OBJECTS:
            return self._free(element) if len(element) else SCALARS.get(field.type, str)(element.text or "")
        if not len(element) and (element.text or "").strip(SPACE):
            return element.text
        _refuse_order(element, field)
        value: JsonObject = {}
        for child in element:
            inner = field.child(_name(child))
            _add(value, _name(child), self._value(child, inner), inner)
        return value

    def _free(self, element: etree._Element) -> Any:
        """What no table describes: text, objects, repeated names as lists. A copied envelope keeps its `content` list."""
        if not len(element):
            return element.text or ""
        value: JsonObject = {}
        for child in element:
            _refuse_form(child)
            field = self._envelope.child(_name(child))
            _add(value, _name(child), self._free(child), field if field and field.name == "content" else None)
        return value


def _add(value: JsonObject, name: str, item: Any, field: Field | None) -> None:
    if field is not None and field.repeats:
        value.setdefault(name, []).append(item)
    elif name not in value:
        value[name] = item
    elif isinstance(value[name], _Repeated):
        value[name].append(item)
    else:  # a name that may stand once stands twice: a list, which the schema refuses by its own words
        value[name] = _Repeated([value[name], item])


class _Repeated(list[Any]):
    """A list that the document's repetition made, not the table."""


def _refuse_form(element: etree._Element) -> None:
    for attribute in element.attrib:
        namespace = etree.QName(attribute).namespace
        if namespace not in {XLINK, XSI} or str(attribute) in {f"{{{XSI}}}nil", f"{{{XSI}}}type"}:
            raise _bad_form(element, f"{_name(element)} has an attribute; the message types have none")
    if len(element) and any((text or "").strip(SPACE) for text in _texts(element)):
        raise _bad_form(element, f"{_name(element)} has text beside its elements")
    for child in element:
        if not isinstance(child.tag, str):  # an entity reference that was not resolved
            raise _bad_form(element, f"{_name(element)} refers to an entity; none is read here")


def _texts(element: etree._Element) -> Iterator[str | None]:
    yield element.text
    for child in element:
        yield child.tail


def _refuse_order(element: etree._Element, field: Field) -> None:
    """The official XSDs are sequences: elements in the table's order, the repetitions of one side by side."""
    rank = _ranks(field)
    last, last_name = -1, ""
    for child in element:
        name = _name(child)
        at = rank.get(name, len(rank))
        if at < last:
            raise _bad_form(child, f"{name} comes after {last_name}; the XSD has it before")
        last, last_name = at, name


@cache
def _ranks(field: Field) -> dict[str, int]:
    return {inner.name: number for number, inner in enumerate(field.fields)}


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def _number(text: str) -> Any:
    stripped = text.strip(SPACE)
    try:
        return (
            int(stripped)
            if stripped.lstrip("+-").isascii() and stripped.lstrip("+-").isdigit()
            else _decimal(stripped)
        )
    except ValueError:
        return text  # not a number: the schema says so in its own words


def _decimal(text: str) -> float:
    if not set(text) <= set("+-.0123456789"):  # xs:decimal has no exponent, INF or NaN
        raise ValueError(text)
    return float(text)


def _boolean(text: str) -> Any:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.strip(SPACE), text)


SCALARS: dict[str, Callable[[str], Any]] = {
    "number": _number,
    "integer": _number,
    "boolean": _boolean,
    "datetime": lambda text: text.strip(SPACE),
    "rfc3339": lambda text: text.strip(SPACE),
}


def xpath(pointer: str) -> str:
    """A JSON Pointer into the JSON form as the XPath of the same place in an XML body."""
    path, parts = "/edxlDistribution", pointer.split("/")[1:]
    names = {"jsonContent": "contentXML", "embeddedJsonContent": "embeddedXMLContent"}
    for number, part in enumerate(parts):
        if part.isdigit():
            path += f"[{int(part) + 1}]"
        else:
            path += "/" + names.get(part, part)
            path += "/contentObject" if part == "content" and number == 0 and len(parts) > 1 else ""
    return path


def _path(element: etree._Element) -> str:
    names = [_name(element), *(_name(parent) for parent in element.iterancestors())]
    return "/" + "/".join(reversed(names))


def _bad_form(element: etree._Element, diagnostics: str) -> Refused:
    path = _path(element)
    return Refused(
        Issue(
            ErrorKind.SCHEMA, f"{diagnostics[:1].upper()}{diagnostics[1:]}.", path[1:].replace("/", "."), path
        )
    )


def _unreadable(diagnostics: str) -> Refused:
    return Refused(Issue(ErrorKind.UNREADABLE, diagnostics))
