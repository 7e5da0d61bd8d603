"""JSON Web Tokens and keys (RFC 7515, 7517, 7519) with the narrow choices of this gateway.

A token is first read without trust (`parse`), so that issuer and key can be chosen, then its signature is verified
with a key that fits its algorithm. `none` and the HMAC algorithms are in no list and so never accepted.
"""

import base64
import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from gateway.model import JsonObject

Key = ECKey | RSAKey
ALGORITHMS = ("ES256", "ES384", "RS256", "RS384", "PS256")
LEEWAY = 60  # seconds by which two clocks may differ
MAX_TOKEN = 16_384  # characters
MAX_HEADER = 512  # characters; joserfc's own bound, which also bounds the depth of what its parser meets
MIN_RSA_BITS = 2_048  # NIST SP 800-131A
MAX_RSA_BITS = 8_192  # beyond, a verification takes seconds
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_CURVE_ALGORITHM = {"P-256": "ES256", "P-384": "ES384"}
_RSA_ALGORITHMS = ("RS256", "RS384", "PS256")
# unknown header parameters are ignored (RFC 7515, section 4); `crit` and `b64` are refused by `parse`
_REGISTRY = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)


class InvalidTokenError(Exception):
    """A token is not to be trusted. `reason` is fixed ASCII text without quotes, fit for a header or an error body."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, repr=False)
class Unverified:
    """A token as it reads, before its signature was verified."""

    raw: str
    algorithm: str
    key_id: str | None  # None = none given
    type: str  # lower case, without "application/", "" = none given
    claims: JsonObject


def parse(token: str, algorithms: tuple[str, ...] = ALGORITHMS) -> Unverified:
    """Read a JWS in compact form. Raises InvalidTokenError where it is no JWT or names an algorithm not listed."""
    match = _COMPACT.fullmatch(token) if len(token) <= MAX_TOKEN else None
    if match is None:
        raise InvalidTokenError("not a signed JWT in compact form")
    if len(match[1]) > MAX_HEADER:
        raise InvalidTokenError("the header is too long")
    header, claims = _json_object(match[1]), _json_object(match[2])
    if header.get("alg") not in algorithms:
        raise InvalidTokenError("the algorithm is not accepted")
    if "crit" in header or "b64" in header:
        raise InvalidTokenError("critical header parameters are not understood")
    key_id, kind = header.get("kid"), header.get("typ", "")
    if (
        not isinstance(key_id, str | None)
        or ("kid" in header and key_id is None)
        or not isinstance(kind, str)
    ):
        raise InvalidTokenError("kid and typ must be strings")
    return Unverified(token, header["alg"], key_id, kind.lower().removeprefix("application/"), claims)


def find_key(token: Unverified, keys: Iterable[Key]) -> Key | None:
    """The key of that kid which fits the token's algorithm; without kid, the only key that fits. None = no such key."""
    fitting = [
        key for key in keys if token.algorithm in key_algorithms(key) and token.key_id in (None, key.kid)
    ]
    return fitting[0] if len(fitting) == 1 or (fitting and token.key_id is not None) else None


