"""The answers of the fake gateway that are errors, as the contract has them."""

import json
import re
from collections.abc import Callable
from typing import Any

import httpx

SYSTEM = "https://hub-fhir.example/fhir"
CATALOGUE = {  # code: status, FHIR issue type, retry verb
    "unreadable": (400, "structure", "new-id"),
    "unauthenticated": (401, "login", "same-id"),
    "insufficient-scope": (403, "forbidden", "never"),
    "sender-inconsistent": (403, "forbidden", "never"),
    "not-found": (404, "not-found", "never"),
    "distribution-id-reused": (409, "duplicate", "new-id"),
    "expired": (410, "expired", "new-id"),
    "invalid-message": (422, "invalid", "new-id"),
    "unroutable": (422, "not-found", "new-id"),
    "untranslatable": (422, "not-supported", "never"),
    "quota-exceeded": (429, "throttled", "after"),
    "internal": (500, "exception", "same-id"),
    "overloaded": (503, "transient", "after"),
}


def refusal(
    code: str, diagnostics: str = "", expression: str = "", headers: dict[str, str] | None = None
) -> httpx.Response:
    """An OperationOutcome with one issue of the catalogue."""
    status, issue_type, retry = CATALOGUE[code]
    extension = [{"url": f"{SYSTEM}/StructureDefinition/retry", "valueCode": retry}]
    issue: dict[str, Any] = {
        "severity": "error",
        "code": issue_type,
        "details": {"coding": [{"system": f"{SYSTEM}/CodeSystem/error", "code": code, "display": code}]},
        "diagnostics": diagnostics or f"The fake gateway was told to answer {code}, or had to.",
        "extension": extension,
    }
    if expression:
        pointer = "/" + re.sub(r"\[(\d+)\]", r"/\1", expression).replace(".", "/")
        extension.append({"url": f"{SYSTEM}/StructureDefinition/pointer", "valueString": pointer})
        issue["expression"] = [expression]
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    given = {"Content-Type": "application/fhir+json", **(headers or {})}
    return httpx.Response(status, content=json.dumps(outcome), headers=given)


def breaking(error: httpx.TransportError) -> Callable[[], httpx.Response]:
    """What raises the error instead of answering."""

    def raise_it() -> httpx.Response:
        raise error

    return raise_it
