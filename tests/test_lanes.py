"""The order of forwarding, against a model that is too simple to be wrong."""

import gc
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.store.lanes import Entry, Lanes
from gateway.store.oldest import Oldest


def entry(number: int, lane: str = "a", publisher_id: str = "north", *, urgent: bool = False) -> Entry:
    return Entry(str(number), number, lane, publisher_id, urgent)


def filled(*entries: Entry) -> Lanes:
    lanes = Lanes()
    for one in entries:
        lanes.add(one)
    return lanes


def claimed(lanes: Lanes, limit: int = 100, now: float = 0.0) -> list[str]:
    return [one.id for one in lanes.claim(now, limit)]


def test_a_lane_has_one_message_under_way() -> None:
    lanes = filled(entry(1), entry(2), entry(3, "b"))
    assert claimed(lanes) == ["1", "3"]
    assert claimed(lanes) == []
    assert not lanes.claimable
    lanes.done("1")
    assert lanes.claimable
    assert claimed(lanes) == ["2"]


def test_a_lane_that_waits_for_a_retry_keeps_its_order_and_holds_up_no_other() -> None:
    lanes = filled(entry(1), entry(2), entry(3, "b"))
    assert claimed(lanes, 1) == ["1"]
    lanes.release("1", next_at=10.0)
    assert claimed(lanes, now=9.9) == ["3"]
    assert [(one.id, one.attempts) for one in lanes.claim(10.0, 5)] == [("1", 1)]


def test_urgent_lanes_come_first() -> None:
    lanes = filled(entry(1, "a"), entry(2, "b"), entry(3, "c", urgent=True))
    assert claimed(lanes) == ["3", "1", "2"]


def test_an_urgent_message_pulls_what_stands_before_it_in_its_lane() -> None:
    lanes = filled(entry(1, "a"), entry(2, "b"), entry(3, "b", urgent=True))
    assert claimed(lanes) == ["2", "1"]


def test_a_lane_is_ordinary_again_when_its_urgent_message_has_left() -> None:
    lanes = filled(entry(1, "a"), entry(2, "b"), entry(3, "b", urgent=True))
    lanes.done("3")
    assert claimed(lanes) == ["1", "2"]


def test_publishers_take_turns() -> None:
    flood = [entry(n, f"flood{n}", "loud") for n in range(1, 6)]
    lanes = filled(*flood, entry(6, "x", "quiet"), entry(7, "y", "quiet"))
    assert claimed(lanes) == ["1", "6", "2", "7", "3", "4", "5"]


def test_turns_go_on_from_claim_to_claim() -> None:
    lanes = filled(
        *(entry(n, f"l{n}", "loud") for n in range(4)), *(entry(n, f"q{n}", "quiet") for n in (8, 9))
    )
    assert [claimed(lanes, 1) for _ in range(5)] == [["0"], ["8"], ["1"], ["9"], ["2"]]


def test_what_leaves_from_the_middle_is_skipped() -> None:
    lanes = filled(entry(1), entry(2), entry(3))
    lanes.done("2")
    assert claimed(lanes) == ["1"]
    lanes.done("1")
    assert claimed(lanes) == ["3"]
    lanes.done("3")
    assert len(lanes) == 0 and lanes.oldest() is None


def test_a_message_put_back_comes_after_those_of_its_lane() -> None:
    lanes = filled(entry(1), entry(2))
    lanes.done("1")
    lanes.add(Entry("1", 9, "a", "north", urgent=False))
    assert claimed(lanes) == ["2"]
    lanes.done("2")
    assert claimed(lanes) == ["1"]


def test_a_message_is_in_its_lane_once() -> None:
    lanes = filled(entry(1), entry(1))
    assert len(lanes) == 1
    assert claimed(lanes) == ["1"]
    lanes.done("1")
    assert claimed(lanes) == []


def test_a_first_message_may_have_to_wait() -> None:
    lanes = Lanes()
    lanes.add(entry(1), next_at=5.0)
    lanes.add(entry(2, urgent=True))
    assert not lanes.claimable
    assert claimed(lanes, now=4.0) == []
    assert claimed(lanes, now=5.0) == ["1"]


def test_a_wait_that_is_over_does_not_shorten_the_next_one() -> None:
    lanes = filled(entry(1), entry(2))
    claimed(lanes)
    lanes.release("1", next_at=3.0)
    lanes.done("1")
    claimed(lanes)
    lanes.release("2", next_at=5.0)
    assert claimed(lanes, now=4.0) == []
    assert claimed(lanes, now=5.0) == ["2"]


@pytest.mark.parametrize("step", ["done", "release"])
def test_unknown_messages_are_ignored(step: str) -> None:
    lanes = filled(entry(1))
    if step == "done":
        lanes.done("7")
    else:
        lanes.release("7", 1.0)
    assert claimed(lanes) == ["1"]


@dataclass
class Modelled:
    entry: Entry
    under_way: bool = False
    due: float = 0.0
    waits: bool = False  # for its retry, as far as claims have looked at the clock


class Model:
    """The same rules by looking at everything each time."""

    def __init__(self) -> None:
        self.all: list[Modelled] = []

    def heads(self, now: float) -> list[Modelled]:
        first: dict[str, Modelled] = {}
        for one in self.all:
            first.setdefault(one.entry.lane, one)
        return [one for one in first.values() if not one.under_way and one.due <= now]

    def claimed(self, now: float) -> None:
        for one in self.all:
            one.waits = one.waits and one.due > now

    def oldest_ready(self) -> int | None:
        first: dict[str, Modelled] = {}
        for one in self.all:
            first.setdefault(one.entry.lane, one)
        ready = [o for o in first.values() if (not o.entry.attempts if o.under_way else not o.waits)]
        return min((one.entry.position for one in ready), default=None)

    def oldest_tried(self) -> int | None:
        return min((one.entry.position for one in self.all if one.entry.attempts), default=None)

    def is_urgent(self, lane: str) -> bool:
        return any(one.entry.urgent for one in self.all if one.entry.lane == lane)


