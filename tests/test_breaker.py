"""The circuit breakers as values, the order of probes, and publishers' turns in the store."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.breaker import Breaker
from gateway.core_breaker import LANES, OUTAGES, PROBE_SECONDS, CoreBreaker
from gateway.errors import CoreOutage
from gateway.observability import METRICS
from gateway.store import Store
from gateway.store.lanes import Entry, Lanes
from tests.house import case, house
from tests.patience import until
from tests.store_samples import NOW, submission

CLOSED = Breaker(threshold=3, first_pause=1.0, max_pause=8.0)


# one endpoint


def opened(at: float) -> Breaker:
    state = CLOSED
    for _ in range(3):
        state = state.after_outage(at)
    return state


def test_it_opens_at_the_threshold_and_lets_one_probe_out_after_the_pause() -> None:
    almost = CLOSED.after_outage(0.0).after_outage(0.0)
    assert almost.room(0.0, 32, 2) == 30
    state = almost.after_outage(0.0)
    assert [state.room(now, 32, 0) for now in (0.0, 0.9, 1.0)] == [0, 0, 1]
    assert state.room(1.0, 32, 1) == 0


def test_pauses_double_to_the_greatest_and_end_at_the_first_verdict() -> None:
    state, pauses = opened(0.0), []
    for _ in range(5):
        pauses.append(state.pause)
        state = state.after_outage(state.probe_at)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert state.after_verdict() == CLOSED


def test_those_that_were_out_do_not_lengthen_the_pause() -> None:
    assert opened(0.0).after_outage(0.5).probe_at == 1.0


def test_a_clock_set_back_does_not_hold_it_open() -> None:
    assert opened(3_600.0).room(0.0, 32, 0) == 1


@given(st.lists(st.tuples(st.sampled_from(["outage", "verdict"]), st.floats(0.0, 20.0))), st.integers(0, 32))
def test_it_never_waits_beyond_the_greatest_pause_and_is_open_only_after_outages(
    events: list[tuple[str, float]], under_way: int
) -> None:
    state, now, in_a_row = CLOSED, 0.0, 0
    for event, gap in events:
        now += gap
        state = state.after_outage(now) if event == "outage" else state.after_verdict()
        in_a_row = in_a_row + 1 if event == "outage" else 0
        assert state.is_open == (in_a_row >= 3)
        assert state.room(now, 32, under_way) <= 32 - under_way
        assert state.room(now + 8.0, 32, 0) >= 1


# the core


def after_outages(*lanes: str, at: float = 0.0) -> CoreBreaker:
    state = CoreBreaker()
    for lane in lanes:
        state = state.after_outage(lane, at)
    return state


def test_four_lanes_never_open_it_and_ten_outages_in_five_do() -> None:
    assert not after_outages(*"abcd" * 100).is_open
    assert not after_outages(*"abcdeabcd").is_open
    assert after_outages(*"abcdeabcde").is_open
    assert after_outages(*"aaaaaa", *"bcde").is_open, "the outages may be spread over the lanes in any way"


def test_outages_of_long_ago_do_not_count_for_their_lanes() -> None:
    assert not after_outages("a", *"b" * 10, *"cde" * 4).is_open


def test_a_clock_set_back_does_not_keep_a_probe_waiting() -> None:
    state = after_outages(*"abcde" * 2, at=3_600.0)
    assert state.wait(3_600.0) == PROBE_SECONDS
    assert state.wait(0.0) == 0.0


def test_a_message_that_ends_before_it_reaches_the_core_is_no_probe() -> None:
    state = after_outages(*"abcde" * 2).after_probe(2.0)
    assert state.wait(2.5) == 1.5
    assert state.after_nothing(2.5).wait(2.5) == 0.0
    assert not CoreBreaker().after_nothing(2.5).is_open


class CoreModel(RuleBasedStateMachine):
    """The breaker and the lanes together, as the forwarder uses them, against a core of which some lanes are poisoned.

    `healthy` lanes are answered while the core is there, the others never.
    """

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.lanes = CoreBreaker(), Lanes()
        self.now, self.number = 0.0, 0
        self.away = False
        self.since_verdict: list[str] = []
        self.probes: list[float] = []
        self.waiting: dict[str, float] = {}  # healthy lanes that were never tried, and since when they wait

    @rule(
        lane=st.integers(0, 11), healthy=st.booleans(), publisher=st.sampled_from("xyz"), urgent=st.booleans()
    )
    def send(self, lane: int, healthy: bool, publisher: str, urgent: bool) -> None:
        self.number += 1
        name = f"{'healthy' if healthy else 'poisoned'}-{lane}-{publisher}"
        self.lanes.add(Entry(str(self.number), self.number, name, publisher, urgent))

    @rule(away=st.booleans())
    def core(self, away: bool) -> None:
        self.away = away

    @rule(seconds=st.sampled_from([0.1, 0.5, 2.0, 30.0]))
    def wait(self, seconds: float) -> None:
        """Time passes, and the forwarder looks at the clock every tenth of a second while it is open."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 0.1)
            self.forward()

    def forward(self) -> None:
        if not self.breaker.is_open:
            for one in self.lanes.claim(self.now, 32):
                self.attempt(one)
        elif not self.breaker.wait(self.now):
            probe = self.lanes.claim_probe(self.now, new_first=self.breaker.is_turn_of_new)
            if probe is None:
                assert not self.lanes.claimable, "something is due, and no probe goes"
                return
            self.breaker = self.breaker.after_probe(self.now)
            self.probes.append(self.now)
            self.attempt(probe)

    def attempt(self, one: Entry) -> None:
        if self.away or one.lane.startswith("poisoned"):
            self.since_verdict.append(one.lane)
            self.breaker = self.breaker.after_outage(one.lane, self.now)
            longest = PROBE_SECONDS if self.breaker.is_open else 60.0
            self.lanes.release(one.id, self.now + min(longest, 2.0**one.attempts))
        else:
            self.since_verdict, self.probes = [], []
            self.breaker = self.breaker.after_verdict()
            self.lanes.done(one.id)

    @invariant()
    def it_is_open_only_where_nothing_but_outages_of_five_lanes_came(self) -> None:
        if self.breaker.is_open:
            assert len(self.since_verdict) >= OUTAGES
            assert len({*self.since_verdict}) >= LANES
        else:
            last = self.since_verdict[-OUTAGES:]
            assert len(last) < OUTAGES or len({*last}) < LANES

    @invariant()
    def probes_keep_their_distance(self) -> None:
        gaps = [b - a for a, b in zip(self.probes, self.probes[1:], strict=False)]
        assert all(gap >= PROBE_SECONDS - 1e-6 for gap in gaps)

    def teardown(self) -> None:
        """Whatever is poisoned: once the core is there, every message of a healthy lane is taken, and in a bounded time."""
        self.away = False
        healthy = {one.lane for one in self.lanes._entries.values() if one.lane.startswith("healthy")}
        self.wait(
            61.0 + PROBE_SECONDS * (len(self.lanes) + 1)
        )  # the longest wait of a lane, and a turn of each
        left = {one.lane for one in self.lanes._entries.values() if one.lane.startswith("healthy")}
        assert not left, f"{left} of {healthy} are still waiting"


