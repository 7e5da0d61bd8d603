"""The message side of the generated writer: the message read into variables, each None where the message is silent."""

from dataclasses import dataclass, field, replace

from gateway.translation.lines import Lines, safe
from gateway.translation.paths import EACH, ONE, Path, Steps
from gateway.translation.plan import Plan
from gateway.translation.rows import Row
from gateway.translation.shape import Shape

ALWAYS = ""


@dataclass(slots=True)
class Variables:
    """The writer under construction.

    `present` and the second half of `derived` and `urls` name the variable that is not None exactly when the thing is
    there; ALWAYS means that it always is. The `strict` variant relies on the schema's required fields for this.
    """

    plan: Plan
    strict: bool
    used: frozenset[Path]  # the message paths that anything is made from, and all paths above them
    out: Lines = field(default_factory=Lines)
    variable: dict[Path, str] = field(default_factory=dict)
    present: dict[Path, str] = field(default_factory=dict)
    derived: dict[int, tuple[str, str]] = field(default_factory=dict)  # id(Derived) -> expression, presence
    urls: dict[str, tuple[str, str]] = field(default_factory=dict)  # kind -> expression, presence
    indexes: dict[Path, str] = field(default_factory=dict)  # anchor -> the loop's index
    lookups: tuple[tuple[str, str], ...] = ()  # the (resource, key) pairs that resources are looked up by
    lists: dict[tuple[str, Steps], str] = field(
        default_factory=dict
    )  # kind, list element -> its items so far


def read_object(to: Variables, path: Path, shape: Shape, variable: str, present: str) -> list[str]:
    """Adds the statements that read an object's used fields; the names of the variables that they set."""
    names: list[str] = []
    for name, child in shape.fields.items():
        here = (*path, name)
        if here in to.used:
            names += _field(to, here, child, variable, present, needed=to.strict and name in shape.required)
    return names


def read_item(to: Variables, source: Path, item: str) -> None:
    """The same for one item of a list, which may be a bare value."""
    shape = to.plan.shape.at(source)
    assert shape is not None
    to.variable[source], to.present[source] = item, ALWAYS
    if shape.fields:
        read_object(to, source, shape, item, ALWAYS)
    settle(to, source)


def _field(to: Variables, path: Path, shape: Shape, parent: str, present: str, *, needed: bool) -> list[str]:
    own = to.out.name(path[-1])
    to.variable[path] = own
    to.present[path] = present if needed else own
    to.out.add(f"{own} = {parent}[{path[-1]!r}]" if needed else f"{own} = {parent}.get({path[-1]!r})")
    if (*path, ONE) in to.used and shape.item is not None:
        return [own, *_only_item(to, (*path, ONE), shape.item, own)]
    if not shape.fields:
        return [own]
    if needed:
        return [own, *read_object(to, path, shape, own, present)]
    at = len(to.out.text)
    to.out.depth += 1
    inner = read_object(to, path, shape, own, own)
    to.out.depth -= 1
    if inner:
        indent = "    " * to.out.depth
        none = f"{indent}    {' = '.join(inner)} = None"
        to.out.text[at:at] = [f"{indent}if {own} is None:", none, f"{indent}else:"]
    return [own, *inner]


def _only_item(to: Variables, path: Path, shape: Shape, items: str) -> list[str]:
    """The item of a list that has one, and its fields."""
    item, fields = to.out.name(path[-2]), to.out.name(path[-2])
    to.variable[path] = to.present[path] = item
    to.out.add(f"{item} = {items}[0] if {items} else None")
    to.out.add(f"{fields} = {item} or {{}}")
    return [item, fields, *read_object(replace(to, strict=False), path, shape, fields, item)]


def settle(to: Variables, scope: Path) -> None:
    """Adds the statements that decide, once a scope is read, which rows say their leaf."""
    for row in to.plan.rows.values():
        if row.leaf not in to.variable or _scope(row.leaf) != scope:
            continue
        if row.unless is not None:
            same = f"{to.variable[row.leaf]} == {to.variable[row.unless]}"
            _set(to, row.leaf, row.leaf, f"None if {same} else {to.variable[row.leaf]}")
        elif row.only is not None:
            left = _left(to, row)
            test = f"{left} is not None and D_{safe(row.codec)}({left})"
            arguments = ", ".join(to.variable[path] for path in row.only[1])
            if row.only[0] in to.plan.maps:
                test += f" and M_{safe(row.only[0])}.get({arguments}) is not None"
            elif row.only[0]:
                test += f" and F_{safe(row.only[0])}({arguments})"
            _set(to, row.key, row.leaf, f"{left} if {test} else None")
        elif row.home:
            _set(to, row.key, row.leaf, _left(to, row))


def _left(to: Variables, row: Row) -> str:
    """The leaf's value where no home before this one took it."""
    before = [to.variable[o.key] for o in to.plan.rows.values() if o.leaf == row.leaf and o.home < row.home]
    taken = [f"{name} is None" for name in before]
    value = to.variable[row.leaf]
    return f"({value} if {' and '.join(taken)} else None)" if taken else value


def _set(to: Variables, key: Path, leaf: Path, expression: str) -> None:
    name = to.out.name(leaf[-1])
    to.out.add(f"{name} = {expression}")
    to.variable[key] = to.present[key] = name


def _scope(leaf: Path) -> Path:
    """The list whose items the leaf is in, () = the document."""
    return leaf[: max((at + 1 for at, name in enumerate(leaf) if name == EACH), default=0)]
