"""Each pair of each code map is as it was reviewed."""

import orjson

from tests.code_maps import PINNED, all_maps


def test_the_code_maps_are_the_reviewed_ones() -> None:
    reviewed = orjson.loads(PINNED.read_bytes())
    assert all_maps() == reviewed, (
        "where the change is meant: python -m tests.code_maps, and review the difference"
    )


def test_the_priorities_of_a_case_keep_their_urgency() -> None:
    # v3-ActPriority: emergency, urgent, as soon as possible, routine
    assert all_maps()["act-priority"] == {"P0": "EM", "P1": "UR", "P2": "R", "P3": "R"}
