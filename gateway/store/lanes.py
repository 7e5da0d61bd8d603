"""The order in which stored messages are forwarded, in memory. Pure: no clock, no disk.

A lane is (recipient, case). Inside a lane order is that of arrival and at most one message is under way; lanes run side
by side. Lanes that hold an urgent message come first; then publishers take turns; then the lane that waits longest. While the core is away, probes are chosen otherwise (`probes`).
Every operation is O(log n): a lane's entry in a heap is not removed but outdated, by the lane's stamp. A probe is O(publishers).
"""

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush

from gateway.store.attempts import FAILING
from gateway.store.oldest import Oldest
from gateway.store.probes import Candidates

STEP_BACK = 1.0  # seconds that the clock is set back between two claims until waits, which it would lengthen, are ended


@dataclass(slots=True)
class Entry:
    """One message that waits to be forwarded. `position` grows with the order of arrival."""

    id: str
    position: int
    lane: str
    publisher_id: str
    urgent: bool
    attempts: int = 0
    gone: bool = False


@dataclass(slots=True)
class _Lane:
    key: str
    queue: deque[Entry] = field(default_factory=deque)
    urgent: int = 0  # how many of its messages are
    under_way: bool = False
    next_at: float | None = None
    stamp: int = 0  # every change makes its older entries in the heaps void


class _Turns:
    """Claimable lanes of one class of urgency: publishers take turns, each one's longest waiting lane first."""

    def __init__(self) -> None:
        self._heaps: dict[str, list[tuple[int, int, _Lane]]] = {}
        self._order: deque[str] = deque()

    def push(self, lane: _Lane) -> None:
        head = lane.queue[0]
        heap = self._heaps.get(head.publisher_id)
        if heap is None:
            heap = self._heaps[head.publisher_id] = []
            self._order.append(head.publisher_id)
        heappush(heap, (head.position, lane.stamp, lane))

    def pop(self) -> _Lane | None:
        while self._order:
            publisher_id = self._order.popleft()
            heap = self._heaps[publisher_id]
            lane = _pop_current(heap)
            if heap:
                self._order.append(publisher_id)
            else:
                del self._heaps[publisher_id]
            if lane is not None:
                return lane
        return None

    def oldest(self) -> int | None:
        """The position of the message that waits longest for its turn, None where none does. O(publishers)."""
        found = (_oldest(heap) for heap in self._heaps.values())
        return min((position for position in found if position is not None), default=None)


def _oldest(heap: list[tuple[int, int, _Lane]]) -> int | None:
    while heap and heap[0][1] != heap[0][2].stamp:
        heappop(heap)
    return heap[0][0] if heap else None


def _pop_current(heap: list[tuple[int, int, _Lane]]) -> _Lane | None:
    while heap:
        _, stamp, lane = heappop(heap)
        if stamp == lane.stamp:
            return lane
    return None


