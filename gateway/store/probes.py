"""Which lane asks the core whether it is back. Pure: no clock, no disk.

The order of `Lanes.claim` would choose the same lane again and again, for as long as its message fails.
"""

from collections import defaultdict

# classes of lanes, the first to be probed first: never tried and urgent, never tried, tried in vain. The last has no urgent ones
# apart: they would take every probe for as long as they fail
CLASSES = 3


class Candidates:
    """The lanes that can be claimed, by publisher and class; each class in the order in which they became claimable."""

    def __init__(self) -> None:
        self._lanes: defaultdict[str, tuple[dict[str, None], ...]] = defaultdict(
            lambda: tuple({} for _ in range(CLASSES))
        )
        self._places: dict[str, dict[str, None]] = {}  # lane -> the class that it is in
        self._probed: dict[str, int] = {}  # publisher -> the number of the last probe that it had
        self._probes = 0

    def __len__(self) -> int:
        return len(self._places)

    def add(self, lane: str, publisher_id: str, *, tried: bool, urgent: bool) -> None:
        """A lane can be claimed. `tried`: its first message failed before; `urgent`: it holds an urgent message."""
        place = self._lanes[publisher_id][2 if tried else int(not urgent)]
        place[lane] = None
        self._places[lane] = place

    def discard(self, lane: str) -> None:
        """A lane cannot be claimed, or not in this class."""
        place = self._places.pop(lane, None)
        if place is not None:
            del place[lane]

    def choose(self, *, new_first: bool) -> str | None:
        """The lane of the next probe, None where no lane can be claimed.

        With `new_first` the first class counts before all else: of equal ones, the publisher's that was probed longest ago.
        Otherwise that publisher comes first, with the best lane that it has. The caller is to `discard` the lane.
        """
        found: list[tuple[int, int, str]] = []
        for publisher_id, classes in self._lanes.items():
            best = next((number for number, lanes in enumerate(classes) if lanes), None)
            if best is not None:
                last = self._probed.get(publisher_id, 0)
                found.append((best, last, publisher_id) if new_first else (last, best, publisher_id))
        if not found:
            return None
        publisher_id = min(found)[2]
        self._probes += 1
        self._probed[publisher_id] = self._probes
        return next(lane for lanes in self._lanes[publisher_id] for lane in lanes)
