"""What the official schema refuses in a converted message: filled by rule, or taken out and reported."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from gateway import edxl
from gateway.conversion.fills import fill
from gateway.conversion.moving import Loss, Moving
from gateway.errors import Untranslatable
from gateway.model import Message
from gateway.validation.place import Place, simple_path
from gateway.validation.structure import whole_document

_INNER = 4  # content[0].jsonContent.embeddedJsonContent: above `message`
MAX_REFUSED = 1_000  # values of one message that a version refuses: beyond that it is no real message, and costs seconds
_ROUNDS = 40  # each round takes out at least one part, from the leaves up
MISSING = "the version wants more beside it than the message says"
REFUSED = "the version does not take this value"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A place that the schema refuses; `missing` names what an object there lacks."""

    place: Place
    missing: str


def _refusals(message: Message) -> Iterator[Refusal]:
    judge = whole_document(message.message_type, message.model_version)
    for error in judge.iter_errors(message.document):
        yield Refusal(tuple(error.instance_path), str(getattr(error.kind, "property", "")))


def repaired(message: Message, source: Message, moving: Moving) -> Message:
    """The message without what its schema refuses. Raises Untranslatable where that is something it must have."""
    other = edxl.message(orjson.loads(orjson.dumps(message.document)), message.model_version)
    refused = 0
    for _ in range(_ROUNDS):
        found = list(_refusals(other))
        if not found:
            return other
        refused += len(found)
        if refused > MAX_REFUSED:
            raise Untranslatable(f"the version refuses more than {MAX_REFUSED} of its values", "content[0]")
        for refusal in sorted(found, key=_depth_and_indexes, reverse=True):
            if refusal.missing and fill(other, source, moving, refusal.place, refusal.missing):
                continue
            _take_out(other, refusal, moving)
        other = edxl.message(other.document, other.model_version)
    raise Untranslatable("the version cannot say this message", "content[0]")


def _depth_and_indexes(refusal: Refusal) -> tuple[int, list[int]]:
    """What orders refusals: of a list the last item is taken out first, or the next one's index would be another item's."""
    return len(refusal.place), [part if isinstance(part, int) else -1 for part in refusal.place]


def _take_out(message: Message, refusal: Refusal, moving: Moving) -> None:
    place = refusal.place
    if len(place) <= _INNER + 2:  # `message`, the use case itself, or an element of the header
        what = (*place, *([refusal.missing] if refusal.missing else ()))
        raise Untranslatable(
            f"{message.message_type} {message.model_version} must have what is not there", simple_path(what)
        )
    holder: Any = message.document
    try:
        for name in place[:-1]:
            holder = holder[name]
        del holder[place[-1]]
    except (KeyError, IndexError, TypeError):
        return  # gone with another one
    _report(place[_INNER:], MISSING if refusal.missing else REFUSED, moving)


def _report(target: Place, reason: str, moving: Moving) -> None:
    """Everything that came to a place, or below it, is lost; what comes after it in a list moves up."""
    moving.open(target)
    gone = {place: None for place in moving.origins if place[: len(target)] == target}
    if gone:
        moving.lost = [loss for loss in moving.lost if loss.target not in gone]
    for place in gone:
        source, value = moving.origins.pop(place)
        moving.lose(value, source, reason)
    *head, last = target
    if not isinstance(last, int):
        return
    depth = len(head)
    moves: dict[Place, Place] = {}
    for place in sorted(place for place in moving.origins if place[:depth] == tuple(head)):
        index = place[depth]
        if isinstance(index, int) and index > last:
            moves[place] = moved = (*head, index - 1, *place[depth + 1 :])
            moving.origins[moved] = moving.origins.pop(place)
    if moves:  # once for all of them: with hundreds of entries taken out this is most of the work
        moving.lost = [
            Loss(o.source, moves[o.target], o.reason) if o.target in moves else o for o in moving.lost
        ]
