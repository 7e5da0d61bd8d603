"""The official code map between the fire side's lists and the health side's: the data, and a qualification that crosses."""

import copy
import hashlib
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.conversion import code_map, code_map_file
from gateway.conversion.code_map import CodeChange, crossed
from gateway.conversion.code_map_file import FIELDS, by_field, findings, read, sections
from gateway.errors import ConfigurationError
from gateway.model import JsonObject
from schemas import codes

HEALTH, FIRE = True, False
# what the official map says, as it was reviewed: a change of any row shows here
PINNED = "e5497c645e4722448951de8100041b8887c98c89244951a9ec178634853d7a50"


def rows(to_health: bool) -> list[tuple[str, str, str, str]]:
    """Field, code, code there and label of every line of a direction."""
    lines = by_field(to_health=to_health).items()
    return [(name, code, to.code, to.label) for name, said in lines for code, to in said.items()]


def one(name: str, code: str, label: str = "libellé de l'émetteur") -> JsonObject:
    coded = {"code": code, "label": label}
    return {name: [coded] if name == "riskThreat" else coded}


def test_the_map_is_right() -> None:
    assert code_map.check() == []


def test_the_map_has_all_rows_of_both_directions() -> None:
    assert Counter(name for name, *_ in rows(HEALTH)) == {
        "whatsHappen": 18,
        "locationKind": 13,
        "healthMotive": 201,
        "riskThreat": 1,
    }
    assert Counter(name for name, *_ in rows(FIRE)) == {
        "whatsHappen": 62,
        "locationKind": 60,
        "healthMotive": 190,
        "riskThreat": 33,
    }
    told = "\n".join("|".join(row) for direction in (HEALTH, FIRE) for row in sorted(rows(direction)))
    assert hashlib.sha256(told.encode()).hexdigest() == PINNED


def test_what_is_known_of_a_list_in_part_is_what_the_map_names() -> None:
    named: dict[str, set[str]] = {}
    for section in sections():
        named.setdefault(section.source, set()).update(section.lines)
        named.setdefault(section.target, set()).update(to.code for to in section.lines.values() if to.code)
    assert {name for name in named if not codes.complete(name)} == codes.incomplete()
    for name in codes.incomplete():
        assert named[name] == codes.labels(name).keys(), name


@pytest.mark.parametrize(("to_health", "count"), [(HEALTH, 233), (FIRE, 345)], ids=["health", "fire"])
def test_every_row_crosses(to_health: bool, count: int) -> None:
    for name, code, target, label in rows(to_health):
        made, changes = crossed(one(name, code), to_health)
        place = (name, 0) if name == "riskThreat" else (name,)
        assert made == (one(name, target, label) if target else {})
        assert changes == (CodeChange(place, place if target else (), code, target),)
    assert len(rows(to_health)) == count


@pytest.mark.parametrize(
    ("to_health", "given_", "made"),
    [
        (FIRE, ("healthMotive", "M08.02.00"), ("M22.11", "Arrêt cardio-respiratoire")),
        (HEALTH, ("healthMotive", "M22.11"), ("M08.02.00", "Personne en arrêt cardio-respiratoire")),
        (FIRE, ("whatsHappen", "C02.18.00"), ("C02.05.03", "Psychiatrique")),
        # one code, two labels: the label goes with the list
        (HEALTH, ("locationKind", "L05.01.03"), ("L05.01.03", "Milieu forestier")),
        (FIRE, ("locationKind", "L05.01.03"), ("L05.01.00", "Plaine et campagne")),
        # not in the map: C11.02.01 means something else in the two lists, and still is kept as it was said
        (FIRE, ("whatsHappen", "C11.02.01"), None),
        (HEALTH, ("whatsHappen", "C11.02.01"), None),
        (HEALTH, ("riskThreat", "R17"), None),
        # codes of one direction only
        (HEALTH, ("healthMotive", "M08.02.00"), None),
        (FIRE, ("healthMotive", "M22.11"), None),
    ],
)
def test_what_a_code_becomes(to_health: bool, given_: tuple[str, str], made: tuple[str, str] | None) -> None:
    name, code = given_
    whole = one(name, code)
    assert crossed(whole, to_health)[0] == (one(name, *made) if made else whole)
    assert bool(crossed(whole, to_health)[1]) == bool(made)


def risks(*given_: str) -> JsonObject:
    return {"riskThreat": [{"code": code, "label": f"dit {code}"} for code in given_]}


def at(index: int) -> tuple[str, int]:
    return ("riskThreat", index)


def test_a_removed_item_moves_the_ones_behind_it() -> None:
    made, changes = crossed(risks("R01", "R36", "R02"), HEALTH)
    assert made == risks("R01", "R02")
    assert changes == (CodeChange(at(1), (), "R36", ""),)


def test_a_list_that_becomes_empty_is_removed() -> None:
    assert crossed(risks("R36") | {"origin": "15"}, HEALTH)[0] == {"origin": "15"}
    assert crossed({"riskThreat": []}, HEALTH) == ({"riskThreat": []}, ())


def test_items_that_become_one_are_kept_once() -> None:
    unstable = {"code": "R37", "label": "Situation instable/indéterminée"}
    made, changes = crossed(risks("R88", "R01", "R89", "R37", "R75"), FIRE)
    assert made["riskThreat"] == [
        unstable,
        {"code": "R01", "label": "dit R01"},
        {"code": "R13", "label": "Risque d'explosion, présence de gaz"},
    ]
    assert changes == (
        CodeChange(at(0), at(0), "R88", "R37"),
        CodeChange(at(2), at(0), "R89", "R37", folded=True),
        CodeChange(at(3), at(0), "R37", "R37", folded=True),
        CodeChange(at(4), at(2), "R75", "R13"),
    )
    # where the sender said the code first, the sender's label stays
    made, changes = crossed(risks("R37", "R88"), FIRE)
    assert made == risks("R37")
    assert changes == (CodeChange(at(1), at(0), "R88", "R37", folded=True),)


