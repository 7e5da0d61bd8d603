"""Which cases may use the reserve."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.quota import UrgentCases

NOW = 1_800_000_000.0
DAY = 86_400.0
CASE = "fr.health.samu440.case-1"


def test_priority_alone_makes_a_message_urgent() -> None:
    cases = UrgentCases()
    urgent = {p for p in ("P0", "P1", "P2", "P3", "NR", "") if cases.is_urgent("lrm", p, CASE, NOW)}
    assert urgent == {"P0", "P1"}


def test_asking_alone_unlocks_nothing() -> None:
    cases = UrgentCases()
    assert cases.is_urgent("lrm", "P0", CASE, NOW)
    assert not cases.is_urgent("lrm", "", CASE, NOW)


def test_later_messages_about_an_urgent_case_are_urgent_for_a_day() -> None:
    cases = UrgentCases()
    cases.remember("lrm", "P1", CASE, NOW)
    assert cases.is_urgent("lrm", "", CASE, NOW + DAY - 1)
    assert cases.is_urgent("lrm", "P3", CASE, NOW + DAY - 1)
    assert not cases.is_urgent("lrm", "", CASE, NOW + DAY)


def test_a_case_is_urgent_for_its_own_publisher_only() -> None:
    cases = UrgentCases()
    cases.remember("lrm", "P0", CASE, NOW)
    assert not cases.is_urgent("other", "", CASE, NOW)
    assert not cases.is_urgent("lrm", "", CASE + "0", NOW)


def test_another_urgent_message_prolongs_and_an_ordinary_one_does_not() -> None:
    cases = UrgentCases()
    cases.remember("lrm", "P0", CASE, NOW)
    cases.remember("lrm", "P3", CASE, NOW + 10)
    assert not cases.is_urgent("lrm", "", CASE, NOW + DAY)
    cases.remember("lrm", "P0", CASE, NOW + 20)
    assert cases.is_urgent("lrm", "", CASE, NOW + DAY + 19)


def test_messages_without_a_case_are_not_remembered() -> None:
    cases = UrgentCases()
    cases.remember("lrm", "P0", "", NOW)
    assert not cases.is_urgent("lrm", "", "", NOW)


def test_the_oldest_cases_make_room() -> None:
    cases = UrgentCases(cases=2)
    for number, name in enumerate(["a", "b", "a", "c"]):
        cases.remember("lrm", "P0", name, NOW + number)
    assert [cases.is_urgent("lrm", "", name, NOW + 4) for name in "abc"] == [True, False, True]


def test_memory_does_not_grow_with_time() -> None:
    cases = UrgentCases()
    for hour in range(100):
        cases.remember("lrm", "P0", f"case-{hour}", NOW + hour * 3_600)
    assert len(cases) == 24


def test_a_restart_remembers_in_order_of_time() -> None:
    cases = UrgentCases(cases=2)
    cases.rebuild([("lrm", "new", NOW), ("lrm", "old", NOW - 9), ("lrm", "mid", NOW - 5), ("x", "mid", NOW)])
    assert [cases.is_urgent("lrm", "", name, NOW) for name in ("old", "mid", "new")] == [False, True, True]
    assert cases.is_urgent("x", "", "mid", NOW)


def test_what_others_saw_earlier_shortens_nothing() -> None:
    cases = UrgentCases()
    cases.remember("lrm", "P0", CASE, NOW)
    cases.rebuild([("lrm", CASE, NOW - 3_600), ("lrm", "other", NOW - 3_600)])
    assert cases.is_urgent("lrm", "", CASE, NOW + DAY - 1)
    assert not cases.is_urgent("lrm", "", "other", NOW + DAY - 3_600)
    cases.rebuild([("lrm", CASE, NOW + 3_600)])
    assert cases.is_urgent("lrm", "", CASE, NOW + DAY + 3_599)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("xy"),
            st.sampled_from(["P0", "P1", "P2", ""]),
            st.sampled_from("abc"),
            st.sampled_from([0.0, 3_600.0, 50_000.0, DAY]),
        )
    )
)
def test_remembering_is_as_the_model_says(steps: list[tuple[str, str, str, float]]) -> None:
    cases, accepted, now = UrgentCases(), list[tuple[str, str, float]](), NOW
    for publisher_id, priority, case_id, pause in steps:
        now += pause
        known = any(seen[:2] == (publisher_id, case_id) and now - seen[2] < DAY for seen in accepted)
        assert cases.is_urgent(publisher_id, priority, case_id, now) == (priority in ("P0", "P1") or known)
        cases.remember(publisher_id, priority, case_id, now)
        if priority in ("P0", "P1"):
            accepted.append((publisher_id, case_id, now))
