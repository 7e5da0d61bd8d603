"""The pace of what is not urgent: piece by piece, so that an urgent case waits for as little of it as can be.

Python runs one piece of work at a time, and the event loop runs all that is ready before it looks for what has come. Work
that may wait takes a step here before each of its pieces; each turn of the loop has one such step. While an urgent case is
at work the steps come further apart: a case takes some thirty turns, and would meet a piece of other work in each of them.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

Kind = Literal["request", "admitted", "forward", "delivery"]
Line = tuple[Kind, str]  # the kind of work, and the publisher that it is for
REQUEST: Final = "request"
ADMITTED: Final = "admitted"
FORWARD: Final = "forward"
DELIVERY: Final = "delivery"
CROWDED = 2.0  # seconds for which a refusal over a quota makes its publisher's requests take steps
SPREAD = 1.25  # times its quota: the pace at which what is admitted of such a publisher is worked on
AHEAD = 0.02  # seconds for which an urgent case stays at work after each of its pieces: the next ones follow within them
REST = 0.05  # seconds between two steps of a line while an urgent case is at work: no line ever stands still
# seconds that work waits for urgent cases at one step: then its line goes on as in ordinary times. A request may be urgent too
PATIENCE: dict[Kind, float] = {REQUEST: 1.0, ADMITTED: 0.1, FORWARD: 0.1, DELIVERY: 0.1}
LOOK = 0.002  # seconds between two looks whether a line has rested, or the urgent case is through


class Pace:
    """The steps of everyone, line by line in turn. `now` is POSIX seconds, `clock` gives seconds of any origin."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lines: dict[
            Line, deque[tuple[asyncio.Future[None], float]]
        ] = {}  # and since when each waits; in turn
        self._stepped: dict[Line, float] = {}  # when each line took its last step
        self._urgent_until = float("-inf")
        self._due: dict[str, float] = {}  # publisher -> when its next admitted message may go on
        self._refused: dict[str, float] = {}  # publisher -> when a request of its was last over a quota

    def urgent(self) -> None:
        """Note that an urgent case is at work: what is not urgent makes way for its next pieces."""
        self._urgent_until = self._clock() + AHEAD

    async def step(self, line: Line) -> None:
        """Return when a piece of work of this line may be done: in the next turn of the loop at the earliest."""
        loop = asyncio.get_running_loop()
        step = loop.create_future()
        if not self._lines:
            loop.call_soon(self._go_on)
        self._lines.setdefault(line, deque()).append((step, self._clock()))
        await step

    async def step_if_crowded(self, publisher_id: str, now: float) -> None:
        """The same for a request of which nothing is known yet, if its publisher was over a quota just now."""
        if self._is_crowded(publisher_id, now):
            await self.step((REQUEST, publisher_id))

    async def step_aside(self, publisher_id: str, per_second: int, now: float) -> None:
        """Return when an ordinary message that a quota of so many a second admitted may go on: at once, in ordinary times.

        Those of a publisher that is over its quota all come as its second begins; they are spread over it. And while an
        urgent case is at work they take steps.
        """
        if self._is_crowded(publisher_id, now):
            due = max(self._clock(), self._due.get(publisher_id, float("-inf")))
            self._due[publisher_id] = due + 1 / (SPREAD * per_second)
            await asyncio.sleep(due - self._clock())
        if self._clock() < self._urgent_until:
            await self.step((ADMITTED, publisher_id))

    def _is_crowded(self, publisher_id: str, now: float) -> bool:
        refused_at = self._refused.get(publisher_id)
        if refused_at is None:
            return False
        if refused_at <= now < refused_at + CROWDED:
            return True
        del self._refused[publisher_id]  # long ago, or the clock was set back
        return False

    def refused(self, publisher_id: str, now: float) -> None:
        """Note that a request of this publisher's was over a quota."""
        self._refused[publisher_id] = now

    def _go_on(self) -> None:
        loop, now = asyncio.get_running_loop(), self._clock()
        stepped = any(self._take_step(line, now) for line in list(self._lines) if self._may_step(line, now))
        if stepped and self._lines:
            loop.call_soon(self._go_on)
        elif self._lines:
            loop.call_later(LOOK, self._go_on)

    def _may_step(self, line: Line, now: float) -> bool:
        if now >= self._urgent_until or now >= self._stepped.get(line, float("-inf")) + REST:
            return True
        _, since = self._lines[line][0]
        return now >= since + PATIENCE[line[0]]

    def _take_step(self, line: Line, now: float) -> bool:
        """Let the first of this line go, and the line behind the others. False where all who waited have gone."""
        waiting = self._lines.pop(line)
        while waiting:
            step, _ = waiting.popleft()
            if not step.done():
                step.set_result(None)
                self._stepped[line] = now
                if waiting:
                    self._lines[line] = waiting
                return True
        return False
