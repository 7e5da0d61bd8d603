"""Seeded XML documents of every message type, and what senders get wrong in them. All data is made up."""

import copy
import random
from collections.abc import Callable
from typing import Any

from lxml import etree

from gateway import edxl
from gateway.edxl.xml_plan import DE, NAMESPACES, XLINK, body_namespace
from schemas import examples, root_key
from schemas.fields import OBJECTS, Field, table
from tests.strategies import ODD_TEXTS, OFFSETS, enveloped, seeded

Element = Any  # lxml's stubs know no changes in place
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XML = "http://www.w3.org/XML/1998/namespace"
SEEDED = 10  # generated bodies of each type, beside the full and the minimal one
CHANCE = 0.35
INSTANT = "2026-01-31T10:04:34"
# what an instant is written like: right, right for the XSD alone or for the JSON schema alone, and wrong
INSTANTS = (
    *(INSTANT + offset for offset in OFFSETS),
    *(INSTANT + end for end in ("Z", "", ".5+01:00", "+15:00", "+01", "+0100", "+24:00", " +01:00", "z")),
    "2026-01-31T24:00:00+01:00",
    "2026-02-30T10:00:00+01:00",
    "2026-01-31T10:00:60+01:00",
    "2026-01-31 10:00:00+01:00",
    "2026-01-31t10:00:00+01:00",
    "12026-01-31T10:00:00+01:00",
    "0000-01-31T10:00:00+01:00",
    "-2026-01-31T10:00:00+01:00",
    "2026-01-31",
)
NUMBERS = (
    "0",
    "-1",
    "+5.",
    ".5",
    "007",
    " 1 ",
    "1.0",
    "1e3",
    "INF",
    "NaN",
    "",
    "1,5",
    "9" * 400,
    "0x1F",
    "--1",
)
BOOLEANS = ("true", "false", "1", "0", " true ", "True", "yes", "", "2", "null")
INSTANT_TYPES = ("datetime", "rfc3339")
ENVELOPE = {"edxlDistribution": "EDXL-DE", "message": "RC-DE"}


class Documents:
    """The documents of one type and version to begin with, and the field of each of their elements."""

    def __init__(self, message_type: str, version: str, bodies: list[Any]) -> None:
        rng = random.Random(f"{message_type} {version} documents")
        root = table(message_type, version).root
        made = [examples.full(root), examples.minimal(root), *bodies]
        made += [seeded(root, rng, chance=CHANCE) for _ in range(SEEDED)]
        self.version, self.root_key = version, root_key(message_type, version)
        self._tables = {name: table(t, version).root for name, t in ENVELOPE.items()} | {root.name: root}
        self._trees = [self._tree(body) for body in made]

    def _tree(self, body: Any) -> Element:
        tree = etree.fromstring(edxl.encode(enveloped(self.root_key, body), edxl.XML, self.version).content)
        for element in tree.iter():
            if element.text and element.text.endswith("-23:59"):  # the XSD alone refuses it
                element.text = element.text.replace("-23:59", "-03:59")
        return tree

    def tree(self, number: int) -> Element:
        """A copy of one of them."""
        return copy.deepcopy(self._trees[number % len(self._trees)])

    def field(self, element: Element) -> Field | None:
        """What its table says of an element; None for one that no table has."""
        names: list[str] = []
        for above in (element, *element.iterancestors()):
            name = etree.QName(above).localname
            if name in self._tables:
                return self._tables[name] if not names else _at(self._tables[name], names)
            names.insert(0, name)
        return None


def _at(field: Field | None, names: list[str]) -> Field | None:
    for name in names:
        field = field.child(name) if field else None
    return field


def randomness(seed: str) -> random.Random:
    """The source of a seeded run."""
    return random.Random(seed)


Mutation = Callable[[Element, Field | None, Documents, random.Random], None]


def mutated(documents: Documents, number: int, rng: random.Random) -> tuple[Element, str]:
    """A document with one or two things changed somewhere; what was done, "none" for one left as it is."""
    tree = documents.tree(number)
    if number % 16 == 0:
        return tree, "none"
    kinds = HARMLESS if number % 3 == 0 else tuple(MUTATIONS)
    kind = rng.choice(kinds)
    for _ in range(1 + (number % 8 == 7)):
        elements = [element for element in tree.iter(etree.Element) if element is not tree]
        fits = FITTING.get(kind)
        fitting = [e for e in elements if (f := documents.field(e)) and fits(f)] if fits else elements
        element = rng.choice(fitting or elements)
        MUTATIONS[kind](element, documents.field(element), documents, rng)
    return tree, kind


def _missing(element: Element, *_: Any) -> None:
    element.getparent().remove(element)


def _extra(element: Element, _f: Any, _d: Any, rng: random.Random) -> None:
    name = rng.choice(("unheardOf", "label", "freetext", "code", "content", "link", "keyword", "other"))
    namespace = rng.choice((etree.QName(element).namespace, DE))
    target = rng.choice((element, element.getparent()))
    target.insert(rng.randrange(len(target) + 1), etree.Element(f"{{{namespace}}}{name}"))


def _renamed(element: Element, _f: Any, _d: Any, rng: random.Random) -> None:
    name = etree.QName(element).localname
    sibling = etree.QName(rng.choice(list(element.getparent()))).localname
    new = rng.choice((name + "s", name.upper(), name[:-1] or "x", sibling, "label"))
    element.tag = f"{{{etree.QName(element).namespace}}}{new}"


def _order(element: Element, _f: Any, _d: Any, rng: random.Random) -> None:
    target = element.getparent()
    target.insert(rng.randrange(len(target)), element)


