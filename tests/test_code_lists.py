"""Which code list holds where, and that no label of one list is ever put to a code of another."""

import json
from typing import Any

import pytest

from gateway import edxl, translation, validation
from gateway.canonical_files import artefacts
from gateway.conversion import convert
from gateway.conversion.code_map_file import by_field
from gateway.model import JsonObject, Message
from gateway.translation.tables import BASE
from schemas import codes
from schemas.examples import minimal
from schemas.fields import table
from tests.strategies import enveloped

ROOTS = {"RS-EDA": "createCaseHealth", "RC-EDA": "createCase", "RS-RPIS": "rpis"}
FIELDS = ("riskThreat", "whatsHappen", "locationKind", "healthMotive")


def message(message_type: str, version: str, **qualification: Any) -> Message:
    body = minimal(table(message_type, version).root)
    body["qualification"] = body["qualification"] | qualification
    made = edxl.message(enveloped(ROOTS[message_type], body), version)
    assert validation.is_valid(made)
    return made


def lists(message_type: str, version: str) -> list[str]:
    """The lists of the four coded fields of a qualification."""
    places = [["qualification", name, "code"] for name in FIELDS]
    found = [table(message_type, version).at([*place]) for place in places]
    return [field.codes or field.list for field in found if field is not None]


def test_each_type_and_version_has_its_lists() -> None:
    older = ["risque", "fait", "lieu", "motif"]
    assert lists("RS-EDA", "v3") == ["risque-2.3", "fait-2.3", "lieu-2.3", "motif-2.3"]
    assert lists("RC-EDA", "v3") == ["risque", "fait", "lieu", "motif-1.9"]
    assert [lists(kind, v) for kind in ("RS-EDA", "RC-EDA") for v in ("v1", "v2")] == [older] * 4
    update = table("RS-EDA-MAJ", "v3").at(["qualification", "riskThreat", "code"])
    place = table("RS-RPIS", "v3").at(["intervention", "location", "type"])
    motive = table("RS-RPIS", "v3").at(["regulation", "healthMotive", "code"])
    assert [f and f.codes for f in (update, place, motive)] == ["risque-2.3", "lieu-2.3", "motif-2.3"]


@pytest.mark.parametrize("text", ["# two\nmotif-1.9\nmotif-1.9", "\n\nnothing  # no such list"])
def test_a_bad_name_of_a_list_known_in_part_is_found_with_its_line(text: str) -> None:
    assert codes.read_incomplete("motif-1.9  # of the fire side\n") == {"motif-1.9"}
    with pytest.raises(ValueError, match=r"^schemas/terminology/incomplete\.txt:3: "):
        codes.read_incomplete(text)


VITAL = {
    "code": "C11.02.01",
    "label": "Malaise/détresse vitale",
}  # the other side's "Protection de Drop Zone"


def qualification(made: Message) -> JsonObject:
    found: JsonObject = made.body["qualification"]
    return found


@pytest.mark.parametrize("kind", ["RS-EDA", "RC-EDA"])
@pytest.mark.parametrize(
    ("source", "target"), [("v3", "v2"), ("v2", "v3"), ("v3", "v1"), ("v1", "v3"), ("v1", "v2"), ("v2", "v1")]
)
def test_where_the_code_stays_the_label_stays_the_senders(kind: str, source: str, target: str) -> None:
    place = {"code": "L01.01.01", "label": "Chez lui"}
    risk = {"code": "R17", "label": "Guêpes"}
    made = convert(message(kind, source, whatsHappen=VITAL, locationKind=place, riskThreat=[risk]), target)
    said = qualification(made.message)
    assert (said["whatsHappen"], said["locationKind"], said["riskThreat"]) == (VITAL, place, [risk])
    assert [loss for loss in made.lost if "qualification" in loss["path"]] == []


def test_a_number_that_means_something_else_in_the_other_list_is_not_kept() -> None:
    wood = {"code": "L05.01.04", "label": "Sous-bois"}  # "Haute forêt" in v1 and v2
    for version in ("v1", "v2"):
        made = convert(message("RS-EDA", "v3", locationKind=wood), version)
        assert qualification(made.message)["locationKind"] == {"code": "L05.01.03", "label": "Sous-bois"}
        assert [loss["path"].rpartition(".")[2] for loss in made.lost] == ["code"]
    tall = {"code": "L05.01.04", "label": "Haute forêt"}
    for version in ("v1", "v2"):
        said = qualification(convert(message("RS-EDA", version, locationKind=tall), "v3").message)
        assert said["locationKind"] == {"code": "L05.01.03", "label": "Haute forêt"}


def test_a_code_that_a_version_numbers_otherwise_keeps_the_sender_s_label() -> None:
    # C02.16.09 has C02.16.00 above it, which is C02.15.00 in v1; C02.15.00 of v2 is "Agression ou violence"
    odd = {"code": "C02.16.09", "label": "Jeux dangereux en ligne"}
    said = qualification(convert(message("RS-EDA", "v3", whatsHappen=odd), "v1").message)
    assert said["whatsHappen"] == {"code": "C02.15.00", "label": "Jeux dangereux en ligne"}