def verify(token: Unverified, key: Key) -> None:
    """Raises InvalidTokenError unless the signature is by this key."""
    try:
        jws.deserialize_compact(token.raw, key, registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise InvalidTokenError("the signature is not valid") from error


def check_times(claims: JsonObject, now: float, expiry_leeway: float = 0) -> float:
    """`exp` in POSIX seconds. Raises InvalidTokenError unless the token is valid now (RFC 7519, section 4.1)."""
    expires = number(claims, "exp")
    if expires is None:
        raise InvalidTokenError("the claim exp is missing")
    if now >= expires + expiry_leeway:
        raise InvalidTokenError("the token has expired")
    for name in ("nbf", "iat"):
        if (number(claims, name) or 0) > now + LEEWAY:
            raise InvalidTokenError(f"the claim {name} is in the future")
    return expires


def check_audience(claims: JsonObject, audience: str) -> None:
    """Raises InvalidTokenError unless `aud`, a string or a list, names us."""
    named = claims.get("aud")
    listed = named if isinstance(named, list) else [named]
    if audience not in listed:
        raise InvalidTokenError(f"the claim aud does not name this server: expected {audience}")


def check_sole_audience(claims: JsonObject, audiences: Collection[str]) -> None:
    """Raises InvalidTokenError unless every member of `aud`, a string or a list, is one of ours.

    An assertion that names another server too could be used by that server here (RFC 7523, section 3).
    """
    named = claims.get("aud")
    listed = named if isinstance(named, list) else [named]
    if not listed or not all(member in audiences for member in listed):
        expected = " or ".join(audiences)
        raise InvalidTokenError(f"the claim aud must name this server and no other: expected {expected}")


def check_issued(claims: JsonObject, now: float, most: float) -> None:
    """Raises InvalidTokenError where `iat` is there and more than `most` seconds ago."""
    issued = number(claims, "iat")
    if issued is not None and issued < now - most:
        raise InvalidTokenError("the claim iat is too long ago")


def number(claims: JsonObject, name: str) -> float | None:
    """A NumericDate claim, None where absent. Raises InvalidTokenError where it is no finite number."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidTokenError(f"the claim {name} is not a number")
    return float(value)


def text(claims: JsonObject, name: str) -> str:
    """A string claim, "" where absent. Raises InvalidTokenError where it is no string."""
    value = claims.get(name, "")
    if not isinstance(value, str):
        raise InvalidTokenError(f"the claim {name} is not a string")
    return value


def key_algorithms(key: Key) -> tuple[str, ...]:
    """The accepted algorithms that a key may be used with: its own `alg` alone where it has one."""
    fits = _RSA_ALGORITHMS if isinstance(key, RSAKey) else (_CURVE_ALGORITHM.get(key.curve_name, ""),)
    return tuple(name for name in fits if name and key.get("alg") in (None, name))


def public_keys(jwks: JsonObject | None) -> tuple[Key, ...]:
    """The keys of a JWK Set that can verify an accepted algorithm; all others are passed over (RFC 7517, section 5)."""
    listed = (jwks or {}).get("keys")
    keys = [_public_key(jwk) for jwk in listed] if isinstance(listed, list) else []
    return tuple(key for key in keys if key is not None and key_algorithms(key))


def import_key(jwk: Any) -> Key:
    """An EC or RSA key from a JWK, with its thumbprint (RFC 7638) as kid where it has none.

    Raises ValueError, whose text never quotes the key.
    """
    kinds: dict[Any, type[ECKey | RSAKey]] = {"EC": ECKey, "RSA": RSAKey}
    kind = kinds.get(jwk.get("kty")) if isinstance(jwk, dict) and isinstance(jwk.get("kty"), str) else None
    if kind is None:
        raise ValueError("not a JWK of kty EC or RSA")
    if kind is RSAKey:
        bits = int.from_bytes(_decode(str(jwk.get("n", "")))).bit_length()
        if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
            raise ValueError(f"an RSA key of less than {MIN_RSA_BITS} bits, or of more than {MAX_RSA_BITS}")
    try:
        key = kind.import_key(jwk)
        key.ensure_kid()
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ValueError("a JWK that cannot be read") from error
    return key


def _public_key(jwk: Any) -> Key | None:
    try:
        key = import_key(jwk)
    except ValueError:
        return None
    return None if key.get("use") == "enc" else key


def _json_object(segment: str) -> JsonObject:
    try:
        value = orjson.loads(_decode(segment))  # unlike json, bounded in depth
    except ValueError as error:
        raise InvalidTokenError("not a JWT") from error
    if not isinstance(value, dict):
        raise InvalidTokenError("not a JWT")
    return value


def _decode(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
