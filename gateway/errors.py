"""The error tree. Only `app` turns errors into responses; foreign exceptions are mapped where the library is called.

GatewayError                carries issues; its HTTP status is that of its gravest issue
├── Refused                 the request's fault: 400 403 404 408 409 410 413 415 417 422 431 501 505
│   └── NotAuthenticated    401, with WWW-Authenticate
├── QuotaExceeded           429, with Retry-After
└── Unavailable             503, with Retry-After; nothing was accepted
CoreOutage                  the core did not say yes or no: try again later
CoreRejected                the core refused the Bundle for good
Untranslatable              a message cannot be said in the wanted form (Hub 600)
└── NotApplicable           nothing in it concerns the other side: no failure, nothing is delivered
ConfigurationError          names file and line; the process refuses to start
"""

import errno
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from gateway.model import JsonObject


class Kind(NamedTuple):
    """One entry of the error catalogue: what every error of this kind has in common."""

    code: str
    status: int
    issue_type: str  # FHIR R4 IssueType
    retry: str  # same-id, new-id, after, never
    hub: tuple[int, str] | None
    title: str


class ErrorKind(Enum):
    """The error catalogue. Hub numbers are those of the Hub Santé's RS-ERROR."""

    UNREADABLE = Kind(
        "unreadable",
        400,
        "structure",
        "new-id",
        (102, "UNRECOGNIZED_MESSAGE_FORMAT"),
        "The body cannot be read",
    )
    ENVELOPE = Kind(
        "invalid-envelope",
        400,
        "invalid",
        "new-id",
        (300, "INVALID_MESSAGE"),
        "The EDXL-DE envelope or RC-DE header is invalid",
    )
    UNAUTHENTICATED = Kind(
        "unauthenticated", 401, "login", "same-id", None, "The access token is missing, expired or not ours"
    )
    FORBIDDEN = Kind(
        "insufficient-scope", 403, "forbidden", "never", None, "The access token lacks the scope"
    )
    SENDER = Kind(
        "sender-inconsistent",
        403,
        "forbidden",
        "never",
        (200, "SENDER_INCONSISTENCY"),
        "senderID is not one of this publisher's, or not the recipient of what it answers",
    )
    UNCERTIFIED = Kind(
        "not-certified",
        403,
        "forbidden",
        "never",
        None,
        "The client is not certified for this message type and version",
    )
    NOT_FOUND = Kind("not-found", 404, "not-found", "never", None, "Nothing of this publisher's has this id")
    METHOD = Kind(
        "method-not-allowed", 405, "not-supported", "never", None, "The path does not know this method"
    )
    CONFLICT = Kind(
        "distribution-id-reused",
        409,
        "duplicate",
        "new-id",
        None,
        "The distributionID was used for another message",
    )
    EXPIRED = Kind(
        "expired",
        410,
        "expired",
        "new-id",
        (400, "EXPIRED_MESSAGE_BEFORE_ROUTING"),
        "dateTimeExpires is past",
    )
    TOO_LARGE = Kind("too-large", 413, "too-long", "new-id", None, "The body is over the size limit")
    MEDIA_TYPE = Kind(
        "media-type",
        415,
        "not-supported",
        "same-id",
        (101, "NOT_ALLOWED_CONTENT_TYPE"),
        "The media type is not accepted here",
    )
    PARAMETER = Kind(
        "invalid-parameter", 400, "invalid", "same-id", None, "A parameter of the request is invalid"
    )
    SCHEMA = Kind(
        "invalid-message", 422, "invalid", "new-id", (300, "INVALID_MESSAGE"), "The message breaks its schema"
    )
    CODE = Kind(
        "unknown-code",
        422,
        "code-invalid",
        "new-id",
        (300, "INVALID_MESSAGE"),
        "The code is not in the code list",
    )
    CONTENT_COUNT = Kind(
        "content-count",
        422,
        "too-costly",
        "new-id",
        (300, "INVALID_MESSAGE"),
        "Exactly one content item, holding one use case, is accepted",
    )
    UNKNOWN_TYPE = Kind(
        "unknown-message-type",
        422,
        "not-supported",
        "new-id",
        (300, "INVALID_MESSAGE"),
        "The message type is not known or not allowed",
    )
    RECIPIENT = Kind(
        "unroutable",
        422,
        "not-found",
        "new-id",
        (501, "UNROUTABLE_MESSAGE"),
        "The recipient is not known, or a message of this type does not pass to it",
    )
    MALFORMED = Kind(
        "malformed-request", 400, "structure", "same-id", None, "The HTTP request is malformed or incomplete"
    )
    LATE = Kind("request-timeout", 408, "timeout", "same-id", None, "The request did not come in time")
    EXPECTATION = Kind(
        "expectation-failed",
        417,
        "not-supported",
        "same-id",
        None,
        "The request expects what is not done here",
    )
    HEAD_TOO_LARGE = Kind(
        "head-too-large", 431, "too-long", "same-id", None, "The request's head is over the size limit"
    )
    NOT_IMPLEMENTED = Kind(
        "not-implemented",
        501,
        "not-supported",
        "same-id",
        None,
        "The method or transfer coding is not known here",
    )
    HTTP_VERSION = Kind(
        "http-version", 505, "not-supported", "same-id", None, "The version of HTTP is not spoken here"
    )
    QUOTA = Kind("quota-exceeded", 429, "throttled", "after", None, "The quota is spent")
    VOLUME = Kind(
        "bytes-exceeded",
        429,
        "throttled",
        "same-id",
        None,
        "The window in bytes for repeats and refused messages is spent",
    )
    OVERLOADED = Kind(
        "overloaded",
        503,
        "transient",
        "after",
        None,
        "The gateway cannot store the message now; nothing was accepted",
    )
    INTERNAL = Kind(
        "internal",
        500,
        "exception",
        "same-id",
        None,
        "The gateway failed; nothing is known to be lost, send again with the same id",
    )
    TRANSLATION = Kind(
        "untranslatable",
        422,
        "not-supported",
        "never",
        (600, "MESSAGE_CONVERSION_ERROR"),
        "The message cannot be said in the wanted form",
    )
    TOO_MANY = Kind(
        "too-many",
        422,
        "too-costly",
        "new-id",
        (300, "INVALID_MESSAGE"),
        "The message has more of something than is taken in one message",
    )


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong: where (simple path, and pointer in the sender's own body), and what to do about it."""

    kind: ErrorKind
    diagnostics: str
    path: str = ""
    pointer: str = ""
    severity: str = "error"  # "warning", "information"


class GatewayError(Exception):
    """An error that a caller is told of, with one or more issues."""

    def __init__(self, *issues: Issue, headers: dict[str, str] | None = None) -> None:
        # codes and places only: diagnostics may quote the message, and an exception's text may reach a log
        super().__init__("; ".join(f"{i.kind.value.code} at {i.path or 'the message'}" for i in issues))
        self.issues = issues
        self.headers = headers or {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as it was made: it comes from a worker process too."""
        return _remade, (type(self), self.issues, self.headers)

    @property
    def status(self) -> int:
        """The HTTP status: 400 before 401 before 403 ... among the issues that are errors."""
        return min((i.kind.value.status for i in self.issues if i.severity == "error"), default=500)


def _remade(kind: type[GatewayError], issues: tuple[Issue, ...], headers: dict[str, str]) -> GatewayError:
    return kind(*issues, headers=headers)


class Refused(GatewayError):
    """The request is at fault; sending it again unchanged will not help unless the issue's retry verb says so."""


class NotAuthenticated(Refused):
    """No valid access token; carries WWW-Authenticate (RFC 6750, section 3)."""


class QuotaExceeded(GatewayError):
    """The publisher's quota is spent; carries Retry-After."""


class Unavailable(GatewayError):
    """The store cannot take the message now; carries Retry-After."""


def machine_failed(error: OSError) -> Unavailable:
    """503 for a failure of the machine (no file descriptor, no disk), which says nothing about the message that met it."""
    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    text = f"The gateway's machine failed ({name}). Send the same again after 1 s."
    return Unavailable(Issue(ErrorKind.OVERLOADED, text), headers={"Retry-After": "1"})


@dataclass(eq=False)
class CoreOutage(Exception):
    """The core gave no verdict. `retry_after` in seconds, None = not said."""

    cause: str
    retry_after: float | None = None


@dataclass(eq=False)
class CoreRejected(Exception):
    """The core refused the Bundle with an OperationOutcome and one of the rejecting statuses."""

    status: int
    outcome: JsonObject = field(default_factory=dict)


@dataclass(eq=False)
class Untranslatable(Exception):
    """A message cannot be said in the wanted type, version or format. `path` names the place, never the value; `expected` may
    quote the message and is given by its name, which keeps it out of the exception's text.
    """

    reason: str
    path: str = ""
    expected: str = field(default="", kw_only=True, repr=False)


class NotApplicable(Untranslatable):
    """Nothing in a message concerns its recipient's side: there is nothing to deliver, and nothing has failed."""


class ConfigurationError(Exception):
    """A configuration file is wrong. The text names the file and the line."""
