"""The walk through a source document that puts each leaf where the other version has it."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from gateway.conversion.changes import GONE
from gateway.conversion.moves import Move, Node
from gateway.conversion.places import at, leaves
from gateway.model import JsonObject, Message
from gateway.translation.paths import EACH, ONE, Path
from gateway.validation.place import Place, simple_path

_INNER: Place = ("content", 0, "jsonContent", "embeddedJsonContent")

NO_PLACE = "the version has no place for it"
GIVEN = "the version must have it, the message does not say it: given by rule"
ONE_ONLY = "the version takes one of these, the first"


@dataclass(frozen=True, slots=True)
class Loss:
    """What is not said as it was: `target` () where nothing stands for it."""

    source: Place
    target: Place
    reason: str


@dataclass(slots=True)
class Moving:
    """A target under construction, and what is known of it so far.

    `origins`: the target's part -> where it comes from, and its value there; `indexes`: a list and the source's indexes
    -> the index in it; `holders`: a path and the source's indexes -> the object or list there.
    """

    made: JsonObject = field(default_factory=dict)
    origins: dict[Place, tuple[Place, Any]] = field(default_factory=dict)
    lost: list[Loss] = field(default_factory=list)
    indexes: dict[tuple[Place, tuple[int, ...]], int] = field(default_factory=dict)
    holders: dict[tuple[Path, tuple[int, ...]], tuple[Any, Place]] = field(default_factory=dict)

    def walk(self, value: Any, node: Node | None, place: Place, indexes: tuple[int, ...]) -> None:
        """Moves a value of the source, and all below it."""
        if node is None:
            self.lose(value, place, NO_PLACE)
        elif node.move is not None:
            self._move(value, node.move, place, indexes, {})
        elif isinstance(value, list) and node.item is not None:
            for index, item in enumerate(value):
                self.walk(item, node.item, (*place, index), (*indexes, index))
        elif isinstance(value, dict) and node.fields:
            self._members(value, node, place, indexes)
        else:
            self.lose(value, place, NO_PLACE)
        if value in ([], {}) and node is not None and node.move is None:
            self._move(value, Move(node.home), place, indexes, {})

    def _members(self, value: JsonObject, node: Node, place: Place, indexes: tuple[int, ...]) -> None:
        for name, member in value.items():
            child = node.fields.get(name)
            if child is not None and child.move is not None:
                self._move(member, child.move, (*place, name), indexes, value)
            else:
                self.walk(member, child, (*place, name), indexes)

    def _move(
        self, value: Any, move: Move, place: Place, indexes: tuple[int, ...], holder: JsonObject
    ) -> None:
        said, reason = move.change(value, holder) if move.change else (value, "")
        if said is GONE:
            self.lose(value, place, reason)
            return
        target = self._put(move.target, indexes, said) if move.target else None
        if target is None:
            self.lose(value, place, ONE_ONLY)
            return
        self.origins[target] = place, value
        if reason:
            self.lost.append(Loss(place, target, reason))

    def _put(self, path: Path, indexes: tuple[int, ...], value: Any) -> Place | None:
        """Puts a value at a path of the target; None where a place for one has one already."""
        known = self.holders.get((path[:-1], indexes))
        if known is None:
            if any(indexes[path.count(EACH) :]):
                return None
            known = self._holder(path, indexes)
            if path[-1] not in {EACH, ONE}:
                self.holders[path[:-1], indexes] = known
        holder, place = known
        key = self._key(path[-1], place, indexes, len(holder))
        if isinstance(holder, dict) and key not in holder:
            holder[key] = value
        elif isinstance(holder, list) and key == len(holder):
            holder.append(value)
        else:
            return None
        return (*place, key)

    def _holder(self, path: Path, indexes: tuple[int, ...]) -> tuple[Any, Place]:
        """The object or list of the target that the last step of a path is put into, made where it is not there."""
        at: Any = self.made
        place: Place = ()
        depth = 0
        for name, after in pairwise(path):
            depth += name == EACH
            key = self._key(name, place, indexes[:depth], len(at))
            if not (key < len(at) if isinstance(key, int) else key in at):
                new: Any = [] if after in {EACH, ONE} else {}
                at.append(new) if isinstance(at, list) else at.update({key: new})
            at, place = at[key], (*place, key)
        return at, place

    def _key(self, name: str, place: Place, indexes: tuple[int, ...], length: int) -> str | int:
        """A member's name, or the index in the target's list: the source's items that came through stand close."""
        if name == EACH:
            return self.indexes.setdefault((place, indexes), length)
        return 0 if name == ONE else name

    def lose(self, value: Any, place: Place, reason: str) -> None:
        """Every leaf of a value is lost; an empty list or object counts as one."""
        self.lost += (Loss((*place, *below), (), reason) for below, _ in leaves(value))

    def open(self, target: Place) -> None:
        """Parts that moved whole, and that have the place in them, are known by their leaves from now on."""
        for place in (target[:length] for length in range(len(target))):
            if place not in self.origins:
                continue
            source, value = self.origins.pop(place)
            for below, leaf in leaves(value):
                self.origins[*place, *below] = (*source, *below), leaf

    def origin(self, target: Place) -> Place:
        """The place of the source that an object of the target is made from: where its members come from."""
        depth = sum(isinstance(part, int) for part in target)
        for place, (source, _) in self.origins.items():
            if place[: len(target)] == target:
                ends = [at for at, part in enumerate(source, 1) if isinstance(part, int)]
                above = len(target) - len(place) or -1  # as many steps up as the member is below
                return source[: ends[depth - 1]] if depth else source[:above]
        return ()

    def losses(self, label: str, source: Message | None = None) -> tuple[JsonObject, ...]:
        """The report, in the order of the source's paths as they were met; with the values of leaves where `source` is given."""
        return tuple(
            {
                "path": simple_path((*_INNER, *loss.source)),
                "target": simple_path((*_INNER, *loss.target)) if loss.target else "",
                "reason": f"{label}: {loss.reason}",
                **(_value(source, loss) if source is not None else {}),
            }
            for loss in self.lost
        )


def _value(source: Message, loss: Loss) -> JsonObject:
    value = at(source.document, (*_INNER, *loss.source))
    return {"value": value} if isinstance(value, str | int | float) and loss.reason != GIVEN else {}
