"""All mapping tables laid over each other: one tree of elements for each profile and each extension.

A resource kind has one profile whatever the message type and version: the union of what their tables say of it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import schemas
from gateway.canonical_files import r4
from gateway.translation.instants import NAME
from gateway.translation.paths import Step, Steps
from gateway.translation.plan import Kind, Plan, values
from gateway.translation.profile import resource
from gateway.translation.residue import EMPTY
from gateway.translation.rows import Derived, Fixed, Row
from gateway.translation.tables import BASE, Translator, translator


@dataclass(frozen=True, slots=True)
class Told:
    """A row with the table that it stands in and the profile of its resource."""

    table: Translator
    row: Row
    profile: str


@dataclass(frozen=True, slots=True)
class Computed:
    """A derived value with the table that it stands in."""

    table: Translator
    value: Derived


@dataclass(slots=True)
class Node:
    """One element, or one slice of a list (then `pattern` is what tells its items). `parts` are the extensions inside
    an extension, `extensions` the URLs of all others and whether each repeats.
    """

    path: str
    name: str
    type: str
    listed: bool = False
    choice: str = ""
    each: bool = False
    pattern: dict[str, Any] = field(default_factory=dict)
    children: "dict[str, Node]" = field(default_factory=dict)
    slices: "dict[str, Node]" = field(default_factory=dict)
    parts: "dict[str, Node]" = field(default_factory=dict)
    extensions: dict[str, bool] = field(default_factory=dict)
    constants: list[Any] = field(default_factory=list)
    rows: list[Told] = field(default_factory=list)
    computed: list[Computed] = field(default_factory=list)
    targets: set[str] = field(default_factory=set)  # the profiles that a reference may point to

    def below(self) -> "Iterator[Node]":
        """The node and all below it, extensions by URL left out."""
        yield self
        for group in (self.children, self.slices, self.parts):
            for node in group.values():
                yield from node.below()


@dataclass(slots=True)
class Profile:
    """One resource kind. `required` are the elements that every table's canonical schema asks for."""

    url: str
    root: Node
    tables: list[tuple[Translator, Kind]] = field(default_factory=list)
    contained: dict[str, Node] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Forest:
    """The trees of all tables: profiles by URL, extensions by URL, and the elements where each extension stands."""

    tables: list[Translator]
    profiles: dict[str, Profile] = field(default_factory=dict)
    extensions: dict[str, Node] = field(default_factory=dict)
    contexts: dict[str, set[str]] = field(default_factory=dict)

    def nodes(self) -> Iterator[Node]:
        """Every node of every tree."""
        for profile in self.profiles.values():
            yield from profile.root.below()
            for inner in profile.contained.values():
                yield from inner.below()
        for extension in self.extensions.values():
            yield from extension.below()


def tables() -> list[Translator]:
    """The translators of all types, newest version first. Raises ConfigurationError."""
    made = [
        translator(kind, version)
        for version in reversed(schemas.VERSIONS)
        for kind in schemas.message_types(version)
    ]
    return [table for table in made if table is not None]


def forest() -> Forest:
    """All trees. Raises ConfigurationError for a bad table, KeyError for an element that R4 does not have."""
    grown = Forest(tables())
    for table in grown.tables:
        for kind in table.plan.kinds:
            _plant(grown, table, kind)
        for kind in table.plan.kinds:
            for target, steps, item in kind.items:
                profile = grown.profiles[table.plan.kind(target).profile]
                for value in values(item):
                    assert isinstance(value, Fixed)
                    _put(_Place(grown, profile, table, kind), profile.root, steps + value.element, value)
    _marks(grown)
    return grown


def _marks(grown: Forest) -> None:
    """The extensions that no table names: what FHIR cannot hold (`gateway.translation.residue`), and instants as sent."""
    header = grown.profiles[f"{BASE}/StructureDefinition/hub-header"].root
    for name, parts in (("empty", ("kind", "valueCode")), ("raw", ("value", "valueBase64Binary"))):
        url = f"{BASE}/StructureDefinition/{name}"
        mark = grown.extensions[url] = Node("Extension", "extension", "Extension", listed=True)
        for part, value in (("path", "valueUri"), parts):
            inner = mark.parts[part] = Node("Extension", "extension", "Extension", listed=True)
            found = r4.element("Extension", value)
            inner.children[value] = Node("Extension.value[x]", value, found.type, choice=found.choice)
        header.extensions[url] = True
        grown.contexts[url] = {header.path}
    url = f"{BASE}/StructureDefinition/{NAME}"
    told = grown.extensions[url] = Node("Extension", "extension", "Extension", listed=True)
    found = r4.element("Extension", "valueString")
    told.children["valueString"] = Node("Extension.value[x]", "valueString", found.type, choice=found.choice)
    header.extensions[url] = False
    grown.contexts[url] = {header.path}
    kind = grown.extensions[f"{BASE}/StructureDefinition/empty"].parts["kind"].children["valueCode"]
    kind.constants += list(EMPTY)


