"""Checks over every answer that the other checks got: headers, and the form of errors. They run last."""

import re
from collections.abc import Iterable
from typing import Any

import orjson
from jsonschema import Draft202012Validator

from publishers.conformance.checks import Check, expect
from publishers.conformance.server.bench import ServerBench, issues_of, read, seen
from publishers.conformance.server.metadata import served_openapi
from publishers.conformance.server.wire import Exchange

# FHIR R4, value set issue-type, and the retry verbs that the contract lets each status have
ISSUE_TYPES = frozenset(
    [
        "invalid",
        "structure",
        "required",
        "value",
        "invariant",
        "security",
        "login",
        "unknown",
        "expired",
        "forbidden",
        "suppressed",
        "processing",
        "not-supported",
        "duplicate",
        "multiple-matches",
        "not-found",
        "deleted",
        "too-long",
        "code-invalid",
        "extension",
        "too-costly",
        "business-rule",
        "conflict",
        "transient",
        "lock-error",
        "no-store",
        "exception",
        "timeout",
        "incomplete",
        "throttled",
        "informational",
    ]
)
RETRIES: dict[int, set[str]] = {
    400: {"new-id", "same-id"},
    401: {"same-id"},
    403: {"never"},
    404: {"never"},
    405: {"never"},
    409: {"new-id"},
    410: {"new-id"},
    413: {"new-id"},
    415: {"same-id"},
    422: {"new-id", "never"},
    429: {"after"},
    500: {"same-id"},
    503: {"after"},
}
VERBS = {"same-id", "new-id", "after", "never"}
TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
INSIDE = re.compile(r"Traceback \(most recent|File \"[^\"]+\.py\"|site-packages|sqlite3\.|asyncpg\.")


async def request_id(bench: ServerBench) -> None:
    """A sound X-Request-Id is echoed and another replaced; every answer carries one."""
    answer = await bench.get("/v1/quota", headers={"X-Request-Id": "conformance-1234"})
    found = answer.headers.get("x-request-id")
    expect(found == "conformance-1234", f"X-Request-Id conformance-1234 came back as {found!r}")
    long = await bench.get("/v1/quota", headers={"X-Request-Id": "x" * 129})
    expect(long.headers.get("x-request-id") != "x" * 129, "an X-Request-Id of 129 characters was echoed")
    lacking = [e.name for e in bench.wire.exchanges if not e.answer.headers.get("x-request-id")]
    expect(not lacking, f"answers without X-Request-Id: {some(lacking)}")


async def traceparent(bench: ServerBench) -> None:
    """A traceparent is taken up, with a parent id of its own; every answer carries one."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = await bench.get("/v1/quota", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    found = answer.headers.get("traceparent", "")
    if found:
        expect(found.split("-")[1:2] == [trace], f"the trace id was not taken up: {found!r}")
        expect("00f067aa0ba902b7" not in found, "the parent id of the answer is the caller's own")
    lacking = [
        e.name
        for e in bench.wire.exchanges
        if not TRACEPARENT.fullmatch(e.answer.headers.get("traceparent", ""))
    ]
    expect(not lacking, f"answers without a valid traceparent: {some(lacking)}")


async def rate_limit(bench: ServerBench) -> None:
    """Every answer to an authenticated call shows RateLimit-Policy and RateLimit, errors too."""
    lacking = [
        e.name
        for e in bench.wire.exchanges
        if e.authenticated
        and not (e.answer.headers.get("ratelimit") and e.answer.headers.get("ratelimit-policy"))
    ]
    expect(not lacking, f"authenticated answers without RateLimit and RateLimit-Policy: {some(lacking)}")


async def outcomes(bench: ServerBench) -> None:
    """Every error outside /oauth2/ is an OperationOutcome, or problem details where asked for."""
    wrong = [f"{e.name}: {fault}" for e in errors(bench) if (fault := outcome_fault(e))]
    expect(not wrong, f"errors that are no OperationOutcome of FHIR R4: {some(wrong)}")


async def retries(bench: ServerBench) -> None:
    """Every error says by a retry verb what to do next, and the verb is that of its status."""
    wrong = []
    for exchange in errors(bench):
        allowed = RETRIES.get(exchange.answer.status_code, VERBS)
        found = verbs(exchange)  # several issues: the gravest one's verb is that of the status
        if found and not (allowed & set(found) and set(found) <= VERBS):
            told = ", ".join(sorted(set(found)))
            wrong.append(f"{exchange.name}: {told}, where {' or '.join(sorted(allowed))} is expected")
    expect(not wrong, f"wrong retry verbs: {some(wrong)}")


async def oauth_errors(bench: ServerBench) -> None:
    """Every error of the token endpoint is RFC 6749's."""
    for exchange in bench.wire.exchanges:
        if exchange.is_error and exchange.path == "/oauth2/token":
            told = read(exchange.answer)
            expect(isinstance(told.get("error"), str), f"{exchange.name}: no member error")
            expect(
                "application/json" in exchange.answer.headers.get("content-type", ""),
                f"{exchange.name} is no JSON",
            )


async def no_inside(bench: ServerBench) -> None:
    """No answer is a 500, and none shows the inside of the server."""
    for exchange in bench.wire.exchanges:
        expect(
            exchange.answer.status_code != 500, f"{exchange.name}: wrong input must never be a server error"
        )
        if exchange.is_error:
            expect(not INSIDE.search(exchange.answer.text), f"{exchange.name} shows the inside of the server")


