"""The circuit breaker of one endpoint: many outages in a row, and one call at a time asks whether it is back.

Pure: every state is a value, time is an argument (POSIX seconds). A verdict, a refusal included, is no outage. The way to the
core has a breaker of its own, which looks at lanes: `core_breaker`.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Breaker:
    """Closed while `pause` is 0. Open: nothing goes for `pause` seconds until `probe_at`, then one probe at a time."""

    threshold: int  # outages in a row that open it
    first_pause: float
    max_pause: float
    outages: int = 0  # in a row
    pause: float = 0.0
    probe_at: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the endpoint is considered to be down."""
        return self.pause > 0

    def waits(self, now: float) -> bool:
        """Whether nothing may go yet. A clock set back does not make it wait longer than its pause."""
        return self.is_open and 0 < self.probe_at - now <= self.pause

    def room(self, now: float, limit: int, under_way: int) -> int:
        """How many messages may set out now, of `limit` at one time, with `under_way` of them out."""
        if not self.is_open:
            return max(0, limit - under_way)
        return 0 if under_way or self.waits(now) else 1

    def after_outage(self, now: float) -> "Breaker":
        """The endpoint gave no verdict. Those that were out when it opened do not lengthen the pause."""
        counted = replace(self, outages=self.outages + 1)
        if counted.outages < self.threshold or self.waits(now):
            return counted
        pause = min(self.max_pause, self.pause * 2 or self.first_pause)
        return replace(counted, pause=pause, probe_at=now + pause)

    def after_verdict(self) -> "Breaker":
        """The endpoint answered: closed."""
        return Breaker(self.threshold, self.first_pause, self.max_pause)
