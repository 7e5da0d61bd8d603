"""EDXL-DE in XML (OASIS EDXL-DE 2.0 as the Hub Santé profiles it), read into the same JSON form that JSON bodies have.

What a message type has is judged afterwards, by the same schema for both formats. What only XML can get wrong is judged
here: namespaces, attributes, the sequence of elements, text beside elements, an element that stands twice.
`docs/xml.md` lists where this and the official XSDs differ.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from itertools import pairwise
from typing import Any

from gateway.edxl.json_codec import message
from gateway.edxl.xml_parser import SPACE, Element, parse, unreadable
from gateway.edxl.xml_plan import COLLAPSED, CONTENT, DE, XLINK, Node, plan
from gateway.errors import ErrorKind, Issue, Refused
from gateway.model import JsonObject, Message
from gateway.reference import about

XSI = "http://www.w3.org/2001/XMLSchema-instance"
HINTS = frozenset({f"{XSI}}}schemaLocation", f"{XSI}}}noNamespaceSchemaLocation"})
DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")  # xs:decimal: no exponent, INF or NaN
INTEGER_RANGE = range(-(2**63), 2**64)  # beyond, a JSON reader makes a float of it too
MAX_TOLD = 20  # form issues told at once
MAX_COUNTED = 1_000  # beyond, the rest of the body is not read
SHOWN = 64  # characters of a strange name that an issue quotes
BLANK = re.compile(r"[ \t\r\n]+")


def decode(body: bytes, model_version: str) -> Message:
    """The message in an XML body of a model version that has an XML form.

    Raises Refused: 400 (Hub 102) where it cannot be read, 422 (Hub 300) where its form is none of the official XSDs'; then
    with every such place, at most MAX_TOLD.
    """
    root = parse(body, _namespaces(model_version))
    if root.tag != f"{DE}}}edxlDistribution":
        raise unreadable(f"The root element is not edxlDistribution in the namespace {DE}.")
    reader = _Reader()
    document: Any = {}
    with suppress(_Enough):
        document = reader.value(root, plan(model_version))
    if reader.faults:
        raise Refused(*about(_issues(root, plan(model_version), reader.faults), model_version))
    return message(document if isinstance(document, dict) else {}, model_version)


@cache
def _namespaces(model_version: str) -> frozenset[str]:
    """The namespaces of the elements that a message may have."""
    found, nodes = set(), [plan(model_version)]
    for node in nodes:
        found.add(node.namespace)
        found |= {tag.rpartition("}")[0] for tag in node.children}
        nodes += node.children.values()
    return frozenset(found)


class _Enough(Exception):
    """More faults than are told or counted."""


class _Reader:
    """One document's way from elements to JSON values, along the plan. `faults` are elements and what is wrong with them."""

    def __init__(self) -> None:
        self.faults: list[tuple[Element, str]] = []

    def value(self, element: Element, node: Node) -> Any:
        """The JSON value of an element whose node is known."""
        if element.attributes:
            self._judge_attributes(element, node)
        read = SCALARS.get(node.type)
        if read is not None:
            return free(element) if element.children else read(element.text)
        if not element.children:
            return element.text if element.text.strip(SPACE) else [] if node.type == CONTENT else {}
        if element.mixed or element.text.strip(SPACE):
            self._fault(element, f"{node.local} has text beside its elements. Remove the text.")
        if node.free:
            return free(element)
        return self._list(element, node) if node.type == CONTENT else self._object(element, node)

    def _object(self, element: Element, node: Node) -> JsonObject:
        value: JsonObject = {}
        strange: list[Element] = []
        last: Node | None = None
        for child in element.children:
            inner = node.children.get(child.tag)
            if inner is None:
                strange.append(child)
                continue
            if last is not None and inner.rank < last.rank:
                self._fault(child, f"{inner.local} comes after {last.local}. Put it before, as the XSD does.")
            last = inner
            item = self.value(child, inner)
            if inner.repeats:
                value.setdefault(inner.name, []).append(item)
            elif inner.name in value:
                self._fault(child, f"{inner.local} stands more than once. Send it once.")
            else:
                value[inner.name] = item
        return self._with_strange(value, strange, node) if strange else value

    def _list(self, element: Element, node: Node) -> list[Any]:
        items = []
        for child in element.children:
            inner = node.children.get(child.tag)
            if inner is None:
                expected = ", ".join(n.local for n in node.fields)
                self._fault(child, f"{child.name[:SHOWN]} is not read here. Send only {expected}.")
            else:
                items.append(self.value(child, inner))
        return items

    def _with_strange(self, value: JsonObject, strange: list[Element], node: Node) -> JsonObject:
        """The object with what the plan does not know, under its bare name: the schema says whether it may be there."""
        unknown = []
        for child in strange:
            name = child.name
            meant = [n for n in node.fields if name in {n.local, n.name}]
            if meant:
                wanted = " or ".join(f"{n.local} in {n.namespace}" for n in meant)
                found = f"{name} stands in {f'the namespace {child.namespace[:256]!r}' if child.namespace else 'no namespace'}"
                self._fault(child, f"{found}. Send {wanted}.")
            else:
                unknown.append(child)
        return {**value, **members(unknown)}

    def _judge_attributes(self, element: Element, node: Node) -> None:
        for attribute in element.attributes:
            namespace, _, name = attribute.rpartition("}")
            if attribute in HINTS or (namespace == XLINK and node.links) or node.free:
                continue
            self._fault(element, f"{node.local} has the attribute {name[:SHOWN]}. Remove it.")
            return

    def _fault(self, element: Element, diagnostics: str) -> None:
        self.faults.append((element, diagnostics))
        if len(self.faults) == MAX_TOLD + MAX_COUNTED:
            raise _Enough