CoreModel.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestCoreModel = CoreModel.TestCase


def poisoned(lanes: Lanes, numbers: range, publisher: str = "north", *, urgent: bool = False) -> None:
    """Messages that were tried before and are due again."""
    for number in numbers:
        lanes.add(Entry(str(number), number, f"lane{number}", publisher, urgent, attempts=3))


@pytest.mark.parametrize("k", [5, 20, 200])
def test_a_new_urgent_message_is_the_next_probe_but_one_whatever_failed_before(k: int) -> None:
    lanes = Lanes()
    for publisher in ("north", "south", "west"):
        base = 1_000 * ord(publisher[0])
        poisoned(lanes, range(base, base + k), publisher, urgent=True)
    state, now = after_outages(*"abcde" * 2), 0.0
    for number in range(1, k):  # new ones that are not urgent come besides
        lanes.add(Entry(f"new{number}", number, f"new{number}", "north", urgent=False))
    lanes.add(Entry("p0", 999_999, "p0", "south", urgent=True))
    chosen = []
    for _ in range(2):
        now += state.wait(now) or PROBE_SECONDS
        entry = lanes.claim_probe(now, new_first=state.is_turn_of_new)
        assert entry is not None
        chosen.append(entry.id)
        lanes.release(entry.id, now + 60)
        state = state.after_probe(now)
    assert "p0" in chosen and now <= 2 * PROBE_SECONDS


