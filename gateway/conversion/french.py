"""A part of a message as plain French for a physician: official titles and labels, codes in brackets, local dates. Pure."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from gateway.model import JsonObject
from schemas import codes
from schemas.fields import Field

# objects whose title adds nothing: the titles of their members are enough
PLAIN = frozenset({"qualification", "detail", "details", "administrativeFile", "hypothesis", "identity"})
# objects that are one value to a reader
CODED, CONTACT, IDENTIFIER = (
    frozenset({"code", "label"}),
    frozenset({"type", "detail"}),
    frozenset({"source", "value"}),
)
NAMES = ("complete", "lastName", "firstName")
LINKS = re.compile(r"[a-z]+Id|idPat|idObs")  # ids that link parts of messages: no reader needs them
UNITS = {"Y": ("an", "ans"), "M": ("mois", "mois"), "W": ("semaine", "semaines"), "D": ("jour", "jours")}
SEXES = {"M": "homme", "F": "femme", "MASC": "homme", "FEM": "femme"}  # of v2 and v3, of v1
NAME = 100  # characters of a patient's name before a note is about something else


def is_one_value(part: JsonObject) -> bool:
    """Whether an object is read as one value: a code with its label, a name, a contact, an identifier with its source."""
    names = part.keys()
    return names >= CODED or bool(names & {"complete"}) or frozenset(names) in {CONTACT, IDENTIFIER}


def is_link(name: str, value: Any) -> bool:
    """Whether a member is an id that links parts of messages."""
    return not isinstance(value, dict | list) and LINKS.fullmatch(name) is not None


def lines(part: JsonObject, known: Field, above: str = "", *, links: bool = False) -> Iterator[str]:
    """The members of an object, a line each, with the titles of the objects that hold them: `Médecin traitant, Contact : …`.

    `links`: with the ids that link parts of messages.
    """
    for name, value in part.items():
        field = known.child(name)
        if field is None or (is_link(name, value) and not links):
            continue
        title = f"{above}, {field.title}" if above else field.title
        values = value if isinstance(value, list) else [value]
        inner = [one for one in values if isinstance(one, dict) and not is_one_value(one)]
        if not inner:
            text = " ; ".join(text for one in values if (text := said(one, field)))
            if text:
                yield f"{title} : {text}"
        for number, one in enumerate(inner, 1):
            numbered = f"{title} {number}" if len(inner) > 1 else title
            yield from lines(one, field, above if name in PLAIN else numbered, links=links)


def said(value: Any, field: Field) -> str:
    """One value as people read it, "" where there is nothing to read."""
    if isinstance(value, dict):
        return _one_value(value, field)
    if isinstance(value, bool):
        return "oui" if value else "non"
    text = " ".join(str(value).split())  # in one line: a line of a note is the gateway's word
    if field.type == "datetime":
        return moment(text)
    if field.name == "age":
        return age(text)
    label = _label(text, field)
    return f"{label} ({text})" if label != text else text


def _one_value(value: JsonObject, field: Field) -> str:
    if value.keys() >= CODED:
        label, code = (" ".join(str(value[name]).split()) for name in ("label", "code"))
        return f"{label} ({code})" if label else code
    if "complete" in value:
        return person(value)
    return " ".join(said(one, kind) for name, one in value.items() if (kind := field.child(name)) is not None)


def person(name: JsonObject) -> str:
    """A name as it is written whole, and the parts of it that this does not hold."""
    parts = [text for one in NAMES if (text := " ".join(str(name.get(one, "")).split()))]
    rest = [one for one in parts[1:] if one not in parts[0]]
    return parts[0] + (f" ({' '.join(rest)})" if rest else "") if parts else ""


def _label(code: str, field: Field) -> str:
    """The official label of a code, the code itself where its list has none."""
    name = next((one for one in (field.codes, field.list) if one and codes.exists(one)), "")
    return codes.labels(name).get(code, code) if name else code


def moment(instant: str) -> str:
    """A date-time as people write it, in the sender's own offset; as it is where it is no date of the calendar."""
    try:
        return f"{datetime.fromisoformat(instant):%d/%m/%Y à %H:%M}"
    except ValueError:
        return instant


def age(text: str) -> str:
    """`P72Y` as people say it; as it is where it is none."""
    found = re.fullmatch(r"P(\d{1,3})([YMWD])", text)  # v1 takes any text around it
    if found is None:
        return text
    number = int(found[1])
    return f"{number} {UNITS[found[2]][number > 1]}"


def patient(value: JsonObject) -> str:
    """Who a patient is, by name, sex and age: `Jeanne Martin, femme, 72 ans`; "" where nothing tells."""
    identity = value.get("identity", {})
    strict, usual = identity.get("strictFeatures", {}), identity.get("nonStrictFeatures", {})
    years, birth = value.get("detail", {}).get("age", ""), strict.get("birthDate", "")
    name = person(usual) or " ".join(strict.get("birthName", "").split())
    known = [
        name if len(name) <= NAME else f"{name[:NAME]}…",
        SEXES.get(strict.get("sex", ""), ""),
        age(years) if years else _birth(birth),
    ]
    return ", ".join(one for one in known if one)


def _birth(text: str) -> str:
    try:
        return f"né(e) le {date.fromisoformat(text):%d/%m/%Y}"
    except ValueError:
        return text