class Lanes:
    """All messages that wait or are under way."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._entries: dict[str, Entry] = {}
        self._urgent = _Turns()
        self._ordinary = _Turns()
        self._waiting: list[tuple[float, int, _Lane]] = []
        self._stamp = 0
        self._candidates = Candidates()
        self._under_way: dict[str, Entry] = {}
        self._tried, self._failing = Oldest(), Oldest()  # in vain: once or more, FAILING times or more

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def claimable(self) -> bool:
        """Whether `claim` would find something without the passing of time."""
        return len(self._candidates) > 0

    def oldest(self) -> int | None:
        """The position of the message that waits longest, None where none waits."""
        return next((entry.position for entry in self._entries.values()), None)

    def failing(self) -> tuple[int, int | None]:
        """How many messages were tried FAILING times or more in vain, and the position of the oldest of them."""
        return len(self._failing), self._failing.position()

    def oldest_tried(self) -> int | None:
        """The position of the oldest message that was tried in vain, None where none was."""
        return self._tried.position()

    def oldest_ready(self) -> int | None:
        """The position of the oldest message that no retry keeps back: it waits for its turn, or is on its first attempt.
        O(publishers).
        """
        first = min((e.position for e in self._under_way.values() if not e.attempts), default=None)
        found = (first, self._urgent.oldest(), self._ordinary.oldest())
        return min((position for position in found if position is not None), default=None)

    def add(self, entry: Entry, next_at: float | None = None) -> None:
        """Put a message at the end of its lane; a message that is already here stays where it is.

        `next_at` is when the lane may be claimed, if the message is the first of it.
        """
        if entry.id in self._entries:
            return
        self._entries[entry.id] = entry
        if entry.attempts:
            self._note_attempts(entry)
        lane = self._lanes.get(entry.lane)
        if lane is None:
            lane = self._lanes[entry.lane] = _Lane(entry.lane)
            lane.next_at = next_at
        lane.queue.append(entry)
        lane.urgent += entry.urgent
        if len(lane.queue) == 1 or (entry.urgent and lane.urgent == 1):
            self._offer(lane)

    def claim(self, now: float, limit: int, ordinary: int | None = None) -> list[Entry]:
        """Up to `limit` messages that are due, each the first of its lane. They are under way until `release` or `done`.

        At most `ordinary` of them come from lanes without an urgent message; where it is None, that has no bound.
        """
        self._end_due_waits(now)
        claimed: list[Entry] = []
        for turns, bound in (
            (self._urgent, limit),
            (self._ordinary, limit if ordinary is None else ordinary),
        ):
            room = min(bound, limit - len(claimed))
            while room > 0 and (found := turns.pop()) is not None:
                claimed.append(self._take(found))
                room -= 1
        return claimed

    def claim_probe(self, now: float, *, new_first: bool) -> Entry | None:
        """One message that is due, chosen to find out whether the core is back: see `probes.Candidates.choose`."""
        self._end_due_waits(now)
        key = self._candidates.choose(new_first=new_first)
        if key is None:
            return None
        return self._take(self._lanes[key])

    def _take(self, lane: _Lane) -> Entry:
        head = lane.queue[0]
        lane.under_way = True
        self._under_way[head.id] = head
        self._offer(lane)
        return head

    def _end_due_waits(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            _, stamp, lane = heappop(self._waiting)
            if stamp == lane.stamp:
                lane.next_at = None
                self._offer(lane)

    def end_waits(self) -> None:
        """Every lane that waits for a time is due now."""
        for _, stamp, lane in self._waiting:
            if stamp == lane.stamp:
                lane.next_at = None
                self._offer(lane)
        self._waiting.clear()

    def release(self, message_id: str, next_at: float | None, attempts: int = 1) -> None:
        """A message under way was not taken: it stays first in its lane, due at `next_at` (None = at once)."""
        entry = self._entries.get(message_id)
        if entry is None:
            return
        self._under_way.pop(message_id, None)
        if attempts:
            self._note_attempts(entry, attempts)
        lane = self._lanes[entry.lane]
        if lane.queue[0] is entry:
            lane.under_way = False
            lane.next_at = next_at
            self._offer(lane)

    def is_under_way(self, message_id: str) -> bool:
        """Whether a message is claimed."""
        entry = self._entries.get(message_id)
        if entry is None:
            return False
        lane = self._lanes[entry.lane]
        return lane.under_way and lane.queue[0] is entry

    def done(self, message_id: str) -> None:
        """A message leaves for good; where it was the first of its lane, the next one is free."""
        entry = self._entries.pop(message_id, None)
        if entry is None:
            return
        lane = self._lanes[entry.lane]
        entry.gone = True
        self._under_way.pop(message_id, None)
        if entry.attempts:
            self._tried.left()
        if entry.attempts >= FAILING:
            self._failing.left()
        lane.urgent -= entry.urgent
        if lane.queue[0] is entry:
            lane.under_way = False
            lane.next_at = None
            while lane.queue and lane.queue[0].gone:
                lane.queue.popleft()
        if not lane.queue:
            del self._lanes[lane.key]
        self._offer(lane)

    def _note_attempts(self, entry: Entry, more: int = 0) -> None:
        before = entry.attempts if more else 0
        entry.attempts += more
        if before < 1 <= entry.attempts:
            self._tried.join(entry)
        if before < FAILING <= entry.attempts:
            self._failing.join(entry)

    def _offer(self, lane: _Lane) -> None:
        # the one place that says where a lane stands: under way, waiting for a time, claimable, or gone
        self._stamp += 1
        lane.stamp = self._stamp
        self._candidates.discard(lane.key)
        if lane.under_way or not lane.queue:
            return
        if lane.next_at is not None:
            heappush(self._waiting, (lane.next_at, lane.stamp, lane))
            return
        head = lane.queue[0]
        self._candidates.add(lane.key, head.publisher_id, tried=head.attempts > 0, urgent=lane.urgent > 0)
        (self._urgent if lane.urgent else self._ordinary).push(lane)
