"""Quotas: what one publisher may send, and what the answers say about it.

Windows are aligned to the clock, `now` is always an argument, and a spend costs a few microseconds.

counters   where the counts are kept
windows    limits -> windows, ceilings and header text (IETF draft RateLimit header fields); pure
spending   spend, give back, in flight, headers
urgency    which cases may use the reserve
"""

from gateway.quota.counters import Counters, MemoryCounters
from gateway.quota.spending import ORDINARY, RESERVE, Quota, Spent
from gateway.quota.urgency import UrgentCases

__all__ = ["ORDINARY", "RESERVE", "Counters", "MemoryCounters", "Quota", "Spent", "UrgentCases"]
