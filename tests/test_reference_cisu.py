"""The official samples from one side of CISU to the other: all are valid there, and every leaf that is not said is reported."""

import pytest

from tests.round_trips import PEER_SIDES, SAMPLES, sides

pytestmark = pytest.mark.skipif(not SAMPLES.exists(), reason="the official samples are not here")


def test_every_sample_crosses_and_less_is_lost_than_by_the_peer() -> None:
    found = sides()
    assert {key[0] for key in found} == {"RS-EDA", "RC-EDA", "RS-RI", "RC-RI"}
    assert all(trip.samples > trip.refused for trip in found.values())
    for key, share in PEER_SIDES.items():
        trip = found[key]
        assert (trip.lost - trip.withheld) / trip.leaves < share
        assert trip.refused == 0


def test_only_what_health_actors_send_has_something_withheld() -> None:
    assert sides()["RS-EDA", "v3", "RC-EDA"].withheld > 0
    assert not any(trip.withheld for (source, _, _), trip in sides().items() if source.startswith("RC-"))
