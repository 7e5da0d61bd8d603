"""What can go wrong, as exceptions that carry what the gateway said.

GatewayError                 status, issues, request_id, retry, retry_after
├── AuthenticationError      the credentials or the token were refused (401, or the token endpoint)
├── PermissionDenied         scope missing, or senderID not this publisher's (403)
├── InvalidRequest           a parameter or the use of a path is wrong: a mistake in the calling program
├── InvalidMessage           the message is wrong: `issues` says all of it (400 413 415 422)
│   └── Untranslatable       it cannot be said in the wanted form (422)
├── NotFound                 nothing of this publisher's has this id (404)
├── DuplicateId              the distributionID was used for another message (409)
├── Expired                  dateTimeExpires is past (410)
├── QuotaExceeded            the quota is spent, for longer than the deadline lets wait (429)
├── Unavailable              the gateway failed or was overloaded until the deadline (5xx), or the request came too slowly (408)
│   └── Unreachable          no answer came until the deadline
└── UnexpectedAnswer         the answer is none of the contract's

The texts name codes and places only, never what stood there: they may be logged. `explain()` quotes the message.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ADVICE = {
    "same-id": "send the same message again, with the same id",
    "new-id": "mend the message and send it with a new distributionID",
    "after": "send the same message again later",
    "never": "sending again does not help",
}


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing the gateway found. `code` is the error catalogue's, `type` FHIR's IssueType; `expression` is the place as a
    simple path, `pointer` as JSON Pointer or XPath in the body that was sent; `hub` the Hub Santé's number and name;
    `reference` a page about it. Absent facts are "".
    """

    code: str
    type: str
    severity: str
    title: str
    diagnostics: str = field(repr=False)  # may quote the message
    expression: str
    pointer: str
    retry: str
    reference: str
    hub: tuple[int, str] | None


class GatewayError(Exception):
    """An answer of the gateway that is an error, or none at all. `status` is 0 where there was no answer; `retry` is one of
    same-id, new-id, after, never, or ""; `retry_after` is seconds or None.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int = 0,
        issues: tuple[Issue, ...] = (),
        request_id: str = "",
        retry: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what)
        self.status = status
        self.issues = issues
        self.request_id = request_id
        self.retry = retry
        self.retry_after = retry_after

    def __str__(self) -> str:
        """What happened, what to do, and the request's id; codes and places only."""
        parts = [str(self.args[0])]
        if self.retry in ADVICE:
            later = f" ({self.retry_after:g} seconds)" if self.retry_after is not None else ""
            parts.append(f"{self.retry}: {ADVICE[self.retry]}{later}")
        if self.request_id:
            parts.append(f"request {self.request_id}")
        return "; ".join(parts)

    def explain(self) -> str:
        """Every issue with its diagnostics, a line each. It may quote the message: not for logs."""
        return "\n".join([str(self), *(f"- {_place(one)}{one.diagnostics}" for one in self.issues)])


class AuthenticationError(GatewayError):
    """The credentials, or a new token, were refused."""


class PermissionDenied(GatewayError):
    """The scope is missing, or the senderID is not this publisher's."""


class InvalidRequest(GatewayError):
    """A parameter, or the use of a path, is wrong."""


class InvalidMessage(GatewayError):
    """The message is wrong; `issues` says all of it."""


class Untranslatable(InvalidMessage):
    """The message cannot be said in the wanted type, version or format."""


class NotFound(GatewayError):
    """Nothing of this publisher's has this id."""


class DuplicateId(GatewayError):
    """The distributionID was used for another message; the new one needs a new id."""


class Expired(GatewayError):
    """The message's dateTimeExpires is past."""


class QuotaExceeded(GatewayError):
    """The quota is spent for longer than the deadline lets wait."""


class Unavailable(GatewayError):
    """The gateway could not take it before the deadline."""


class Unreachable(Unavailable):
    """No answer came before the deadline. Whether a message arrived is not known: sending the same bytes again is safe."""


class UnexpectedAnswer(GatewayError):
    """The answer is none of the contract's."""


_STRICTEST_FIRST = ("never", "new-id", "same-id", "after")
_BY_CODE: dict[str, type[GatewayError]] = {
    "invalid-parameter": InvalidRequest,
    "malformed-request": InvalidRequest,
    "method-not-allowed": InvalidRequest,
    "untranslatable": Untranslatable,
}
_BY_STATUS: dict[int, type[GatewayError]] = {
    400: InvalidMessage,
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    405: InvalidRequest,
    408: Unavailable,
    409: DuplicateId,
    410: Expired,
    413: InvalidMessage,
    415: InvalidMessage,
    417: InvalidRequest,
    422: InvalidMessage,
    429: QuotaExceeded,
    431: InvalidRequest,
}


def error_of(status: int, body: bytes, request_id: str, retry_after: float | None) -> GatewayError:
    """The exception for an answer that is an error; the body is an OperationOutcome, or something a proxy made up."""
    issues = issues_of(body)
    errors = [one for one in issues if one.severity in ("error", "fatal")] or list(issues)
    kind = _BY_STATUS.get(status, Unavailable if status >= 500 else UnexpectedAnswer)
    if errors and all(one.code == errors[0].code for one in errors):
        kind = _BY_CODE.get(errors[0].code, kind)
    what = f"HTTP {status}"
    if errors:
        first = errors[0]
        # without a place it is about the request, and quotes nothing of the message
        told = first.title if first.expression else first.diagnostics
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        what = f"{status} {first.code}: {_place(first)}{told}{more}"
    return kind(
        what,
        status=status,
        issues=issues,
        request_id=request_id,
        retry=next((verb for verb in _STRICTEST_FIRST if any(one.retry == verb for one in errors)), ""),
        retry_after=retry_after,
    )


def issues_of(body: bytes) -> tuple[Issue, ...]:
    """The issues of an OperationOutcome, () where the body is none."""
    try:
        document = json.loads(body)
        if document["resourceType"] != "OperationOutcome":
            return ()
        return tuple(_issue(one) for one in document["issue"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return ()


def _issue(told: Mapping[str, Any]) -> Issue:
    codings: list[Mapping[str, Any]] = (told.get("details") or {}).get("coding") or []
    own = next((c for c in codings if c["system"].endswith("/CodeSystem/error")), {})
    hub = next((c for c in codings if c["system"].endswith("/hub-error")), None)
    facts = {
        one["url"].rpartition("/")[2]: next(
            (value for name, value in one.items() if name.startswith("value")), ""
        )
        for one in told.get("extension") or []
    }
    return Issue(
        code=str(own.get("code", "")),
        type=str(told.get("code", "")),
        severity=str(told.get("severity", "error")),
        title=str(own.get("display", "")),
        diagnostics=str(told.get("diagnostics", "")),
        expression=next(iter(told.get("expression") or []), ""),
        pointer=str(facts.get("pointer", "")),
        retry=str(facts.get("retry", "")),
        reference=str(facts.get("reference", "")),
        hub=(int(hub["code"]), str(hub.get("display", ""))) if hub else None,
    )


def _place(issue: Issue) -> str:
    return f"{issue.expression}: " if issue.expression else ""
