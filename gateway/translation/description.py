"""What a canonical Bundle says about itself, read without translating it."""

from dataclasses import dataclass
from typing import Any

from gateway.errors import Untranslatable
from gateway.model import JsonObject
from gateway.translation.tables import BASE

_SD = f"{BASE}/StructureDefinition/"
_RESPONSE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-MessageHeader.response.identifier"


@dataclass(frozen=True, slots=True)
class Description:
    """The facts that delivery and forwarding need. A fact that the Bundle does not hold is ""."""

    message_type: str
    model_version: str
    distribution_id: str
    sender_id: str
    recipient_id: str
    case_id: str
    date_time_expires: str
    kind: str  # distributionKind
    status: str  # distributionStatus
    refers_to: str  # the distributionID that an RC-REF or RS-ERROR answers


def model_version(definition: str) -> str:
    """The model version in the canonical URL of a MessageDefinition: `...|3.0` is `v3`."""
    return f"v{definition.rpartition('|')[2].partition('.')[0]}"


def describe(bundle: JsonObject) -> Description:
    """Raises Untranslatable where the Bundle has no readable MessageHeader in its first entry."""
    try:
        header = bundle["entry"][0]["resource"]
        if header["resourceType"] != "MessageHeader":
            raise Untranslatable("the first entry is not a MessageHeader", "entry[0].resource")
        found = {x["url"]: x for x in header.get("extension", ())}
        address = {x["url"]: x for x in found.get(f"{_SD}explicit-address", {}).get("extension", ())}
        answered: JsonObject = next(
            (x for x in header.get("response", {}).get("extension", ()) if x["url"] == _RESPONSE), {}
        )
        return Description(
            header["eventCoding"]["code"],
            model_version(header["definition"]),
            _text(bundle, "identifier", "value"),
            _text(header, "sender", "identifier", "value"),
            _text(address, "value", "valueString"),
            _case_id(bundle),
            _text(found, f"{_SD}date-time-expires", "valueDateTime"),
            _text({"c": (header.get("reason", {}).get("coding") or [{}])[0]}, "c", "code"),
            _text(found, f"{_SD}distribution-status", "valueCode"),
            _text(answered, "valueIdentifier", "value"),
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise Untranslatable("the Bundle has no readable MessageHeader", "entry[0].resource") from error


def _text(value: Any, *names: str) -> str:
    for name in names:
        value = value.get(name, {})
    return value if isinstance(value, str) else ""


def _case_id(bundle: JsonObject) -> str:
    for entry in bundle["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == "Encounter":
            for identifier in resource.get("identifier", ()):
                if identifier.get("system") == f"{BASE}/id/case":
                    return str(identifier.get("value", ""))
    return ""
