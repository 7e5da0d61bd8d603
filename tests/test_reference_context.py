"""The official samples with what is known of their case: nothing is lost there and back, and every status and update that
concerns the fire side reaches it.
"""

import random
from functools import cache

import pytest

from gateway.conversion import Context, cisu, convert
from gateway.errors import NotApplicable, Untranslatable
from gateway.model import JsonObject, Message
from tests.round_trips import FIRE, SAMPLES, samples
from tests.test_conversion import generic, leaves
from tests.test_conversion_context import crossed, lost_of, said, there_and_back

pytestmark = pytest.mark.skipif(not SAMPLES.exists(), reason="the official samples are not here")


@cache
def bodies(message_type: str) -> tuple[JsonObject, ...]:
    return tuple(
        one.body for one in samples() if (one.message_type, one.model_version) == (message_type, "v3")
    )


@pytest.mark.parametrize("message_type", list(cisu.OTHER))
def test_nothing_is_lost_there_and_back(message_type: str) -> None:
    done = 0
    for body in bodies(message_type):
        try:
            back = there_and_back(message_type, body)
        except NotApplicable:  # of private ambulances only
            continue
        assert lost_of(body, back.message.body) == [] == lost_of(back.message.body, body)
        assert back.lost == ()
        done += 1
    assert done >= 2


@pytest.mark.parametrize("message_type", list(cisu.OTHER))
def test_without_a_context_each_lost_leaf_is_reported(message_type: str) -> None:
    """What does not come back as it was is in the report of the way there, or, where another value came, of the way back."""
    for body in bodies(message_type):
        try:
            there = crossed(said(message_type, body))
        except NotApplicable:
            continue
        back = crossed(said(there.message.message_type, there.message.body, 2))
        told = [below(loss["path"]) for loss in there.lost] + [below(loss["target"]) for loss in back.lost]
        came = {(generic(path), repr(value)) for path, value in leaves(back.message.body)}  # an item may move
        missing = [path for path, value in leaves(body) if (generic(path), repr(value)) not in came]
        assert not [path for path in missing if not path.startswith(tuple(filter(None, told)))]


def below(path: str) -> str:
    """The path from the use case down."""
    return path.partition(".message.")[2].partition(".")[2]


SAMUS = ("fr.health.samu440", "fr.health.samu750")


@pytest.mark.parametrize("seed", range(8))
def test_every_visible_status_reaches_the_fire_side(seed: int) -> None:
    """In any order of senders and of arrival: the newest state of each visible resource is what the fire side has last."""
    rng = random.Random(seed)
    arriving = [said("RS-RI", body, n, rng.choice(SAMUS)) for n, body in enumerate(bodies("RS-RI"))]
    arriving += [said("RS-SR", body, 100 + n, rng.choice(SAMUS)) for n, body in enumerate(bodies("RS-SR"))]
    rng.shuffle(arriving)
    seen: list[Message] = []
    for one in arriving:
        try:
            there = convert(one, "v3", "RC-RI", Context(tuple(seen)))
        except NotApplicable:
            if one.message_type == "RS-SR":
                seen.insert(0, one)  # kept
            continue
        seen.insert(0, there.message)
    last: dict[tuple[str, str], str] = {}
    for one in reversed(seen):
        if one.message_type == "RC-RI":
            for resource in one.body["resource"]:
                last[one.body["caseId"], resource["resourceId"]] = resource["state"]["datetime"]
    stated: dict[tuple[str, str], list[str]] = {}
    for one in arriving:
        if one.message_type == "RS-SR":
            key = one.body["caseId"], one.body["resourceId"]
            stated.setdefault(key, []).append(one.body["state"]["datetime"])
    visible = [key for key in stated if key in last]
    assert len(visible) >= 3
    assert all(last[key] >= max(stated[key]) for key in visible)


def test_every_update_is_a_whole_case_for_the_fire_side() -> None:
    """Once its sender stated the case; where it changes nothing for the fire side, it is not told again."""
    base = bodies("RS-EDA")[0]
    changing = 0
    for number, body in enumerate(bodies("RS-EDA-MAJ")):
        whole = next((one for one in bodies("RS-EDA") if one["caseId"] == body["caseId"]), base)
        own = said("RS-EDA", whole | {"caseId": body["caseId"]}, number)
        told = crossed(own).message
        update = said("RS-EDA-MAJ", body, 100 + number)
        with pytest.raises(Untranslatable, match="send the whole case"):
            crossed(update)
        there = crossed(update, stated=(own,)).message
        assert (there.message_type, there.envelope.address) == ("RC-EDA", FIRE)
        assert {*told.body} <= {*there.body}
        if there.body != told.body:
            assert crossed(update, told, stated=(own,)).message.body == there.body
            changing += 1
            continue
        with pytest.raises(NotApplicable, match="nothing changes"):
            crossed(update, told, stated=(own,))
    assert changing
