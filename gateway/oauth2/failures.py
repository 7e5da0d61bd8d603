"""Failed authentications at the token endpoint, counted for each pair of client and address.

Only failures count, and only against their own pair: nobody can lock a client out from another address. Client ids that do
not exist are counted as those that do, so that the limit says nothing about which is which.
"""

from hashlib import blake2b

from gateway.callers import network_of

BURST = 20  # failures in a row
SECONDS = 3.0  # until one more failure is allowed
MOST = 50_000  # pairs that are remembered, about 10 MB; beyond, the one whose last failure is oldest is forgotten


class Failures:
    """How many more failures each pair may have. A token bucket, kept as the one moment at which it is full again."""

    def __init__(self, burst: int = BURST, seconds: float = SECONDS, most: int = MOST) -> None:
        self._burst = burst
        self._seconds = seconds
        self._most = most
        self._full_at: dict[bytes, float] = {}  # by pair, in the order of their last failures

    def __len__(self) -> int:
        """How many pairs are remembered."""
        return len(self._full_at)

    def wait(self, client_id: str, address: str, now: float) -> float:
        """Seconds until this pair may try again, 0 where it may now. `now` in POSIX seconds."""
        full_at = self._full_at.get(_pair(client_id, address), now)
        return max(0.0, full_at - now - (self._burst - 1) * self._seconds)

    def add(self, client_id: str, address: str, now: float) -> None:
        """Count a failure. One that comes while the pair has to wait makes it wait no longer."""
        pair = _pair(client_id, address)
        full_at = max(now, self._full_at.pop(pair, now)) + self._seconds
        self._full_at[pair] = min(full_at, now + self._burst * self._seconds)
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Drop two of those that are full again, so that there are ever fewer of them, and what is too many."""
        for pair in [pair for pair, _ in zip(self._full_at, range(2), strict=False)]:
            if self._full_at[pair] <= now or len(self._full_at) > self._most:
                del self._full_at[pair]


def _pair(client_id: str, address: str) -> bytes:
    # a digest: what a client sends as its id may be long, and is not to be kept
    said = repr((client_id, network_of(address))).encode(errors="replace")
    return blake2b(said, digest_size=16).digest()
