"""Warnings about places that are nowhere and about leap seconds: told by $validate, and never a reason to refuse."""

from typing import Any

import pytest

from gateway import edxl, validation
from tests.house import case
from tests.strategies import enveloped

POINT = {"lat": 47.2, "lon": -1.5, "precision": "EXACTE"}


def with_point(**coord: Any) -> dict[str, Any]:
    geometry = {"datetime": "2026-11-24T10:00:00+01:00", "point": {"coord": {**POINT, **coord}}}
    return case(1, location={"geometry": geometry})


def told(document: dict[str, Any]) -> list[tuple[str, str]]:
    """The severity and the last part of the path of each issue."""
    message = edxl.message(document, "v3")
    assert validation.accepts(message)
    return [(issue.severity, issue.path.rpartition(".")[2]) for issue in validation.judge(message)]


@pytest.mark.parametrize(
    ("coord", "place"),
    [
        ({"lat": 90.5}, "lat"),
        ({"lat": -91}, "lat"),
        ({"lon": 180.0001}, "lon"),
        ({"lon": -4720}, "lon"),  # degrees and minutes in one number
    ],
)
def test_a_place_that_is_nowhere_is_warned_of(coord: dict[str, Any], place: str) -> None:
    assert told(with_point(**coord)) == [("warning", place)]


@pytest.mark.parametrize("coord", [{"lat": 90, "lon": -180}, {"lat": -90.0, "lon": 180.0}, {"height": 4_808}])
def test_the_whole_earth_is_well(coord: dict[str, Any]) -> None:
    assert told(with_point(**coord)) == []


@pytest.mark.parametrize(("system", "warned"), [("EPSG-4326", True), (None, True), ("EPSG-2154", False)])
def test_another_coordinate_system_has_other_numbers(system: str | None, warned: bool) -> None:
    position = {"LOC_ID": "1", "TYPE": "POINT", "COORD": [{"LAT": 6_700_000.0, "LONG": 350_000.0}]}
    if system is not None:
        position["COORDSYS"] = system
    emsi = {"EVENT": {"EGEO": [{"POSITION": position, "TYPE": "/"}]}}
    issues = validation.judge(edxl.message(enveloped("emsi", emsi), "v3"))
    found = [issue.path.rpartition(".")[2] for issue in issues if issue.severity == "warning"]
    assert found == (["LAT", "LONG"] if warned else [])


def test_a_leap_second_is_warned_of_wherever_it_stands() -> None:
    document = case(1, creation="2016-12-31T23:59:60+00:00")
    document["dateTimeExpires"] = "2036-12-31T23:59:60Z"
    message = edxl.message(document, "v3")
    found = [(issue.severity, issue.path.rpartition(".")[2]) for issue in validation.judge(message)]
    assert found == [("warning", "dateTimeExpires"), ("warning", "creation")]
