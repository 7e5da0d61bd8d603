"""Translation between the Hub Santé's messages and the canonical FHIR Bundle, both ways from one table. Pure."""

from functools import lru_cache
from typing import Any

import schemas
from gateway.errors import Untranslatable
from gateway.model import JsonObject, Message
from gateway.translation import canonical, identifiers, placing, reading, residue
from gateway.translation.description import Description, describe, model_version
from gateway.translation.tables import Translator, check, translator

__all__ = ["Description", "canonical_issues", "check", "describe", "from_fhir", "to_fhir", "translator"]


def to_fhir(message: Message) -> JsonObject:
    """The canonical Bundle of a message; the same message gives the same bytes.

    Whatever the document holds comes back by `from_fhir`. Raises Untranslatable for a type without a table and for
    more or less than one content item.
    """
    table = translator(message.message_type, message.model_version)
    if table is None:
        raise Untranslatable(f"there is no table for {message.message_type} {message.model_version}")
    document = message.document
    content = document.get("content")
    if not isinstance(content, list) or len(content) != 1:
        raise Untranslatable("a message Bundle holds one content item", "content")
    exercise = document.get("distributionStatus") == "Exercise"
    stem = identifiers.stem(str(document.get("distributionID", "")))
    if table.fits(document):
        inner = content[0]["jsonContent"]["embeddedJsonContent"]["message"]
        return table.write(document, inner, stem, exercise)
    return _with_marks(table, document, stem, exercise=exercise)


def _with_marks(table: Translator, document: JsonObject, stem: str, *, exercise: bool) -> JsonObject:
    marks: list[residue.Mark] = []
    kept = residue.take_out(document, table.sieve, marks)
    kept = {} if kept is residue.GONE else kept
    inner: Any = kept
    for name in ("content", 0, "jsonContent", "embeddedJsonContent", "message"):
        inner = inner.get(name, {}) if isinstance(inner, dict) else inner[0]
    bundle = table.write_any(kept, inner or {}, stem, exercise)
    header = bundle["entry"][0]["resource"]
    header.setdefault("extension", []).extend(residue.extensions(marks, table.names))
    return bundle


def canonical_issues(bundle: JsonObject) -> tuple[str, ...]:
    """The paths of what keeps a Bundle from being canonical, without values; () = canonical."""
    try:
        table = _table(bundle)
    except Untranslatable as error:
        return (error.path,)
    return canonical.issues(bundle, table.court)


def _table(bundle: JsonObject) -> Translator:
    """The translator of the type and version that a Bundle names. Raises Untranslatable."""
    try:
        header = bundle["entry"][0]["resource"]
        found = _named(header["eventCoding"]["code"], header["definition"])
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise Untranslatable("the Bundle has no readable MessageHeader", "entry[0].resource") from error
    if found is None:
        raise Untranslatable("there is no table for this message type", "entry[0].resource.eventCoding.code")
    return found


@lru_cache(maxsize=256)
def _named(message_type: str, definition: str) -> Translator | None:
    version = model_version(definition)
    return translator(message_type, version) if message_type in schemas.message_types(version) else None


def from_fhir(bundle: JsonObject) -> JsonObject:
    """The EDXL-DE document that a canonical Bundle says, in the type and version it names.

    Ask `canonical_issues` first where the Bundle is another's: elements that the profile does not know are not read.
    Raises Untranslatable, with a path and no value, where the Bundle cannot be read.
    """
    table = _table(bundle)
    try:
        return _read(table, bundle)
    except reading.Misplaced as error:
        raise Untranslatable("the Bundle says twice what it can say once", str(error)) from error
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, StopIteration) as error:
        place = next(iter(canonical_issues(bundle)), "")
        raise Untranslatable("the Bundle does not follow the canonical profile", place) from error


def _read(table: Translator, bundle: JsonObject) -> JsonObject:
    slots = placing.slots(bundle, table.layout, table.names["sd"] + "source-path")
    document = table.read(slots)
    message = document.pop("message", {})
    document["content"] = [{"jsonContent": {"embeddedJsonContent": {"message": message}}}]
    found = bundle["entry"][0]["resource"].get("extension", ())
    marks = residue.read_marks(found, table.names)
    return residue.put_back(document, marks) if marks else document
