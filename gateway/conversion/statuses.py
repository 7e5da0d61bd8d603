"""A status of one resource (RS-SR) as what the fire side reads: an RC-RI with all that its sender stated of the case. Pure."""

from collections.abc import Sequence

from gateway.conversion.context import NewestStates, known_resources
from gateway.errors import NotApplicable
from gateway.model import JsonObject, Message

STATUS_ALONE = "the recipient was sent no such resource of the case before: kept until it is"
OLD_STATUS = "the recipient was sent a status of this resource that is as new or newer"


def resources_of(status: Message, seen: Sequence[Message]) -> JsonObject:
    """The use case of the RC-RI: all resources that this sender stated last, each with its newest state, and the resource of
    the status with its own. Where the sender did not state that resource itself, it is taken from what another one stated.

    Raises NotApplicable where nobody stated the resource (`STATUS_ALONE`), or a state of it that is as new.
    """
    case, resource_id, state = (status.body[name] for name in ("caseId", "resourceId", "state"))
    lists = [one for one in seen if one.message_type == "RC-RI"]
    stated = [resource for one in lists for resource in one.body["resource"]]  # newest message first
    known = [resource for resource in stated if resource["resourceId"] == resource_id]
    if not known:
        raise NotApplicable(STATUS_ALONE, "content[0]")
    newest = NewestStates(seen)
    if any(newest.has_as_new(resource, state) for resource in known):
        raise NotApplicable(OLD_STATUS, "content[0]")
    resources = list(known_resources(seen, "RC-RI").get(status.envelope.sender_id, ()))
    if not any(one["resourceId"] == resource_id for one in resources):
        resources.append(newest.put(known[0]))
    made = [{**one, "state": state} if one["resourceId"] == resource_id else one for one in resources]
    return {"caseId": case, "resource": made}
