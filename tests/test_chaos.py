"""Three replicas on one PostgreSQL, killed under load, in a short form. The long form: `python -m bench.chaos`."""

import os
from pathlib import Path

import pytest

from bench import postgres
from bench.chaos.judge import judge
from bench.chaos.play import Told, Wanted, play
from bench.chaos.quiet import Rolled, Same, rolling_restart, same_message

KILLS = int(os.environ.get("KILLS", "5"))
SAME = int(os.environ.get("SAME", "40"))


@pytest.mark.slow
async def test_what_has_a_receipt_is_delivered_once_and_in_order(tmp_path: Path) -> None:
    wanted = Wanted(messages=400, cases=40, kills=KILLS, seed=11)
    told: Told
    try:
        told = await play(tmp_path, wanted)
    except postgres.NoServer as error:
        pytest.skip(str(error))
    print(told)
    assert told.finding.receipts == wanted.messages
    assert told.kills
    assert told.clean, str(told)


@pytest.mark.slow
async def test_the_same_message_everywhere_at_once_is_one_message(tmp_path: Path) -> None:
    found: Same
    try:
        found = await same_message(tmp_path, SAME)
    except postgres.NoServer as error:
        pytest.skip(str(error))
    assert (found.several_ids, found.first) == (0, SAME)
    assert found.finding.clean and found.finding.arrivals == SAME, str(found.finding)


@pytest.mark.slow
async def test_a_rolling_restart_loses_nothing_and_fails_nobody(tmp_path: Path) -> None:
    found: Rolled
    try:
        found = await rolling_restart(tmp_path, 400, 40)
    except postgres.NoServer as error:
        pytest.skip(str(error))
    print(found)
    assert found.restarts == 3
    assert found.failed == 0, str(found.tries)
    assert found.finding.clean, str(found.finding)


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