def test_what_the_sender_says_twice_stays_twice() -> None:
    assert crossed(risks("R01", "R01"), FIRE) == (risks("R01", "R01"), ())


ODD: list[Any] = [None, 3, "C02.18.00", [], {}, {"label": "x"}, {"code": None}, {"code": ["C02.18.00"]}]


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("name", [*FIELDS, "details"])
def test_a_value_of_another_form_is_kept(name: str, value: Any) -> None:
    for whole in ({name: value}, {name: [value, {"code": "R99", "label": "x"}, value]}):
        assert crossed(whole, FIRE) == (whole, ())


LISTS = {
    (section.to == "health", section.field): (
        sorted(codes.labels(section.source)),
        codes.labels(section.target).keys(),
    )
    for section in sections()
}
TEXT = st.text(max_size=20)


@st.composite
def qualifications(draw: st.DrawFn) -> tuple[bool, JsonObject]:
    """A qualification with codes of the lists and others, in the direction that it is to go."""
    to_health = draw(st.booleans())
    made: JsonObject = {"origin": "15", "details": {"status": "ACTIF"}}
    for name in draw(st.permutations(FIELDS)):
        code = (
            st.sampled_from(LISTS[to_health, name][0]) | st.sampled_from(["R36", "R99", "C99.00.00"]) | TEXT
        )
        coded = st.fixed_dictionaries({"code": code, "label": TEXT})
        if draw(st.booleans()):
            made[name] = draw(st.lists(coded, max_size=6) if name == "riskThreat" else coded)
    return to_health, made


def coded_places(qualification: JsonObject) -> dict[tuple[Any, ...], JsonObject]:
    """Each coded value by its place."""
    found: dict[tuple[Any, ...], JsonObject] = {}
    for name in FIELDS:
        value = qualification.get(name)
        if isinstance(value, list):
            found |= {(name, index): item for index, item in enumerate(value)}
        elif value is not None:
            found[(name,)] = value
    return found


@given(qualifications())
def test_every_code_is_kept_replaced_removed_or_folded(drawn: tuple[bool, JsonObject]) -> None:
    to_health, whole = drawn
    before = copy.deepcopy(whole)
    made, changes = crossed(whole, to_health)
    assert whole == before
    assert {name: made[name] for name in made if name not in FIELDS} == {
        name: whole[name] for name in whole if name not in FIELDS
    }
    there, here = coded_places(made), coded_places(whole)
    changed = {change.source: change for change in changes}
    assert len(changed) == len(changes)
    kept = [value for place, value in here.items() if place not in changed]
    for place, change in changed.items():
        line = by_field(to_health=to_health)[str(place[0])].get(change.source_code)
        assert change.source_code == here[place]["code"]
        assert change.folded or (line is not None and line.code == change.target_code)
        assert bool(change.target) == bool(change.target_code)
        if change.target:
            assert there[change.target]["code"] == change.target_code
        if line is not None and line.code:
            assert line.code in LISTS[to_health, str(place[0])][1]
        if change.target and not change.folded:
            assert line is not None and there[change.target]["label"] == line.label
    replaced = {change.target for change in changes if change.target and not change.folded}
    assert [value for place, value in there.items() if place not in replaced] == kept
    for value, place in ((here[p], p) for p in here.keys() - changed.keys()):
        assert value["code"] not in by_field(to_health=to_health)[str(place[0])]


# -- the notation


SMALL = "to health  riskThreat  risque -> risque-2.3\nR13  ->  R60  x y\n\n# note\nR36  !\n"


def test_a_small_map_is_read() -> None:
    [section] = read(SMALL, "small.map")
    assert (section.where, section.to, section.field) == ("small.map:1", "health", "riskThreat")
    assert {code: (to.code, to.label, to.where) for code, to in section.lines.items()} == {
        "R13": ("R60", "x y", "small.map:2"),
        "R36": ("", "", "small.map:5"),
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("R13  ->  R60  x", "small.map:1: expected `to health  FIELD  LIST -> LIST` before"),
        (SMALL + "R36  ->  R60  x", "small.map:6: R36 has a line already, small.map:5"),
        (SMALL + "R37  ->  R60", "small.map:6: expected `CODE  ->  CODE  LABEL` or `CODE  !`"),
        (SMALL + "R37 -> R60 x", "small.map:6: expected `CODE"),
        (
            "to police  riskThreat  risque -> risque-2.3",
            "small.map:1: expected `to health | fire` and one of",
        ),
        ("to fire  details  risque -> risque-2.3", "small.map:1: expected `to health | fire` and one of"),
    ],
)
def test_a_bad_line_is_named(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text, "small.map")
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "to health  riskThreat  risque -> risque-2.3\nR99  !",
            "small.map:2: R99 is no code of the list risque",
        ),
        (
            "to health  riskThreat  risque -> risque-2.3\nR13  ->  R99  x",
            "small.map:2: R99 is no code of the list risque-2.3",
        ),
        ("to health  riskThreat  risque -> gone", "small.map:1: there is no code list gone"),
        (SMALL, f"{code_map_file.FILE}:1: expected one section `to fire  riskThreat`, found 0"),
        (SMALL * 2, f"{code_map_file.FILE}:1: expected one section `to health  riskThreat`, found 2"),
    ],
)
def test_what_does_not_fit_the_lists_is_named(text: str, says: str) -> None:
    assert says in list(findings(read(text, "small.map")))
