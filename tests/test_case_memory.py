"""How long what was said of a case counts."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.case_memory import CLOSED, DAY, HOUR, Memory, Said, counting

MEMORY = Memory.of(7, 24)
STATES = ["", "ACTIF", "VALIDE", *sorted(CLOSED)]
# hours between messages: often at a bound
GAPS = st.sampled_from([0, 1, 23, 24, 25, 7 * 24 - 1, 7 * 24, 7 * 24 + 1]) | st.integers(0, 400)


def hours(*said: tuple[float, str]) -> list[Said]:
    """Messages by their hour and state, oldest first, as newest first."""
    return [Said(at * HOUR, state) for at, state in reversed(said)]


@st.composite
def cases(draw: st.DrawFn) -> list[Said]:
    gaps = draw(st.lists(GAPS, max_size=12))
    return [Said(at * HOUR, draw(st.sampled_from(STATES))) for at in accumulate(gaps)]


@pytest.mark.parametrize(
    ("said", "now", "expected"),
    [
        ([], 0, 0),
        ([(0, "")], 7 * 24, 1),
        ([(0, "")], 7 * 24 + 0.1, 0),
        # an old message counts as long as the case goes on
        ([(0, "ACTIF"), (100, ""), (200, ""), (300, "")], 400, 4),
        # what was forgotten does not come back
        ([(0, "ACTIF"), (169, ""), (200, "")], 201, 2),
        ([(0, "ACTIF"), (10, "CLOTURE")], 34, 2),
        ([(0, "ACTIF"), (10, "CLOTURE")], 34.1, 0),
        # nothing postpones the closing
        ([(0, "CLOTURE"), (20, "CLOTURE"), (23, ""), (24, "ARCHIVE")], 24, 4),
        ([(0, "CLOTURE"), (20, "CLOTURE"), (23, ""), (24, "ARCHIVE")], 25, 0),
        # opened again in time, or later
        ([(0, "CLOTURE"), (20, "ACTIF")], 100, 2),
        ([(0, "CLOTURE"), (30, ""), (31, "ACTIF"), (32, "")], 100, 3),
        # a case that goes on after it was forgotten begins anew
        ([(0, "CLOTURE"), (30, "")], 31, 1),
        ([(0, "CLOTURE"), (30, ""), (40, "")], 100, 2),
    ],
)
def test_what_counts(said: list[tuple[float, str]], now: float, expected: int) -> None:
    assert counting(hours(*said), now * HOUR, MEMORY) == expected


@given(cases(), st.integers(0, 400))
def test_the_newest_ones_count_while_the_case_is_open_and_goes_on(said: list[Said], after: int) -> None:
    now = (said[-1].at if said else 0) + after * HOUR
    newest_first = said[::-1]
    count = counting(newest_first, now, MEMORY)
    assert 0 <= count <= len(said)
    kept = [*newest_first[:count][::-1], Said(now)]
    assert all(later.at - one.at <= 7 * DAY for one, later in pairwise(kept))
    for n, one in enumerate(kept):
        still = [later for later in kept[n:] if later.at - one.at <= DAY]
        opened = any(later.status and later.status not in CLOSED for later in still)
        assert one.status not in CLOSED or opened or kept[-1].at - one.at <= DAY


@given(cases(), GAPS, GAPS)
def test_what_was_forgotten_once_never_counts_again(said: list[Said], first: int, second: int) -> None:
    gone = 0
    for end in range(len(said) + 1):
        until = said[end].at if end < len(said) else float("inf")
        start = said[end - 1].at if end else 0.0
        for now in (start, start + first * HOUR, start + (first + second) * HOUR):
            if now <= until:
                left_out = end - counting(said[:end][::-1], now, MEMORY)
                assert left_out >= gone
                gone = left_out


@given(cases(), st.integers(0, 400))
def test_a_longer_memory_keeps_no_less(said: list[Said], after: int) -> None:
    now = (said[-1].at if said else 0) + after * HOUR
    newest_first = said[::-1]
    shorter = counting(newest_first, now, MEMORY)
    assert shorter <= counting(newest_first, now, Memory.of(8, 24))
    assert shorter <= counting(newest_first, now, Memory.of(7, 25))
    assert counting(newest_first, now, Memory.of(10**6, 10**9)) == len(said)
