"""Decimals with more digits than a double has: their value would change on the way, so their digits are kept beside them. Pure.

A number of a message is a float here. Of one that is not what its sender wrote, the text is remembered by the float and takes its
place again where the message is written: in the Bundle, in JSON, in XML.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

import orjson

Digits = Mapping[float, str]  # the double that was read -> the decimal as it was sent
FEWEST = 16  # digits and points in a row: a decimal with fewer is a double's own
ALIKE = bytes(ord("0") if chr(byte) in "0123456789." else byte for byte in range(256))
NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)
MOST = 1_000  # numbers of one body


def long_decimals(body: bytes) -> Digits | None:
    """The decimals in a body whose value a double does not have, None where there are none.

    What stands in a text is found too: it does no harm, because only numbers are written anew. A double that two different
    decimals give is left out.
    """
    if b"0" * FEWEST not in body.translate(ALIKE):
        return None
    found: dict[float, str] = {}
    doubtful: set[float] = set()
    for match in NUMBER.finditer(body):
        if len(match[0]) < FEWEST or len(found) >= MOST:
            continue
        text = match[0].decode()
        number = float(text)
        if not isfinite(number) or Decimal(text) == Decimal(repr(number)):
            continue
        if number in found and Decimal(found[number]) != Decimal(text):
            doubtful.add(number)
        found[number] = text
    return {number: text for number, text in found.items() if number not in doubtful} or None


def kept(value: Any, digits: Digits | None) -> Any:
    """A JSON value as `orjson.dumps` writes it with all digits; itself where none are kept."""
    if not digits:
        return value
    if isinstance(value, dict):
        return {name: kept(inner, digits) for name, inner in value.items()}
    if isinstance(value, list):
        return [kept(inner, digits) for inner in value]
    if isinstance(value, float) and value in digits:
        text = digits[value]
        return orjson.Fragment(text if JSON_NUMBER.fullmatch(text) else plain(text))
    return value


def plain(text: str) -> str:
    """A decimal without an exponent."""
    return format(Decimal(text), "f")
