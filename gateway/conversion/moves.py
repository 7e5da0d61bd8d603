"""Two mapping tables joined on the canonical elements that they share: where each leaf of the one goes in the other.

A leaf of the source goes to the leaf of the target that the same element of the same resource holds. So a rename, a
move to another level or a list of one follows from the tables, and nothing about a pair of versions is written twice.
"""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache

from gateway.conversion import changes
from gateway.conversion.changes import Change, Side
from gateway.errors import Untranslatable
from gateway.translation.paths import EACH, ONE, Path, Steps
from gateway.translation.plan import values
from gateway.translation.rows import Row
from gateway.translation.shape import Shape
from gateway.translation.tables import Translator, translator

Said = tuple[str, Steps]  # a resource's name, an element of it


@dataclass(frozen=True, slots=True)
class Move:
    """Where a leaf goes. `change` None = as it is; `same` = a whole part, said alike by both."""

    target: Path
    change: Change | None = None


@dataclass(slots=True)
class Node:
    """A place of the source: a part that moves whole, a leaf, or what is below it.

    `home` is where the part itself stands in the target, () where it has no counterpart.
    """

    move: Move | None = None
    home: Path = ()
    fields: "dict[str, Node]" = field(default_factory=dict)
    item: "Node | None" = None


@cache
def moves(message_type: str, source: str, target: str) -> Node:
    """The moves from a version of a type to another, from `message` down. Raises Untranslatable where one lacks the type."""
    tables = [translator(message_type, version) for version in (source, target)]
    if tables[0] is None or tables[1] is None:
        lacking = source if tables[0] is None else target
        raise Untranslatable(f"Model {lacking} has no {message_type}.")
    return _Join(tables[0], tables[1]).node()


def _said(table: Translator) -> dict[Said, Row]:
    """The rows by what they say; the first home of a leaf counts where two say the same."""
    found: dict[Said, Row] = {}
    for kind in table.plan.kinds:
        for value in values(kind.element):
            if isinstance(value, Row):
                found.setdefault((kind.name, value.element), value)
    return found


class _Join:
    def __init__(self, source: Translator, target: Translator) -> None:
        self.source, self.target = source, target
        there = _said(target)
        self.homes: dict[Path, list[tuple[Row, Row]]] = {}
        for said, row in _said(source).items():
            if said in there:
                self.homes.setdefault(_each(row.leaf), []).append((row, there[said]))

    def node(self) -> Node:
        shape = self.source.plan.shape.at(("message",))
        assert shape is not None
        return self._node(("message",), shape)

    def _node(self, path: Path, shape: Shape) -> Node:
        if shape.fields:
            node = Node(
                fields={name: self._node((*path, name), child) for name, child in shape.fields.items()}
            )
        elif shape.item is not None:
            node = Node(item=self._node((*path, EACH), shape.item))
        else:
            return Node(move=self._move(path))
        node.home = self._home(node, shape)
        return _whole(node, path, self.target.plan.shape, shape) or node

    def _home(self, node: Node, shape: Shape) -> Path:
        """The target's object or list that most of the members are in, the first one's where two are as many."""
        homes = [_holder(child, name) for name, child in _members(node)]
        found = Counter(home for home in homes if home)
        home = max(found, key=lambda one: found[one]) if found else ()
        there = self.target.plan.shape.at(home)
        return home if there is not None and bool(there.fields) == bool(shape.fields) else ()

    def _move(self, path: Path) -> Move | None:
        homes = self.homes.get(path)
        if not homes:
            return None
        here, there = homes[0]
        return Move(there.leaf, changes.change(self._side(self.source, here), self._side(self.target, there)))

    def _side(self, table: Translator, row: Row) -> Side:
        shape = table.plan.shape.at(row.leaf)
        assert shape is not None
        return Side(table.message_type, table.version, _each(row.leaf), shape, table.plan.codecs[row.key])


def _members(node: Node) -> list[tuple[str, Node | None]]:
    return [*node.fields.items()] or [(EACH, node.item)]


def _holder(node: Node | None, name: str) -> Path:
    """Where the part that holds a member stands, if the member stands in it under any name."""
    home = node.move.target if node and node.move else node.home if node else ()
    return home[:-1] if home and (home[-1] == EACH) == (name == EACH) else ()


def _each(leaf: Path) -> Path:
    return tuple(EACH if name == ONE else name for name in leaf)


def _whole(node: Node, path: Path, target: Shape, shape: Shape) -> Node | None:
    """The part as one move, where both versions say all of it alike."""
    children = _members(node)
    homes = set()
    for name, child in children:
        if child is None or child.move is None or child.move.change or child.move.target[-1] != name:
            return None
        homes.add(child.move.target[:-1])
    if len(homes) != 1:
        return None
    home = homes.pop()
    there = target.at(home)
    if there is None or bool(there.fields) != bool(shape.fields) or home.count(EACH) != path.count(EACH):
        return None
    return Node(move=Move(home))
