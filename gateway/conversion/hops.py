"""A conversion of several hops, from version to version and from side to side, as one report. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.conversion import crossing, moving
from gateway.conversion.cisu import NO_CONTEXT, Exchange
from gateway.conversion.moving import Loss, Moving
from gateway.conversion.places import ABSENT, at
from gateway.model import JsonObject, Message
from gateway.validation.place import MESSAGE, Place, simple_path

_EMBEDDED = MESSAGE[:-1]
GIVEN = (crossing.GIVEN, moving.GIVEN)
WHOLE = (crossing.WITHHELD, crossing.UNKNOWN_VEHICLE)  # reasons that are reported of a part as a whole


class Hop(Protocol):
    """One conversion; places from `message` down."""

    @property
    def lost(self) -> Sequence[Loss]:
        """What is not said as it was."""

    @property
    def label(self) -> str:
        """Type and version that are made."""

    def back(self, place: Place) -> Place:
        """Where a place of what is made comes from; the nearest part of the source where nothing says so."""

    def forward(self, place: Place) -> Place:
        """Where a place of the source stands in what is made; () where it does not."""


@dataclass(frozen=True, slots=True)
class VersionHop:
    """From one model version to another of the same type."""

    moving: Moving
    label: str

    @property
    def lost(self) -> Sequence[Loss]:
        """What the version does not say as it was."""
        return self.moving.lost

    def back(self, place: Place) -> Place:
        """Where a place comes from: alone, in a part that came whole, or with its holder."""
        for depth in range(len(place), 0, -1):
            if place[:depth] in self.moving.origins:
                return (*self.moving.origins[place[:depth]][0], *place[depth:])
        return next(
            (found for depth in range(len(place), 0, -1) if (found := self.moving.origin(place[:depth]))),
            place[:1],
        )

    def forward(self, place: Place) -> Place:
        """Where a place goes, alone or in a part that goes whole."""
        for target, (source, _) in self.moving.origins.items():
            if place[: len(source)] == source:
                return (*target, *place[len(source) :])
        return ()


@dataclass(frozen=True, slots=True)
class SideHop:
    """From one side of CISU to the other."""

    source: Message
    exchange: Exchange
    label: str

    @property
    def lost(self) -> Sequence[Loss]:
        """What the other side does not say as it was."""
        return self.exchange.lost

    def back(self, place: Place) -> Place:
        """The place of the same name, or its holder."""
        if place[1:2] == (self.exchange.messages[0].root_key,):
            place = (*place[:1], self.source.root_key, *place[2:])
        return _there(self.source, place)

    def forward(self, place: Place) -> Place:
        """The place of the same name, where it is there."""
        made = self.exchange.messages[0]
        if place[1:2] == (self.source.root_key,):
            place = (*place[:1], made.root_key, *place[2:])
        if place[2:3] == ("resource",) and len(place) > 3:
            if place[3] not in self.exchange.kept:
                return ()
            place = (*place[:3], self.exchange.kept.index(int(place[3])), *place[4:])
        return place if _there(made, place) == place else ()


def _subject(place: Place) -> Place:
    """The whole list for one of its items."""
    while isinstance(place[-1], int):
        place = place[:-1]
    return place


def _is_leaf(value: object) -> bool:
    return value is not ABSENT and not (isinstance(value, dict | list) and value)


def _there(message: Message, place: Place) -> Place:
    """The place, or the nearest part above it that is there."""
    while place[1:] and at(message.document, (*_EMBEDDED, *place)) is ABSENT:
        place = place[:-1]
    return place


def report(source_message: Message, hops: Sequence[Hop]) -> tuple[JsonObject, ...]:
    """Each loss of each hop, from the message to the last one's result; of what a hop has given by rule none is lost.

    A part that is lost as a whole is reported once: its leaves would tell the other side what is in it.
    """
    found: dict[tuple[Place, Place, str], None] = {}
    whole: set[Place] = set()
    for number, hop in enumerate(hops):
        for loss in hop.lost:
            source, target = loss.source, loss.target
            for before in reversed(hops[:number]):
                source = before.back(source)
            for after in hops[number + 1 :]:
                target = after.forward(target) if target else ()
            if loss.reason in WHOLE:
                source = _subject(source) if loss.reason == crossing.WITHHELD else source
                whole.add(source)
            if loss.reason in (*GIVEN, *WHOLE, NO_CONTEXT) or _is_leaf(
                at(source_message.document, (*_EMBEDDED, *source))
            ):
                found[source, target, f"{hop.label}: {loss.reason}"] = None
    kept = [one for one in found if not any(one[0][:depth] in whole for depth in range(1, len(one[0])))]
    return tuple(
        {
            "path": simple_path((*_EMBEDDED, *source)),
            "target": simple_path((*_EMBEDDED, *target)) if target else "",
            "reason": reason,
        }
        for source, target, reason in kept
    )
