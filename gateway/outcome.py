"""Issues as a FHIR R4 OperationOutcome, and as RFC 9457 problem details with the same facts."""

import re

from gateway.errors import Issue
from gateway.model import JsonObject
from gateway.reference import link

MEDIA_TYPE = "application/fhir+json"
PROBLEM = "application/problem+json"
DEFAULT_BASE = "https://hub-fhir.example/fhir"
DEFAULT_SITE = "http://localhost:8400"
HUB_SYSTEM = "/CodeSystem/hub-error"
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def operation_outcome(
    issues: tuple[Issue, ...], base: str = DEFAULT_BASE, site: str = DEFAULT_SITE
) -> JsonObject:
    """The issues as an OperationOutcome; without any, one `informational` issue that says all is well (issue is 1..*).

    `base` is that of the canonical FHIR URLs, `site` the gateway's own URL, where its documentation is.
    """
    if not issues:
        well = {"severity": "information", "code": "informational", "diagnostics": "No issue found."}
        return {"resourceType": "OperationOutcome", "issue": [well]}
    return {"resourceType": "OperationOutcome", "issue": [_issue(issue, base, site) for issue in issues]}


def problem_details(
    issues: tuple[Issue, ...], status: int, instance: str, base: str = DEFAULT_BASE, site: str = DEFAULT_SITE
) -> JsonObject:
    """The issues as problem details; `retry` is that of the gravest error."""
    gravest = next((i for i in issues if i.severity == "error" and i.kind.value.status == status), issues[0])
    kind = gravest.kind.value
    return {
        "type": f"{base}/CodeSystem/error#{kind.code}",
        "title": kind.title,
        "status": status,
        "detail": gravest.diagnostics,
        "instance": instance,
        "retry": kind.retry,
        "errors": [
            {
                "code": i.kind.value.code,
                "severity": i.severity,
                "detail": i.diagnostics,
                "expression": i.path,
                "pointer": i.pointer,
                **({"reference": site + place} if (place := link(i)) else {}),
            }
            for i in issues
        ],
    }


def _issue(issue: Issue, base: str, site: str) -> JsonObject:
    kind = issue.kind.value
    coding: list[JsonObject] = [
        {"system": f"{base}/CodeSystem/error", "code": kind.code, "display": kind.title}
    ]
    if kind.hub:
        number, name = kind.hub
        coding.append({"system": base + HUB_SYSTEM, "code": str(number), "display": name})
    extension: list[JsonObject] = [{"url": f"{base}/StructureDefinition/retry", "valueCode": kind.retry}]
    if issue.path:
        extension.append({"url": f"{base}/StructureDefinition/pointer", "valueString": issue.pointer or "/"})
    if place := link(issue):
        extension.append({"url": f"{base}/StructureDefinition/reference", "valueUrl": site + place})
    told: JsonObject = {
        "extension": extension,
        "severity": issue.severity,
        "code": kind.issue_type,
        "details": {"coding": coding},
        "diagnostics": _fhir_text(issue.diagnostics),
    }
    if issue.path:
        told["expression"] = [_fhir_text(issue.path)]
    return told


def _fhir_text(text: str) -> str:
    # FHIR's string has no control characters but tab, line feed and return, and is never blank
    clean = CONTROL.sub("\N{REPLACEMENT CHARACTER}", text).strip()
    return clean or "(blank)"