def test_where_the_label_of_the_code_is_not_known_it_stays_the_senders() -> None:
    # of 2.3 the wider code is not known
    doubled = {"code": "C02.14.01", "label": "Viol"}
    made = convert(message("RS-EDA", "v1", whatsHappen=doubled), "v3")
    assert qualification(made.message)["whatsHappen"] == {"code": "C02.00.00", "label": "Viol"}
    assert [loss["path"].rpartition(".")[2] for loss in made.lost if "whatsHappen" in loss["path"]] == [
        "code"
    ]


def test_a_risk_of_the_newer_list_goes_where_the_official_map_leads() -> None:
    lines = by_field(to_health=False)["riskThreat"]
    risks = [{"code": code, "label": label} for code, label in codes.labels("risque-2.3").items()]
    for version in ("v2", "v1"):
        for risk in risks:
            said = qualification(convert(message("RS-EDA", "v3", riskThreat=[risk]), version).message)
            stays = risk["code"] in codes.labels("risque")
            expected = risk["code"] if stays else lines[risk["code"]].code
            if risk["code"] == "R91":
                expected = "R23"  # the same label; the map's R25 is a celebrity
            assert [item["code"] for item in said["riskThreat"]] == [expected]


@pytest.mark.parametrize("kind", ["RS-EDA", "RC-EDA"])
def test_the_display_is_the_senders_label(kind: str) -> None:
    source = message(kind, "v3", whatsHappen=VITAL)
    bundle = translation.to_fhir(source)
    assert VITAL["label"] in json.dumps(bundle, ensure_ascii=False)
    assert codes.labels("fait")[VITAL["code"]] not in json.dumps(bundle, ensure_ascii=False)
    back = edxl.message(translation.from_fhir(bundle), "v3")
    assert qualification(back)["whatsHappen"] == VITAL


# -- the map for FHIR tools


def concept_map(name: str) -> JsonObject:
    return next(m for m in artefacts() if m.get("url") == f"{BASE}/ConceptMap/{name}")


@pytest.mark.parametrize(
    ("name", "to_health", "versions"),
    [
        ("cisu-1.9-to-hubsante-2.3", True, ("1.9", "2.3")),
        ("hubsante-2.3-to-cisu-1.9", False, ("2.3", "1.9")),
    ],
)
def test_a_concept_map_says_what_the_map_says(name: str, to_health: bool, versions: tuple[str, str]) -> None:
    groups = concept_map(name)["group"]
    assert [(g["sourceVersion"], g["targetVersion"]) for g in groups] == [versions] * 4
    assert [g["unmapped"] for g in groups] == [{"mode": "provided"}] * 4
    systems = [f"{BASE}/CodeSystem/{short}" for short in ("fait", "lieu", "motif", "risque")]
    assert [(g["source"], g["target"]) for g in groups] == [(system, system) for system in systems]
    for group, lines in zip(groups, by_field(to_health=to_health).values(), strict=True):
        said = {element["code"]: element["target"] for element in group["element"]}
        assert said == {
            code: [{"code": to.code, "display": to.label, "equivalence": "relatedto"}]
            if to.code
            else [{"equivalence": "unmatched"}]
            for code, to in lines.items()
        }


def test_a_code_system_has_every_label_of_a_code_that_two_lists_name_otherwise() -> None:
    system = next(m for m in artefacts() if m.get("url") == f"{BASE}/CodeSystem/lieu")
    concepts = {concept["code"]: concept for concept in system["concept"]}
    assert concepts["L05.01.04"] == {
        "code": "L05.01.04",
        "designation": [{"value": "Haute forêt"}, {"value": "Sous-bois"}],
    }
    assert concepts["L01.00.00"]["display"] == codes.labels("lieu")["L01.00.00"]


def test_a_map_between_versions_does_not_say_that_a_kept_code_means_the_same_in_a_list_known_in_part() -> (
    None
):
    for name in ("fait-v2-to-v3-fait-2-3", "fait-2-3-v3-to-v2-fait"):
        [group] = concept_map(name)["group"]
        kept = [e["target"][0] for e in group["element"] if e["target"][0].get("code") == e["code"]]
        assert kept and {target["equivalence"] for target in kept} == {"relatedto"}


def test_a_map_between_versions_says_where_a_code_goes_that_no_list_has() -> None:
    wide = {
        name: concept_map(f"{name}-v3-to-v2")["group"][0]["unmapped"] for name in ("fait", "lieu", "risque")
    }
    assert {name: said["code"] for name, said in wide.items()} == {
        "fait": "C11.06.00",
        "lieu": "L07.01.00",
        "risque": "R37",
    }
    # of a list known in part a code without an element may stay: nothing is said of it
    assert "unmapped" not in concept_map("motif-2-3-v3-to-v2-motif")["group"][0]
