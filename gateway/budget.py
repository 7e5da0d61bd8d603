"""Bytes under way: how much may be held at one time for what somebody else is slow to take."""

import asyncio
from collections import deque


class ByteBudget:
    """So many bytes at one time, and `reserve` more for urgent work. Who finds no room waits, in turn; urgent work goes first.

    What is larger than the whole budget has room when it is alone.
    """

    def __init__(self, most: int, reserve: int) -> None:
        self._most, self._reserve = most, reserve
        self._held = 0
        self._urgent: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._ordinary: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def held(self) -> int:
        """The bytes of now."""
        return self._held

    async def take(self, size: int, *, urgent: bool = False) -> None:
        """Hold so many bytes, once there is room for them. They are to be given back whatever becomes of the work."""
        if not self._ordinary and not self._urgent and self._fits(size, urgent=urgent):
            self._held += size
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._urgent if urgent else self._ordinary).append((size, place))
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it had just been admitted
                self.give_back(size)
            raise

    def give_back(self, size: int) -> None:
        """Hold so many bytes less."""
        self._held -= size
        self._admit()

    def _fits(self, size: int, *, urgent: bool) -> bool:
        most = self._most + self._reserve if urgent else self._most
        return not self._held or self._held + size <= most

    def _admit(self) -> None:
        for waiting, urgent in ((self._urgent, True), (self._ordinary, False)):
            while waiting:
                size, place = waiting[0]
                if not place.done():  # else whoever waited has gone
                    if not self._fits(size, urgent=urgent):
                        break
                    self._held += size
                    place.set_result(None)
                waiting.popleft()
