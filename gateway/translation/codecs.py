"""How a leaf's value is said in FHIR. A codec is a pair of functions and the values for which the pair is lossless.

A value outside the domain travels as sent in the MessageHeader (`residue`); `salvage` may still give FHIR readers its
meaning at the usual place.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import orjson

from gateway.model import JsonObject
from gateway.translation import identifiers

BLANK = r"\s\u0000-\u0020\u0085\u00a0\u1680\u180e\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
CONTROL = r"\u0000-\u0008\u000b\u000c\u000e-\u001f"
# FHIR R4 data types: string without control characters and not blank, and the regexes of the specification
TEXT = f"^[^{CONTROL}]*[^{BLANK}][^{CONTROL}]*$"
CODE = f"^[^{BLANK}]+( [^{BLANK}]+)*$"
URL = f"^[^{BLANK}]+$"
_LEAP = "([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)"
_DAY = (
    "([1-9][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
    f"|{_LEAP}-02-29)"
)
DATE = f"^{_DAY}$"
TIME = rf"^{_DAY}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,6}})?(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))$"


LINEAR = jsonschema_rs.RegexOptions()
"""The engine whose time grows with the text's length alone, whatever the pattern."""


def same(value: Any) -> Any:
    """The value itself."""
    return value


@dataclass(frozen=True, slots=True)
class Codec:
    """`domain` and `fhir` are JSON Schemas: of the message values that the pair keeps, and of what it writes."""

    domain: JsonObject
    fhir: JsonObject
    to: Callable[[Any], Any] = same
    back: Callable[[Any], Any] = same
    salvage: Callable[[Any], Any] | None = None


def _pattern(pattern: str) -> Codec:
    schema = {"type": "string", "pattern": pattern}
    return Codec(schema, schema)


AGE_UNITS = {"Y": "a", "M": "mo", "W": "wk", "D": "d"}
_AGE_LETTERS = {unit: letter for letter, unit in AGE_UNITS.items()}
UCUM = "http://unitsofmeasure.org"


def age_to(age: str) -> JsonObject:
    """An ISO 8601 duration of one unit (`P13Y`) as a FHIR Quantity in UCUM."""
    unit = AGE_UNITS[age[-1]]
    return {"value": int(age[1:-1]), "unit": unit, "system": UCUM, "code": unit}


def age_back(quantity: JsonObject) -> str:
    """The Quantity as an ISO 8601 duration."""
    return f"P{int(quantity['value'])}{_AGE_LETTERS[quantity['code']]}"


def code_salvage(code: Any) -> Any:
    """A code without the spaces around it, None where that is no code either."""
    trimmed = code.strip() if isinstance(code, str) else ""
    return trimmed if re.fullmatch(CODE, trimmed) else None


def _age_salvage(age: Any) -> Any:
    return age if isinstance(age, str) and re.fullmatch(r"P[0-9]{1,3}[YMWD]", age, re.ASCII) else None


def json_to(value: Any) -> str:
    """A JSON value as base64 of its compact UTF-8 form."""
    try:
        data = orjson.dumps(value)
    except orjson.JSONEncodeError:  # nested deeper than orjson writes
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(data).decode()


def json_back(text: str) -> Any:
    """The JSON value in base64. Raises ValueError where it is none."""
    return orjson.loads(base64.b64decode(text, validate=True))


NUMBER_TEXT = r"^(0|[1-9][0-9]{0,5})(\.[0-9]{0,2}[1-9])?$"


def number_text_to(text: str) -> float:
    """A number that the sender wrote as text."""
    return float(text) if "." in text else int(text)


def number_text_back(number: float) -> str:
    """The number as the shortest text."""
    return str(int(number)) if number == int(number) else str(number)


