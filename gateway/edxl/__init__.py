"""EDXL-DE codecs: bytes -> Message -> bytes. Pure; one module a format, chosen here by media type."""

from typing import Any

from gateway.edxl import digits, json_codec, xml_codec, xml_writer
from gateway.edxl.xml_plan import NAMESPACES
from gateway.edxl.xml_writer import Written
from gateway.errors import ErrorKind, Issue, Refused
from gateway.model import JsonObject, Message

JSON = "application/json"
XML = "application/xml"
MEDIA_TYPES = (JSON, XML)
FORMATS = {"json": JSON, "xml": XML}
UTF_8 = ("", "charset=utf-8")


def media_type(content_type: str) -> str:
    """The bare media type of a Content-Type header; raises Refused (415, Hub 101) for what no codec reads."""
    bare, _, parameters = content_type.partition(";")
    name = bare.strip().lower()
    if name in MEDIA_TYPES and parameters.lower().replace('"', "").replace(" ", "") in UTF_8:
        return name
    found = repr(content_type[:80]) if content_type else "no Content-Type"
    raise _unsupported(f"Found {found}; send one of {', '.join(MEDIA_TYPES)}, encoded in UTF-8.")


def decode(body: bytes, media_type: str, model_version: str) -> Message:
    """The message in a body of a media type that `media_type` let pass.

    Raises Refused: 400 (Hub 102) where it cannot be read, 415 where the model version has no such format, 422 where
    XML has a form that no message has.
    """
    if media_type == JSON:
        return json_codec.decode(body, model_version)
    if model_version not in NAMESPACES:
        raise _unsupported(f"Model {model_version} has no XML form; send {JSON}.")
    return xml_codec.decode(body, model_version)


def parse(body: bytes) -> Any:
    """The JSON value of a body, of EDXL-DE or not. Raises Refused (400, Hub 102) where it is none or nests too deep."""
    return json_codec.parse(body)


def encode(
    document: JsonObject, media_type: str, model_version: str, long_decimals: digits.Digits | None = None
) -> Written:
    """A valid EDXL-DE document's bytes, with what the format could not say of it. `long_decimals` are written as they were sent.

    Raises Untranslatable where the model version has no such format.
    """
    if media_type == JSON:
        return Written(json_codec.encode(digits.kept(document, long_decimals)))
    return xml_writer.encode(document, model_version, long_decimals)


def message(document: JsonObject, model_version: str) -> Message:
    """A Message over an EDXL-DE document that is already a JSON value."""
    return json_codec.message(document, model_version)


def pointer(json_pointer: str, media_type: str) -> str:
    """The place that a JSON Pointer names, in the sender's own format: XPath in XML."""
    return xml_codec.xpath(json_pointer) if media_type == XML else json_pointer


def _unsupported(diagnostics: str) -> Refused:
    return Refused(Issue(ErrorKind.MEDIA_TYPE, diagnostics))
