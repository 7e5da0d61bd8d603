"""The pace of what is not urgent: piece by piece, so that an urgent case never waits for more than one piece of it.

Python runs one piece of work at a time, and the event loop runs all that is ready before it looks for what has come. Work
that may wait takes a step here before each of its pieces; each turn of the loop has one such step.
"""

import asyncio
from collections import deque

Line = tuple[str, str]  # the kind of work, and the publisher that it is for
REQUEST, FORWARD, DELIVERY = "request", "forward", "delivery"
CROWDED = 2.0  # seconds for which a refusal over a quota makes its publisher's requests take steps


class Pace:
    """The steps of everyone, line by line in turn. `now` is POSIX seconds."""

    def __init__(self) -> None:
        self._lines: dict[Line, deque[asyncio.Future[None]]] = {}  # the first has the next step
        self._refused: dict[str, float] = {}  # publisher -> when a request of its was last over a quota

    async def step(self, line: Line) -> None:
        """Return when a piece of work of this line may be done: in the next turn of the loop at the earliest."""
        loop = asyncio.get_running_loop()
        step = loop.create_future()
        if not self._lines:
            loop.call_soon(self._go_on)
        self._lines.setdefault(line, deque()).append(step)
        await step

    async def step_if_crowded(self, publisher_id: str, now: float) -> None:
        """The same for a request of which nothing is known yet, if its publisher was over a quota just now."""
        refused_at = self._refused.get(publisher_id)
        if refused_at is None:
            return
        if refused_at <= now < refused_at + CROWDED:
            await self.step((REQUEST, publisher_id))
        else:  # long ago, or the clock was set back
            del self._refused[publisher_id]

    def refused(self, publisher_id: str, now: float) -> None:
        """Note that a request of this publisher's was over a quota."""
        self._refused[publisher_id] = now

    def _go_on(self) -> None:
        while self._lines:
            line = next(iter(self._lines))
            waiting = self._lines.pop(line)
            step = waiting.popleft()
            if waiting:
                self._lines[line] = waiting  # behind the others
            if not step.done():  # else whoever waited has gone
                step.set_result(None)
                break
        if self._lines:
            asyncio.get_running_loop().call_soon(self._go_on)
