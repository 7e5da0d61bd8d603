"""Engaged resources (RS-RI, RC-RI) for the other side, each by itself, with what their recipient knows of them. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.conversion.cases import still_lost, views_of
from gateway.conversion.context import Context, NewestStates, known_resources
from gateway.conversion.crossing import UNKNOWN_VEHICLE, Crossed, body_for, cross
from gateway.conversion.giving_back import given_back
from gateway.conversion.moving import Loss
from gateway.conversion.sides import About, Side, side
from gateway.errors import NotApplicable
from gateway.model import JsonObject, Message

NO_RESOURCE = (
    "none of its resources is of a type that RC-RI knows (SMUR, SIS): nothing in it concerns the recipient"
)
NEWER_STATE = "the recipient knows a newer state of this resource"


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources that the recipient gets, and of each which of the message's it is (-1: none); `plain` are the message's
    alone, with nothing given back.
    """

    made: list[JsonObject]
    plain: list[JsonObject]
    lost: tuple[Loss, ...]
    kept: tuple[int, ...]


def resources_for(message: Message, message_type: str, about: About, context: Context) -> Resources:
    """Each resource by itself; one of a type that the other side does not know is lost, and reported as a whole.

    Raises NotApplicable where it knows none of them.
    """
    here, there = side(message.message_type), side(message_type)
    said: list[JsonObject] = message.body["resource"]
    crossed = [cross(one, here, there, about) for one in said]
    kept = [index for index, one in enumerate(crossed) if _is_taken(one.body, there)]
    if not kept:
        raise NotApplicable(
            NO_RESOURCE, f"content[0].jsonContent.embeddedJsonContent.message.{message.root_key}.resource"
        )
    lost = [Loss(("resource", n), (), UNKNOWN_VEHICLE) for n in sorted({*range(len(said))} - {*kept})]
    known = known_resources(context.seen, message_type)
    plain = [crossed[index].body for index in kept]
    made: list[JsonObject] = []
    if (same := _same(known, said, here, there, about)) is not None:
        made, sources = same
    else:
        every = (one for resources in reversed(known.values()) for one in reversed(resources))
        own = {one["resourceId"]: one for one in every}  # the newest statement of each, whoever made it
        for number, index in enumerate(kept):
            resource, losses = _resource(said[index], crossed[index], own, here, there, about)
            made.append(resource)
            lost += _below(losses, index, number)
        unsaid = _unsaid(known.get(about.recipient, []), said, here, there, about)
        made, sources = [*made, *unsaid], [*kept, *(-1 for _ in unsaid)]
    if message_type == "RC-RI":
        newest = [*map(NewestStates(context.seen).put, made)]
        lost += _older(message, made, newest, sources)
        made = newest
    return Resources(made, plain, tuple(lost), tuple(sources))


def _below(losses: tuple[Loss, ...], index: int, number: int) -> Iterator[Loss]:
    ends = ("resource", index), ("resource", number)
    for one in losses:
        target = (*ends[1], *one.target) if one.target else ()
        yield Loss((*ends[0], *one.source), target, one.reason)


_Known = dict[str, list[JsonObject]]


def _same(
    known: _Known, said: list[JsonObject], here: Side, there: Side, about: About
) -> tuple[list[JsonObject], list[int]] | None:
    """The resources of a list that the viewer knows, if the other side says just what converting that gives; with the index of
    each in what is said, -1 where it has none.
    """
    back = about.back
    for resources in known.values():
        expected = [body_for(one, there, here, back) for one in resources]
        if [one for one in expected if _is_taken(one, here)] == said:
            count = iter(range(len(said)))
            return resources, [next(count) if _is_taken(one, here) else -1 for one in expected]
    return None


def _resource(
    said: JsonObject, crossed: Crossed, own: dict[str, JsonObject], here: Side, there: Side, about: About
) -> tuple[JsonObject, tuple[Loss, ...]]:
    """One resource with what the viewer knows of it."""
    known = own.get(said["resourceId"])
    if known is None:
        return crossed.body, crossed.lost
    views = views_of(known, said, crossed, here, there, about)
    result = given_back(views, there.message_type)
    return result.body, still_lost(crossed, views, result)


def _unsaid(
    own: list[JsonObject], said: list[JsonObject], here: Side, there: Side, about: About
) -> list[JsonObject]:
    """The viewer's own vehicles of types that the other side does not know, where that repeats all the others of them."""
    back = about.back
    ids = {one["resourceId"] for one in said}
    taken = [_is_taken(body_for(one, there, here, back), here) for one in own]
    if not any(taken) or not all(
        one["resourceId"] in ids for one, is_there in zip(own, taken, strict=True) if is_there
    ):
        return []
    return [one for one, is_there in zip(own, taken, strict=True) if not is_there]


def _older(
    message: Message, made: list[JsonObject], newest: list[JsonObject], sources: list[int]
) -> Iterator[Loss]:
    """States that the message says and that are older than one that the recipient knows."""
    for number, index in enumerate(sources):
        if index >= 0 and made[number] != newest[number]:
            states = message.body["resource"][index].get("state", [])
            gone = [n for n, state in enumerate(states) if state == made[number]["state"]]
            for n in gone[:1]:
                for name in states[n]:
                    yield Loss(("resource", index, "state", n, name), (), NEWER_STATE)


def _is_taken(resource: JsonObject, there: Side) -> bool:
    """Whether the type has the vehicle type of a resource that was made for it."""
    known = there.root.child("vehicleType")
    return known is not None and resource["vehicleType"] in known.values