def test_one_publishers_flood_of_new_urgent_messages_that_fail_does_not_take_every_probe() -> None:
    lanes, state = Lanes(), after_outages(*"abcde" * 2)
    poisoned(lanes, range(1, 2), "quiet")
    chosen = []
    for number in range(2, 10):
        lanes.add(Entry(str(number), number, f"lane{number}", "loud", urgent=True))
        entry = lanes.claim_probe(0.0, new_first=state.is_turn_of_new)
        assert entry is not None
        chosen.append(entry.publisher_id)
        lanes.release(entry.id, 60.0)
        state = state.after_probe(0.0)
    assert "quiet" in chosen[:2]


# the store


async def test_probes_go_to_what_was_never_tried_then_to_another_lane_each_time(store: Store) -> None:
    tried = [await store.enqueue(submission(n, urgent=n == 1), NOW) for n in (1, 2, 3)]
    for job in await store.claim(NOW, 10):
        await store.mark_retry(job.id, NOW, NOW + 1, "HTTP 503")
    new = await store.enqueue(submission(4), NOW)
    urgent = await store.enqueue(submission(5, urgent=True), NOW)
    found = []
    for second in range(1, 9):
        probe = await store.claim_probe(NOW + second, new_first=True)
        assert probe is not None
        assert probe.lane
        found.append(probe.id)
        await store.mark_retry(probe.id, NOW + second, NOW + second + 0.5, "HTTP 503")
    assert found[:2] == [urgent.id, new.id]
    assert {*found[2:7]} == {urgent.id, new.id, *(one.id for one in tried)}, "none before all had theirs"


async def test_publishers_take_turns_in_probes(store: Store) -> None:
    for number in range(1, 6):
        await store.enqueue(submission(number, publisher_id="loud", urgent=True), NOW)
    quiet = await store.enqueue(submission(6, publisher_id="quiet"), NOW)
    first = await store.claim_probe(NOW, new_first=True)
    second = await store.claim_probe(NOW, new_first=False)
    third = await store.claim_probe(NOW, new_first=False)
    assert first is not None and second is not None and third is not None
    assert (first.submission.publisher_id, second.id, third.submission.publisher_id) == (
        "loud",
        quiet.id,
        "loud",
    )


async def test_a_probe_takes_no_lane_that_waits_or_is_under_way(store: Store) -> None:
    first, second = [await store.enqueue(submission(n), NOW) for n in (1, 2)]
    await store.enqueue(submission(3, case_id=submission(1).case_id), NOW)
    probes = [await store.claim_probe(NOW, new_first=True) for _ in range(3)]
    assert [probe and probe.id for probe in probes] == [first.id, second.id, None]
    await store.mark_retry(first.id, NOW, NOW + 5)
    assert await store.claim_probe(NOW + 4.9, new_first=True) is None
    again = await store.claim_probe(NOW + 5, new_first=True)
    assert again is not None and (again.id, again.attempts) == (first.id, 1)


async def test_a_backlog_does_not_delay_another_publisher(store: Store) -> None:
    for number in range(1, 201):
        await store.enqueue(submission(number, publisher_id="loud"), NOW)
    await store.enqueue(submission(201, publisher_id="quiet"), NOW)
    await store.enqueue(submission(202, publisher_id="quiet", urgent=True), NOW)
    jobs = await store.claim(NOW, 4)
    assert (jobs[0].submission.publisher_id, jobs[0].submission.urgent) == ("quiet", True)
    assert {"loud", "quiet"} == {job.submission.publisher_id for job in jobs[1:]}


# the gateway


def circuit() -> float:
    found = METRICS.get_sample_value("gateway_core_circuit_open")
    assert found is not None
    return found


def retries() -> float:
    return METRICS.get_sample_value("gateway_forward_total", {"result": "retry"}) or 0.0


async def test_a_core_that_is_down_is_asked_by_one_probe_at_a_time_and_loses_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        gateway.core.trouble = [CoreOutage("HTTP 503")] * (OUTAGES + 1)
        before = retries()
        for number in range(OUTAGES):  # each case is a lane of its own
            await gateway.send(case(number, caseId=f"fr.health.samu440.DRFR{number}"))
        await until(lambda: retries() == before + OUTAGES)
        assert circuit() == 1
        assert len(gateway.core.trouble) == 1 and gateway.core.bundles == []
        gateway.clock.now += 120
        await until(lambda: retries() == before + OUTAGES + 1)  # it is counted when the breaker knows
        assert circuit() == 1
        gateway.clock.now += 300
        await until(lambda: len(gateway.core.bundles) == OUTAGES)
        assert circuit() == 0
