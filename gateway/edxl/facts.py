"""What the paths need to know of a message besides its envelope: its case, its urgency, what it answers, its times."""

from datetime import datetime

from gateway.model import Message

URGENT_PRIORITIES = frozenset({"P0", "P1"})  # code list PRIORITE: vital distress, immediate
REFERENCES = {"RC-REF": "distributionID", "RS-ERROR": "referencedDistributionID"}


def case_id(message: Message) -> str:
    """The message's caseId, "" for types and messages without one."""
    value = message.body.get("caseId")
    return value if isinstance(value, str) else ""


def priority(message: Message) -> str:
    """The medical priority (P0 to P3, NR) of a case message, "" where it has none."""
    value = message.body.get("qualification")
    for name in ("details", "priority"):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def refers_to(message: Message) -> str:
    """The distributionID that an RC-REF or RS-ERROR answers, "" for every other type."""
    value = message.body.get(REFERENCES.get(message.message_type, ""))
    return value if isinstance(value, str) else ""


def instant(text: str) -> float | None:
    """An RFC 3339 date-time in POSIX seconds; None where it is none, or lies outside the years 1 to 9999."""
    try:
        at = datetime.fromisoformat(
            text.upper().replace(":60", ":59", 1) if ":60" in text or text[-1:] == "z" else text
        )
        return at.timestamp() if at.tzinfo else None
    except (ValueError, OverflowError):
        return None
