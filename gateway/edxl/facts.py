"""What the paths need to know of a message besides its envelope: its case, its urgency, what it answers, its times."""

from dataclasses import replace
from datetime import datetime

from gateway.model import JsonObject, Message

URGENT_PRIORITIES = frozenset({"P0", "P1"})  # code list PRIORITE: vital distress, immediate
_EMSI = (("EVENT", "MAIN_EVENT_ID"),)
_RPIS = (("context", "orgId"), ("context", "senderCaseId"))
CASE_ELSEWHERE: dict[
    str, dict[str, tuple[tuple[str, str], ...]]
] = {  # type -> version -> the parts of the case's id
    "EMSI": {"v1": _EMSI, "v2": _EMSI, "v3": _EMSI},
    "RS-RPIS": {"v1": (("event", "samuId"), ("event", "fileId")), "v2": _RPIS, "v3": _RPIS},
}
ANSWER = (
    "errorCode",
    "step",
    "refused",
    "errorDistributionID",
)  # what an RC-REF or RS-ERROR says of what it answers
REFERENCES = {"RC-REF": "distributionID", "RS-ERROR": "referencedDistributionID"}


def case_id(message: Message) -> str:
    """The id that the messages of one case share: caseId, or what stands for it; "" where there is none."""
    found = message.body.get("caseId")
    if found is None:
        places = CASE_ELSEWHERE.get(message.message_type, {}).get(message.model_version, ())
        parts = [_text_at(message, place) for place in places]
        found = ".".join(parts) if all(parts) else ""
    return found if isinstance(found, str) else ""


def _text_at(message: Message, place: tuple[str, str]) -> str:
    outer = message.body.get(place[0])
    value = outer.get(place[1]) if isinstance(outer, dict) else None
    return value if isinstance(value, str) else ""


def priority(message: Message) -> str:
    """The medical priority (P0 to P3, NR) of a case message, "" where it has none."""
    return _detail(message, "priority")


def case_status(message: Message) -> str:
    """The state of the case (code list ETAT) that a message gives, "" where it gives none."""
    return _detail(message, "status")


def _detail(message: Message, name: str) -> str:
    value = message.body.get("qualification")
    for part in ("details", name):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def refers_to(message: Message) -> str:
    """The distributionID that an RC-REF or RS-ERROR answers, "" for every other type."""
    value = message.body.get(REFERENCES.get(message.message_type, ""))
    return value if isinstance(value, str) else ""


def brief(message: Message) -> Message:
    """The message with no more in it than what is read here and what an answer says: what a worker process hands back."""
    kept: JsonObject = {
        name: message.body[name]
        for name in ("caseId", *ANSWER, *REFERENCES.values())
        if isinstance(message.body.get(name), str | bool | dict)
    }
    if found := priority(message):
        kept["qualification"] = {"details": {"priority": found}}
    for outer, name in CASE_ELSEWHERE.get(message.message_type, {}).get(message.model_version, ()):
        kept.setdefault(outer, {})[name] = _text_at(message, (outer, name))
    return replace(message, document={}, header={}, body=kept)


def instant(text: str) -> float | None:
    """An RFC 3339 date-time in POSIX seconds; None where it is none. The year 0, unknown to Python, counts as the year 4."""
    try:
        if text.startswith("0000-"):
            text = "0004" + text[4:]
        at = datetime.fromisoformat(
            text.upper().replace(":60", ":59", 1) if ":60" in text or text[-1:] == "z" else text
        )
        return at.timestamp() if at.tzinfo else None
    except (ValueError, OverflowError):
        return None
