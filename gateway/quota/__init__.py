"""Quotas: what one publisher may send, and what the answers say about it.

Windows are aligned to the clock, `now` is always an argument, and a spend costs a few microseconds.

interface  what the paths ask of quotas
windows    limits -> windows, ceilings and header text (IETF draft RateLimit header fields); pure
counters   where a process keeps its counts
spending   the same within one process: spend, give back, in flight, headers
urgency    which cases may use the reserve
volume     the window in bytes, for what the quota of messages does not count
"""

from gateway.quota.counters import MemoryCounters
from gateway.quota.interface import ALONE, ORDINARY, RESERVE, Quota, Spent
from gateway.quota.spending import LocalQuota, exceeded
from gateway.quota.urgency import UrgentCases
from gateway.quota.volume import Volume
from gateway.quota.windows import Window

__all__ = [
    "ALONE",
    "ORDINARY",
    "RESERVE",
    "LocalQuota",
    "MemoryCounters",
    "Quota",
    "Spent",
    "UrgentCases",
    "Volume",
    "Window",
    "exceeded",
]
