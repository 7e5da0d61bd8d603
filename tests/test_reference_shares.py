"""What v3 says in FHIR's own elements is at least what the mapping aims at, and the official samples show it."""

from collections import Counter

import pytest

import schemas
from gateway import edxl, translation
from tests import shares

pytestmark = pytest.mark.skipif(
    not shares.SAMPLES.exists(), reason="the official samples are not beside the checkout"
)


def test_every_type_of_v3_has_an_aim() -> None:
    assert set(shares.AIM) == set(schemas.message_types("v3"))


@pytest.mark.parametrize("message_type", shares.AIM)
def test_a_type_says_as_much_in_standard_elements_as_it_aims_at(message_type: str) -> None:
    standard, published, own = shares.AIM[message_type]
    found = shares.share(message_type, "v3").leaves
    assert found.total() == standard + published + own
    assert found["standard"] >= standard and found["own"] <= own, found


def test_the_values_of_the_samples_are_said_in_standard_elements() -> None:
    told: Counter[str] = Counter()
    for message_type in shares.AIM:
        told += shares.share(message_type, "v3").told
    aims = [sum(aim[at] for aim in shares.AIM.values()) for at in range(3)]
    assert told["standard"] / told.total() >= aims[0] / sum(aims)
    assert told["own"] / told.total() <= aims[2] / sum(aims)


def test_no_resource_hides_the_message_in_a_container() -> None:
    kinds: set[str] = set()
    for message_type in shares.AIM:
        for document in shares.documents(message_type, "v3"):
            bundle = translation.to_fhir(edxl.message(document, "v3"))
            kinds |= {
                entry["resource"]["resourceType"]
                for entry in bundle["entry"]
                if message_type != "RS-ERROR"  # its sourceMessage is of any content
            }
    assert len(kinds) > 15
    assert not kinds & {"Basic", "Parameters", "Binary", "QuestionnaireResponse"}
