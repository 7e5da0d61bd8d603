"""What an RC-REF or RS-ERROR says about the message that it answers. Pure."""

from gateway.edxl import facts
from gateway.hub import HUB_ID, origin_of
from gateway.model import Answer, Message, Status

UNDELIVERED = frozenset({400, 500})  # Hub Santé: expired before routing, or in the recipient's queue
REFUSAL = "ERREUR"  # code list ETAPE
DELETED = "SUPPRIME"  # the recipient's file was deleted: no acknowledgement
MAX_ID = 200  # characters of an id in a timeline


def answer_in(message: Message) -> Answer | None:
    """The answer that a message is, None for every type but RC-REF and RS-ERROR."""
    if message.message_type == "RC-REF":
        return _reference(message)
    return _error(message) if message.message_type == "RS-ERROR" else None


def _reference(message: Message) -> Answer:
    """An RC-REF with `refused` or step ERREUR refuses; one with step SUPPRIME is only noted; every other acknowledges."""
    step, error = (_text(message.body.get(name)) for name in ("step", "errorDistributionID"))
    refused = message.body.get("refused") is True or step == REFUSAL
    status = Status.REFUSED if refused else None if step == DELETED else Status.ACKNOWLEDGED
    said = (
        f"RC-REF {message.envelope.distribution_id}",
        f"step {step}" if step else "",
        "refused" if refused else "",
        f"errorDistributionID {error}" if error else "",
    )
    return _answer(message, status, "; ".join(filter(None, said)), step, error)


def _error(message: Message) -> Answer:
    """An RS-ERROR of the Hub says that the message did not arrive, one of the recipient that it was refused."""
    code = message.body.get("errorCode")
    number = code.get("statusCode") if isinstance(code, dict) else None
    own_id = message.envelope.distribution_id
    detail = f"RS-ERROR {own_id} ({str(number)[:20]})"
    if message.envelope.sender_id == HUB_ID:
        status = Status.EXPIRED if number in UNDELIVERED else Status.REJECTED
        return _answer(message, status, detail)
    return _answer(message, Status.REFUSED, detail, error=own_id)


def _answer(message: Message, status: Status | None, detail: str, step: str = "", error: str = "") -> Answer:
    """The answer. What was made of a message is refused with it, and not acknowledged: its sender knows the first alone."""
    envelope, answered = message.envelope, facts.refers_to(message)
    origin = origin_of(answered)
    if origin and status == Status.ACKNOWLEDGED:
        status = None
    return Answer(
        origin or answered,
        envelope.sender_id,
        envelope.address,
        status,
        detail,
        step,
        status == Status.REFUSED,
        error,
    )


def _text(value: object) -> str:
    return value[:MAX_ID] if isinstance(value, str) else ""
