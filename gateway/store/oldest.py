"""Which of some messages is the oldest, where they leave in any order. Pure, in memory."""

from heapq import heapify, heappop, heappush
from typing import Protocol

SPARE = 100  # messages long gone that are kept beside twice as many as are here


class Waiting(Protocol):
    """A message: its place in the order of arrival, and whether it has left."""

    position: int
    gone: bool


class Oldest:
    """Messages of one kind. They join one by one, and `left` is told of each that has gone. O(log n), and memory for those that
    are here.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, Waiting]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def join(self, message: Waiting) -> None:
        """One more, which has not joined before."""
        self._count += 1
        heappush(self._heap, (message.position, message))
        if len(self._heap) > 2 * self._count + SPARE:
            self._heap = [entry for entry in self._heap if not entry[1].gone]
            heapify(self._heap)

    def left(self) -> None:
        """One of them is gone."""
        self._count -= 1

    def position(self) -> int | None:
        """The place of the oldest, None where there is none."""
        while self._heap and self._heap[0][1].gone:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None
