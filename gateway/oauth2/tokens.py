"""The gateway's own access tokens (RFC 9068) and the keys that sign them."""

import secrets
from dataclasses import dataclass
from hashlib import sha256

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.errors import ConfigurationError
from gateway.model import JsonObject
from gateway.oauth2 import jose

ALGORITHM = "ES256"
TYPE = "at+jwt"
UNKNOWN_KEY = "no key of the issuer has this kid and alg"


@dataclass(frozen=True, slots=True, repr=False)
class SigningKeys:
    """P-256 private keys: the first signs, all verify. To rotate, put the new key first and drop the old one once
    the last token it signed has expired.
    """

    keys: tuple[ECKey, ...]

    def public(self) -> JsonObject:
        """The public parts as a JWK Set (RFC 7517, section 5)."""
        return {"keys": [self._jwk(key, private=False) for key in self.keys]}

    def private(self) -> JsonObject:
        """The private JWK Set: what `load_signing_keys` reads."""
        return {"keys": [self._jwk(key, private=True) for key in self.keys]}

    @staticmethod
    def _jwk(key: ECKey, *, private: bool) -> JsonObject:
        return {**key.as_dict(private=private), "use": "sig", "alg": ALGORITHM}


def generate_signing_keys(count: int = 1) -> SigningKeys:
    """Fresh signing keys, each with its thumbprint (RFC 7638) as kid."""
    return SigningKeys(tuple(ECKey.generate_key("P-256", auto_kid=True) for _ in range(count)))


def load_signing_keys(document: bytes | str) -> SigningKeys:
    """Private keys from JSON: a JWK Set, a list of JWKs or one JWK. Raises ConfigurationError, which quotes no key."""
    keys = tuple(_signing_key(number, jwk) for number, jwk in enumerate(_listed(document), 1))
    if len({key.kid for key in keys}) != len(keys):
        raise ConfigurationError("signing keys: two keys have the same kid")
    return SigningKeys(keys)


def load_private_key(document: bytes | str) -> jose.Key:
    """The first private key of a JWK Set, a list of JWKs or one JWK. Raises ConfigurationError, which quotes no key."""
    try:
        key = jose.import_key(_listed(document)[0])
    except ValueError as error:
        raise ConfigurationError(f"private key: {error}") from error
    if not key.is_private or not jose.key_algorithms(key):
        raise ConfigurationError("private key: a private EC P-256, EC P-384 or RSA key is needed")
    return key


def access_token(
    keys: SigningKeys,
    *,
    issuer: str,
    audience: str,
    client_id: str,
    scope: str,
    now: float,
    lifetime: int,
) -> str:
    """A signed access token (RFC 9068, section 2.2). `now` in POSIX seconds, `lifetime` in seconds."""
    key = keys.keys[0]
    claims = {
        "iss": issuer,
        "sub": client_id,
        "aud": audience,
        "exp": int(now) + lifetime,
        "iat": int(now),
        "jti": secrets.token_urlsafe(16),
        "client_id": client_id,
        "scope": scope,
    }
    return jwt.encode({"alg": ALGORITHM, "typ": TYPE, "kid": key.kid}, claims, key, algorithms=[ALGORITHM])


def verified_client(token: jose.Unverified, keys: SigningKeys) -> str:
    """The client_id of an access token that one of these keys signed. Raises InvalidTokenError where none did.

    Issuer, audience and times are not looked at.
    """
    if token.algorithm != ALGORITHM or token.type != TYPE:
        raise jose.InvalidTokenError(f"not an access token of typ {TYPE} and alg {ALGORITHM}")
    key = jose.find_key(token, keys.keys)
    if key is None:
        raise jose.InvalidTokenError(UNKNOWN_KEY)
    jose.verify(token, key)
    return jose.text(token.claims, "client_id")


def revocation_key(token: jose.Unverified, issuer: str) -> str:
    """What a token is revoked by: the jti of one that `issuer`, the gateway itself, issued; of another issuer's a digest
    that no jti of ours can be equal to. "" where it has no jti.
    """
    jti = jose.text(token.claims, "jti")
    if not jti or token.claims.get("iss") == issuer:
        return jti
    return sha256(orjson.dumps([token.claims.get("iss"), jti])).hexdigest()


def _listed(document: bytes | str) -> list[JsonObject]:
    try:
        value = orjson.loads(document)
    except ValueError:
        raise ConfigurationError("keys: not JSON") from None  # the parser's error may quote the document
    listed = value.get("keys", [value]) if isinstance(value, dict) else value
    if not isinstance(listed, list) or not listed:
        raise ConfigurationError(
            "keys: a JWK Set, a list of JWKs or one JWK is needed, with at least one key"
        )
    return listed


def _signing_key(number: int, jwk: JsonObject) -> ECKey:
    try:
        key = jose.import_key(jwk)
    except ValueError as error:
        raise ConfigurationError(f"signing keys, key {number}: {error}") from error
    if not isinstance(key, ECKey) or not key.is_private or ALGORITHM not in jose.key_algorithms(key):
        raise ConfigurationError(f"signing keys, key {number}: a private EC key on P-256 is needed")
    return key