_QUANTITY = {
    "type": "object",
    "required": ["value", "system", "code"],
    "additionalProperties": False,
    "properties": {
        "value": {"type": "number", "minimum": 0, "multipleOf": 1},
        "unit": {"type": "string"},
        "system": {"enum": [UCUM]},
        "code": {"enum": list(_AGE_LETTERS)},
    },
}
_INTEGER = {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
BASE64 = {"type": "string", "pattern": "^[A-Za-z0-9+/]+={0,2}$"}

CODECS: Mapping[str, Codec] = {
    "text": _pattern(TEXT),
    "code": replace(_pattern(CODE), salvage=code_salvage),
    "url": _pattern(URL),
    "date": _pattern(DATE),
    "dateTime": _pattern(TIME),
    "number": Codec({"type": "number"}, {"type": "number"}),
    "boolean": Codec({"type": "boolean"}, {"type": "boolean"}),
    # draft 4: 100.0 is no integer
    "integer": Codec(_INTEGER, _INTEGER),
    "digits": Codec({"type": "integer"}, {"type": "string", "pattern": "^(0|-?[1-9][0-9]*)$"}, str, int),
    "number-text": Codec(
        {"type": "string", "pattern": NUMBER_TEXT},
        {"type": "number", "minimum": 0},
        number_text_to,
        number_text_back,
    ),
    "icd-10": _pattern(r"^[A-Z][0-9]{2}(\.?[0-9]{1,2})?$"),
    "age": Codec(
        {"type": "string", "pattern": "^P(0|[1-9][0-9]{0,2})[YMWD]$"},
        _QUANTITY,
        age_to,
        age_back,
        _age_salvage,
    ),
    "json": Codec({"type": "object"}, BASE64, json_to, json_back),
}


def code_map(pairs: Mapping[str, str]) -> Codec:
    """The codec of a code map. Raises ValueError where two codes map to one."""
    pairs = {key: value for key, value in pairs.items() if key != "*"}
    back = {value: key for key, value in pairs.items()}
    if len(back) != len(pairs):
        raise ValueError("a code map is one to one")
    return Codec({"enum": list(pairs)}, {"enum": list(back)}, pairs.__getitem__, back.__getitem__)


def ack_code(refused: bool | None, step: str | None) -> str:
    """MessageHeader.response.code of an acknowledgement: fatal-error where it was refused, failed or taken away unread."""
    return "fatal-error" if refused or step in {"ERREUR", "SUPPRIME"} else "ok"


def endpoint(scheme: str | None, actor: str | None) -> str:
    """An actor's id as a URL."""
    return f"{quote(scheme or 'hubex', safe='')}:{quote(actor or '', safe='.-_')}"


def hubex(actor: str | None) -> str:
    """A Hub Santé actor's id as a URL."""
    return endpoint(None, actor)


def addressed(uri: str | None, address: str | None) -> str | None:
    """The address where the URI is the address's own, else None."""
    return address if uri and address and uri.rpartition(":")[2] == address else None


CONTACT_SYSTEMS = {"TEL": "phone", "FAX": "fax", "EMAIL": "email", "MSS": "email", "WEB": "url"} | {
    "PHNADD": "phone",  # from here the words of EMSI (ISO/TR 22351)
    "FAXADD": "fax",
    "EMLADD": "email",
    "WWWADD": "url",
    "FTPADD": "url",
}


def contact_system(kind: str | None, value: str | None) -> str | None:
    """ContactPoint.system of a contact type, which a value must have; FHIR has no word for radio and post."""
    return CONTACT_SYSTEMS.get(kind or "", "other") if kind or value else None


def newest_status(states: list[JsonObject] | None) -> str | None:
    """The status of the newest of a vehicle's states, the last said of several at one instant."""
    told = [(s["datetime"], s["status"]) for s in states or () if "datetime" in s and "status" in s]
    newest = max(reversed(told), key=lambda state: datetime.fromisoformat(state[0]), default=(None, None))
    return newest[1]


def either(first: str | None, second: str | None) -> str | None:
    """The first that is there."""
    return first or second


def in_order(start: str | None, end: str | None) -> bool:
    """A Period (invariant per-1) may hold both: the end is not before the start."""
    return start is None or end is None or datetime.fromisoformat(start) <= datetime.fromisoformat(end)


def _only(name: str) -> Callable[[list[JsonObject] | None, str | None], Any]:
    """One coordinate of a list of one point in WGS 84, None where there are more points or another system."""

    def coordinate(points: list[JsonObject] | None, system: str | None) -> Any:
        sure = points and len(points) == 1 and (system is None or re.fullmatch("EPSG[:-]4326", system))
        return points[0].get(name) if points and sure else None

    return coordinate


DERIVATIONS: Mapping[str, Callable[..., Any]] = {
    "same": same,
    "ack-code": ack_code,
    "endpoint": endpoint,
    "hubex": hubex,
    "addressed": addressed,
    "contact-system": contact_system,
    "newest-status": newest_status,
    "header-uuid": identifiers.header_uuid,
    "either": either,
    "in-order": in_order,
    "only-latitude": _only("LAT"),
    "only-longitude": _only("LONG"),
    "only-altitude": _only("HEIGHT"),
}
NUMBERS = frozenset({"only-latitude", "only-longitude", "only-altitude"})
ALWAYS_SAID = frozenset({"ack-code", "endpoint", "hubex", "header-uuid"})  # never None


@dataclass(frozen=True, slots=True)
class Codecs:
    """The codecs that one table can name: the built-in ones and its code maps."""

    maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def named(self, name: str) -> Codec:
        """Raises KeyError for an unknown name."""
        return code_map(self.maps[name]) if name in self.maps else CODECS[name]
