"""What was admitted against the quota, by publisher and aligned second.

While the replicas count together, a second's limit holds for all of them as one. It holds for each of them alone while
Valkey is away; and where PostgreSQL dies with commits under way nobody knows what became of them, so that what was given
back may be stored all the same.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

Span = tuple[float, float]  # POSIX seconds


@dataclass(frozen=True, slots=True)
class Admitted:
    """`seconds` are of one publisher each; in `full` of them the limit was admitted, in `over` of them more than the bound."""

    seconds: int
    peak: int
    bound: int
    full: int
    over: int

    def __str__(self) -> str:
        return f"{self.peak} at most of {self.bound} ({self.seconds} seconds, {self.full} of them full, {self.over} over)"


@dataclass(frozen=True, slots=True)
class Quota:
    """What came of it in each of the two."""

    together: Admitted
    alone: Admitted

    @property
    def clean(self) -> bool:
        """Whether no second went beyond its bound."""
        return not (self.together.over or self.alone.over)

    def __str__(self) -> str:
        return f"quota: admitted together {self.together}; while Valkey or PostgreSQL was away {self.alone}"


def judge(admitted: Mapping[tuple[str, int], int], spans: Iterable[Span], limit: int, replicas: int) -> Quota:
    """`admitted` by publisher and second; `spans` are when a replica may have counted alone."""
    known = list(spans)
    apart: dict[bool, list[int]] = {False: [], True: []}
    for (_, second), count in admitted.items():
        # a second more on both sides: what is decided now may have been received a moment ago
        is_alone = any(start - 1 <= second + 1 and second <= end + 1 for start, end in known)
        apart[is_alone].append(count)
    return Quota(_told(apart[False], limit, limit), _told(apart[True], limit, limit * replicas))


def alone(log: bytes) -> Iterator[Span]:
    """When a replica counted for itself, from its log, restarts included."""
    since: float | None = None
    for line in log.splitlines():
        try:
            told: dict[str, Any] = orjson.loads(line)
        except orjson.JSONDecodeError:  # the last line of a killed process
            continue
        at = datetime.fromisoformat(told["timestamp"]).timestamp() if "timestamp" in told else 0.0
        if told.get("event") == "quota_not_shared" and since is None:
            since = at
        elif told.get("event") == "quota_shared" and since is not None:
            yield since, at
            since = None
    if since is not None:
        yield since, math.inf


def all_alone(folder: Path) -> list[Span]:
    """The same of all replicas, from their logs in a folder."""
    return [span for log in folder.glob("gateway-*.log") for span in alone(log.read_bytes())]


def _told(counts: list[int], limit: int, bound: int) -> Admitted:
    return Admitted(
        len(counts),
        max(counts, default=0),
        bound,
        sum(count == limit for count in counts),
        sum(count > bound for count in counts),
    )
