"""EDXL-DE codecs: bytes -> Message -> bytes. Pure; one module a format, chosen here by media type."""

from gateway.edxl import json_codec
from gateway.errors import ErrorKind, Issue, Refused
from gateway.model import JsonObject, Message

JSON = "application/json"
MEDIA_TYPES = (JSON,)


def media_type(content_type: str) -> str:
    """The bare media type of a Content-Type header; raises Refused (415, Hub 101) for what no codec reads."""
    bare, _, parameters = content_type.partition(";")
    name = bare.strip().lower()
    if name in MEDIA_TYPES and "charset" not in parameters.lower():
        return name
    if name in MEDIA_TYPES and parameters.lower().replace('"', "").replace(" ", "").endswith("charset=utf-8"):
        return name
    found = repr(content_type[:80]) if content_type else "no Content-Type"
    raise Refused(
        Issue(ErrorKind.MEDIA_TYPE, f"Found {found}; send one of {', '.join(MEDIA_TYPES)}, encoded in UTF-8.")
    )


def decode(body: bytes, media_type: str, model_version: str) -> Message:  # noqa: ARG001 - XML will choose by it
    """The message in a body of a media type that `media_type` let pass. Raises Refused (400, Hub 102)."""
    return json_codec.decode(body, model_version)


def encode(document: JsonObject) -> tuple[str, bytes]:
    """The media type and the bytes of an EDXL-DE document."""
    return JSON, json_codec.encode(document)


def message(document: JsonObject, model_version: str) -> Message:
    """A Message over an EDXL-DE document that is already a JSON value."""
    return json_codec.message(document, model_version)
