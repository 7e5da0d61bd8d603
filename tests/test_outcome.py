"""Every error of the catalogue, as the client sees it."""

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from gateway import outcome
from gateway.errors import ErrorKind, GatewayError, Issue
from tests.issue_types import ISSUE_TYPES


@pytest.mark.parametrize("kind", ErrorKind, ids=lambda k: k.value.code)
def test_each_kind_makes_a_valid_outcome(kind: ErrorKind) -> None:
    told = outcome.operation_outcome((Issue(kind, "Found x; send y.", "senderID", "/senderID"),))
    OperationOutcome.model_validate(told)
    (issue,) = told["issue"]
    assert issue["code"] in ISSUE_TYPES
    assert {e["url"].rsplit("/", 1)[1] for e in issue["extension"]} == {"retry", "pointer"}
    assert issue["extension"][0]["valueCode"] in {"same-id", "new-id", "after", "never"}
    assert issue["expression"] == ["senderID"]


def test_no_issue_is_said_too() -> None:
    told = outcome.operation_outcome(())
    OperationOutcome.model_validate(told)
    assert told["issue"][0]["severity"] == "information"


def test_control_characters_do_not_break_the_outcome() -> None:
    told = outcome.operation_outcome((Issue(ErrorKind.SCHEMA, "Found '\x00\x1b'.", "a\x00b", "/a\x00b"),))
    OperationOutcome.model_validate(told)
    assert "\x00" not in told["issue"][0]["diagnostics"] + told["issue"][0]["expression"][0]


def test_problem_details_carry_the_gravest_issue() -> None:
    issues = (Issue(ErrorKind.SCHEMA, "a", "x", "/x"), Issue(ErrorKind.ENVELOPE, "b", "y", "/y"))
    status = GatewayError(*issues).status
    told = outcome.problem_details(issues, status, "urn:request:1")
    assert (told["status"], told["detail"], told["retry"], len(told["errors"])) == (400, "b", "new-id", 2)


def test_codes_are_unique() -> None:
    codes = [kind.value.code for kind in ErrorKind]
    assert len(set(codes)) == len(codes)


def test_an_error_s_text_holds_no_diagnostics() -> None:
    error = GatewayError(Issue(ErrorKind.SCHEMA, "Found 'Dupont'.", "patient[0]"))
    assert str(error) == "invalid-message at patient[0]"
