"""What the code maps say of older versions, against the official schemas of those versions."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.conversion.codes import correspondences
from gateway.conversion.doubt import choices

SCHEMAS = Path(__file__).parents[1].parent / "shared" / "hubsante" / "json-schema"
NOMENCLATURES = SCHEMAS.parent / "nomenclatures"
pytestmark = pytest.mark.skipif(not SCHEMAS.exists(), reason="the official schemas are not here")


def _enum(version: str, message_type: str, code: str) -> list[str]:
    """The first enum of an official schema that has the code, in official order, a code that is there twice twice."""
    schema = json.loads((SCHEMAS / version / f"{message_type}.schema.json").read_text())
    return next(enum for enum in _enums(schema) if code in enum)


def _enums(node: Any) -> Iterator[list[str]]:
    if isinstance(node, dict):
        if "enum" in node:
            yield node["enum"]
        for value in node.values():
            yield from _enums(value)
    elif isinstance(node, list):
        for value in node:
            yield from _enums(value)


def test_v1_numbers_two_classes_of_facts_alike() -> None:
    # place by place the two lists are the same but for the number of what stands behind the doubled class
    old, new = _enum("v1", "RS-EDA", "C02.14.06"), _enum("v2", "RS-EDA", "C02.15.06")
    assert len(old) == len(new)
    renumbered = {(here, there) for here, there in zip(old, new, strict=True) if here != there}
    assert {there for _, there in renumbered} == {code for code in new if code[:6] in ("C02.15", "C02.16")}
    found = correspondences(("v1", "fait"), ("v2", "fait"), frozenset(old), frozenset(new))
    back = correspondences(("v2", "fait"), ("v1", "fait"), frozenset(new), frozenset(old))
    for here, there in zip(old, new, strict=True):
        once = old.count(here) == 1
        assert found[here].code == (there if once else "C02.00.00")
        assert found[here].equivalence == ("equivalent" if once else "wider")
        assert back[there].code == here
        assert back[there].equivalence == ("equivalent" if once else "wider")
        meant = choices(("v1", "fait")).get(here)
        assert (meant is None) is once
        assert meant is None or meant.meant(_official_labels("fait")[there]) == there


def _official_labels(name: str) -> dict[str, str]:
    """The last label of each code in the official nomenclature."""
    with (NOMENCLATURES / f"HubSante.{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    levels = [column for column in rows[0] if column.startswith("label")]
    return {row["code"].strip(): next((row[one] for one in reversed(levels) if row[one]), "") for row in rows}


@pytest.mark.parametrize("versions", [("v1", "v2"), ("v2", "v3")])
def test_vehicle_states_of_one_place_are_one_state(versions: tuple[str, str]) -> None:
    older, newer = versions
    old, new = _enum(older, "RS-SR", "DECISION"), _enum(newer, "RS-SR", "DECISION")
    found = correspondences(
        (older, "statutVecteur"), (newer, "statutVecteur"), frozenset(old), frozenset(new)
    )
    # v1 has ANNULE two places later, v3 has ORIENTAT in between
    order = [code for code in old if code != "ANNULE"]
    assert [found[code].code for code in order] == [
        code for code in new if code not in ("ANNULE", "ORIENTAT")
    ]
