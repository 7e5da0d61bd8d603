"""What the paths ask of quotas, be they counted by one process or together with other replicas."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from gateway.model import JsonObject, Publisher

ORDINARY = "ordinary"
RESERVE = "reserve"  # beyond a limit, for urgent cases only
IN_FLIGHT = "in-flight"
ALONE = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """One message that was counted: on what, in which POSIX second, and where (ALONE: by this process for itself)."""

    quota: str  # ORDINARY or RESERVE
    second: int
    where: int = ALONE


class Quota(Protocol):
    """The counts of all publishers. Limits are read from the Publisher of each call: a change works at once.

    `now` is POSIX seconds everywhere. Where counts are kept in this process nothing is awaited.
    """

    async def spend(self, publisher: Publisher, urgent: bool, now: float) -> Spent:
        """Count one message in every window. Raises QuotaExceeded (429, Retry-After), and then nothing is counted."""

    async def give_back(self, publisher: Publisher, spent: Spent, now: float) -> None:
        """Take one spend back, for a message that was accepted before. Windows that are over keep their count."""

    def in_flight(self, publisher: Publisher) -> AbstractContextManager[None]:
        """Count a request as under way, in this process, for as long as the block runs.

        Raises QuotaExceeded (429, Retry-After: 1).
        """

    def headers(self, publisher: Publisher, now: float) -> list[tuple[bytes, bytes]]:
        """RateLimit-Policy and RateLimit (IETF draft RateLimit header fields) as ASGI headers. Spends nothing."""

    async def snapshot(self, publisher: Publisher, now: float) -> list[JsonObject]:
        """Every limit as `GET /v1/quota` shows it: the windows, their reserves (`burst-reserve`…), and `in-flight`.

        `window` and `reset` in seconds, 0 where a limit has no window.
        """
