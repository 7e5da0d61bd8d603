"""What an EDXL-DE document looks like in XML, made from the field tables: one tree of nodes for each model version.

Reading and writing walk the same tree, so that an element's name, namespace and order are said once. The namespaces are
those of the official XSDs; the message of an older one is read too, and its order is not judged.
"""

from dataclasses import dataclass, field, replace
from functools import cache

import schemas
from schemas.fields import Field, table

DE = "urn:oasis:names:tc:emergency:EDXL:DE:2.0"
XLINK = "http://www.w3.org/1999/xlink"
NAMESPACES = {"v2": "urn:emergency:cisu:2.0", "v3": "urn:emergency:eda:1.9"}  # of `message` and header
OLDER = {"v3": ("urn:emergency:cisu:3.0",)}
KEPT_CASE = frozenset({"createCase", "createCaseHealth", "createCaseHealthUpdate", "technicalNoreq"})
CONTENT = "content"  # the type of the node whose elements are the items of a list
COLLAPSED = "collapsed string"  # a string whose white space XML Schema collapses
RESOURCE = ' xlink:type="resource"'
EXTENDED = f' xmlns:xlink="{XLINK}" xlink:type="extended"'


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One element. `name` is its member in the JSON form, `rank` its place in the XSD's sequence, `type` that of the field
    table, COLLAPSED or CONTENT. `attributes` are written into its tag; `links` says that XLink attributes may stand there.
    """

    local: str
    name: str
    namespace: str
    type: str
    rank: int = 0
    repeats: bool = False
    attributes: str = ""
    links: bool = False
    fields: "tuple[Node, ...]" = ()
    children: "dict[str, Node]" = field(default_factory=dict)  # by tag, `namespace}name`

    @property
    def free(self) -> bool:
        """Whether anything may stand inside."""
        return self.type == "open object" and not self.fields


@cache
def plan(version: str) -> Node:
    """The edxlDistribution of a model version that has an XML form."""
    members = []
    for rank, member in enumerate(table("EDXL-DE", version).root.fields):
        if member.name == "content":
            members.append(replace(_content(version), rank=rank))
        elif member.name == "descriptor":
            node = _node(member, DE, rank, COLLAPSED)
            members.append(replace(node, attributes=RESOURCE, links=True))
        else:
            members.append(_node(member, DE, rank, COLLAPSED))
    root = _parent("edxlDistribution", "", DE, members)
    return replace(root, type="object", attributes=EXTENDED, links=True)


@cache
def message_node(version: str) -> Node:
    """The node of `message` as it is written."""
    node = plan(version)
    for name in ("content", "", "jsonContent", "embeddedJsonContent", "message"):
        node = next(inner for inner in node.fields if inner.name == name)
    return node


def body_namespace(root_key: str, message_namespace: str) -> str:
    """The namespace of a use case's element inside a message of that namespace."""
    if root_key == "customContent":
        return message_namespace
    kept = message_namespace != NAMESPACES["v3"] or root_key in KEPT_CASE
    return f"{message_namespace}:{root_key if kept else root_key.lower()}"


def _content(version: str) -> Node:
    written = _message(version, NAMESPACES[version], ordered=True)
    older = [_message(version, namespace, ordered=False) for namespace in OLDER.get(version, ())]
    embedded = _parent("embeddedXMLContent", "embeddedJsonContent", DE, [written, *older])
    item = _parent("contentObject", "", DE, [_parent("contentXML", "jsonContent", DE, [embedded])])
    item = replace(item, attributes=RESOURCE, links=True, repeats=True)
    return replace(_parent("content", "content", DE, [item]), type=CONTENT, links=True)


def _message(version: str, namespace: str, *, ordered: bool) -> Node:
    header = table("RC-DE", version).root.fields
    members = [_node(member, namespace, rank * ordered) for rank, member in enumerate(header)]
    for root_key, message_type in schemas.ROOT_KEYS.get(version, {}).items():
        root = table(message_type, version).root
        inner = [body_namespace(root_key, namespace)]
        if not ordered:  # in the older namespace some senders put the use case into that of the message
            inner.append(namespace)
        members += [_node(root, one, len(header) * ordered, ordered=ordered) for one in inner]
    return _parent("message", "message", namespace, members)


def _node(member: Field, namespace: str, rank: int, string: str = "string", *, ordered: bool = True) -> Node:
    inner = [
        _node(below, namespace, number * ordered, string, ordered=ordered)
        for number, below in enumerate(member.fields)
    ]
    type_ = string if member.type == "string" else member.type
    node = _parent(member.name, member.name, namespace, inner)
    return replace(node, type=type_, rank=rank, repeats=member.repeats)


def _parent(local: str, name: str, namespace: str, members: list[Node]) -> Node:
    by_tag = {f"{inner.namespace}}}{inner.local}": inner for inner in members}
    return Node(local, name, namespace, "open object", fields=tuple(members), children=by_tag)
