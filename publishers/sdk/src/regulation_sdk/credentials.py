"""How a publisher's software says who it is at the token endpoint: by a secret, or by a private key."""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 120
_CURVES = {"P-256": "ES256", "P-384": "ES384"}


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """Authentication by `client_secret_basic` (RFC 6749, section 2.3.1).

    >>> ClientSecret("my-client", "s3cret")
    ClientSecret(client_id='my-client')
    """

    client_id: str
    secret: str = field(repr=False)

    def authenticate(self, audience: str, wall: float) -> tuple[dict[str, str], dict[str, str]]:  # noqa: ARG002 - as PrivateKey
        """Headers and form fields of a token request."""
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}, {}


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """Authentication by `private_key_jwt` (RFC 7523): `jwk` is the private key as JWK, EC (P-256, P-384) or RSA.

    An `alg` in the JWK wins; otherwise ES256, ES384 or RS256 is used, as fits the key. Raises ValueError for another key.
    """

    client_id: str
    jwk: Mapping[str, Any] = field(repr=False)

    def __post_init__(self) -> None:
        """Find out early that the key does not serve."""
        _key(self.jwk)

    @classmethod
    def from_file(cls, client_id: str, path: str | Path) -> "PrivateKey":
        """The key from a file that holds the JWK as JSON, or PEM."""
        text = Path(path).read_text(encoding="utf-8")
        if "-----BEGIN" not in text:
            return cls(client_id, json.loads(text))
        private = load_pem_private_key(text.encode(), password=None)
        kind = RSAKey if isinstance(private, RSAPrivateKey) else ECKey
        return cls(client_id, dict(kind.import_key(text).as_dict(private=True)))

    def authenticate(self, audience: str, wall: float) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and form fields of a token request; `audience` is the server's issuer, `wall` POSIX seconds."""
        key, algorithm = _key(self.jwk)
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": audience,
            "iat": int(wall),
            "exp": int(wall) + ASSERTION_SECONDS,
            "jti": secrets.token_urlsafe(24),
        }
        header = {"alg": algorithm, "typ": "JWT", "kid": key.kid}
        assertion = jwt.encode(header, claims, key, algorithms=[algorithm])
        return {}, {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


Credentials = ClientSecret | PrivateKey


def _key(jwk: Mapping[str, Any]) -> tuple[ECKey | RSAKey, str]:
    if "d" not in jwk:
        raise ValueError("the JWK has no private part (member d)")
    key: ECKey | RSAKey
    if jwk.get("kty") == "EC" and jwk.get("crv") in _CURVES:
        key, algorithm = ECKey.import_key(dict(jwk)), _CURVES[str(jwk["crv"])]
    elif jwk.get("kty") == "RSA":
        key, algorithm = RSAKey.import_key(dict(jwk)), "RS256"
    else:
        raise ValueError("the JWK must be an EC key on P-256 or P-384, or an RSA key")
    key.ensure_kid()
    return key, str(jwk.get("alg", algorithm))
