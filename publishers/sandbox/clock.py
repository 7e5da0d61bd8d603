"""The sandbox's clock: what the gateway, the simulated core and the peers take for now.

Everything follows it: expiry, the lifetimes of tokens and assertions, quota windows, retries. Only pauses on the wire
(time-outs, long polls) stay real.
"""

import asyncio
import time
from collections.abc import Callable

MAX_SHIFT = 315_360_000.0  # ten years, in seconds
STEP = 0.25  # seconds between two looks of a sleeper at a clock that runs


class Clock:
    """POSIX seconds that may be moved and frozen. `real` is the clock behind it."""

    def __init__(self, real: Callable[[], float] = time.time) -> None:
        self._real = real
        self._offset = 0.0
        self._frozen_at: float | None = None
        self._moved = asyncio.Event()

    def __call__(self) -> float:
        """Now."""
        return self._real() + self._offset if self._frozen_at is None else self._frozen_at

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._frozen_at is not None

    @property
    def offset(self) -> float:
        """Seconds that it is ahead of the real clock; negative = behind."""
        return self() - self._real()

    def set(self, at: float) -> None:
        """Put it to a POSIX second; it runs on from there, or stands there if it is frozen."""
        self._offset = at - self._real()
        if self._frozen_at is not None:
            self._frozen_at = at
        self._wake()

    def freeze(self, frozen: bool) -> None:
        """Let it stand still, or run on from where it stood."""
        now = self()
        self._frozen_at = now if frozen else None
        self._offset = now - self._real()
        self._wake()

    def reset(self) -> None:
        """Back to the real clock."""
        self._offset, self._frozen_at = 0.0, None
        self._wake()

    async def sleep_until(self, at: float) -> None:
        """Return once it shows POSIX second `at`, be it by moving it."""
        while (left := at - self()) > 0:
            moved = self._moved
            try:
                await asyncio.wait_for(moved.wait(), None if self.frozen else min(left, STEP))
            except TimeoutError:
                continue

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
