from typing import Any

import pytest

from gateway import validation
from gateway.errors import ErrorKind, Issue
from gateway.model import Message
from gateway.validation import MAX_ISSUES, terms
from schemas import codes
from schemas.examples import full
from schemas.fields import table
from tests.strategies import enveloped
from tests.validation_samples import MESSAGE, Json, case, changed, judged, read

FIRE = f"{MESSAGE}.createCase"
FACT = f"{FIRE}.qualification.whatsHappen"


def shared(strict: bool = False, **qualification: Any) -> dict[str, Issue]:
    """The issues of a case of the fire side, whose lists are complete but for the motives, by path."""
    body = {name: value for name, value in full(table("RC-EDA", "v3").root).items() if name not in LONG}
    body["qualification"] = {"whatsHappen": {"code": "C01.01.01", "label": "Véhicule léger, fourgon"}}
    body["qualification"] |= qualification
    issues = validation.judge(read(enveloped("createCase", body)), strict_codes=strict)
    return {issue.path: issue for issue in issues}


LONG = ("initialAlert", "newAlert")  # they have a qualification of their own


def fact(code: str, label: str, *, strict: bool = False) -> dict[str, Issue]:
    return shared(strict, whatsHappen={"code": code, "label": label})


def test_an_unknown_code_is_a_warning_and_strictly_an_error() -> None:
    path = f"{FACT}.code"
    issue = fact("C01.01.99", "x")[path]
    assert (issue.kind, issue.severity) == (ErrorKind.CODE, "warning")
    assert (
        'Found "C01.01.99"; expected a code of the list fait. Nearest: C01.01.00 (Accident routier)'
        in issue.diagnostics
    )
    assert fact("C01.01.99", "x", strict=True)[path].severity == "error"
    risks = [{"code": "R01", "label": "Dommage exclusivement matériel"}, {"code": "R99", "label": "x"}]
    assert list(shared(riskThreat=risks)) == [f"{FIRE}.qualification.riskThreat[1].code"]


@pytest.mark.parametrize("strict", [False, True])
def test_another_label_is_information(strict: bool) -> None:
    issues = fact("C01.01.01", "Voiture", strict=strict)
    assert [(p, i.severity) for p, i in issues.items()] == [(f"{FACT}.label", "information")]
    assert issues[f"{FACT}.label"].diagnostics == (
        'Found "Voiture" with C01.01.01, which the list fait calls "Véhicule léger, fourgon". '
        "Code and label disagree: check which of the two is meant."
    )


PARTLY = {
    "whatsHappen": (
        "C11.02.01",
        "Malaise/détresse vitale",
    ),  # "Protection de Drop Zone" in the other side's list
    "locationKind": ("L05.01.04", "Sous-bois"),
    "healthMotive": ("M08.02.00", "Arrêt cardio-respiratoire"),
    "riskThreat": ("R99", "x"),
}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", PARTLY)
@pytest.mark.parametrize("label", ["", "x"])
def test_a_list_that_is_known_in_part_says_nothing(name: str, label: str, strict: bool) -> None:
    code, known = PARTLY[name]
    coded = {"code": code, "label": label or known}
    qualification = {name: [coded] if name == "riskThreat" else coded}
    assert judged(changed(qualification=qualification), strict=strict) == {}
    assert shared(strict, healthMotive={"code": "M99.99", "label": "x"}) == {}


def test_which_lists_are_known_in_part() -> None:
    assert codes.incomplete() == {"fait-2.3", "lieu-2.3", "motif-1.9", "motif-2.3", "risque-2.3"}
    assert codes.complete("fait") and not codes.complete("fait-2.3")


@pytest.mark.parametrize(
    "label",
    [
        "véhicule  léger, fourgon",
        "Accident de la circulation ; Accident routier ; Véhicule léger, fourgon",
        "véhicule léger, fourgon; de tourisme",
    ],
)
def test_a_label_with_its_ancestors_or_in_other_case_is_the_label(label: str) -> None:
    assert fact("C01.01.01", label) == {}


@pytest.mark.parametrize(
    "body",
    [
        {str(n): 1 for n in range(5_000)},
        {"patient": [{}] * 5_000},
        {"decision": [{"resourceType": f"SMU{n}"} for n in range(5_000)]},
    ],
    ids=["unknown members", "missing members", "wrong codes"],
)
def test_a_flood_of_issues_is_capped_and_counted(body: Json) -> None:
    issues = validation.judge(read(enveloped("createCaseHealth", case() | body)))
    assert len(issues) == MAX_ISSUES + 1
    assert issues[-1].diagnostics.startswith("At least 1000 more issues")
    assert issues[-1].severity == "information"


def test_a_flood_of_unknown_codes_is_capped() -> None:
    issues = shared(riskThreat=[{"code": "R99", "label": "x"}] * 5_000)
    assert len(issues) == MAX_ISSUES + 1
    assert "At least 1000 more issues" in issues[""].diagnostics


def test_a_few_issues_beyond_the_cap_are_counted() -> None:
    issues = validation.judge(
        read(enveloped("createCaseHealth", case() | {str(n): 1 for n in range(MAX_ISSUES + 3)}))
    )
    assert issues[-1].diagnostics.startswith("3 more issues")


def test_each_code_in_a_list_of_codes_is_looked_up() -> None:
    event = {"ETYPE": {"LOCTYPE": ["COAST", "SEASIDE", 3]}}
    message = Message({}, read(enveloped("emsi", {})).envelope, {}, "emsi", "EMSI", "v3", {"EVENT": event})
    [issue] = terms.issues(message, strict=False)
    assert issue.path.endswith("emsi.EVENT.ETYPE.LOCTYPE[1]") and issue.severity == "warning"
    assert "expected a code of the list EMSI-EVENT.ETYPE.LOCTYPE" in issue.diagnostics


def test_a_pair_too_long_to_be_remembered_is_told_like_a_short_one() -> None:
    long = "x" * 1_000
    held = terms._remembered.cache_info().currsize
    issues = fact("C01.01.01", long)
    assert [i.severity for i in issues.values()] == ["information"]
    assert terms._remembered.cache_info().currsize == held
    for _ in range(2):  # told anew, and from memory
        again = fact("C01.01.98", "y")
        assert 'Found "C01.01.98"' in again[f"{FACT}.code"].diagnostics
    assert terms._remembered.cache_info().currsize == held + 1
