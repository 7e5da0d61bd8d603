"""Every body that a publisher may send, as a Message: EDXL-DE in its formats, and the canonical FHIR Bundle."""

from dataclasses import replace
from functools import lru_cache

from gateway import edxl, translation
from gateway.duplicate_members import require_unique
from gateway.edxl.digits import long_decimals
from gateway.errors import ErrorKind, Issue, Refused, Untranslatable
from gateway.model import JsonObject, Message

FHIR_JSON = "application/fhir+json"


@lru_cache(64)
def media_type(content_type: str) -> str:
    """The bare media type of a Content-Type header; raises Refused (415, Hub 101) for what is not read here."""
    if content_type.partition(";")[0].strip().lower() == FHIR_JSON:
        return FHIR_JSON
    return edxl.media_type(content_type)


def decode(body: bytes, media_type: str, model_version: str) -> Message:
    """The message in a body. Raises Refused: 400 where it cannot be read or has a JSON member twice, 422 where a Bundle is
    not the canonical one.
    """
    if media_type == FHIR_JSON:
        return from_bundle(body)
    message = edxl.decode(body, media_type, model_version)
    if media_type == edxl.JSON:
        require_unique(body, message.document)
    return message


def decode_stored(body: bytes, media_type: str, model_version: str) -> Message:
    """The message in a body that was accepted before: whatever was not refused then goes on as it was read then."""
    if media_type == FHIR_JSON:
        message = _from_bundle(edxl.parse(body))
    else:
        message = edxl.decode(body, media_type, model_version)
    return with_digits(message, body)


def with_digits(message: Message, body: bytes) -> Message:
    """The message with the decimals of its body that no double has."""
    found = long_decimals(body)
    return message if found is None else replace(message, digits=found)


def from_bundle(body: bytes) -> Message:
    """The message that a canonical Bundle says, in the type and version that the Bundle names. Raises Refused (400, 422)."""
    bundle = edxl.parse(body)
    require_unique(body, bundle)
    return with_digits(_from_bundle(bundle), body)


def _from_bundle(bundle: JsonObject) -> Message:
    """As it is where it is canonical; else without what an honest FHIR server adds, which changes no message."""
    if not translation.is_canonical(bundle):
        bundle = translation.without_additions(bundle)
        problems = translation.faults_of(bundle)
        if problems:
            raise Refused(*(_not_canonical(fault.path, fault.expected) for fault in problems))
    try:
        return edxl.message(translation.from_fhir(bundle), translation.describe(bundle).model_version)
    except Untranslatable as error:
        if error.expected:
            raise Refused(_not_canonical(error.path, error.expected)) from None
        raise Refused(Issue(ErrorKind.SCHEMA, error.reason, error.path)) from None


def _not_canonical(path: str, expected: str) -> Issue:
    where = f"at {path}" if path else "as a whole"
    wanted = f": expected {expected}" if expected else ""
    told = f"The Bundle is not the canonical one {where}{wanted}. Compare it with what $translate?to=fhir makes of the message."
    return Issue(
        ErrorKind.SCHEMA, told, path, "/" + path.replace(".", "/").replace("[", "/").replace("]", "")
    )
