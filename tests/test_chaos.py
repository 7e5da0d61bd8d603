"""Three replicas on one PostgreSQL, killed under load, in a short form. The long form: `python -m bench.chaos`."""

import os
from pathlib import Path

import pytest

from bench import postgres
from bench.chaos import quota
from bench.chaos.judge import judge, slowest
from bench.chaos.play import Told, Wanted, play
from bench.chaos.poison import MOST_STEPS, Poison
from bench.chaos.quiet import Rolled, Same, rolling_restart, same_message

KILLS = int(os.environ.get("KILLS", "5"))
SAME = int(os.environ.get("SAME", "40"))


@pytest.mark.slow
async def test_what_has_a_receipt_is_delivered_once_and_in_order(tmp_path: Path) -> None:
    wanted = Wanted(messages=300, cases=30, kills=KILLS, seed=26)  # of every kind in the first five
    told: Told
    try:
        told = await play(tmp_path, wanted)
    except postgres.NoServer as error:
        pytest.skip(str(error))
    print(told)
    assert told.finding.receipts >= wanted.messages
    assert told.kills
    assert told.clean, str(told)


@pytest.mark.slow
async def test_the_same_message_everywhere_at_once_is_one_message(tmp_path: Path) -> None:
    found: Same
    try:
        found = await same_message(tmp_path, SAME)
    except postgres.NoServer as error:
        pytest.skip(str(error))
    assert found.clean, str(found)


@pytest.mark.slow
async def test_a_rolling_restart_loses_nothing_and_fails_nobody(tmp_path: Path) -> None:
    found: Rolled
    try:
        found = await rolling_restart(tmp_path, 400, 40)
    except postgres.NoServer as error:
        pytest.skip(str(error))
    print(found)
    assert found.clean, str(found)


def receipt(name: str, index: int) -> dict[str, object]:
    return {"distributionID": name, "lane": "a", "index": index, "recipient": "p"}


def test_the_judge_sees_what_is_lost_overtaken_missing_or_there_twice() -> None:
    receipts = [receipt(f"a{n}", n) for n in range(3)]
    names = ["a0", "a1", "a2"]
    arrivals = [{"distributionID": name, "duplicate": False} for name in names]
    assert judge(receipts, arrivals, {"p": names}).clean
    assert judge(receipts, arrivals[:2], {"p": names}).lost == ("a2",)
    assert judge(receipts, [arrivals[n] for n in (1, 0, 2)], {"p": names}).out_of_order == ("a0",)
    assert judge(receipts, arrivals, {"p": ["a0", "a2", "a1"]}).out_of_order == ("a1",)
    assert judge(receipts, arrivals, {"p": names[:2]}).undelivered == ("a2",)
    assert judge(receipts, arrivals, {"q": names}).undelivered == tuple(names)
    assert judge(receipts, arrivals, {"p": [*names, "a2"]}).delivered_twice == ("a2",)


def test_the_judge_says_how_long_the_slowest_was_on_its_way() -> None:
    receipts = [
        {"distributionID": name, "receivedAt": "2026-11-24T10:00:00+00:00"} for name in ("a", "b", "lost")
    ]
    noon = 1_795_514_400.0
    arrivals = [{"distributionID": name, "at": noon + at} for name, at in (("a", 1), ("b", 3), ("b", 60))]
    assert slowest(receipts, arrivals) == 3
    assert slowest([], []) == 0


def test_poison_is_to_wait_with_a_short_timeline() -> None:
    assert Poison(8, 8, MOST_STEPS, "HTTP 503").clean
    assert not Poison(8, 7, MOST_STEPS, "HTTP 503").clean
    assert not Poison(8, 8, MOST_STEPS + 1, "HTTP 503").clean


def test_a_second_is_judged_by_whether_replicas_counted_together() -> None:
    admitted = {("a", 100): 5, ("a", 101): 6, ("b", 101): 4, ("a", 200): 15, ("a", 201): 16}
    found = quota.judge(admitted, [(199.5, 201.0)], limit=5, replicas=3)
    assert (found.together.seconds, found.together.peak, found.together.full, found.together.over) == (
        3,
        6,
        1,
        1,
    )
    assert (found.alone.seconds, found.alone.peak, found.alone.bound, found.alone.over) == (2, 16, 15, 1)
    assert not found.clean
    assert quota.judge({("a", 100): 5}, [], limit=5, replicas=3).clean
    assert not quota.judge({("a", 100): 6}, [(103.0, 104.0)], limit=5, replicas=3).clean


def test_a_log_says_when_a_replica_counted_alone() -> None:
    log = b"""
{"event":"quota_shared","timestamp":"2026-11-24T10:00:00.000Z"}
{"event":"quota_not_shared","timestamp":"2026-11-24T10:00:10.500Z"}
{"event":"quota_not_shared","timestamp":"2026-11-24T10:00:11.000Z"}
{"event":"quota_shared","timestamp":"2026-11-24T10:00:12.000Z"}
{"event":"message_received","timestamp":"2026-11-24T10:00:13.000Z"}
{"event":"quota_not_shared","timestamp":"2026-11-24T10:00:20.000Z"}
{"event":"half a li"""
    noon = 1_795_514_400.0
    assert list(quota.alone(log)) == [(noon + 10.5, noon + 12), (noon + 20, float("inf"))]
