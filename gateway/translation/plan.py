"""Binds a table to the shape of its messages: one tree of elements for each kind of resource."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from gateway.errors import ConfigurationError
from gateway.translation.borrowing import leave_out
from gateway.translation.codecs import DERIVATIONS, Codec, Codecs
from gateway.translation.paths import EACH, ONE, NotationError, Path, Step, Steps, leaf_of, spell
from gateway.translation.rows import MAPPING, NAMES_OF, VALUES, Derived, Fixed, Resource, Row, Table
from gateway.translation.shape import Shape

Value = Fixed | Row | Derived


@dataclass(slots=True)
class Element:
    """A complex element (or resource): its children by name, in the order of the table."""

    fields: "dict[str, Element | Items | Value]" = field(default_factory=dict)


@dataclass(slots=True)
class Slice:
    """One kind of item in a list. `source` is the message list whose items it repeats for, None = at most one."""

    step: Step
    content: "Element | Value"
    source: Path | None = None


@dataclass(slots=True)
class Items:
    """A list element. `listed` items are added by other resources."""

    slices: list[Slice] = field(default_factory=list)
    listed: list[Slice] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource of a type. `number` is its part in the URLs; `items` are the lists it adds itself to."""

    number: int
    name: str
    type: str
    profile: str
    anchor: Path
    when: tuple[Path, ...]
    element: Element
    meta: Element  # constants beside the profile
    items: tuple[tuple[str, Steps, Element], ...]  # (resource, list element, item)

    @property
    def place(self) -> Path:
        """Where in the document it comes from: what its source-path spells."""
        inner = len(self.when) == 1 and self.when[0][: len(self.anchor)] == self.anchor
        return self.when[0] if inner else self.anchor


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the generators need to know of one message type and version."""

    shape: Shape
    kinds: tuple[Kind, ...]
    rows: dict[Path, Row]  # by key
    codecs: dict[Path, Codec]
    maps: dict[str, dict[str, str]]

    def anchors(self, scope: Path) -> Iterator[Path]:
        """The anchors directly below a scope, in the order of the table."""
        seen = dict.fromkeys(kind.anchor for kind in self.kinds)
        return (a for a in seen if a != scope and a[: len(scope)] == scope and EACH not in a[len(scope) : -1])

    def kind(self, name: str) -> Kind:
        """Raises StopIteration where no resource has the name."""
        return next(kind for kind in self.kinds if kind.name == name)


def bind(table: Table, shape: Shape) -> Plan:
    """The plan of a table. Raises ConfigurationError with file and line."""
    leave_out(table, shape)
    rows: dict[Path, Row] = {}
    codecs: dict[Path, Codec] = {}
    for resource in table.resources.values():
        _number_homes(resource, rows, table.maps)
        for value in resource.values:
            if isinstance(value, Row):
                codecs[value.key] = codecs[value.leaf] = _codec(value, table, shape)
            elif isinstance(value, Derived):
                _check_derived(value, table, shape)
    told = {tuple(EACH if name == ONE else name for name in row.leaf) for row in rows.values()}
    _check_homes(table, rows)
    missing = [spell(path) for path in shape.leaves() if path not in told]
    if missing:
        raise ConfigurationError(f"{table.file}: no row for {', '.join(missing)}")
    kinds = tuple(
        _kind(number, resource, table, shape) for number, resource in enumerate(table.resources.values())
    )
    _listings(kinds)
    return Plan(shape, kinds, rows, codecs, table.maps)


def _check_homes(table: Table, rows: Mapping[Path, Row]) -> None:
    """Derived values may name a home of a leaf; the leaf must have it."""
    for resource in table.resources.values():
        for value in resource.values:
            for path in value.leaves if isinstance(value, Derived) else ():
                if path != leaf_of(path) and path not in rows:
                    raise ConfigurationError(f"{value.place}: {spell(path)} is no home of the leaf")


def _number_homes(resource: Resource, rows: dict[Path, Row], maps: Mapping[str, object]) -> None:
    """Adds a resource's rows. A leaf has one home, or several of which all but the last have a test."""
    for at, value in enumerate(resource.values):
        if isinstance(value, Row):
            before = [row for row in rows.values() if row.leaf == value.leaf]
            if not all(row.only for row in before):
                raise ConfigurationError(f"{value.place}: {spell(value.leaf)} has a row already")
            if value.only and value.only[0] not in {"", *DERIVATIONS, *maps}:
                raise ConfigurationError(f"{value.place}: there is no function {value.only[0]}")
            row = resource.values[at] = replace(value, home=len(before))
            rows[row.key] = row


def _codec(row: Row, table: Table, shape: Shape) -> Codec:
    """The codec of a row, which must be for the type that the schema gives the leaf."""
    found = shape.at(row.leaf)
    if found is None or found.fields or found.item:
        raise ConfigurationError(f"{row.place}: the schema has no leaf {spell(row.leaf)}")
    try:
        codec = Codecs(table.maps).named(row.codec)
    except (KeyError, ValueError) as error:
        raise ConfigurationError(f"{row.place}: codec {row.codec}: {error}") from error
    codes: set[str] = set(found.leaf.get("enum", ()))
    lacks = codes - set(codec.domain.get("enum", codes))
    if lacks:
        raise ConfigurationError(f"{row.place}: {row.codec} lacks {', '.join(sorted(lacks))}")
    takes = codec.domain.get("type", "string")
    numbers = {"integer", "number"}
    if found.type not in {"object": {"open"}, "integer": numbers, "number": numbers}.get(takes, {takes}):
        raise ConfigurationError(f"{row.place}: {spell(row.leaf)} is {found.type}, {row.codec} takes {takes}")
    return codec


