"""The instants of a message as its sender wrote them, kept beside the elements that say them.

A FHIR server may write an instant with another offset, or with other digits behind the second (R4, datatypes, instant). The
MessageHeader's extension `instants` therefore has all instants of the message, in the order of the message, with the sender's
own letters: they come back as they were sent, and an element that says another instant is found.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.model import JsonObject
from gateway.translation.paths import EACH, ONE, Path

NAME = "instants"  # of the extension, behind the base of own StructureDefinitions
CODEC = "dateTime"
MILLISECOND = timedelta(milliseconds=1)
PARTS = re.compile(r"(.{19})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII)
Tree = dict[str, Any]  # member -> tree, member -> [tree] of a list's items; LEAF is an instant
LEAF: Tree = {}
Slot = tuple[Any, Any]  # the object or list that holds an instant, and its key there


class Changed(ValueError):
    """A Bundle says another instant than was sent; `said` is the element's text, None where no element says any."""

    def __init__(self, said: str | None, sent: str) -> None:
        super().__init__()
        self.said, self.sent = said, sent


@dataclass(frozen=True, slots=True)
class Instants:
    """Where one message type has instants: in its envelope, and in its message."""

    envelope: Tree
    message: Tree

    def sent(self, envelope: JsonObject, message: JsonObject) -> str:
        """All instants as they stand, a space between two."""
        return " ".join([holder[key] for holder, key in self._slots(envelope, message)])

    def restore(self, envelope: JsonObject, message: JsonObject, sent: str | None) -> None:
        """Write all instants of a message that was read from a Bundle as they were sent.

        `sent` is None where the Bundle does not say it: then with a numeric offset and without a fraction of zeros, as the
        models have them. Raises Changed.
        """
        slots = self._slots(envelope, message)
        if sent is None:
            for holder, key in slots:
                holder[key] = numeric(holder[key])
            return
        said = [holder[key] for holder, key in slots]
        told = sent.split(" ")
        if said == told:
            return
        if len(said) != len(told):
            raise _missing(said, told)
        for (holder, key), one, other in zip(slots, said, told, strict=True):
            if not same(one, other):
                raise Changed(one, other)
            holder[key] = other

    def _slots(self, envelope: JsonObject, message: JsonObject) -> list[Slot]:
        found: list[Slot] = []
        _walk(envelope, self.envelope, found)
        _walk(message, self.message, found)
        return found


def instants(leaves: Iterable[Path]) -> Instants:
    """`leaves` are the paths of a document without content, `message` at the root."""
    tree: Tree = {}
    for path in leaves:
        _grow(tree, path)
    message = tree.pop("message", {})
    return Instants(tree, message)


def _grow(tree: Tree, path: Path) -> None:
    name, *rest = path
    if not rest:
        tree[name] = LEAF
    elif rest[0] not in {EACH, ONE}:
        _grow(tree.setdefault(name, {}), tuple(rest))
    elif len(rest) == 1:
        tree[name] = [LEAF]
    else:
        _grow(tree.setdefault(name, [{}])[0], tuple(rest[1:]))


def _walk(value: JsonObject, tree: Tree, found: list[Slot]) -> None:
    for name, below in tree.items():
        inner = value.get(name)
        if inner is None:
            continue
        if below is LEAF:
            found.append((value, name))
        elif type(below) is dict:
            _walk(inner, below, found)
        elif below[0] is LEAF:
            found += [(inner, at) for at in range(len(inner))]
        else:
            for item in inner:
                _walk(item, below[0], found)


def same(said: str, sent: str) -> bool:
    """Whether an element says the instant that was sent; a server may cut or round it to milliseconds."""
    if said == sent:
        return True
    one, other = _read(said), _read(sent)
    if one is None or other is None:
        return False
    return one == other or (other.microsecond % 1000 != 0 and abs(one - other) < MILLISECOND)


def numeric(text: str) -> str:
    """An instant with a numeric offset, and without a fraction of zeros."""
    found = PARTS.fullmatch(text)
    if found is None:
        return text
    time, fraction, offset = found.groups()
    kept = "" if fraction is None or not fraction.strip(".0") else fraction
    return f"{time}{kept}{'+00:00' if offset == 'Z' else offset}"


def _read(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _missing(said: list[str], told: list[str]) -> Changed:
    """The first instant that was sent and that no element says, or the first that was not sent."""
    left = list(said)
    for sent in told:
        found = next((one for one in left if same(one, sent)), None)
        if found is None:
            return Changed(None, sent)
        left.remove(found)
    return Changed(left[0], "")
