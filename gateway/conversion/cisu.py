"""Messages between the health and the fire side (CISU), in model v3: RS-EDA and RC-EDA, RS-RI with RS-SR and RC-RI. Pure."""

from dataclasses import dataclass

from gateway import edxl, validation
from gateway.conversion.cases import NO_CONTEXT, case_for, update_for
from gateway.conversion.context import NOTHING, UPDATE, Context, is_repeat, known_case
from gateway.conversion.moving import Loss
from gateway.conversion.resources import resources_for
from gateway.conversion.sides import VERSION, About, instant, side
from gateway.conversion.statuses import resources_of
from gateway.errors import NotApplicable, Untranslatable
from gateway.hub import derived_id
from gateway.model import JsonObject, Message
from gateway.validation.place import Place
from schemas import root_key

__all__ = ["NO_CONTEXT", "OTHER", "REPEAT", "VERSION", "Exchange", "exchanged", "side"]

OTHER = {"RS-EDA": "RC-EDA", "RC-EDA": "RS-EDA", "RS-RI": "RC-RI", "RC-RI": "RS-RI"}
REPEAT = "the recipient was sent just the same of this case by this sender last: nothing changes for it"


@dataclass(frozen=True, slots=True)
class Exchange:
    """The messages of the other side, in sending order, and what they do not say as it was; places from `message` down."""

    messages: tuple[Message, ...]
    lost: tuple[Loss, ...]
    kept: tuple[int, ...] = ()  # of each resource that is made, which of the source's it is; -1 none


def exchanged(message: Message, message_type: str, context: Context = NOTHING) -> Exchange:
    """A valid v3 message as one or several of the other side. An RS-SR and an RS-EDA-MAJ need a context; the others get back
    from it what their recipient knows and the sender's type has no field for (`giving_back`).

    Raises NotApplicable where nothing in it concerns the other side, or nothing changes for the recipient, else
    Untranslatable, both with the path.
    """
    case = message.body.get("caseId", "")  # types that are not translated may have none
    known = context.of(message)
    about = About(case, message.envelope.sender_id, message.envelope.address)
    plain: JsonObject = {}
    lost: tuple[Loss, ...] = ()
    kept: tuple[int, ...] = ()
    match message.message_type, message_type:
        case "RS-SR", "RC-RI":
            body = resources_of(message, known.seen)
        case "RS-EDA-MAJ", "RC-EDA":
            body, lost = update_for(message, about, known)
        case source, target if OTHER.get(source) == target and target.endswith("EDA"):
            body, lost = case_for(message.body, source, about, known)
        case source, target if OTHER.get(source) == target:
            found = resources_for(message, message_type, about, known)
            body, lost, kept = _listed(case, found.made), found.lost, found.kept
            plain = _listed(case, found.plain)
        case source, _:
            raise Untranslatable(f"{source} is not translated to {message_type}")
    made = _message(message, message_type, body)
    if not validation.is_valid(made):
        raise Untranslatable(f"{message_type} {VERSION} cannot say this message", "content[0]")
    if is_repeat(message, made, known.seen) or _changes_nothing(message, body, known):
        raise NotApplicable(REPEAT, "content[0]")
    below: Place = ("message", message.root_key)
    there: Place = ("message", made.root_key)
    lost = tuple(Loss((*below, *o.source), (*there, *o.target) if o.target else (), o.reason) for o in lost)
    further = _statuses(made, plain) if message_type == "RS-RI" else ()
    return Exchange((made, *further), lost, kept)


def _changes_nothing(message: Message, body: JsonObject, known: Context) -> bool:
    """Whether an update leaves its recipient's view as it is. A withdrawal never does."""
    is_update = message.message_type == UPDATE and message.document.get("distributionKind") != "Cancel"
    return is_update and body == known_case(known.seen, "RC-EDA")


def _listed(case_id: str, resources: list[JsonObject]) -> JsonObject:
    return {"caseId": case_id, "resource": resources}


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


def _statuses(made: Message, plain: JsonObject) -> tuple[Message, ...]:
    """A status message for the state of each resource that says one, but for what its recipient knows a newer one of."""
    states = [(one["resourceId"], one["state"][0]) for one in plain["resource"] if one.get("state")]
    newest: dict[str, float] = {}
    for one in made.body["resource"]:
        newest[one["resourceId"]] = max(map(instant, one.get("state", ())), default=0.0)
    return tuple(
        _message(made, "RS-SR", {"caseId": plain["caseId"], "resourceId": resource, "state": state}, number)
        for number, (resource, state) in enumerate(states, 2)
        if instant(state) >= newest.get(resource, 0.0)
    )
