"""The contract is valid OpenAPI, its examples fit its schemas, and it names every error of the catalogue."""

from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.errors import ErrorKind
from tests.openapi_documents import (
    FOLDER,
    NAMES,
    Place,
    bodies,
    document,
    documented,
    examples,
    follow,
    judge,
    operations,
    parameters,
    responses,
)

PROBLEM = "application/problem+json"
OUTCOME = "application/fhir+json"
ON_EVERY_PATH = {  # so that they stand at none
    "MethodNotAllowed": "405",
    "MalformedRequest": "400",
    "ExpectationFailed": "417",
    "HeadTooLarge": "431",
    "NotImplemented": "501",
    "HttpVersion": "505",
}


@pytest.mark.parametrize("name", NAMES)
def test_is_valid_openapi(name: str) -> None:
    problems = OpenAPIV31SpecValidator(document(name), base_uri=(FOLDER / name).as_uri()).iter_errors()
    assert [error.message for error in problems] == []


def test_the_whole_table_of_the_contract_is_documented() -> None:
    assert documented() == {
        ("POST", "/oauth2/token"),
        ("POST", "/oauth2/revoke"),
        ("GET", "/oauth2/jwks"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("GET", "/.well-known/smart-configuration"),
        ("GET", "/.well-known/webhook-keys"),
        ("POST", "/v1/messages"),
        ("GET", "/v1/messages"),
        ("POST", "/v1/messages/$validate"),
        ("POST", "/v1/messages/$translate"),
        ("GET", "/v1/messages/{id}"),
        ("GET", "/v1/inbox"),
        ("GET", "/v1/inbox/stream"),
        ("POST", "/v1/inbox/{id}/ack"),
        ("GET", "/v1/quota"),
        ("POST", "/core/$process-message"),
        ("GET", "/openapi.yaml"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_body_example_fits_its_schema(name: str) -> None:
    bad = []
    for where, content in bodies(name):
        for example, value in examples(content):
            bad += [f"{where} {example}: {problem}" for problem in judge(content / "schema", value)]
    assert bad == []


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_and_header_example_fits_its_schema(name: str) -> None:
    holders = list(parameters(name))
    for operation_id, status, response in responses(name):
        holders += [(f"{operation_id} {status} {key}", header) for key, header in response.members("headers")]
    bad = []
    for where, holder in holders:
        for example, value in examples(holder):
            bad += [f"{where} {example}: {problem}" for problem in judge(holder / "schema", value)]
    assert bad == []


def test_a_wrong_example_is_seen() -> None:
    receipt = follow(Place("gateway.yaml", "", {"$ref": "#/components/schemas/Receipt"}))
    assert judge(receipt, {"id": "", "receivedAt": "yesterday"}) != []


@pytest.mark.parametrize("name", NAMES)
def test_json_bodies_have_an_example_and_a_named_schema(name: str) -> None:
    for where, content in bodies(name):
        schema = content.value["schema"]
        assert "$ref" in schema or schema == {"type": "string"}, where
        if where.endswith("json") and not where.startswith("readOpenapiJson"):
            assert content.value.get("examples"), where


@pytest.mark.parametrize("name", NAMES)
def test_operations_are_ready_for_code_generation(name: str) -> None:
    found = [operation.value for _, _, operation in operations(name)]
    ids = [operation["operationId"] for operation in found]
    assert len(set(ids)) == len(ids)
    tags = {tag["name"] for tag in document(name)["tags"]}
    for operation in found:
        assert operation["summary"]
        assert set(operation["tags"]) <= tags


def test_every_answer_of_the_gateway_carries_its_ids() -> None:
    for operation_id, status, response in responses("gateway.yaml"):
        headers = set(response.value["headers"])
        assert {"X-Request-Id", "traceparent"} <= headers, (operation_id, status)


def test_good_answers_to_publishers_show_the_quota() -> None:
    for _, path, operation in operations("gateway.yaml"):
        if path.startswith("/v1/"):
            for status, response in operation.members("responses"):
                if status.startswith("2"):
                    assert {"RateLimit-Policy", "RateLimit"} <= set(response.value["headers"]), path


def test_scopes_are_those_of_the_security_scheme() -> None:
    schemes = document("gateway.yaml")["components"]["securitySchemes"]
    known = set(schemes["oauth2"]["flows"]["clientCredentials"]["scopes"])
    used = {
        scope
        for _, _, operation in operations("gateway.yaml")
        for requirement in operation.value.get("security", [])
        for scope in requirement.get("oauth2", [])
    }
    assert used == known


def coded(issue: dict[str, Any]) -> str:
    """The catalogue code of an OperationOutcome's issue, "" for a confirmation."""
    return str(issue["details"]["coding"][0]["code"]) if "details" in issue else ""


def error_examples(media_type: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every error example on an operation of the gateway, and those of every path, as (where, status, example)."""
    everywhere = Place("gateway.yaml", "", document("gateway.yaml")) / "components" / "responses"
    for operation_id, status, response in (
        *responses("gateway.yaml"),
        *(("every path", status, everywhere / name) for name, status in ON_EVERY_PATH.items()),
    ):
        for name, value in examples(response / "content" / media_type) if has(response, media_type) else ():
            if status >= "400":
                yield f"{operation_id} {status} {name}", status, value


def has(response: Place, media_type: str) -> bool:
    """Whether a response has a body of this media type."""
    return media_type in response.value.get("content", {})


@pytest.mark.parametrize("kind", ErrorKind, ids=lambda kind: kind.value.code)
def test_every_error_of_the_catalogue_is_shown_as_it_is_answered(kind: ErrorKind) -> None:
    shown = [
        (status, issue)
        for _, status, outcome in error_examples(OUTCOME)
        for issue in outcome["issue"]
        if coded(issue) == kind.value.code
    ]
    assert str(kind.value.status) in {status for status, _ in shown}
    for _, issue in shown:
        assert issue["code"] == kind.value.issue_type
        assert [e["valueCode"] for e in issue["extension"] if "valueCode" in e] == [kind.value.retry]
        codings = [(c["code"], c["display"]) for c in issue["details"]["coding"]]
        hub = [(str(kind.value.hub[0]), kind.value.hub[1])] if kind.value.hub else []
        assert codings == [(kind.value.code, kind.value.title), *hub]


def test_error_examples_stand_under_the_status_of_their_gravest_issue() -> None:
    status_of = {kind.value.code: kind.value.status for kind in ErrorKind}
    for where, status, outcome in error_examples(OUTCOME):
        errors = [issue for issue in outcome["issue"] if issue["severity"] == "error"]
        assert min(status_of[coded(issue)] for issue in errors) == int(status), where


def test_both_error_forms_tell_the_same() -> None:
    outcomes = {where: value for where, _, value in error_examples(OUTCOME)}
    problems = {where: (status, value) for where, status, value in error_examples(PROBLEM)}
    assert outcomes.keys() == problems.keys()
    for where, (status, problem) in problems.items():
        issues = outcomes[where]["issue"]
        assert problem["status"] == int(status), where
        assert [e["code"] for e in problem["errors"]] == [coded(issue) for issue in issues], where
        assert [e["detail"] for e in problem["errors"]] == [issue["diagnostics"] for issue in issues], where
        assert problem["retry"] in {e.get("valueCode") for issue in issues for e in issue["extension"]}, where


def test_the_code_lists_are_those_of_the_catalogue() -> None:
    schemas = document("gateway.yaml")["components"]["schemas"]
    assert schemas["ErrorCode"]["enum"] == [kind.value.code for kind in ErrorKind]
    assert set(schemas["IssueType"]["enum"]) == {kind.value.issue_type for kind in ErrorKind}
    assert {kind.value.retry for kind in ErrorKind} == set(schemas["Retry"]["enum"])


def test_no_component_lies_about_unused() -> None:
    text = "".join((FOLDER / name).read_text(encoding="utf-8") for name in NAMES)
    allowed = {f"#/components/responses/{name}" for name in ON_EVERY_PATH}
    for name in NAMES:
        for section, entries in document(name)["components"].items():
            if section != "securitySchemes":
                unused = {
                    f"#/components/{section}/{key}" for key in entries if f'/{section}/{key}"' not in text
                }
                assert unused <= allowed
