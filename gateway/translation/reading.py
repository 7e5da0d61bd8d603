"""Generates the Python source that reads a Bundle: FHIR -> message. Derived elements and constants are passed over."""

from dataclasses import dataclass, field

from gateway.translation.codecs import same
from gateway.translation.lines import Lines, safe
from gateway.translation.paths import EACH, ONE, Path, Steps
from gateway.translation.plan import Element, Items, Kind, Plan, Slice, Value, values
from gateway.translation.rows import Row
from gateway.translation.shape import Shape


class Misplaced(ValueError):
    """A Bundle that says something twice that can be said once; the text is a path."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each kind of resource is put before reading: the groups of anchors, and the place in the last of them."""

    size: int
    places: dict[
        str, tuple[tuple[tuple[int, int], ...], int]
    ]  # profile -> ((position, size of an item)..., place)


def layout(plan: Plan) -> Layout:
    """The slots of a plan: one for each kind in its scope, and one for each anchor below the scope."""
    slots = {scope: _slots(plan, scope) for scope in {kind.anchor for kind in plan.kinds} | {()}}
    places = {}
    for kind in plan.kinds:
        scopes = [kind.anchor[: at + 1] for at, name in enumerate(kind.anchor) if name == EACH]
        chain = tuple(
            (slots[above][scope], len(slots[scope]))
            for above, scope in zip([(), *scopes], scopes, strict=False)
        )
        places[kind.profile] = (chain, slots[kind.anchor][kind.name])
    return Layout(len(slots[()]), places)


def _slots(plan: Plan, scope: Path) -> dict[str | Path, int]:
    inside: list[str | Path] = [kind.name for kind in plan.kinds if kind.anchor == scope]
    return {name: at for at, name in enumerate([*inside, *plan.anchors(scope)])}


def source(plan: Plan) -> str:
    """The source of `read(s)`: slots (see `layout`) -> the document without content, with `message` beside."""
    return _Reader(plan).source()


