"""What R4 knows of an element, asked of `fhir.resources`: its type, whether it is a list, whether it is one of a choice."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from fhir.resources.R4B import get_fhir_model_class

_COMPLEX = re.compile(r"abc\.(\w+)Type\b")
_PRIMITIVE = re.compile(r"(\w+)\([^()]*\)\]+$")


@dataclass(frozen=True, slots=True)
class R4Element:
    """`type` is a data type, a resource or the name of a backbone element (`ObservationComponent`); `choice` is the
    name before `[x]`, "" outside a choice.
    """

    type: str
    listed: bool
    choice: str = ""

    @property
    def primitive(self) -> bool:
        """Whether its value is no JSON object."""
        return self.type[:1].islower()

    @property
    def backbone(self) -> bool:
        """Whether its content is declared where it stands; such a type cannot have a pattern."""
        return not self.primitive and any(c.__name__ == "BackboneElement" for c in _model(self.type).__mro__)


@cache
def element(parent: str, name: str) -> R4Element:
    """The element of a type. Raises KeyError where R4 has none."""
    if parent[:1].islower():
        parent = "Element"  # below a primitive there are id and extensions
    for field in _model(parent).model_fields.values():
        if (field.alias or "") == name:
            extra: Any = field.json_schema_extra or {}
            told = str(field.annotation)
            return R4Element(_type(told), "List[" in told, str(extra.get("one_of_many", "")))
    raise KeyError(f"{parent}.{name}")


def _type(annotation: str) -> str:
    if match := _COMPLEX.search(annotation):
        return match[1]
    if match := _PRIMITIVE.search(annotation):
        return match[1][:1].lower() + match[1][1:]
    return "boolean"  # the one type that is Python's own


@cache
def _model(kind: str) -> Any:
    return get_fhir_model_class(kind)


@cache
def order(kind: str) -> tuple[str, ...]:
    """The names of a type's elements in R4's order."""
    return tuple(_model("Element" if kind[:1].islower() else kind).elements_sequence())
