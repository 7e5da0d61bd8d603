"""What a FHIR client reads first: a MessageDefinition a type and version, the CapabilityStatement, the guide's manifest."""

from collections.abc import Iterator, Sequence

from gateway.canonical_files.artefact import (
    DATE,
    FHIR_VERSION,
    FRANCE,
    PUBLISHER,
    VERSION,
    head,
    last,
    name,
    slug,
)
from gateway.canonical_files.official import title
from gateway.canonical_files.terminology import MESSAGE_TYPES
from gateway.canonical_files.tree import Forest
from gateway.model import JsonObject
from gateway.translation.plan import Kind
from gateway.translation.tables import BASE, Translator

PACKAGE = "regulation-gateway.canonical"
ANSWERS = ("RC-REF", "RS-ERROR")


def message_definitions(forest: Forest) -> Iterator[JsonObject]:
    """The MessageDefinition that `MessageHeader.definition` of a type and version points to."""
    for table in forest.tables:
        kind, version = table.message_type, f"{table.version[1:]}.0"
        yield head(
            "MessageDefinition",
            kind,
            f"{kind} {table.version}: {title(kind)}",
            f"The canonical Bundle of a {kind} message of model version {table.version}.",
        ) | {
            "id": slug(f"{kind}-{version}"),
            "version": version,
            "name": name(f"{kind} {table.version}"),
            "eventCoding": {"system": MESSAGE_TYPES, "code": kind, "display": title(kind)},
            "category": "notification",
            "focus": _focus(table),
            **_responses(kind, version),
        }


def _focus(table: Translator) -> list[JsonObject]:
    return [_resource(kind) for kind in table.plan.kinds if kind.type not in {"Bundle", "MessageHeader"}]


def _resource(kind: Kind) -> JsonObject:
    """How often a kind of resource is in the Bundle."""
    once = not kind.anchor and not kind.when
    return {
        "code": kind.type,
        "profile": kind.profile,
        "min": 1 if once else 0,
        "max": "*" if kind.anchor else "1",
    }


def _responses(kind: str, version: str) -> JsonObject:
    if kind in ANSWERS:
        return {"responseRequired": "never"}
    answers = [{"message": f"{BASE}/MessageDefinition/{answer}|{version}"} for answer in ANSWERS]
    return {"responseRequired": "always", "allowedResponse": answers}


def capability_statement(forest: Forest) -> JsonObject:
    """What the gateway sends and receives as FHIR messages; `openapi/core.yaml` has the HTTP side whole."""
    definitions = [f"{BASE}/MessageDefinition/{t.message_type}|{t.version[1:]}.0" for t in forest.tables]
    return head(
        "CapabilityStatement",
        "gateway",
        "Regulation Gateway: FHIR messaging",
        "The gateway sends canonical Bundles to the national core and takes them from it.",
        kind="requirements",
        fhirVersion=FHIR_VERSION,
        format=["application/fhir+json"],
        implementationGuide=[f"{BASE}/ImplementationGuide/{PACKAGE}"],
        messaging=[
            {
                "documentation": "At least once: the key is the distributionID, Bundle.identifier.",
                "supportedMessage": [
                    {"mode": mode, "definition": definition}
                    for mode in ("sender", "receiver")
                    for definition in definitions
                ],
            }
        ],
    )


def implementation_guide(resources: Sequence[JsonObject]) -> JsonObject:
    """The manifest of all other artefacts."""
    return head(
        "ImplementationGuide",
        PACKAGE,
        "Regulation Gateway: the canonical model",
        "Profiles, extensions and terminology of the canonical Bundles of the Hub Santé's messages.",
        packageId=PACKAGE,
        license="Apache-2.0",
        fhirVersion=[FHIR_VERSION],
        definition={
            "resource": [
                {
                    "reference": {"reference": f"{resource['resourceType']}/{resource['id']}"},
                    "name": resource.get("title", resource["id"]),
                    "exampleBoolean": False,
                }
                for resource in resources
            ]
        },
    )


def naming_systems(forest: Forest) -> Iterator[JsonObject]:
    """The gateway's own identifier systems."""
    found = {
        str(constant)
        for node in forest.nodes()
        for constant in node.constants
        if str(constant).startswith(f"{BASE}/id/")
    }
    mapped = {url for table in forest.tables for pairs in table.plan.maps.values() for url in pairs.values()}
    for url in sorted(found | {url for url in mapped if url.startswith(f"{BASE}/id/")}):
        kind = last(url)
        yield {
            "resourceType": "NamingSystem",
            "id": slug(f"id-{kind}"),
            "name": name(f"id {kind}"),
            "status": "draft",
            "kind": "identifier",
            "date": DATE,
            "publisher": PUBLISHER,
            "description": f"Identifiers in the Hub Santé's messages: {kind.replace('-', ' ')}.",
            "jurisdiction": FRANCE,
            "uniqueId": [{"type": "uri", "value": url, "preferred": True}],
        }


def package() -> JsonObject:
    """The manifest of a FHIR package (`package.json`)."""
    return {
        "name": PACKAGE,
        "version": VERSION,
        "type": "fhir.ig",
        "canonical": BASE,
        "title": "Regulation Gateway: the canonical model",
        "description": "Profiles, extensions and terminology of the canonical Bundles of the Hub Santé's messages.",
        "author": PUBLISHER,
        "license": "Apache-2.0",
        "fhirVersions": [FHIR_VERSION],
        "dependencies": {"hl7.fhir.r4.core": FHIR_VERSION},
    }