def test_what_has_left_takes_no_room_behind_an_old_message_that_fails() -> None:
    oldest, old = Oldest(), entry(0)
    oldest.join(old)
    for number in range(1, 10_000):
        one = entry(number)
        oldest.join(one)
        one.gone = True
        oldest.left()
    assert (len(oldest), oldest.position()) == (1, 0)
    assert len(gc.get_referents(oldest._heap)) < 200
    old.gone = True
    oldest.left()
    assert (len(oldest), oldest.position()) == (0, None)


class LanesAgainstModel(RuleBasedStateMachine):
    """Random interleavings of everything that can happen to messages."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = Lanes()
        self.model = Model()
        self.now = 0.0
        self.number = 0
        self.handed_out: dict[str, list[int]] = {}

    @rule(lane=st.sampled_from("abcd"), publisher=st.sampled_from("xyz"), urgent=st.booleans())
    def add(self, lane: str, publisher: str, urgent: bool) -> None:
        self.number += 1
        self.lanes.add(entry(self.number, lane, publisher, urgent=urgent))
        self.model.all.append(Modelled(entry(self.number, lane, publisher, urgent=urgent)))

    @rule(limit=st.integers(1, 4), ordinary=st.none() | st.integers(0, 4))
    def claim(self, limit: int, ordinary: int | None) -> None:
        heads = self.model.heads(self.now)
        urgent = sum(self.model.is_urgent(one.entry.lane) for one in heads)
        taken = self.lanes.claim(self.now, limit, ordinary)
        self.model.claimed(self.now)
        others = len(heads) - urgent if ordinary is None else min(ordinary, len(heads) - urgent)
        assert len(taken) == min(limit, urgent + others)
        by_id = {one.entry.id: one for one in heads}
        assert all(one.id in by_id for one in taken)
        self._check_classes_and_shares(heads, [by_id[one.id] for one in taken])
        for one in taken:
            by_id[one.id].under_way = True

    def _check_classes_and_shares(self, heads: list[Modelled], taken: list[Modelled]) -> None:
        ranks = [not self.model.is_urgent(one.entry.lane) for one in taken]
        assert ranks == sorted(ranks), "urgent lanes come first"
        for is_ordinary in (False, True):
            ready = [one for one in heads if self.model.is_urgent(one.entry.lane) != is_ordinary]
            got = [one for one in taken if self.model.is_urgent(one.entry.lane) != is_ordinary]
            if is_ordinary and got:
                assert len([o for o in heads if self.model.is_urgent(o.entry.lane)]) == len(taken) - len(got)
            for publisher in "xyz":
                had = sum(one.entry.publisher_id == publisher for one in ready)
                has = sum(one.entry.publisher_id == publisher for one in got)
                most = max((sum(o.entry.publisher_id == p for o in got) for p in "xyz"), default=0)
                assert has == had or has >= most - 1, "no publisher gets two turns more than one that waits"
                mine = sorted(o.entry.position for o in ready if o.entry.publisher_id == publisher)
                assert [o.entry.position for o in got if o.entry.publisher_id == publisher] == mine[:has]

    def _under_way(self) -> list[Modelled]:
        return [one for one in self.model.all if one.under_way]

    @precondition(lambda self: self._under_way())
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self._under_way()))
        self.lanes.done(one.entry.id)
        self.model.all.remove(one)
        self.handed_out.setdefault(one.entry.lane, []).append(one.entry.position)

    @precondition(lambda self: self._under_way())
    @rule(data=st.data(), pause=st.sampled_from([0.0, 1.0, 3.0]))
    def release(self, data: st.DataObject, pause: float) -> None:
        one = data.draw(st.sampled_from(self._under_way()))
        self.lanes.release(one.entry.id, self.now + pause)
        one.under_way, one.waits = False, True
        one.due = self.now + pause
        one.entry.attempts += 1

    @precondition(lambda self: self.model.all)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.model.all))
        self.lanes.done(one.entry.id)
        self.model.all.remove(one)

    @rule(seconds=st.sampled_from([0.5, 1.0, 5.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def nothing_is_lost_and_order_is_kept(self) -> None:
        assert len(self.lanes) == len(self.model.all)
        oldest = min((one.entry.position for one in self.model.all), default=None)
        assert self.lanes.oldest() == oldest
        assert self.lanes.oldest_ready() == self.model.oldest_ready()
        assert self.lanes.oldest_tried() == self.model.oldest_tried()
        assert all(done == sorted(done) for done in self.handed_out.values())
        if self.lanes.claimable:
            assert self.model.heads(self.now)

    def teardown(self) -> None:
        left = [one.entry.id for one in self.model.all]
        for one in self._under_way():
            self.lanes.release(one.entry.id, None)
        taken: list[str] = []
        while batch := self.lanes.claim(self.now + 100.0, 2):
            taken += [one.id for one in batch]
            for one_taken in batch:
                self.lanes.done(one_taken.id)
        assert sorted(taken) == sorted(left)


LanesAgainstModel.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLanesAgainstModel = LanesAgainstModel.TestCase
