"""Bytes -> a plain tree of XML elements, in time linear in the body and within caps.

The parser is expat: unlike libxml2 under lxml it forgets the names of one body before it reads the next (lxml keeps every
name it ever saw, so a sender of made-up names could fill the memory), and it lets a document type declaration be refused
the moment it begins, before any entity is declared.
"""

from collections.abc import Collection
from xml.parsers import expat

from gateway.edxl import encoding
from gateway.edxl.json_codec import MAX_DEPTH, MAX_ITEMS
from gateway.errors import ErrorKind, Issue, Refused

SPACE = " \t\r\n"  # white space of XML 1.0
ASCII = frozenset({"us-ascii", "ascii"})
UTF_8 = frozenset({"utf-8", "utf8"})
UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")
BUFFER = 65_536  # bytes of text handed over at once
CHUNK = 16_384  # bytes parsed at once: after a refusal expat goes on to the end of its chunk
MAX_NAMESPACE = 256  # characters; each tag holds its namespace, so a long one would multiply the body
MAX_TAG = 131_072  # bytes of one tag: expat reads it as a whole, and each attribute becomes an object
MAX_ATTRIBUTES = 64  # of one element; the EDXL-DE envelope has four
ALL_ATTRIBUTES = 2_000  # of the whole body
MAX_FOREIGN = 500  # elements of namespaces that no message has


class Element:
    """One element. `tag` is `namespace}name`, or the bare name without a namespace; `text` is what stands before the
    first child; `mixed` says that more than white space stands after one.
    """

    __slots__ = ("attributes", "children", "mixed", "tag", "text")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element] = []
        self.text = ""
        self.mixed = False

    @property
    def name(self) -> str:
        """The local name."""
        return self.tag.rpartition("}")[2]

    @property
    def namespace(self) -> str:
        """The namespace, "" for none."""
        return self.tag.rpartition("}")[0]


def parse(body: bytes, known: Collection[str] | None = None) -> Element:
    """The root element of a body. Comments and processing instructions are passed over, CDATA is text.

    `known` are the namespaces of which any number of elements may stand there, None = all. Raises Refused as soon as it is
    seen: 400 (Hub 102) for no well-formed XML in UTF-8, a document type declaration, more than MAX_DEPTH levels or MAX_ITEMS
    elements; 422 for more attributes, or elements of other namespaces, than any message has.
    """
    if body.startswith(UTF_16):
        raise unreadable(f"The body is not well-formed XML in UTF-8: {encoding.fault(body)}")
    tree = _Tree(ascii_only=body.isascii(), known=known)
    parser = expat.ParserCreate("utf-8", "}")  # the declaration is read by us: what it says must be so
    parser.buffer_text = True
    parser.buffer_size = BUFFER
    parser.XmlDeclHandler = tree.declaration
    parser.StartDoctypeDeclHandler = tree.doctype
    parser.StartNamespaceDeclHandler = tree.namespace
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.characters
    try:
        for at in range(0, len(body), CHUNK):
            parser.Parse(body[at : at + CHUNK], False)
            begun = parser.CurrentByteIndex
            if (
                at + CHUNK - begun > MAX_TAG and body[begun + 1 : begun + 2] not in b"!?"
            ):  # no comment or CDATA
                tree.refuse_tag()
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        where = f"line {error.lineno}, column {error.offset + 1}"
        reason = encoding.fault(body) or f"{expat.ErrorString(error.code)} at {where}."
        raise unreadable(f"The body is not well-formed XML in UTF-8: {reason}") from None
    return tree.top.children[0]


def unreadable(diagnostics: str) -> Refused:
    """The refusal (400, Hub 102) of a body that cannot be read."""
    return Refused(Issue(ErrorKind.UNREADABLE, diagnostics))


def _beyond(diagnostics: str) -> Refused:
    return Refused(Issue(ErrorKind.SCHEMA, diagnostics))


class _Tree:
    """What the parser's events build. `top` is above the root."""

    def __init__(self, *, ascii_only: bool, known: Collection[str] | None) -> None:
        self.top = Element("", {})
        self._open = [self.top]
        self._ascii_only = ascii_only
        self._known = known
        self._count = self._attributes = self._foreign = 0

    def declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        name = (encoding or "utf-8").lower()
        if name not in UTF_8 and not (name in ASCII and self._ascii_only):
            raise unreadable(
                f"The body declares the encoding {name[:40]!r}. Send UTF-8 and declare that, or nothing."
            )

    def doctype(self, *_: object) -> None:
        raise unreadable("The body has a document type declaration. Remove it: no DTD and no entity is read.")

    def namespace(self, _prefix: str | None, uri: str | None) -> None:
        if uri is not None and len(uri) > MAX_NAMESPACE:
            raise unreadable(f"The body declares a namespace of more than {MAX_NAMESPACE} characters.")

    def refuse_tag(self) -> None:
        if len(self._open) == 1:
            raise unreadable(f"The root element's tag has more than {MAX_TAG} bytes.")
        raise _beyond(
            f"A tag has more than {MAX_TAG} bytes. No message type needs that; remove its attributes."
        )

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if attributes:
            self._attributes += len(attributes)
            if len(attributes) > MAX_ATTRIBUTES or self._attributes > ALL_ATTRIBUTES:
                raise _beyond(
                    f"The body has more than {MAX_ATTRIBUTES} attributes on one element, or {ALL_ATTRIBUTES} in all. "
                    "No message type needs that; remove them."
                )
        if self._known is not None and tag.rpartition("}")[0] not in self._known:
            if len(self._open) == 1:
                self._known = None  # no message at all: its root is refused anyway
            self._foreign += 1
            if self._foreign > MAX_FOREIGN and self._known is not None:
                raise _beyond(
                    f"The body has more than {MAX_FOREIGN} elements of namespaces that no message has. Remove them."
                )
        element = Element(tag, attributes)
        self._open[-1].children.append(element)
        self._open.append(element)
        self._count += 1
        if len(self._open) > MAX_DEPTH + 1:
            raise unreadable(f"The body nests deeper than {MAX_DEPTH} levels. No message type needs that.")
        if self._count > MAX_ITEMS:
            raise unreadable(f"The body has more than {MAX_ITEMS} elements. Split the message.")

    def end(self, _tag: str) -> None:
        self._open.pop()

    def characters(self, text: str) -> None:
        element = self._open[-1]
        if not element.children:
            element.text += text
        elif not element.mixed and text.strip(SPACE):
            element.mixed = True
