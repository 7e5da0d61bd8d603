"""Translation between the Hub Santé's messages and the canonical FHIR Bundle, both ways from one table. Pure."""

from functools import lru_cache
from typing import Any

import schemas
from gateway.errors import Untranslatable
from gateway.model import JsonObject, Message
from gateway.translation import additions, canonical, identifiers, instants, placing, reading, residue
from gateway.translation.description import Description, describe, model_version
from gateway.translation.faults import Fault, places
from gateway.translation.tables import Translator, check, translator

__all__ = [
    "Description",
    "canonical_issues",
    "check",
    "describe",
    "faults_of",
    "from_fhir",
    "is_canonical",
    "to_fhir",
    "translator",
    "without_additions",
]


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
        bundle = table.write(document, inner, stem, exercise)
        _say_instants(table, bundle, document, inner)
        return bundle
    return _with_marks(table, document, stem, exercise=exercise)


def _with_marks(table: Translator, document: JsonObject, stem: str, *, exercise: bool) -> JsonObject:
    marks: list[residue.Mark] = []
    kept = residue.take_out(document, table.sieve, marks)
    kept = {} if kept is residue.GONE else kept
    inner: Any = kept
    for name in ("content", 0, "jsonContent", "embeddedJsonContent", "message"):
        inner = inner.get(name, {}) if isinstance(inner, dict) else inner[0]
    bundle = table.write_any(kept, inner or {}, stem, exercise)
    _say_instants(table, bundle, kept, inner or {})
    header = bundle["entry"][0]["resource"]
    header.setdefault("extension", []).extend(residue.extensions(marks, table.names))
    return bundle


def _say_instants(table: Translator, bundle: JsonObject, envelope: JsonObject, inner: JsonObject) -> None:
    """Puts the sender's own spelling of all instants on the MessageHeader."""
    sent = table.instants.sent(envelope, inner)
    if sent:
        said = {"url": table.names["sd"] + instants.NAME, "valueString": sent}
        bundle["entry"][0]["resource"].setdefault("extension", []).append(said)


def canonical_issues(bundle: JsonObject) -> tuple[str, ...]:
    """The paths of what keeps a Bundle from being canonical, without values; () = canonical."""
    return tuple(fault.path for fault in faults_of(bundle))


def faults_of(bundle: JsonObject) -> tuple[Fault, ...]:
    """What keeps a Bundle from being canonical: the elements, and what is expected of them. () = canonical."""
    try:
        table = _table(bundle)
    except Untranslatable as error:
        return (Fault(error.path, error.expected),)
    return canonical.issues(bundle, table.court)


def is_canonical(bundle: JsonObject) -> bool:
    """Whether nothing keeps a Bundle from being canonical."""
    try:
        return canonical.accepts(bundle, _table(bundle).court)
    except Untranslatable:
        return False


def without_additions(bundle: JsonObject) -> JsonObject:
    """The Bundle without what a FHIR server added to it; as it is where it does not say what it holds. What most servers add
    stands around the resources, and is looked for first.
    """
    try:
        table = _table(bundle)
    except Untranslatable:
        return bundle
    kept = additions.without_outer(bundle, table.plan)
    if canonical.accepts(kept, table.court):
        return kept
    return additions.without_inner(kept, table.plan, table.names["base"])


def _table(bundle: JsonObject) -> Translator:
    """The translator of the type and version that a Bundle names. Raises Untranslatable."""
    try:
        header = bundle["entry"][0]["resource"]
        found = _named(header["eventCoding"]["code"], header["definition"])
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise Untranslatable(
            "the Bundle has no readable MessageHeader", "entry[0].resource", expected="a MessageHeader"
        ) from error
    if found is None:
        raise Untranslatable(
            "there is no table for this message type",
            "entry[0].resource.eventCoding.code",
            expected="a message type that is served, in the model version that `definition` names",
        )
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
        raise _twice(bundle, str(error)) from error
    except instants.Changed as error:
        raise _changed(bundle, error) from None
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, StopIteration) as error:
        place = next(iter(canonical_issues(bundle)), "")
        raise Untranslatable("the Bundle does not follow the canonical profile", place) from error


def _read(table: Translator, bundle: JsonObject) -> JsonObject:
    slots = placing.slots(bundle, table.layout, table.names["sd"] + "source-path")
    document = table.read(slots)
    found = bundle["entry"][0]["resource"].get("extension", ())
    message = document.pop("message", {})
    table.instants.restore(document, message, _sent(found, table.names["sd"] + instants.NAME))
    document["content"] = [{"jsonContent": {"embeddedJsonContent": {"message": message}}}]
    marks = residue.read_marks(found, table.names)
    return residue.put_back(document, marks) if marks else document


def _sent(extensions: list[JsonObject], url: str) -> str | None:
    told = [extension["valueString"] for extension in extensions if extension["url"] == url]
    if len(told) > 1:
        raise reading.Misplaced("entry[0].resource.extension")
    return told[0] if told else None


def _changed(bundle: JsonObject, error: instants.Changed) -> Untranslatable:
    """The refusal of a Bundle that says another instant than was sent, with the place of the element that says it."""
    if error.said is None:
        reason = "an instant of the message is said nowhere"
        expected = f"{error.sent} in one of the elements, as the extension instants says"
        return Untranslatable(reason, "entry[0].resource.extension", expected=expected)
    place = next(places(bundle, error.said), "entry[0].resource.extension")
    if not error.sent:
        return Untranslatable("the message had no such instant", place, expected="no such element")
    return Untranslatable("it is another instant than was sent", place, expected=error.sent)


def _twice(bundle: JsonObject, place: str) -> Untranslatable:
    """The refusal of a Bundle in which something stands twice; of an element's name the first resource that has it so."""
    for at, entry in enumerate(bundle["entry"]):
        items = entry["resource"].get(place)
        told = [(item.get("url"), item.get("system")) for item in items] if isinstance(items, list) else []
        if len(set(told)) < len(told):
            place = f"entry[{at}].resource.{place}"
            break
    return Untranslatable(
        "the Bundle says twice what it can say once", place, expected="this once, not twice"
    )
