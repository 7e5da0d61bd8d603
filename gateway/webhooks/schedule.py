"""When a webhook is tried again. Pure."""

MINUTE, HOUR = 60.0, 3_600.0
# seconds after each failed attempt, as Standard Webhooks recommends: ten attempts in a little more than three days
PAUSES = (
    5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
)  # fmt: skip
JITTER = 0.2  # share by which a pause is longer, at most: what failed together does not come back together
LIFE = sum(PAUSES) * (1 + JITTER) + HOUR  # seconds until an event is given up, however few attempts it had


def pause(failed: int, jitter: float, retry_after: float | None = None) -> float | None:
    """Seconds to wait after so many failed attempts, None where that was the last. `jitter` is in [0, 1).

    It is never shorter than the endpoint's Retry-After, in seconds.
    """
    if failed > len(PAUSES):
        return None
    return max(PAUSES[failed - 1] * (1 + JITTER * jitter), retry_after or 0.0)
