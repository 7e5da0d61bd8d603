"""The code map and what is known of its lists, against the official file."""

import csv
from collections import Counter
from copy import deepcopy
from functools import cache
from pathlib import Path

import orjson
import pytest

from gateway import edxl
from gateway.conversion.code_map import crossed
from gateway.conversion.code_map_file import by_field, sections
from gateway.model import JsonObject
from schemas import codes
from tests.house import house
from tests.test_conversion import INNER as PREFIX
from tests.test_conversion_cisu import FIRE_CASE, HEALTH_CASE, message

FILE = (
    Path(__file__).parents[1].parent
    / "shared"
    / "hubsante"
    / "nomenclatures"
    / "CISU-1.9-to-HubSante-2.3.csv"
)
pytestmark = pytest.mark.skipif(not FILE.exists(), reason="the official code map is not here")

CISU, HEALTH = "1.9", "2.3"
Row = tuple[
    str, str, str, str, str, str, str
]  # field, list version, code and label received, the same of what is sent


@cache
def rows() -> tuple[Row, ...]:
    """The rows of the official file without its empty ones; white space is one space."""
    with FILE.open(encoding="utf-8-sig", newline="") as file:
        cells = [[" ".join(cell.split()) for cell in row] for row in csv.reader(file, delimiter=";")][1:]
    return tuple(
        (row[1].removeprefix("$.qualification."), *row[2:8])  # type: ignore[misc]
        for row in cells
        if any(row)
    )


def test_the_official_file_has_578_rows() -> None:
    assert Counter((sent, received) for _, received, _, _, sent, _, _ in rows()) == {
        (HEALTH, CISU): 233,
        (CISU, HEALTH): 345,
    }
    assert len({row[:3] for row in rows()}) == 578  # no code has two rows


def test_every_row_of_the_official_file_crosses() -> None:
    for name, received, code, label, _, target, target_label in rows():
        coded, there = {"code": code, "label": label}, {"code": target, "label": target_label}
        whole: JsonObject = {name: [coded] if name == "riskThreat" else coded}
        made, [change] = crossed(whole, received == CISU)
        expected = {name: [there] if name == "riskThreat" else there} if target else {}
        assert (made, change.source_code, change.target_code) == (expected, code, target)


def test_the_map_has_no_other_row() -> None:
    ours = {
        (name, CISU if to_health else HEALTH, code)
        for to_health in (True, False)
        for name, lines in by_field(to_health=to_health).items()
        for code in lines
    }
    assert ours == {row[:3] for row in rows()}


def test_every_label_of_a_list_that_is_known_in_part_is_the_official_one() -> None:
    said: dict[tuple[str, str, str], set[str]] = {}
    for name, received, code, label, sent, target, target_label in rows():
        said.setdefault((name, received, code), set()).add(label)
        said.setdefault((name, sent, target), set()).add(target_label)
    versions = {
        (section.field, CISU if section.to == "health" else HEALTH): section.source for section in sections()
    }
    for (name, version), source in versions.items():
        if not codes.complete(source):
            for code, label in codes.labels(source).items():
                assert label in said[name, version, code]


async def test_every_row_goes_through_translate(tmp_path: Path) -> None:
    """Over HTTP: the code of each row in a whole message of its side becomes the code and label of the row."""
    async with house(tmp_path) as gateway:
        tokens = {to: await gateway.token("fire" if to else "lrm") for to in (True, False)}
        for name, received, code, label, _, target, target_label in rows():
            to_health = received == CISU
            body = deepcopy(FIRE_CASE if to_health else HEALTH_CASE)
            coded: JsonObject = {"code": code, "label": label}
            body["qualification"][name] = [coded] if name == "riskThreat" else coded
            source = message("RC-EDA" if to_health else "RS-EDA", body)
            answer = await gateway.client.post(
                f"/v1/messages/$translate?to={'RS-EDA' if to_health else 'RC-EDA'}",
                content=orjson.dumps(source.document),
                headers={"Content-Type": "application/json", **tokens[to_health]},
            )
            assert answer.status_code == 200, answer.text
            made = edxl.message(answer.json()["content"], "v3").body["qualification"]
            found = made.get(name)
            wanted: JsonObject = {"code": target, "label": target_label}
            if not target and name == "whatsHappen" and not to_health:
                assert found["code"] == "C11.06.00"  # RC-EDA must have one
            else:
                assert found == (([wanted] if name == "riskThreat" else wanted) if target else None), code
            place = f"qualification.{name}" + ("[0]" if name == "riskThreat" else "")
            paths = [loss["path"] for loss in answer.json()["loss"]]
            assert [path for path in paths if path.startswith(f"{PREFIX}{source.root_key}.{place}.")] or (
                wanted == coded
            )