def _check_derived(value: Derived, table: Table, shape: Shape) -> None:
    for path in value.leaves:
        if shape.at(leaf_of(path)) is None:
            raise ConfigurationError(f"{value.place}: the schema has no {spell(path)}")
    if value.function not in NAMES_OF and value.function not in DERIVATIONS:
        raise ConfigurationError(f"{value.place}: there is no function {value.function}")
    if value.function in VALUES:
        return
    known = table.maps if value.function in MAPPING else table.resources
    for name in value.names[::2]:  # find and find-or have a key between two resources
        if name not in known:
            raise ConfigurationError(f"{value.place}: there is no {name}")


def _kind(number: int, resource: Resource, table: Table, shape: Shape) -> Kind:
    element = Element()
    if resource.anchor:
        url = ((Step("url"),), table.names["sd"] + "source-path")
        path = (Step("extension", listed=True, fixed=(url,)), Step("valueString"))
        _put(element, path, Derived(resource.name, path, "source-path"), ())
    for value in resource.values:
        leaf = value.leaf if isinstance(value, Row) else next(iter(getattr(value, "paths", ())), ())
        try:
            _put(element, value.element, value, _sources(leaf, resource.anchor))
        except NotationError as error:
            raise ConfigurationError(f"{value.place}: {error}") from error
    for place in (resource.anchor, *resource.when):
        if place and shape.at(place) is None:
            raise ConfigurationError(f"resource {resource.name}: the schema has no {spell(place)}")
    name = f"message-{table.names['TYPE'].lower()}" if resource.type == "Bundle" else resource.name
    profile = f"{table.names['sd']}hub-{name}"
    items = tuple(
        (listing.target, listing.element, _item(listing.items, listing.place))
        for listing in resource.listings
    )
    meta = element.fields.pop("meta", Element())
    if not isinstance(meta, Element) or not all(isinstance(value, Fixed) for value in values(meta)):
        raise ConfigurationError(f"resource {resource.name}: its meta holds constants only")
    return Kind(
        number, resource.name, resource.type, profile, resource.anchor, resource.when, element, meta, items
    )


def _item(values: tuple[tuple[Steps, object], ...], place: str) -> Element:
    item = Element()
    for steps, value in values:
        _put(item, steps, Fixed(place, steps, value), ())
    return item


def _listings(kinds: tuple[Kind, ...]) -> None:
    by_name = {kind.name: kind for kind in kinds}
    for kind in kinds:
        for target, steps, item in kind.items:
            if target not in by_name:
                raise ConfigurationError(f"resource {kind.name}: there is no resource {target}")
            element = by_name[target].element
            for step in steps[:-1]:
                element = _filled(element, step)
            items = element.fields.setdefault(steps[-1].name, Items())
            assert isinstance(items, Items)
            items.listed.append(Slice(steps[-1], item))


def _filled(element: Element, step: Step) -> Element:
    """The item of a list that holds what other resources list in it."""
    items = element.fields.setdefault(step.name, Items())
    assert isinstance(items, Items)
    known = next((part for part in items.listed if part.step == step), None)
    if known is None:
        known = Slice(step, _new(step))
        items.listed.append(known)
    assert isinstance(known.content, Element)
    return known.content


def _sources(leaf: Path, anchor: Path) -> tuple[Path, ...]:
    inner = leaf[: len(anchor)] == anchor
    return tuple(
        leaf[: at + 1] for at, name in enumerate(leaf) if name == EACH and (not inner or at >= len(anchor))
    )


def _put(element: Element, steps: Steps, value: Value, sources: tuple[Path, ...]) -> None:
    left = list(sources)
    for at, step in enumerate(steps):
        last = at == len(steps) - 1
        if not step.listed:
            child = element.fields.get(step.name)
            if last:
                if child is not None:
                    raise NotationError(f"the element {step.name} is taken already")
                element.fields[step.name] = value
                return
            if child is None:
                child = element.fields[step.name] = _new(step)
        else:
            source = left.pop(0) if step.each and left else None
            child = _slice(element, step, value if last else None, source).content
        if not isinstance(child, Element):
            if last:
                return
            raise NotationError(f"the element {step.name} has no children")
        element = child
    if left:
        raise NotationError("the message path has more [] than the element path has *")


def _new(step: Step) -> Element:
    element = Element()
    for steps, value in step.fixed:
        _put(element, steps, Fixed("", steps, value), ())
    return element


def _slice(element: Element, step: Step, value: Value | None, source: Path | None) -> Slice:
    items = element.fields.setdefault(step.name, Items())
    if not isinstance(items, Items):
        raise NotationError(f"{step.name} is no list elsewhere in this resource")
    if step.each and source is None:
        raise NotationError(f"{step.name}* repeats, but the message path has no [] for it")
    for known in items.slices:
        if known.step == step:
            if value is not None or known.source != source:
                raise NotationError(f"the element {step.name} is taken already")
            return known
    new = Slice(step, value if value is not None else _new(step), source)
    items.slices.append(new)
    return new


def values(content: "Element | Items | Value") -> Iterator[Value]:
    """Every value below an element, those of other resources' listings left out."""
    if isinstance(content, Element):
        for child in content.fields.values():
            yield from values(child)
    elif isinstance(content, Items):
        for part in content.slices:
            yield from values(part.content)
    else:
        yield content
