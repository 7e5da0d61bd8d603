"""Facts of the Hub Santé that the whole gateway shares."""

HUB_ID = "fr.health.hub"  # who signs the gateway's own messages
HEALTH_DOMAIN = "fr.health"


def is_health(actor_id: str) -> bool:
    """Whether an id is that of a health actor: `fr.health` and what is below it. `fr.healthcare.x` is not.

    The one definition of the two perimeters: routing, secrecy and the checks of ids all use it.
    """
    return actor_id == HEALTH_DOMAIN or actor_id.startswith(f"{HEALTH_DOMAIN}.")
