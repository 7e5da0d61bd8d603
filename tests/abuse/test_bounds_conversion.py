"""Hundreds of entries that an older version refuses: each is taken out once, and none that it accepts."""

import pytest

from gateway import edxl
from gateway.conversion import convert
from tests.error_examples import PATIENT
from tests.house import case


@pytest.mark.parametrize("before", [1, 2, 3, 50])
def test_a_patient_stays_where_others_before_it_are_taken_out(before: int) -> None:
    """Taken out from the front, the second refused index was another patient's by then."""
    message = edxl.message(case(1, patient=[{}] * before + [PATIENT]), "v3")
    made = convert(message, "v2")
    assert made.message.body["patient"] == [PATIENT]
    lost = {loss["path"].rpartition(".")[2] for loss in made.lost}
    assert lost == {f"patient[{number}]" for number in range(before)}
