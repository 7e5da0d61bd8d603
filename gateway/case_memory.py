"""How long what was said of a case counts when a later message crosses to the other side. Pure: no clock, no store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CLOSED = frozenset({"CLOTURE", "CLASSE", "ARCHIVE"})  # code list ETAT: closed, and what comes after that
HOUR = 3_600.0  # seconds
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Said:
    """When a message of a case was accepted or delivered (POSIX seconds), and the state of the case that it gives, "" = none."""

    at: float
    status: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """For how long a case is remembered after its last message, and after its closing, in seconds."""

    quiet: float
    closed: float

    @classmethod
    def of(cls, context_days: int, context_closed_hours: int) -> "Memory":
        """From the two settings."""
        return cls(context_days * DAY, context_closed_hours * HOUR)


def counting(said: Sequence[Said], now: float, memory: Memory) -> int:
    """How many of the messages of a case count at `now`: the newest so many of `said`, which are newest first.

    A case is forgotten when its last message is older than `memory.quiet`, or it was closed, and not opened again, for longer
    than `memory.closed`. What was forgotten once stays so: a message that comes later begins anew.
    """
    return len(said) - max(_forgotten((*reversed(said), Said(now)), memory), default=0)


def _forgotten(oldest_first: Sequence[Said], memory: Memory) -> Iterator[int]:
    """How many messages were forgotten each time that the case was, by the time of the next one."""
    last: float | None = None
    closed_at: float | None = None
    for number, one in enumerate(oldest_first):
        if last is not None and one.at - last > memory.quiet:
            yield number
        if closed_at is not None and one.at - closed_at > memory.closed:
            closed_at = None
            yield number
        if one.status:
            closed_at = (one.at if closed_at is None else closed_at) if one.status in CLOSED else None
        last = one.at
