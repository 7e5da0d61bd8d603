"""How publishers' endpoints do, as far as one replica knows: many failures in a row, and one event at a time asks whether
an endpoint is back. Pure; times are POSIX seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.breaker import Breaker
from gateway.store import PER_ENDPOINT
from gateway.webhooks.sender import Answer

FAILURES = 5  # in a row, until only probes go to an endpoint
FIRST_PAUSE, MAX_PAUSE = 5.0, 300.0  # seconds between probes
WELL = Breaker(FAILURES, FIRST_PAUSE, MAX_PAUSE)


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of one endpoint. Until `quiet_until` it wishes to be left alone, for `quiet` seconds in all."""

    url: str
    breaker: Breaker = WELL
    quiet_until: float = 0.0
    quiet: float = 0.0

    def after(self, answer: Answer, now: float) -> "Health":
        """An attempt was answered, or not."""
        if not answer.cause:
            return Health(self.url)
        breaker = self.breaker.after_outage(now)
        if answer.retry_after is None:
            return replace(self, breaker=breaker)
        return Health(self.url, breaker, now + answer.retry_after, answer.retry_after)

    def room(self, now: float) -> int:
        """How many of its events may be under way. A clock set back does not make it wait longer than it was to."""
        if 0 < self.quiet_until - now <= self.quiet:
            return 0
        return self.breaker.room(now, PER_ENDPOINT, 0)


class Healths:
    """That of every endpoint that last failed, by publisher."""

    def __init__(self) -> None:
        self._known: dict[str, Health] = {}

    def learn(self, publisher_id: str, url: str, answer: Answer, now: float) -> bool | None:
        """An attempt was answered, or not. Whether the circuit opened (True) or closed (False) by that, None = neither."""
        before = self._known.get(publisher_id)
        if before is None or before.url != url:
            before = Health(url)
        after = before.after(answer, now)
        if answer.cause:
            self._known[publisher_id] = after
        else:
            self._known.pop(publisher_id, None)
        return None if after.breaker.is_open == before.breaker.is_open else after.breaker.is_open

    def most(self, now: float, url_of: Callable[[str], str]) -> dict[str, int]:
        """How many events of a publisher may be under way, where that is fewer than of others. An endpoint that moved
        begins anew.
        """
        for publisher_id, health in list(self._known.items()):
            if health.url != url_of(publisher_id):
                del self._known[publisher_id]
        rooms = {publisher_id: health.room(now) for publisher_id, health in self._known.items()}
        return {publisher_id: room for publisher_id, room in rooms.items() if room < PER_ENDPOINT}
