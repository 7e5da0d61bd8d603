"""The keys of a registration: what each must be, and what stands for it where it is absent."""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import base64_to_int

import schemas
from gateway.addresses import url_problem
from gateway.model import JsonObject, Limits
from gateway.registry.ids import is_actor_id, is_pattern

SCOPES = ("message.send", "message.read", "inbox.read")
MESSAGE_TYPES = frozenset(name for keys in schemas.ALL_ROOT_KEYS.values() for name in keys.values())
CURVES = ("P-256", "P-384")
MIN_RSA_BITS = 2_048  # NIST SP 800-131A
MAX_RSA_BITS = 8_192  # a longer one costs seconds of processor time a token request
PUBLISHER_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")  # needs no encoding in HTTP Basic (RFC 6749, section 2.3.1)
SHA256_HEX = re.compile(r"[0-9a-f]{64}")

Problems = Iterator[tuple[str, str]]  # (the list's item that is wrong, or "", what is wrong)
Check = Callable[[Any], Problems]


class Field(NamedTuple):
    """One key. A key without default must be there."""

    check: Check
    default: Any = ...


def _text(pattern: re.Pattern[str], wanted: str) -> Check:
    def check(value: Any) -> Problems:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            yield "", f"must be {wanted}"

    return check


def _one_of(*words: str) -> Check:
    def check(value: Any) -> Problems:
        if value not in words:
            yield "", f"must be one of: {', '.join(words)}"

    return check


def _list_of(is_good: Callable[[str], bool], wanted: str) -> Check:
    def check(value: Any) -> Problems:
        if not isinstance(value, list):
            yield "", "must be a list of texts"
            return
        for item in value:
            if not isinstance(item, str) or not is_good(item):
                yield str(item), f"{item!r} is not {wanted}"

    return check


def _flag(value: Any) -> Problems:
    if not isinstance(value, bool):
        yield "", "must be true or false"


def _count(most: int) -> Check:
    def check(value: Any) -> Problems:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            yield "", f"must be a whole number of 1 or more, and at most {most}"

    return check


def _share(value: Any) -> Problems:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        yield "", "must be a number from 0 to 1"


def _url(value: Any) -> Problems:
    problem = url_problem(value) if isinstance(value, str) else "must be a text"
    if problem:
        yield "", problem


def _date(value: Any) -> Problems:
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        yield "", "must be a date without quotes, like 2027-11-24"


def key_set(value: Any) -> Problems:
    """What is wrong with a JWK Set of public keys (RFC 7517)."""
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or not keys:
        yield "", "must be a JWK Set: a table with the list `keys`, of one key or more"
        return
    kids = [key.get("kid") if isinstance(key, dict) else None for key in keys]
    for number, (key, kid) in enumerate(zip(keys, kids, strict=True)):
        item = kid if isinstance(kid, str) else ""
        if len(keys) > 1 and (not item or kids.count(kid) > 1):
            yield item, f"keys[{number}] needs a `kid` of its own, for there are several keys"
        problem = _public_key(key)
        if problem:
            yield item, f"keys[{number}] {problem}"


def _public_key(jwk: Any) -> str:
    if not isinstance(jwk, dict) or jwk.get("kty") not in ("EC", "RSA"):
        return "must be a JWK of kty EC or RSA"
    if "d" in jwk:
        return "is a private key; put its public part here, and consider it no longer secret"
    try:
        # measured before joserfc reads it, for that warns of short keys instead of refusing them
        modulus = base64_to_int(jwk["n"]) if jwk["kty"] == "RSA" else None
        if modulus is not None and modulus.bit_length() < MIN_RSA_BITS:
            return f"has {modulus.bit_length()} bits; RSA keys need {MIN_RSA_BITS} or more"
        if modulus is not None and modulus.bit_length() > MAX_RSA_BITS:
            return f"has {modulus.bit_length()} bits; RSA keys may have {MAX_RSA_BITS} at most"
        key = ECKey.import_key(jwk) if modulus is None else RSAKey.import_key(jwk)
    except (JoseError, ValueError, TypeError, KeyError):
        return "is a JWK that cannot be read"
    if isinstance(key, ECKey) and key.curve_name not in CURVES:
        return f"must be on one of the curves {', '.join(CURVES)}"
    return ""


def _id_or_pattern(text: str) -> bool:
    return is_actor_id(text) or is_pattern(text)


def _is_certifiable(text: str) -> bool:
    name, _, version = text.partition("@")
    return version in schemas.VERSIONS and name in schemas.ALL_ROOT_KEYS[version].values()


IDS = _list_of(_id_or_pattern, "an id of three segments or more (fr.health.samu440), or one with a single *")
FIELDS: dict[str, Field] = {
    "id": Field(_text(PUBLISHER_ID, "1 to 63 lower-case letters, digits and inner hyphens")),
    "name": Field(_text(re.compile(r"[^\x00-\x1f]{1,200}"), "a text of 1 to 200 characters")),
    "status": Field(_one_of("active", "suspended"), "active"),
    "client_id": Field(_text(CLIENT_ID, "1 to 128 letters, digits and . _ ~ -")),
    "secret_sha256": Field(_text(SHA256_HEX, "64 hexadecimal digits in lower case"), ""),
    "jwks": Field(key_set, None),
    "jwks_file": Field(_text(re.compile(r"[^\x00]+"), "a file name"), ""),
    "scopes": Field(_list_of(SCOPES.__contains__, f"one of: {', '.join(SCOPES)}"), list(SCOPES)),
    "sends_for": Field(IDS, []),
    "inbox_for": Field(IDS, []),
    "model_version": Field(_one_of(*schemas.VERSIONS), "v3"),
    "format": Field(_one_of("json", "xml"), "json"),
    "message_types": Field(
        _list_of(MESSAGE_TYPES.__contains__, f"one of: {', '.join(sorted(MESSAGE_TYPES))}"), []
    ),
    "strict_codes": Field(_flag, False),
    "cisu": Field(_one_of("direct", "convert"), "convert"),
    "limits": Field(lambda _value: iter(()), {}),
    "certification": Field(lambda _value: iter(()), None),
    "webhook": Field(lambda _value: iter(()), None),
}
LIMITS: dict[str, Field] = {
    "per_second": Field(_count(1_000_000), Limits().per_second),
    "per_minute": Field(_count(60_000_000), Limits().per_minute),
    "per_day": Field(_count(10_000_000_000), Limits().per_day),
    "in_flight": Field(_count(100_000), Limits().in_flight),
    "max_body": Field(_count(33_554_432), Limits().max_body),
    "reserve": Field(_share, Limits().reserve),
    "bytes_per_minute": Field(_count(1_000_000_000_000), Limits().bytes_per_minute),
}
CERTIFICATION: dict[str, Field] = {
    "report": Field(_text(SHA256_HEX, "64 hexadecimal digits in lower case")),
    "valid_until": Field(_date),
    "types": Field(_list_of(_is_certifiable, "a message type and model version like RS-EDA@v3")),
}
WEBHOOK: dict[str, Field] = {"url": Field(_url)}


def with_defaults(fields: dict[str, Field], values: JsonObject) -> JsonObject:
    """The values, and the default of every key that is absent."""
    return {name: values.get(name, field.default) for name, field in fields.items()}
