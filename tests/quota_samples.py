"""Registrations and small steps for the tests of quotas."""

from typing import Any

from gateway.errors import QuotaExceeded
from gateway.model import Limits, Publisher
from gateway.quota import Quota

DAY = 86_400
NOW = 20_000.0 * DAY + 12 * 3_600  # noon: the start of a second and a minute, the middle of a day
WIDE = 1_000_000


def publisher(publisher_id: str = "lrm", **limits: Any) -> Publisher:
    """A registration whose limits are wide where they are not given."""
    wide = {"per_second": WIDE, "per_minute": WIDE, "per_day": WIDE, "in_flight": WIDE, "reserve": 0.0}
    return Publisher(
        publisher_id, "Synthetic", publisher_id, (), (), (), "v3", "json", (), Limits(**{**wide, **limits})
    )


async def spend(quota: Quota, who: Publisher, urgent: bool = False, now: float = NOW) -> str:
    """What a spend comes to: "ordinary", "reserve" or "refused"."""
    try:
        return (await quota.spend(who, urgent, now)).quota
    except QuotaExceeded:
        return "refused"


def header(quota: Quota, who: Publisher, now: float) -> str:
    """The RateLimit header's value."""
    return dict(quota.headers(who, now))[b"ratelimit"].decode()
