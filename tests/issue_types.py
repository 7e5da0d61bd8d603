"""FHIR R4 value set issue-type (http://hl7.org/fhir/R4/valueset-issue-type.html), the abstract levels included."""

NAMES = (
    "invalid structure required value invariant security login unknown expired forbidden "
    "suppressed processing not-supported duplicate multiple-matches not-found deleted too-long "
    "code-invalid extension too-costly business-rule conflict transient lock-error no-store "
    "exception timeout incomplete throttled informational "
)
ISSUE_TYPES = frozenset(NAMES.split())
