"""What a version must have and the other does not say: given by rule (`schemas/conversion/required.fills`).

    RS-RI v1  mobilizedResource[].resourceType  from resource[].vehicleType  SMUR=SMUR "TSU=TSU " else AUTRE
    RS-ER v3  resource[].vehicleType  else AUTREVEC.AUTRE
    RS-RPIS v2  regulation.medicalLevel  from regulation.medicalLevel  SANS=SECOURS else SECOURS

A line: the type and the version that must have it, the member, what else the message says (in the other version, in
the same object) and its code, or the part of it before the first dot, with the value for it; `else` for the rest. Where
what the message says had no code in the version and was lost, it is reported as said by one that is near.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import schemas
from gateway.conversion.changes import REASONS, UNKNOWN_CODE
from gateway.conversion.moving import GIVEN, Loss, Moving
from gateway.errors import ConfigurationError
from gateway.model import Message
from gateway.validation.place import Place
from schemas.fields import table

FILE = "conversion/required.fills"
_ABOVE = 5  # content[0].jsonContent.embeddedJsonContent.message: what stands before the use case


@dataclass(frozen=True, slots=True)
class Rule:
    """The value of a member that must be there."""

    otherwise: str
    source: str = ""  # the member beside it, in the other version
    known: Mapping[str, str] = field(default_factory=dict)

    def value(self, beside: Any) -> str:
        """The value, by what stands beside."""
        code = beside if isinstance(beside, str) else ""
        return self.known.get(code) or self.known.get(code.partition(".")[0]) or self.otherwise


@cache
def rules() -> Mapping[tuple[str, str, str], Rule]:
    """The rules by type, version and member. Raises ConfigurationError."""
    found = {}
    for number, line in enumerate((schemas.ROOT / FILE).read_text(encoding="utf-8").splitlines(), 1):
        match shlex.split(line, comments=True):
            case []:
                continue
            case [kind, version, member, "from", source, *pairs, "else", otherwise]:
                known = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
                found[kind, version, member] = Rule(otherwise, source.rpartition(".")[2], known)
            case [kind, version, member, "else", otherwise]:
                found[kind, version, member] = Rule(otherwise)
            case _:
                raise ConfigurationError(
                    f"{FILE}:{number}: expected TYPE VERSION MEMBER [from MEMBER A=B ...] else VALUE"
                )
    return found


def fill(message: Message, source: Message, moving: Moving, place: Place, missing: str) -> bool:
    """Puts a missing member where a rule gives one; whether one did."""
    member = _spelled((*place[_ABOVE + 1 :], missing))
    rule = rules().get((message.message_type, message.model_version, member))
    if rule is None:
        return _fill_empty(message, place, missing)
    target: Place = (*place[_ABOVE - 1 :], missing)
    origin = moving.origin(target[:-1])
    there: Any = source.document["content"][0]["jsonContent"]["embeddedJsonContent"]
    for name in origin:
        there = there[name]
    _at(message, place)[missing] = rule.value(there.get(rule.source))
    said = Loss((*origin, rule.source), (), UNKNOWN_CODE)
    if said in moving.lost:
        moving.lost[moving.lost.index(said)] = Loss(said.source, target, REASONS["inexact"])
    else:
        moving.lost.append(Loss(origin, target, GIVEN))
    return True


def _fill_empty(message: Message, place: Place, missing: str) -> bool:
    """An object whose members are all optional says nothing: it may stand empty where it must be."""
    names = [name for name in (*place[_ABOVE + 1 :], missing) if isinstance(name, str)]
    known = table(message.message_type, message.model_version).at(list(names))
    if (
        known is None
        or known.type != "object"
        or known.repeats
        or any(child.required for child in known.fields)
    ):
        return False
    _at(message, place)[missing] = {}
    return True


def _at(message: Message, place: Place) -> Any:
    holder: Any = message.document
    for name in place:
        holder = holder[name]
    return holder


def _spelled(place: Place) -> str:
    return ".".join("[]" if isinstance(part, int) else part for part in place).replace(".[]", "[]")
