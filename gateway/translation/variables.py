"""The message side of the generated writer: the message read into variables, each None where the message is silent."""

from dataclasses import dataclass, field

from gateway.translation.lines import Lines
from gateway.translation.paths import Path
from gateway.translation.plan import Plan
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
    lists: dict[tuple[str, str], str] = field(default_factory=dict)  # kind, list element -> its items so far


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
    if shape.fields:
        read_object(to, source, shape, item, ALWAYS)
    else:
        to.variable[source], to.present[source] = item, ALWAYS


def _field(to: Variables, path: Path, shape: Shape, parent: str, present: str, *, needed: bool) -> list[str]:
    own = to.out.name(path[-1])
    to.variable[path] = own
    to.present[path] = present if needed else own
    to.out.add(f"{own} = {parent}[{path[-1]!r}]" if needed else f"{own} = {parent}.get({path[-1]!r})")
    if not shape.fields:
        return [own, *_unless(to, path, own)]
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


def _unless(to: Variables, path: Path, own: str) -> list[str]:
    row = to.plan.rows.get(path)
    if row is None or row.unless is None:
        return []
    kept = to.out.name(path[-1])
    to.out.add(f"{kept} = None if {own} == {to.variable[row.unless]} else {own}")
    to.variable[path] = to.present[path] = kept
    return [kept]
