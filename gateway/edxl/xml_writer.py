"""EDXL-DE in XML, written so that the official XSDs accept it wherever the message lets them: `docs/xml.md` has the rest.

What XML cannot say is left out, replaced or written as text, and told: an emergency must not end as a dead letter for a
control character or an empty list.
"""

import re
from dataclasses import dataclass
from typing import Any

import schemas
from gateway.edxl.digits import Digits, plain
from gateway.edxl.xml_codec import collapse
from gateway.edxl.xml_plan import COLLAPSED, CONTENT, NAMESPACES, Node, message_node, plan
from gateway.errors import Untranslatable
from gateway.model import JsonObject

DECLARATION = "<?xml version='1.0' encoding='UTF-8'?>\n"
NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # characters that XML 1.0 cannot say
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f&<>\ufffe\uffff]")
ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
XML_NAME = re.compile(r"[A-Za-z_À-ÖØ-öø-ÿ][A-Za-z0-9_.À-ÖØ-öø-ÿ-]*")
INSTANTS = frozenset({"datetime", "rfc3339"})
LEAP_SECOND = ":60"  # no hour, minute or offset of a valid date-time has 60
INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)

Place = tuple["Place | None", str | int]  # a member's name or an item's index, below the place before it


@dataclass(frozen=True, slots=True)
class Written:
    """A document's bytes, and what they do not say: `{"path", "target", "reason"}`, paths from the document's root.
    `target` is "" where nothing stands for it, else the place where something else does.
    """

    content: bytes
    lost: tuple[JsonObject, ...] = ()


def encode(document: JsonObject, model_version: str, long_decimals: Digits | None = None) -> Written:
    """The bytes of an EDXL-DE document that is valid in its model version, with what XML could not say of it.

    Raises Untranslatable where the model version has no XML form.
    """
    if model_version not in NAMESPACES:
        raise Untranslatable(f"model {model_version} has no XML form")
    writer = _Writer(model_version, long_decimals or {})
    writer.element(plan(model_version), document, "", None)
    return Written((DECLARATION + "".join(writer.out)).encode(), tuple(writer.lost))


