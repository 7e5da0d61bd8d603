"""Facts of the Hub Santé that the whole gateway shares."""

import hashlib
import re

HUB_ID = "fr.health.hub"  # who signs the gateway's own messages
HEALTH_DOMAIN = "fr.health"


def is_health(actor_id: str) -> bool:
    """Whether an id is that of a health actor: `fr.health` and what is below it. `fr.healthcare.x` is not.

    The one definition of the two perimeters: routing, secrecy and the checks of ids all use it.
    """
    return actor_id == HEALTH_DOMAIN or actor_id.startswith(f"{HEALTH_DOMAIN}.")


def derived_id(distribution_id: str, number: int) -> str:
    """The id of the second, third … message that is made of one. Its digest keeps it apart from any id that a sender gives."""
    seed = hashlib.sha256(f"{distribution_id}\n{number}".encode()).hexdigest()[:8]
    return f"{distribution_id}-{number}-{seed}"


def origin_of(distribution_id: str) -> str:
    """The id that a derived id was made of, "" for any other id."""
    found = _DERIVED.fullmatch(distribution_id)
    return found[1] if found and derived_id(found[1], int(found[2])) == distribution_id else ""


_DERIVED = re.compile(r"(.+)-([1-9][0-9]{0,5})-[0-9a-f]{8}", re.DOTALL)
