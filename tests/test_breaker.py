"""The circuit breaker as a state machine, and publishers' turns in the store."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.breaker import Breaker
from gateway.errors import CoreOutage
from gateway.forwarder import OUTAGES
from gateway.observability import METRICS
from gateway.store import Store
from tests.house import case, house
from tests.patience import until
from tests.store_samples import NOW, submission

CLOSED = Breaker(threshold=3, first_pause=1.0, max_pause=8.0)


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


async def test_a_backlog_does_not_delay_another_publisher(store: Store) -> None:
    for number in range(1, 201):
        await store.enqueue(submission(number, publisher_id="loud"), NOW)
    await store.enqueue(submission(201, publisher_id="quiet"), NOW)
    await store.enqueue(submission(202, publisher_id="quiet", urgent=True), NOW)
    jobs = await store.claim(NOW, 4)
    assert (jobs[0].submission.publisher_id, jobs[0].submission.urgent) == ("quiet", True)
    assert {"loud", "quiet"} == {job.submission.publisher_id for job in jobs[1:]}


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
        gateway.clock.now += 120  # the probe fails, and the pause doubles
        await until(lambda: retries() == before + OUTAGES + 1)  # it is counted when the breaker knows
        assert circuit() == 1
        gateway.clock.now += 300
        await until(lambda: len(gateway.core.bundles) == OUTAGES)
        assert circuit() == 0