@dataclass(frozen=True, slots=True)
class _Place:
    forest: Forest
    profile: Profile
    table: Translator
    kind: Kind


def _plant(grown: Forest, table: Translator, kind: Kind) -> None:
    profile = grown.profiles.setdefault(kind.profile, Profile(kind.profile, Node(kind.type, "", kind.type)))
    if profile.root.type != kind.type:
        raise ValueError(
            f"{kind.name} is a {kind.type} in {table.message_type}, elsewhere a {profile.root.type}"
        )
    needed = set(resource(table.plan, kind, table.names["sd"])["required"])
    profile.required = profile.required & needed if profile.tables else needed
    profile.tables.append((table, kind))
    place = _Place(grown, profile, table, kind)
    for content in (kind.element, kind.meta):
        for value in values(content):
            if isinstance(value, Fixed) and not value.place:
                continue  # stands in the steps of the rows
            _put(place, profile.root, value.element, value)


def _put(place: _Place, node: Node, steps: Steps, value: Row | Fixed | Derived) -> None:
    for step in steps:
        found = _child(place, node, step)
        if found is None:
            return
        node = found
    match value:
        case Row():
            node.rows.append(Told(place.table, value, place.profile.url))
        case Fixed(value="@self"):
            node.targets.add(place.kind.profile)
        case Fixed():
            if value.value not in node.constants and value.value != "@n":
                node.constants.append(value.value)
        case Derived():
            node.computed.append(Computed(place.table, value))
            node.targets |= set(_targets(place.table.plan, value))


def _targets(plan: Plan, value: Derived) -> Iterator[str]:
    if value.function in {"ref", "find", "find-or"}:
        for name in value.names[::2]:
            yield plan.kind(name).profile


def _child(place: _Place, node: Node, step: Step) -> Node | None:
    """The node of a step, None for the name of a resource and an extension not told by its URL (data-absent-reason)."""
    name = step.name.removeprefix("_")
    if name == "resourceType":
        return None
    if name == "extension":
        return _extension(place, node, step) if step.fixed else None
    if name == "contained":
        key = step.fixed[0][1]
        kind = _contained_type(place.kind, key)
        return place.profile.contained.setdefault(key, Node(kind, "", kind))
    found = r4.element(node.type, name)
    path = f"{node.path}.{f'{found.choice}[x]' if found.choice else name}"
    new = Node(path, name, found.type, found.listed, found.choice)
    here = node.children.setdefault(name, new)
    if step.listed and step.fixed:
        here = _slice(here, step)
    for inner, value in step.fixed:
        _put(place, here, inner, Fixed("", inner, value))
    return here


def _slice(listed: Node, step: Step) -> Node:
    pattern: dict[str, Any] = {}
    for inner, value in step.fixed:
        say(pattern, inner, value)
    name = _slice_name(listed, pattern, step)
    new = Node(listed.path, listed.name, listed.type, listed=True, pattern=pattern)
    known = listed.slices.setdefault(name, new)
    known.each = known.each or step.each
    return known


def _slice_name(listed: Node, pattern: dict[str, Any], step: Step) -> str:
    value = step.fixed[0][1].rstrip("/")
    word = value.rpartition("/")[2] if "/" in value else value.rpartition(":")[2]
    name, number = word, 1
    while name in listed.slices and listed.slices[name].pattern != pattern:
        number += 1
        name = f"{word}-{number}"
    return name


def say(into: dict[str, Any], steps: Steps, value: Any) -> None:
    """Adds a constant at an element path to a JSON object; a list holds one item."""
    for step in steps[:-1]:
        inner = into.setdefault(step.name, [{}] if step.listed else {})
        into = inner[0] if step.listed else inner
        for fixed, told in step.fixed:
            say(into, fixed, told)
    into[steps[-1].name] = [value] if steps[-1].listed else value


def _extension(place: _Place, node: Node, step: Step) -> Node:
    url = step.fixed[0][1]
    new = Node("Extension", "extension", "Extension", listed=True)
    if ":" not in url:
        part = node.parts.setdefault(url, new)
        part.each = part.each or step.each
        return part
    node.extensions[url] = node.extensions.get(url, False) or step.each
    place.forest.contexts.setdefault(url, set()).add(node.path)
    return place.forest.extensions.setdefault(url, new)


def _contained_type(kind: Kind, key: str) -> str:
    for value in values(kind.element):
        if isinstance(value, Fixed) and value.element[0].name == "contained":
            told = value.element[0].fixed
            if value.element[-1].name == "resourceType" and told and told[0][1] == key:
                return str(value.value)
    raise ValueError(f"{kind.name}: #{key} has no resourceType")


def text(value: Any) -> str:
    """A JSON value as text that is the same for equal values."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
