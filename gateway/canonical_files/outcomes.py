"""The gateway's own extensions and code systems of the OperationOutcomes that it answers with (`gateway.outcome`)."""

from collections.abc import Iterator

from gateway.canonical_files.artefact import FHIR_VERSION, head
from gateway.errors import ErrorKind
from gateway.model import JsonObject
from gateway.translation.tables import BASE

RETRIES = {
    "same-id": "again, with the same distributionID",
    "new-id": "again once mended, with a new distributionID",
    "after": "again later, not before Retry-After",
    "never": "not again",
}
_PARTS = {
    "retry": ("Code", "Whether to send again."),
    "pointer": ("String", "The place in the sender's own body, as JSON Pointer or XPath."),
    "reference": ("Url", "The documentation of this place."),
}


def outcome_artefacts() -> Iterator[JsonObject]:
    """Extensions, code systems and value sets."""
    for name, (kind, description) in _PARTS.items():
        yield _extension(name, kind, description)
    hub = {str(kind.value.hub[0]): kind.value.hub[1] for kind in ErrorKind if kind.value.hub}
    errors = {kind.value.code: kind.value.title for kind in ErrorKind}
    for name, codes, description in (
        ("error", errors, "What is wrong, in the gateway's words."),
        ("hub-error", hub, "What is wrong, in the Hub Santé's numbers."),
        ("retry", RETRIES, "Whether to send again."),
    ):
        system = f"{BASE}/CodeSystem/{name}"
        yield head(
            "CodeSystem",
            name,
            f"Codes: {name}",
            description,
            caseSensitive=True,
            valueSet=f"{BASE}/ValueSet/{name}",
            content="complete",
            count=len(codes),
            concept=[{"code": code, "display": display} for code, display in codes.items()],
        )
        compose = {"include": [{"system": system}]}
        yield head("ValueSet", name, f"All codes: {name}", f"All codes of {system}.", compose=compose)


def _extension(name: str, kind: str, description: str) -> JsonObject:
    url = f"{BASE}/StructureDefinition/{name}"
    bound = {"strength": "required", "valueSet": f"{BASE}/ValueSet/{name}"}
    value: JsonObject = {
        "id": "Extension.value[x]",
        "path": "Extension.value[x]",
        "min": 1,
        "type": [{"code": kind[0].lower() + kind[1:]}],
        **({"binding": bound} if kind == "Code" else {}),
    }
    elements = [
        {"id": "Extension", "path": "Extension", "short": description},
        {"id": "Extension.extension", "path": "Extension.extension", "max": "0"},
        {"id": "Extension.url", "path": "Extension.url", "fixedUri": url},
        value,
    ]
    return head(
        "StructureDefinition",
        name,
        f"Extension: {name}",
        description,
        fhirVersion=FHIR_VERSION,
        kind="complex-type",
        abstract=False,
        context=[{"type": "element", "expression": "OperationOutcome.issue"}],
        type="Extension",
        baseDefinition="http://hl7.org/fhir/StructureDefinition/Extension",
        derivation="constraint",
        differential={"element": elements},
    )
