"""The circuit breaker on the way to the core: it tells a core that is away from single messages that the core always fails.

Pure: every state is a value, time is an argument (POSIX seconds). Each replica has its own.

It opens when the last 10 attempts were outages, in at least 5 lanes: fewer lanes may be messages that fail for a reason of
their own, and those wait alone. While it is open only probes go to the core. Any verdict closes it, a refusal included.
"""

from dataclasses import dataclass, replace

OUTAGES = 10  # in a row, without a verdict between them, until it opens
LANES = 5  # that these outages are in, at least
# between two probes; every second one is for what was never tried, so that this waits 4 s at most
PROBE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class CoreBreaker:
    """Closed while `probe_at` is None. Open: one probe every `pause` seconds, whether the one before was answered or not."""

    pause: float = PROBE_SECONDS
    failed: tuple[str, ...] = ()  # the lanes of the last outages since the last verdict, OUTAGES at most
    probe_at: float | None = None  # when the next probe may go
    probes: int = 0  # since it opened

    @property
    def is_open(self) -> bool:
        """Whether the core is considered to be away."""
        return self.probe_at is not None

    @property
    def is_turn_of_new(self) -> bool:
        """Whether the next probe is for what was never tried, whoever sent it. If not, publishers take turns.

        Turns alone would keep a new P0 waiting behind every publisher that has a message which fails; new messages alone would
        let one publisher that goes on sending such messages take every probe.
        """
        return self.probes % 2 == 0

    def wait(self, now: float) -> float:
        """Seconds until the next probe may go, 0 where it may. A clock set back does not make it wait longer than its pause."""
        left = 0.0 if self.probe_at is None else self.probe_at - now
        return left if 0 < left <= self.pause else 0.0

    def after_probe(self, now: float) -> "CoreBreaker":
        """A probe has set out."""
        return replace(self, probe_at=now + self.pause, probes=self.probes + 1)

    def after_nothing(self, now: float) -> "CoreBreaker":
        """A message ended before it reached the core, expired or untranslatable: it was no probe, and the next one may go."""
        return replace(self, probe_at=now) if self.is_open else self

    def after_outage(self, lane: str, now: float) -> "CoreBreaker":
        """The core gave no verdict on a message of this lane."""
        if self.is_open:
            return self
        failed = (*self.failed, lane)[-OUTAGES:]
        opens = len(failed) == OUTAGES and len({*failed}) >= LANES
        return replace(self, failed=failed, probe_at=now + self.pause if opens else None)

    def after_verdict(self) -> "CoreBreaker":
        """The core accepted a message, or refused it: closed."""
        return CoreBreaker(self.pause)