@dataclass(slots=True)
class _Reader:
    plan: Plan
    out: Lines = field(default_factory=Lines)
    variable: dict[Path, str] = field(default_factory=dict)  # leaves and lists

    def source(self) -> str:
        self._scope((), "s")
        for row in self.plan.rows.values():
            if row.unless is not None:
                with self.out.block(f"if {self.variable[row.leaf]} is None"):
                    self.out.add(f"{self.variable[row.leaf]} = {self.variable[row.unless]}")
        self.out.add(f"return {self._assemble((), self.plan.shape)}")
        return "\n".join(["def read(s):", *self.out.text])

    # -- resources

    def _scope(self, scope: Path, slots: str) -> None:
        places = _slots(self.plan, scope)
        kinds = [kind for kind in self.plan.kinds if kind.anchor == scope]
        rows = [v for kind in kinds for v in values(kind.element) if isinstance(v, Row)]
        self._declare([row for row in rows if row.leaf[: len(scope)] == scope], scope)
        for kind in kinds:
            if any(isinstance(value, Row) for value in values(kind.element)):
                self._resource(kind, f"{slots}[{places[kind.name]}]")
        for anchor in self.plan.anchors(scope):
            self._anchored(anchor, f"{slots}[{places[anchor]}]")

    def _declare(self, rows: list[Row], scope: Path) -> None:
        names = []
        for row in rows:
            deeper = [n for n in range(len(scope), len(row.leaf)) if row.leaf[n] == EACH]
            path = row.leaf[: deeper[0]] if deeper else row.leaf
            if path not in self.variable:
                self.variable[path] = self.out.name(path[-1])
                if deeper:
                    self.out.add(f"{self.variable[path]} = []")
                else:
                    names.append(self.variable[path])
        if names:
            self.out.add(f"{' = '.join(names)} = None")

    def _resource(self, kind: Kind, slot: str) -> None:
        variable = self.out.name("r")
        self.out.add(f"{variable} = {slot}")
        with self.out.block(f"if {variable} is not None"):
            self._element(kind.element, variable)

    def _anchored(self, anchor: Path, slot: str) -> None:
        rows, group = self.out.name(anchor[-2]), self.out.name("g")
        self.variable[anchor[:-1]] = rows
        self.out.add(f"{rows} = []")
        self.out.add(f"{group} = {slot} or {{}}")
        index, item = self.out.name("i"), self.out.name("s")
        with self.out.block(f"for {index} in sorted({group})"):
            self.out.add(f"{item} = {group}[{index}]")
            self._scope(anchor, item)
            shape = self.plan.shape.at(anchor)
            assert shape is not None
            self.out.add(f"{rows}.append({self._assemble(anchor, shape)})")

    # -- elements

    def _read(self, content: Element | Items | Value, variable: str) -> None:
        if isinstance(content, Element):
            self._element(content, variable)
        elif isinstance(content, Row):
            codec = self.plan.codecs[content.key]
            value = variable if codec.back is same else f"B_{safe(content.codec)}({variable})"
            if content.otherwise is not None:
                value += f" if {variable} != {content.otherwise!r} else None"
            self.out.add(f"{self.variable[content.leaf]} = {value}")

    def _element(self, element: Element, variable: str) -> None:
        for name, content in element.fields.items():
            if isinstance(content, Items):
                self._items(name, content, variable)
            elif isinstance(content, Row) and self._plain(content):
                self.out.add(f"{self.variable[content.leaf]} = {variable}.get({name!r})")
            elif any(isinstance(value, Row) for value in values(content)):
                child = self.out.name(name)
                self.out.add(f"{child} = {variable}.get({name!r})")
                with self.out.block(f"if {child} is not None"):
                    self._read(content, child)

    def _plain(self, row: Row) -> bool:
        """The only home of its leaf, read as it stands: None where the element is absent."""
        return row.key == row.leaf and row.otherwise is None and self.plan.codecs[row.key].back is same

    def _items(self, name: str, items: Items, variable: str) -> None:
        parts = [p for p in items.slices if any(isinstance(value, Row) for value in values(p.content))]
        if not parts:
            return
        if len(parts) == 1 and not parts[0].step.each and not parts[0].step.fixed:
            child = self.out.name(name)
            self.out.add(f"{child} = {variable}.get({name!r})")
            with self.out.block(f"if {child}"):
                item = self.out.name("y")
                self.out.add(f"{item} = {child}[0]")
                self._read(parts[0].content, item)
            return
        item = self.out.name("y")
        with self.out.block(f"for {item} in {variable}.get({name!r}, ())"):
            self._branches(parts, item)

    def _branches(self, parts: list[Slice], item: str) -> None:
        key = _common_key(parts)
        if key:
            self.out.add(f"k = {item}.get({key!r})")
        word = "if"
        for part in sorted(parts, key=lambda p: not p.step.fixed):
            tests = (
                [f"k == {part.step.fixed[0][1]!r}"]
                if key
                else [_test(steps, value, item) for steps, value in part.step.fixed]
            )
            head = f"{word} {' and '.join(tests)}" if tests else "else" if word == "elif" else "if True"
            with self.out.block(head):
                self._slice(part, item)
            word = "elif"

    def _slice(self, part: Slice, item: str) -> None:
        if part.source is None:
            if part.step.fixed:
                self._refuse_second(part)
            self._read(part.content, item)
            return
        rows = [value for value in values(part.content) if isinstance(value, Row)]
        self._declare(rows, part.source)
        self._read(part.content, item)
        shape = self.plan.shape.at(part.source)
        assert shape is not None
        self.out.add(f"{self.variable[part.source[:-1]]}.append({self._assemble(part.source, shape)})")

    def _refuse_second(self, part: Slice) -> None:
        """What the profile allows once must not be there twice: one of the two would be lost."""
        leaves = [self.variable.get(v.leaf) for v in values(part.content) if isinstance(v, Row)]
        tests = [f"{variable} is not None" for variable in leaves if variable]
        if tests:
            with self.out.block(f"if {' or '.join(tests)}"):
                self.out.add(f"raise Misplaced({part.step.name!r})")

    # -- the message

    def _has_rows(self, path: Path) -> bool:
        return any(row.leaf[: len(path)] == path for row in self.plan.rows.values())

    def _assemble(self, path: Path, shape: Shape) -> str:
        """Statements that build the object at a path; the variable that holds it."""
        if not shape.fields:
            return self.variable[path]
        own = self.out.name(path[-1] if path else "document")
        self.out.add(f"{own} = {{}}")
        for name, child in shape.fields.items():
            here = (*path, name)
            if here in self.variable:
                variable = self.variable[here]
                test = variable if child.item is not None else f"{variable} is not None"
            elif child.fields and self._has_rows(here):
                variable = test = self._assemble(here, child)
            elif child.item is not None and self._has_rows((*here, ONE)):
                test = self._assemble((*here, ONE), child.item)
                variable = f"[{test}]"
            else:
                continue
            with self.out.block(f"if {test}"):
                self.out.add(f"{own}[{name!r}] = {variable}")
        return own


def _common_key(parts: list[Slice]) -> str | None:
    keys = {
        steps[0].name if len(part.step.fixed) == 1 and len(steps) == 1 else None
        for part in parts
        for steps, _ in part.step.fixed or (((), ""),)
    }
    return keys.pop() if len(keys) == 1 else None


def _test(steps: Steps, value: str, item: str) -> str:
    """An expression: the item has this constant at this path below it."""
    step, rest = steps[0], steps[1:]
    if not step.listed:
        if not rest:
            return f"{item}.get({step.name!r}) == {value!r}"
        return _test(rest, value, f"{item}.get({step.name!r}, N)")
    inner = f"z{len(steps)}"
    tests = [_test(path, told, inner) for path, told in step.fixed] + [_test(rest, value, inner)]
    return f"any({' and '.join(tests)} for {inner} in {item}.get({step.name!r}, ()))"
