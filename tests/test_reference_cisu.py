"""The official samples between the health and the fire side, there and back: nothing is lost but what is withheld."""

import pytest

from tests.round_trips import PEER_SIDES, SAMPLES, sides

pytestmark = pytest.mark.skipif(not SAMPLES.exists(), reason="the official samples are not here")


def test_every_sample_comes_back_whole() -> None:
    found = sides()
    assert {key[0] for key in found} == {"RS-EDA", "RC-EDA", "RS-RI", "RC-RI"}
    lost = {key[0]: (trip.lost - trip.withheld, trip.refused) for key, trip in found.items()}
    assert lost == dict.fromkeys(lost, (0, 0))
    assert all(found[key].share < share for key, share in PEER_SIDES.items())


def test_what_stands_in_texts_is_told() -> None:
    trip = sides()["RS-EDA", "v3", "RC-EDA"]
    assert 0 < trip.texts < trip.reported and trip.texts < trip.leaves / 2