def _type(element: Element, field: Field | None, _d: Any, rng: random.Random) -> None:
    if len(element) or (field and field.type in OBJECTS):
        if rng.random() < 0.5:
            for child in list(element):
                element.remove(child)
        element.text = rng.choice(("text", "12", "true"))
    elif field and field.type in ("number", "integer"):
        element.text = rng.choice(NUMBERS)
    elif field and field.type == "boolean":
        element.text = rng.choice(BOOLEANS)
    elif field and field.type in INSTANT_TYPES:
        element.text = rng.choice(INSTANTS)
    else:
        etree.SubElement(element, f"{{{etree.QName(element).namespace}}}code").text = "X"


def _code(element: Element, field: Field | None, _d: Any, rng: random.Random) -> None:
    values = field.values if field and field.values else (element.text or "X",)
    one = rng.choice(values)
    element.text = rng.choice(("X99", one.lower(), one + "x", f" {one} ", one[:-1], "Request", "System", one))


def _pattern(element: Element, field: Field | None, _d: Any, rng: random.Random) -> None:
    if field and field.pattern:
        one = field.pattern.example
        digits = one.translate({ord("0"): "٠", ord("1"): "١"})
        element.text = rng.choice(
            (one + "x", one[:-1], one * 2, f" {one}", one + "\n", one.lower(), one + "é", digits, one + ".")
        )
    else:
        element.text = rng.choice(INSTANTS)


def _empty(element: Element, _f: Any, _d: Any, rng: random.Random) -> None:
    for child in list(element):
        element.remove(child)
    element.text = rng.choice(("", None, " ", "\n\t "))


def _repeated(element: Element, _f: Any, _d: Any, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 5))):
        element.addnext(copy.deepcopy(element))


def _namespace(element: Element, _f: Any, documents: Documents, rng: random.Random) -> None:
    message = NAMESPACES[documents.version]
    older = "urn:emergency:cisu:3.0" if rng.random() < 0.2 else "urn:x"
    new = rng.choice(("", "urn:x", DE, message, body_namespace(documents.root_key, message), older))
    chosen = list(element.iter(etree.Element)) if rng.random() < 0.5 else [element]
    for one in chosen:
        name = etree.QName(one).localname
        one.tag = f"{{{new}}}{name}" if new else name


def _nested(element: Element, _f: Any, _d: Any, rng: random.Random) -> None:
    parent = element.getparent()
    siblings = [other for other in parent.iterchildren(etree.Element) if other is not element]
    if siblings and rng.random() < 0.5:
        other = rng.choice(siblings)
        other.insert(rng.randrange(len(other) + 1), element)
    elif parent.getparent() is not None:
        parent.addnext(element) if rng.random() < 0.5 else parent.addprevious(element)
    else:
        parent.append(element)


def _attribute(element: Element, _f: Any, _d: Any, rng: random.Random) -> None:
    name, value = rng.choice(
        (
            (f"{{{XSI}}}nil", "true"),
            (f"{{{XSI}}}nil", "false"),
            (f"{{{XSI}}}type", "string"),
            (f"{{{XSI}}}schemaLocation", "urn:a a.xsd"),
            (f"{{{XLINK}}}type", "resource"),
            (f"{{{XLINK}}}title", "x"),
            (f"{{{XML}}}lang", "fr"),
            ("x", "1"),
        )
    )
    element.set(name, value)


def _beside(element: Element, _f: Any, _d: Any, rng: random.Random) -> None:
    if rng.random() < 0.5:
        element.tail = rng.choice(("text", " . ", "0"))
    else:
        element.text = (element.text or "") + "text"


def _text(element: Element, field: Field | None, _d: Any, rng: random.Random) -> None:
    if len(element) == 0 and field and field.type not in OBJECTS:
        odd = [text for text in ODD_TEXTS if "\0" not in text]
        element.text = rng.choice((*odd, "x" * 1_100, "fr_FR", (element.text or "") + " "))


def _other_code(element: Element, field: Field | None, _d: Any, rng: random.Random) -> None:
    if field and field.values:
        element.text = rng.choice(field.values)


def _between(element: Element, _f: Any, _d: Any, rng: random.Random) -> None:
    made = rng.choice((etree.Comment("x"), etree.ProcessingInstruction("y", "z")))
    made.tail = rng.choice(("", "\n"))
    element.insert(0, made) if rng.random() < 0.3 else element.addnext(made)


def _hint(element: Element, *_: Any) -> None:
    element.set(f"{{{XSI}}}schemaLocation", "urn:a a.xsd")


MUTATIONS: dict[str, Mutation] = {
    "missing": _missing,
    "extra": _extra,
    "renamed": _renamed,
    "wrong order": _order,
    "wrong type": _type,
    "bad code": _code,
    "bad pattern": _pattern,
    "empty": _empty,
    "repeated": _repeated,
    "wrong namespace": _namespace,
    "nested wrong": _nested,
    "attribute": _attribute,
    "text beside": _beside,
    "odd text": _text,
    "missing optional": _missing,
    "repeated list": _repeated,
    "other code": _other_code,
    "comment": _between,
    "hint": _hint,
}
# the fields that a mutation looks for; any other goes anywhere
FITTING: dict[str, Callable[[Field], bool]] = {
    "bad code": lambda field: bool(field.values or field.codes),
    "other code": lambda field: bool(field.values),
    "bad pattern": lambda field: field.pattern is not None or field.type in INSTANT_TYPES,
    "missing optional": lambda field: not field.required,
    "repeated list": lambda field: field.repeats,
}
HARMLESS = ("missing optional", "repeated list", "other code", "comment", "hint", "odd text")