def free(element: Element) -> Any:
    """What no table describes: text, or an object. Attributes, and text beside elements, are passed over."""
    return members(element.children) if element.children else element.text


def members(elements: list[Element]) -> JsonObject:
    """Elements as an object's members: a name that stands more than once is a list, and so is an envelope's `content`."""
    value: JsonObject = {}
    lists: dict[str, list[Any]] = {}
    for element in elements:
        name, item = element.name, free(element)
        if name in lists:
            lists[name].append(item)
        elif name in value or name == "content":
            lists[name] = [value[name], item] if name in value else [item]
            value[name] = lists[name]
        else:
            value[name] = item
    return value


def _number(text: str) -> Any:
    stripped = text.strip(SPACE)
    if not DECIMAL.fullmatch(stripped):
        return text  # the schema says in its own words that this is no number
    if len(stripped) <= 20 and "." not in stripped and (whole := int(stripped)) in INTEGER_RANGE:
        return whole
    number = float(stripped)
    return text if number in (float("inf"), float("-inf")) else number


def _boolean(text: str) -> Any:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.strip(SPACE), text)


def collapse(text: str) -> str:
    """White space as XML Schema collapses it in a token: single spaces, none at the ends."""
    return " ".join(part for part in BLANK.split(text) if part)


SCALARS: dict[str, Callable[[str], Any]] = {
    "string": str,
    COLLAPSED: collapse,
    "number": _number,
    "integer": _number,
    "boolean": _boolean,
    "datetime": lambda text: text.strip(SPACE),
    "rfc3339": lambda text: text.strip(SPACE),
}


def xpath(pointer: str) -> str:
    """A JSON Pointer (RFC 6901) into the JSON form as the XPath of the same place in the XML body, by local names."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    path = "/edxlDistribution"
    for number, part in enumerate(parts):
        if part.isascii() and part.isdigit():
            path += f"/contentObject[{int(part) + 1}]" if number == 1 else f"[{int(part) + 1}]"
        elif parts[0] == "content" and number in (2, 3):
            path += "/" + {"jsonContent": "contentXML", "embeddedJsonContent": "embeddedXMLContent"}.get(
                part, part
            )
        else:
            path += f"/{part}"
    return path


def _issues(root: Element, node: Node, faults: list[tuple[Element, str]]) -> Iterator[Issue]:
    told = faults[:MAX_TOLD]
    trails = {id(trail[-1]): trail for trail in _trails(root, {id(element) for element, _ in told})}
    for element, diagnostics in told:
        trail = trails[id(element)]
        yield Issue(ErrorKind.SCHEMA, diagnostics, _simple_path(trail, node), _exact_xpath(trail))
    if len(faults) > MAX_TOLD:
        rest = len(faults) - MAX_TOLD
        number = f"At least {rest}" if rest == MAX_COUNTED else str(rest)
        more = f"{number} more places have a wrong form. Correct the listed ones first."
        yield Issue(ErrorKind.SCHEMA, more, severity="information")


def _trails(root: Element, wanted: set[int]) -> Iterator[list[Element]]:
    """From the root down to each wanted element."""
    waiting = [[root]]
    while waiting and wanted:
        trail = waiting.pop()
        if id(trail[-1]) in wanted:
            wanted.discard(id(trail[-1]))
            yield trail
        waiting += [[*trail, child] for child in reversed(trail[-1].children)]


def _exact_xpath(trail: list[Element]) -> str:
    path = f"/{trail[0].name}"
    for parent, element in pairwise(trail):
        position, several = _position(parent, element)
        path += f"/{element.name}[{position}]" if several else f"/{element.name}"
    return path


def _simple_path(trail: list[Element], node: Node) -> str:
    """`content[0].jsonContent…patient[0].sex`; it ends before an element that the plan does not know: a path may be logged."""
    path = ""
    for parent, element in pairwise(trail):
        inner = node.children.get(element.tag)
        if inner is None:
            break
        node = inner
        path += f".{node.name}" if path and node.name else node.name
        if node.repeats:
            path += f"[{_position(parent, element)[0] - 1}]"
    return path


def _position(parent: Element, element: Element) -> tuple[int, bool]:
    """Which one of its name an element is, from 1, and whether there are others."""
    name, position = element.name, 0
    children = iter(parent.children)
    for child in children:
        position += child.name == name
        if child is element:
            break
    return position, position > 1 or any(child.name == name for child in children)
