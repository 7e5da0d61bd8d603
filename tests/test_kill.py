"""The gateway is killed under load: what has a receipt reaches the core, in order. The long form: `python -m bench.kill`."""

import os
from pathlib import Path

import pytest

from bench import kill

KILLS = int(os.environ.get("KILLS", "3"))


@pytest.mark.slow
async def test_what_has_a_receipt_survives_the_gateways_death(tmp_path: Path) -> None:
    found = await kill.play(tmp_path, KILLS, seed=11)
    print(found)
    assert found.receipts > KILLS  # there was load to lose
    assert found.lost == ()
    assert found.out_of_order == ()


def arrival(name: str, duplicate: bool = False) -> dict[str, object]:
    return {"distributionID": name, "duplicate": duplicate}


RECEIPTS = [{"distributionID": f"{lane}{n}", "lane": lane, "index": n} for lane in "ab" for n in range(3)]


def test_the_judge_sees_what_is_lost_doubled_or_overtaken() -> None:
    names = ["a0", "b0", "b1", "a1", "a2", "b2"]
    fine = kill.judge(1, RECEIPTS, [arrival(name) for name in names])
    assert (fine.receipts, fine.arrivals, fine.doubled, fine.lost, fine.out_of_order) == (6, 6, 0, (), ())
    lost = kill.judge(1, RECEIPTS, [arrival(name) for name in names if name != "a1"])
    assert lost.lost == ("a1",)
    twice = kill.judge(1, RECEIPTS, [arrival("a0"), arrival("a0", duplicate=True), *map(arrival, names[1:])])
    assert (twice.doubled, twice.out_of_order) == (1, ())
    back = kill.judge(1, RECEIPTS, [*map(arrival, names), arrival("a1", duplicate=True)])
    assert back.out_of_order == ("a1",)
    overtaken = kill.judge(1, RECEIPTS, [arrival(name) for name in ["a1", "a0", "a2", "b0", "b1", "b2"]])
    assert overtaken.out_of_order == ("a0",)
