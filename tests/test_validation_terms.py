import pytest

from gateway import validation
from gateway.errors import ErrorKind
from gateway.model import Message
from gateway.validation import MAX_ISSUES, terms
from tests.strategies import enveloped
from tests.validation_samples import CASE, Change, Json, case, changed, inner, judged, read


def _code(code: str, label: str) -> Change:
    def change(document: Json) -> None:
        inner(document)["createCaseHealth"]["qualification"]["whatsHappen"] = {"code": code, "label": label}

    return change


def test_an_unknown_code_is_a_warning_and_strictly_an_error() -> None:
    path = f"{CASE}.qualification.whatsHappen.code"
    issue = judged(_code("C01.01.99", "x"))[path]
    assert (issue.kind, issue.severity) == (ErrorKind.CODE, "warning")
    assert (
        'Found "C01.01.99"; expected a code of the list fait. Nearest: C01.01.00 (Accident routier)'
        in issue.diagnostics
    )
    assert judged(_code("C01.01.99", "x"), strict=True)[path].severity == "error"
    risks = {
        "riskThreat": [
            {"code": "R01", "label": "Dommage exclusivement matériel"},
            {"code": "R99", "label": "x"},
        ]
    }
    assert list(judged(changed(qualification=risks))) == [f"{CASE}.qualification.riskThreat[1].code"]


@pytest.mark.parametrize("strict", [False, True])
def test_another_label_is_information(strict: bool) -> None:
    issues = judged(_code("C01.01.01", "Voiture"), strict=strict)
    assert [(p, i.severity) for p, i in issues.items()] == [
        (f"{CASE}.qualification.whatsHappen.label", "information")
    ]


@pytest.mark.parametrize(
    "label",
    [
        "véhicule  léger, fourgon",
        "Accident de la circulation ; Accident routier ; Véhicule léger, fourgon",
        "véhicule léger, fourgon; de tourisme",
    ],
)
def test_a_label_with_its_ancestors_or_in_other_case_is_the_label(label: str) -> None:
    assert judged(_code("C01.01.01", label)) == {}


@pytest.mark.parametrize(
    "body",
    [
        {str(n): 1 for n in range(5_000)},
        {"patient": [{}] * 5_000},
        {"decision": [{"resourceType": f"SMU{n}"} for n in range(5_000)]},
        {"qualification": {"riskThreat": [{"code": "R99", "label": "x"}] * 5_000}},
    ],
    ids=["unknown members", "missing members", "wrong codes", "unknown codes"],
)
def test_a_flood_of_issues_is_capped_and_counted(body: Json) -> None:
    issues = validation.judge(read(enveloped("createCaseHealth", case() | body)))
    assert len(issues) == MAX_ISSUES + 1
    assert issues[-1].diagnostics.startswith("At least 1000 more issues")
    assert issues[-1].severity == "information"


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
    issues = judged(_code("C01.01.01", long))
    assert [i.severity for i in issues.values()] == ["information"]
    assert terms._remembered.cache_info().currsize == held
    for _ in range(2):  # told anew, and from memory
        again = judged(_code("C01.01.98", "y"))
        assert 'Found "C01.01.98"' in again[f"{CASE}.qualification.whatsHappen.code"].diagnostics
    assert terms._remembered.cache_info().currsize == held + 1
