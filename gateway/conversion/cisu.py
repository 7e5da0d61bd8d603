"""Messages between the health and the fire side (CISU), in model v3: RS-EDA and RC-EDA, RS-RI with RS-SR and RC-RI. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from gateway import edxl, validation
from gateway.conversion.crossing import UNKNOWN_VEHICLE, cross
from gateway.conversion.moving import Loss
from gateway.conversion.sides import About, Side, instant
from gateway.errors import NotApplicable, Untranslatable
from gateway.hub import derived_id
from gateway.model import JsonObject, Message
from gateway.validation.place import Place
from schemas import root_key
from schemas.fields import Field, table

VERSION = "v3"  # of the fire side; the other versions go by way of it
OTHER = {"RS-EDA": "RC-EDA", "RC-EDA": "RS-EDA", "RS-RI": "RC-RI", "RC-RI": "RS-RI"}
STATUS_ALONE = "the recipient was sent no such resource of the case before, so a status of it concerns it not"
OLD_STATUS = "the recipient was sent a status of this resource that is as new or newer"
UPDATE_ALONE = "an update says a part of the case only; send the whole case (RS-EDA) to this recipient"
NO_RESOURCE = (
    "none of its resources is of a type that RC-RI knows (SMUR, SIS): nothing in it concerns the recipient"
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """The messages of the other side, in sending order, and what they do not say as it was; places from `message` down."""

    messages: tuple[Message, ...]
    lost: tuple[Loss, ...]
    kept: tuple[int, ...] = ()  # which of the source's resources are there


def exchanged(message: Message, message_type: str, before: Sequence[Message] = ()) -> Exchange:
    """A valid v3 message as one or several of the other side; `before` are RC-RI (v3) about the same case that the
    recipient was sent, newest first: an RS-SR needs them.

    Raises NotApplicable where nothing in it concerns the other side, else Untranslatable, both with the path.
    """
    if (message.message_type, message_type) == ("RS-SR", "RC-RI"):
        return _status(message, before)
    if (message.message_type, message_type) == ("RS-EDA-MAJ", "RC-EDA"):
        raise Untranslatable(UPDATE_ALONE, "content[0]")
    if OTHER.get(message.message_type) != message_type:
        raise Untranslatable(f"{message.message_type} is not translated to {message_type}")
    about = About(message.body["caseId"], message.envelope.sender_id, message.envelope.address)
    body, lost, kept = (_case if message_type.endswith("EDA") else _resources)(message, message_type, about)
    made = _message(message, message_type, body)
    if not validation.is_valid(made):
        raise Untranslatable(f"{message_type} {VERSION} cannot say this message", "content[0]")
    below: Place = ("message", message.root_key)
    there: Place = ("message", made.root_key)
    lost = tuple(Loss((*below, *o.source), (*there, *o.target) if o.target else (), o.reason) for o in lost)
    return Exchange((made, *_statuses(made)) if message_type == "RS-RI" else (made,), lost, kept)


def _status(message: Message, before: Sequence[Message]) -> Exchange:
    """All resources that this sender stated last, each with its newest state, and the resource of the status with its own.

    Where the sender did not state that resource itself, it is taken from what another one stated.
    """
    case, resource_id, state = (message.body[name] for name in ("caseId", "resourceId", "state"))
    sent = [one for one in before if one.body["caseId"] == case]
    stated = [resource for one in sent for resource in one.body["resource"]]  # newest message first
    known = [resource for resource in stated if resource["resourceId"] == resource_id]
    if not known:
        raise NotApplicable(STATUS_ALONE, "content[0]")
    if any(_is_as_new(resource, state) for resource in known):
        raise NotApplicable(OLD_STATUS, "content[0]")
    own = next((one for one in sent if one.envelope.sender_id == message.envelope.sender_id), None)
    resources = list(own.body["resource"]) if own else []
    if not any(one["resourceId"] == resource_id for one in resources):
        resources.append(known[0])
    made = [
        {**one, "state": state} if one["resourceId"] == resource_id else _newest(one, stated)
        for one in resources
    ]
    made_message = _message(message, "RC-RI", {"caseId": case, "resource": made})
    if not validation.is_valid(made_message):
        raise Untranslatable(f"RC-RI {VERSION} cannot say this status", "content[0]")
    return Exchange((made_message,), ())


def _is_as_new(resource: JsonObject, state: JsonObject) -> bool:
    """Whether a resource's state is newer than another, or the same. One that only the rule gave is older than any."""
    known = resource["state"]
    if _is_given(resource):
        return False
    same = known["status"] == state["status"] and instant(known) == instant(state)
    return same or instant(known) > instant(state)