class _Writer:
    """Text and losses of one document, while it is written along the plan."""

    def __init__(self, version: str, long_decimals: Digits) -> None:
        self._long_decimals = long_decimals
        self.out: list[str] = []
        self.lost: list[JsonObject] = []
        self._message = message_node(version)
        self._headerless = {
            key for key, kind in schemas.ROOT_KEYS.get(version, {}).items() if kind in schemas.HEADERLESS
        }

    def element(self, node: Node, value: Any, around: str, at: Place | None) -> None:
        """One element; `around` is the namespace that its parent declared."""
        declared = "" if node.namespace == around else f' xmlns="{node.namespace}"'
        self.out.append(f"<{node.local}{node.attributes}{declared}>")
        if node.free:
            self._free_members(value, at)
        elif isinstance(value, dict):
            self._members(node, value, at)
        elif node.type == CONTENT:
            self._items(node.fields[0], value, node.namespace, at)
        else:
            self.out.append(self._scalar(node, value, at))
        self.out.append(f"</{node.local}>")

    def _members(self, node: Node, value: JsonObject, at: Place | None) -> None:
        fields = node.fields
        if node is self._message and not self._headerless.isdisjoint(value):
            fields = tuple(field for field in fields if field.name in self._headerless)
        written = 0
        for field in fields:
            if field.name in value:
                written += 1
                below = (at, field.name)
                if field.repeats:
                    self._items(field, value[field.name], node.namespace, below)
                else:
                    self.element(field, value[field.name], node.namespace, below)
                if node.name == "embeddedJsonContent":
                    break  # the older namespaces of `message` are read, never written
        if written < len(value):
            kept = {field.name for field in fields}
            for name in value:
                if name not in kept:
                    self._lose((at, name), "the XSD has no element for it")

    def _items(self, node: Node, items: list[Any], around: str, at: Place | None) -> None:
        if not items:
            self._lose(at, "an empty list has no form in XML")
        for number, item in enumerate(items):
            self.element(node, item, around, (at, number))

    def _scalar(self, node: Node, value: Any, at: Place | None) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float) and node.type == "integer":
            return str(int(value))  # JSON says whole numbers as 3.0 too, xs:int does not
        if isinstance(value, float):
            decimal = plain(self._long_decimals.get(value) or repr(value))  # xs:decimal has no exponent
            return decimal if "." in decimal else f"{decimal}.0"  # so that it reads as a float again
        if node.type == COLLAPSED and value != (short := collapse(value)):
            self._lose(at, "white space at the ends or in a row is not kept", kept=True)
            value = short
        if node.type in INSTANTS:
            value = self._without_leap_second(value, at)
        if node.type == "rfc3339":
            value = self._instant(value, at)
        return self._text(value, at)

    def _without_leap_second(self, value: str, at: Place | None) -> str:
        """xs:dateTime has no second 60: the last second before it."""
        if LEAP_SECOND not in value:
            return value
        self._lose(at, "XML has no leap second (:60): written as the second before", kept=True)
        return value.replace(LEAP_SECOND, ":59", 1)

    def _instant(self, value: str, at: Place | None) -> str:
        """An envelope's date-time as the XSD's pattern wants it: no fraction, a numeric offset."""
        found = INSTANT.fullmatch(value)
        if found is None:
            return value
        day, time, _, offset = found.groups()
        instant = f"{day}T{time}{'+00:00' if offset in 'Zz' else offset}"
        if instant != value:
            self._lose(at, "written without a fraction of a second and with a numeric offset", kept=True)
        return instant

    def _text(self, value: str, at: Place | None) -> str:
        if not UNSAFE.search(value):
            return value
        if NO_XML.search(value):
            self._lose(at, "a control character that XML cannot say became U+FFFD", kept=True)
            value = NO_XML.sub("\ufffd", value)
        return value.translate(ESCAPES)

    def _free(self, name: str, value: Any, at: Place) -> None:
        self.out.append(f"<{name}>")
        if isinstance(value, dict):
            before = len(self.out)
            self._free_members(value, at)
            if len(self.out) == before:
                self._lose(at, "an empty object reads as empty text", kept=True)
        elif isinstance(value, str):
            self.out.append(self._text(value, at))
        else:
            self._lose(at, "in free content XML says everything as text", kept=True)
            if isinstance(value, (bool, int, float)):
                self.out.append(self._scalar(self._message, value, at))
        self.out.append(f"</{name}>")

    def _free_members(self, value: JsonObject, at: Place | None) -> None:
        for name, item in value.items():
            below: Place = (at, name)
            if not XML_NAME.fullmatch(name):
                self._lose(below, "the member's name is no XML name")
            elif not isinstance(item, list):
                if name == "content":
                    self._lose(below, "it reads as a list", kept=True)
                self._free(name, item, below)
            else:
                self._free_list(name, item, below)

    def _free_list(self, name: str, items: list[Any], at: Place) -> None:
        sayable = [(number, item) for number, item in enumerate(items) if not isinstance(item, list)]
        if not items or len(sayable) < len(items):
            self._lose(at, "empty lists and lists in lists have no form in XML", kept=bool(sayable))
        if len(sayable) == 1 and name != "content":
            self._lose(at, "a list of one reads as its item", kept=True)
        for number, item in sayable:
            self._free(name, item, (at, number))

    def _lose(self, at: Place | None, reason: str, *, kept: bool = False) -> None:
        path = _simple_path(at)
        self.lost.append({"path": path, "target": path if kept else "", "reason": reason})


def _simple_path(at: Place | None) -> str:
    parts: list[str] = []
    while at is not None:
        at, part = at
        parts.append(f"[{part}]" if isinstance(part, int) else f".{part}" if at else part)
    return "".join(reversed(parts))
