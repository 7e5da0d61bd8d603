"""Decimals with more digits than a double has: their value would change on the way, so their digits are kept beside them. Pure.

A number of a message is a float here. Of one that is not what its sender wrote, the text is remembered by the float and takes its
place again where the message is written: in the Bundle, in JSON, in XML.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import islice
from math import isfinite
from typing import Any

import orjson

Digits = Mapping[float, str]  # the double that was read -> the decimal as it was sent
RUN = b"0" * 16  # digits and points in a row: a decimal with fewer is a double's own
ALIKE = bytes(ord("0") if chr(byte) in "0123456789." else byte for byte in range(256))
WHOLE = re.compile(rb"[0-9.]+(?:[eE][-+]?[0-9]+)?")
BEFORE = (b":", b",", b"[", b">")  # what stands before a number in JSON and in XML
SPACE = 64  # bytes before a number that are looked at
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?", re.ASCII)
ANY = re.compile(rb"(?<=[:,[>\s])-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?=[]},<\s])")
JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)
MOST = 1_000  # numbers of one body


def long_decimals(body: bytes) -> Digits | None:
    """The decimals in a body whose value a double does not have, None where there are none.

    What looks like a number inside a text may be found too: it does no harm, because only numbers are written anew. A double
    that stands in the body for two different decimals is left out.
    """
    found = {float(text): text for text in islice(_long_numbers(body), MOST)}
    cut = {
        number: text for number, text in found.items() if isfinite(number) and _differs(text, repr(number))
    }
    if not cut:
        return None
    for match in ANY.finditer(body):
        number = float(match[0])
        if number in cut and _differs(match[0].decode(), cut[number]):
            del cut[number]
    return cut or None


def _differs(one: str, other: str) -> bool:
    return one != other and Decimal(one) != Decimal(other)


def _long_numbers(body: bytes) -> Iterator[str]:
    alike = body.translate(ALIKE)
    at = alike.find(RUN)
    while at >= 0:
        whole = WHOLE.match(body, at)
        assert whole is not None
        before = body[max(0, at - SPACE) : at].removesuffix(b"-").rstrip(b" \t\r\n")[-1:]
        sign = "-" if body[at - 1 : at] == b"-" else ""
        text = sign + whole[0].decode()
        if before in BEFORE and NUMBER.fullmatch(text):
            yield text
        at = alike.find(RUN, whole.end())


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
