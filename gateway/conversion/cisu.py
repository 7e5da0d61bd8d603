"""Messages between the health and the fire side (CISU), in model v3: RS-EDA and RC-EDA, RS-RI with RS-SR and RC-RI. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from gateway import edxl, validation
from gateway.conversion.crossing import NO_PLACE, cross
from gateway.conversion.moving import Loss
from gateway.conversion.notes import words
from gateway.conversion.rest import leaves
from gateway.conversion.sides import About, Side
from gateway.errors import Untranslatable
from gateway.model import JsonObject, Message
from gateway.validation.place import Place
from schemas import root_key
from schemas.fields import Field, table

VERSION = "v3"  # of the fire side; the other versions go by way of it
OTHER = {"RS-EDA": "RC-EDA", "RC-EDA": "RS-EDA", "RS-RI": "RC-RI", "RC-RI": "RS-RI"}
STATUS_ALONE = (
    "a status alone is not enough for RC-RI: the recipient was told of no such resource of the case before"
)
NO_RESOURCE = "none of its resources is of a type that RC-RI knows (SMUR, SIS)"


@dataclass(frozen=True, slots=True)
class Exchange:
    """The messages of the other side, in sending order, and what they do not say as it was; places from `message` down."""

    messages: tuple[Message, ...]
    lost: tuple[Loss, ...]
    kept: tuple[int, ...] = ()  # which of the source's resources are there


def other_type(message_type: str) -> str:
    """What a type becomes on the other side, "" where it has no counterpart. RS-SR becomes an RC-RI."""
    return "RC-RI" if message_type == "RS-SR" else OTHER.get(message_type, "")


def exchanged(message: Message, message_type: str, before: Sequence[Message] = ()) -> Exchange:
    """A valid v3 message as one or several of the other side; `before` are RC-RI (v3) about the same case that the
    recipient was sent, newest first: an RS-SR needs them. Raises Untranslatable, with the path.
    """
    if message.message_type == "RS-SR" and message_type == "RC-RI":
        return _status(message, before)
    if OTHER.get(message.message_type) != message_type:
        raise Untranslatable(f"{message.message_type} is not translated to {message_type}")
    about = About(message.body["caseId"], message.envelope.sender_id, message.envelope.address)
    body, lost, kept = (_case if message_type.endswith("EDA") else _resources)(message, message_type, about)
    made = _message(message, message_type, body)
    if not validation.is_valid(made):
        raise Untranslatable(f"{message_type} {VERSION} cannot say this message", "content[0]")
    below: Place = ("message", message.root_key)
    there: Place = ("message", made.root_key)
    told = tuple(Loss((*below, *o.source), (*there, *o.target) if o.target else (), o.reason) for o in lost)
    return Exchange((made, *_statuses(made)) if message_type == "RS-RI" else (made,), told, kept)


def _status(message: Message, before: Sequence[Message]) -> Exchange:
    """The last RC-RI that has the resource, with the new state."""
    new = message.body["state"]
    for told in before:
        resources = exchanged(told, "RS-RI").messages[0].body["resource"]
        index = next(
            (n for n, one in enumerate(resources) if one["resourceId"] == message.body["resourceId"]), None
        )
        if index is None or told.body["caseId"] != message.body["caseId"]:
            continue
        states = [new, *(state for state in resources[index]["state"] if state != new)]
        resources[index] = {**resources[index], "state": states}
        whole = _message(message, "RS-RI", {"caseId": message.body["caseId"], "resource": resources})
        made = exchanged(whole, "RC-RI")
        here: Place = ("message", whole.root_key, "resource", index, "state", 0)
        lost = [loss for loss in made.lost if loss.source[: len(here)] == here]
        above: Place = ("message", message.root_key, "state")
        return Exchange(
            made.messages,
            tuple(Loss((*above, *one.source[len(here) :]), one.target, one.reason) for one in lost),
        )
    raise Untranslatable(STATUS_ALONE, "content[0]")


@cache
def side(message_type: str) -> Side:
    """A type as one side: its use case, or one resource of it."""
    root = table(message_type, VERSION).root
    resource = root.child("resource") if message_type.endswith("-RI") else None
    root = replace(resource, repeats=False, min_items=0) if resource else root
    return Side(message_type, root, words(message_type, root))


_Made = tuple[JsonObject, tuple[Loss, ...], tuple[int, ...]]


def _case(message: Message, message_type: str, about: About) -> _Made:
    def fits(body: JsonObject) -> bool:
        return validation.is_valid(_message(message, message_type, body))

    crossed = cross(message.body, side(message.message_type), side(message_type), about, fits)
    return crossed.body, crossed.lost, ()


def _resources(message: Message, message_type: str, about: About) -> _Made:
    """Each resource by itself; one of a type that the other side does not know is lost whole."""

    def fits(body: JsonObject) -> bool:
        whole = {"caseId": about.case_id, "resource": [body]}
        return validation.is_valid(_message(message, message_type, whole))

    here, there = side(message.message_type), side(message_type)
    known = there.root.child("vehicleType")
    made: list[JsonObject] = []
    lost: list[Loss] = []
    kept: list[int] = []
    for index, resource in enumerate(message.body["resource"]):
        crossed = cross(resource, here, there, about, fits)
        if not _takes(known, crossed.body["vehicleType"]):
            lost += [Loss(("resource", index, *place), (), NO_PLACE) for place, _ in leaves(resource)]
            continue
        ends = ("resource", index), ("resource", len(made))
        made.append(crossed.body)
        kept.append(index)
        lost += [
            Loss((*ends[0], *one.source), (*ends[1], *one.target) if one.target else (), one.reason)
            for one in crossed.lost
        ]
    if not made:
        raise Untranslatable(
            NO_RESOURCE, f"content[0].jsonContent.embeddedJsonContent.message.{message.root_key}.resource"
        )
    return {"caseId": message.body["caseId"], "resource": made}, tuple(lost), tuple(kept)


def _takes(field: Field | None, code: str) -> bool:
    return field is not None and code in field.values


def _message(message: Message, message_type: str, body: JsonObject, number: int = 1) -> Message:
    """The message of the other side with this use case; `number` is its place among those made of one message."""
    header = {**message.header}
    header.pop(message.root_key, None)
    identifier = message.envelope.distribution_id + (f"-{number}" if number > 1 else "")
    if header.get("messageId") == message.envelope.distribution_id:
        header["messageId"] = identifier
    inner = {"message": {**header, root_key(message_type, VERSION): body}}
    content = [{"jsonContent": {"embeddedJsonContent": inner}}]
    return edxl.message({**message.document, "distributionID": identifier, "content": content}, VERSION)


def _statuses(made: Message) -> tuple[Message, ...]:
    """A status message for the newest state of each resource that has one."""
    case = made.body["caseId"]
    states = [(one["resourceId"], one["state"][0]) for one in made.body["resource"] if one.get("state")]
    return tuple(
        _message(made, "RS-SR", {"caseId": case, "resourceId": resource, "state": state}, number)
        for number, (resource, state) in enumerate(states, 2)
    )
