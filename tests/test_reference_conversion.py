"""The official samples in other model versions: fewer leaves lost than by the Hub Santé's own converter, always valid."""

import pytest

from gateway import validation
from gateway.conversion import convert
from tests import round_trips
from tests.round_trips import PEER, SAMPLES

pytestmark = pytest.mark.skipif(
    not SAMPLES.exists(), reason="the official samples are not beside the checkout"
)


def test_round_trips_lose_less_than_the_peer_s_and_refuse_nothing() -> None:
    trips = round_trips.trips()  # every result is judged there
    assert all(trips[key].share <= share for key, share in PEER.items())
    assert {key: trip.refused for key, trip in trips.items() if trip.refused} == {}


@pytest.mark.parametrize(
    ("message_type", "source", "target"),
    [
        ("GEO-POS", "v2", "v3"), ("GEO-REQ", "v1", "v3"), ("RS-ER", "v3", "v2"), ("RS-BPV", "v3", "v2"),
        ("RS-RPIS", "v3", "v1"), ("RS-URL", "v2", "v3"), ("EMSI", "v1", "v3"),
    ],
    ids="-".join,
)  # fmt: skip
def test_what_the_peer_cannot_convert_is_converted(message_type: str, source: str, target: str) -> None:
    found = [m for m in round_trips.samples() if (m.message_type, m.model_version) == (message_type, source)]
    assert found and all(validation.is_valid(convert(message, target).message) for message in found)
