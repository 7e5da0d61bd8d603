"""Which message types pass between health actors and everybody else, and how. Pure.

Two perimeters (Hub Santé, dispatcher rules 5 and 6, and medical secrecy): health actors (`hub.is_health`) and the others,
such as the fire services. A type that is not named for a direction is refused.
"""

from collections.abc import Collection
from enum import Enum

from gateway.hub import is_health

GEO = frozenset({"GEO-POS", "GEO-REQ", "GEO-RES"})
TO_OTHERS = frozenset({"RC-EDA", "RC-RI", "RC-SR", "EMSI", "RC-REF", "RS-ERROR"})
TO_OTHERS_CONVERTED = {"RS-EDA": "RC-EDA", "RS-EDA-MAJ": "RC-EDA", "RS-RI": "RC-RI", "RS-SR": "RC-RI"}
TO_HEALTH = frozenset({"RC-SR", "EMSI", "RC-REF", "RS-ERROR", "RS-DR"})
TO_HEALTH_CONVERTED = {"RC-EDA": "RS-EDA", "RC-RI": "RS-RI"}
ANSWER_TO_RS_DR = (
    "An RS-DR of another service is answered by an RC-REF or by telephone; RS-RR stays among health actors."
)


class Passage(Enum):
    """How a message goes from its sender to its recipient."""

    AS_IS = "as it is"
    CONVERTED = "converted"
    REFUSED = "refused"


def passage(
    message_type: str, sender: str, recipient: str, *, direct: bool = False, listed: Collection[str] = ()
) -> Passage:
    """How a message of the type goes from one actor to another. `message_type` "" (not known) counts as it is: others judge it.

    `direct`: the recipient's registration says that its software reads the fire services' types (RC-EDA, RC-RI). It holds
    for a health actor alone. `listed`: the message types that the recipient's registration names, for GEO-*.
    """
    if is_health(sender) and is_health(recipient):
        return Passage.AS_IS
    if not message_type or (message_type in GEO and message_type in listed):
        return Passage.AS_IS
    to_health = is_health(recipient)
    if message_type in (TO_HEALTH_CONVERTED if to_health else TO_OTHERS_CONVERTED):
        return Passage.AS_IS if to_health and direct else Passage.CONVERTED
    return Passage.AS_IS if message_type in (TO_HEALTH if to_health else TO_OTHERS) else Passage.REFUSED


def converted_type(message_type: str, recipient: str) -> str:
    """The type in which a message of a converted type reaches its recipient."""
    return (TO_HEALTH_CONVERTED if is_health(recipient) else TO_OTHERS_CONVERTED)[message_type]


def refusal(message_type: str, sender: str, recipient: str) -> str:
    """Why a message of the type does not pass, and what to do."""
    if message_type == "RS-RR":
        return ANSWER_TO_RS_DR
    if is_health(sender):
        passing = sorted({*TO_OTHERS, *TO_OTHERS_CONVERTED})
        text = f"Found {message_type} to {recipient[:80]!r}, which is no health actor; expected one of {', '.join(passing)}"
    else:
        passing = sorted({*TO_HEALTH, *TO_HEALTH_CONVERTED})
        text = f"Found {message_type} from {sender[:80]!r}, which is no health actor; expected one of {', '.join(passing)}"
    if message_type in GEO:
        text += f"; {message_type} passes where the recipient's registration lists it in message_types"
    return f"{text}."