async def retry_after(bench: ServerBench) -> None:
    """Every 429 and 503 says when to come again."""
    lacking = [
        e.name
        for e in bench.wire.exchanges
        if e.answer.status_code in {429, 503} and "retry-after" not in e.answer.headers
    ]
    expect(not lacking, f"answers without Retry-After: {some(lacking)}")


async def as_described(bench: ServerBench) -> None:
    """Every answer 2xx in JSON fits the schema that the served contract gives for it."""
    document = await served_openapi(bench)
    wrong = []
    for exchange in bench.wire.exchanges:
        kind = exchange.answer.headers.get("content-type", "")
        if exchange.answer.status_code // 100 == 2 and "application/json" in kind:
            fault = schema_fault(document, exchange)
            wrong += [f"{exchange.name}: {fault}"] if fault else []
    expect(not wrong, f"answers that do not fit the served contract: {some(wrong)}")


def errors(bench: ServerBench) -> Iterable[Exchange]:
    """The errors outside /oauth2/."""
    return (
        e
        for e in bench.wire.exchanges
        if e.is_error and not e.path.startswith("/oauth2/") and e.method != "HEAD"
    )


def outcome_fault(exchange: Exchange) -> str:
    """What is wrong with the form of an error, "" where nothing is."""
    answer = exchange.answer
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if "problem+json" in exchange.sent.get("Accept", ""):
        return "" if kind == "application/problem+json" else f"it is {kind}"
    if kind != "application/fhir+json":
        return f"it is {kind or 'without Content-Type'}"
    try:
        told = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return "it is no JSON"
    issues = issues_of(answer)
    if not isinstance(told, dict) or told.get("resourceType") != "OperationOutcome" or not issues:
        return "it has no issue"
    for issue in issues:
        if issue.get("severity") not in {"fatal", "error", "warning", "information"}:
            return f"severity is {issue.get('severity')!r}"
        if issue.get("code") not in ISSUE_TYPES:
            return f"code {issue.get('code')!r} is none of FHIR's issue types"
        if not issue.get("diagnostics") or not issue.get("details", {}).get("coding"):
            return "an issue has no diagnostics, or no code of the error catalogue"
    return ""


def verbs(exchange: Exchange) -> list[str]:
    """The retry verbs of an error; "nothing" stands for a missing one."""
    try:
        told: Any = orjson.loads(exchange.answer.content)
    except orjson.JSONDecodeError:
        return []  # another check judges the form
    if "problem+json" in exchange.answer.headers.get("content-type", ""):
        return [str(told.get("retry", "nothing"))]
    found = []
    for issue in issues_of(exchange.answer):
        if issue.get("severity") == "error":
            own = [
                x.get("valueCode") for x in issue.get("extension", []) if str(x.get("url")).endswith("/retry")
            ]
            found.append(str(own[0]) if own else "nothing")
    return found


def schema_fault(document: dict[str, Any], exchange: Exchange) -> str:
    """How an answer differs from the schema of its operation in the OpenAPI document, "" where it does not."""
    template = next((p for p in document.get("paths", {}) if matches(p, exchange.path)), "")
    responses = document["paths"].get(template, {}).get(exchange.method.lower(), {}).get("responses", {})
    response = responses.get(str(exchange.answer.status_code))
    if response is None:
        return f"the status is not described ({seen(exchange.answer)})" if template else ""
    schema = response.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return ""
    whole = {**schema, "components": document.get("components", {})}
    fault = next(iter(Draft202012Validator(whole).iter_errors(orjson.loads(exchange.answer.content))), None)
    return (
        f"{fault.json_path} breaks {fault.validator}" if fault else ""
    )  # never the value: it may be a patient's


def matches(template: str, path: str) -> bool:
    """Whether a path is one of a template's."""
    parts, given = template.split("/"), path.split("/")
    return len(parts) == len(given) and all(
        p == g or p.startswith("{") for p, g in zip(parts, given, strict=True)
    )


def some(names: list[str]) -> str:
    """The first few of many findings, each once."""
    once = list(dict.fromkeys(names))
    return "; ".join(once[:5]) + (f"; and {len(once) - 5} more" if len(once) > 5 else "")


CHECKS: tuple[Check[ServerBench], ...] = (
    Check("request-id", "X-Request-Id on every answer", ("server.request-id",), request_id),
    Check("traceparent", "traceparent on every answer", ("server.traceparent",), traceparent),
    Check("ratelimit", "RateLimit on every authenticated answer", ("server.ratelimit",), rate_limit),
    Check("outcome", "Every error is an OperationOutcome", ("server.operation-outcome",), outcomes),
    Check("retry-verb", "Every error says what to do next", ("server.retry-verb",), retries),
    Check(
        "oauth-error",
        "Every error of the token endpoint is RFC 6749's",
        ("server.oauth-error",),
        oauth_errors,
    ),
    Check("no-inside", "No error shows the inside", ("server.no-inside",), no_inside),
    Check("retry-after", "Every 429 and 503 says when", ("server.retry-after",), retry_after),
    Check("as-described", "Answers fit the served contract", ("server.as-described",), as_described),
)