def _is_given(resource: JsonObject) -> bool:
    """Whether the state may be the one that the rules give to a resource without one (`schemas/conversion/cisu.rules`)."""
    state = resource["state"]
    return bool(state["status"] == "DECLENCHE" and state["datetime"] == resource["datetime"])


def _newest(resource: JsonObject, stated: Sequence[JsonObject]) -> JsonObject:
    """The resource with the newest state that was stated of it."""
    known = [one for one in stated if one["resourceId"] == resource["resourceId"]]
    newest = max(known, key=lambda one: (not _is_given(one), instant(one["state"])), default=resource)
    return {**resource, "state": newest["state"]}


@cache
def side(message_type: str) -> Side:
    """A type as one side: its use case, or one resource of it."""
    root = table(message_type, VERSION).root
    resource = root.child("resource") if message_type.endswith("-RI") else None
    return Side(message_type, replace(resource, repeats=False, min_items=0) if resource else root)


_Made = tuple[JsonObject, tuple[Loss, ...], tuple[int, ...]]


def _case(message: Message, message_type: str, about: About) -> _Made:
    crossed = cross(message.body, side(message.message_type), side(message_type), about)
    return crossed.body, crossed.lost, ()


def _resources(message: Message, message_type: str, about: About) -> _Made:
    """Each resource by itself; one of a type that the other side does not know is lost, and reported as a whole."""
    here, there = side(message.message_type), side(message_type)
    known = there.root.child("vehicleType")
    made: list[JsonObject] = []
    lost: list[Loss] = []
    kept: list[int] = []
    for index, resource in enumerate(message.body["resource"]):
        crossed = cross(resource, here, there, about)
        if not _takes(known, crossed.body["vehicleType"]):
            lost.append(Loss(("resource", index), (), UNKNOWN_VEHICLE))
            continue
        ends = ("resource", index), ("resource", len(made))
        made.append(crossed.body)
        kept.append(index)
        lost += [
            Loss((*ends[0], *one.source), (*ends[1], *one.target) if one.target else (), one.reason)
            for one in crossed.lost
        ]
    if not made:
        raise NotApplicable(
            NO_RESOURCE, f"content[0].jsonContent.embeddedJsonContent.message.{message.root_key}.resource"
        )
    return {"caseId": message.body["caseId"], "resource": made}, tuple(lost), tuple(kept)


def _takes(field: Field | None, code: str) -> bool:
    return field is not None and code in field.values


def _message(message: Message, message_type: str, body: JsonObject, number: int = 1) -> Message:
    """The message of the other side with this use case; `number` is its place among those made of one message."""
    header = {**message.header}
    identifier = message.envelope.distribution_id
    identifier = derived_id(identifier, number) if number > 1 else identifier
    if header.get("messageId") == message.envelope.distribution_id:
        header["messageId"] = identifier
    inner = {"message": {**header, root_key(message_type, VERSION): body}}
    content = [{"jsonContent": {"embeddedJsonContent": inner}}]
    return edxl.message({**message.document, "distributionID": identifier, "content": content}, VERSION)


def _statuses(made: Message) -> tuple[Message, ...]:
    """A status message for the state of each resource that has one."""
    case = made.body["caseId"]
    states = [(one["resourceId"], one["state"][0]) for one in made.body["resource"] if one.get("state")]
    return tuple(
        _message(made, "RS-SR", {"caseId": case, "resourceId": resource, "state": state}, number)
        for number, (resource, state) in enumerate(states, 2)
    )
