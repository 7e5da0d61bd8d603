"""`private_key_jwt` as a client writes it (RFC 7523, section 2.2): the core's and the demo publishers' side of it."""

import secrets
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey

JsonObject = dict[str, Any]
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME = 120  # seconds; five minutes are the most that is accepted


def new_key() -> JsonObject:
    """A fresh EC P-256 private JWK with its thumbprint (RFC 7638) as kid."""
    key = ECKey.generate_key("P-256", auto_kid=True)
    return {**key.as_dict(private=True), "use": "sig", "alg": "ES256"}


def new_webhook_key() -> JsonObject:
    """A fresh Ed25519 private JWK for webhooks."""
    return dict(OKPKey.generate_key("Ed25519", auto_kid=True).as_dict(private=True))


def public_jwks(jwk: JsonObject) -> JsonObject:
    """The JWK Set that holds the public part of a key."""
    return {"keys": [{name: value for name, value in jwk.items() if name != "d"}]}


def token_request(
    jwk: JsonObject, client_id: str, audience: str, now: float, scope: str = ""
) -> dict[str, str]:
    """The form of a token request by client credentials, with a fresh assertion. `now` in POSIX seconds."""
    key = ECKey.import_key(jwk)
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": int(now),
        "exp": int(now) + LIFETIME,
        "jti": secrets.token_urlsafe(24),
    }
    assertion = jwt.encode(
        {"alg": "ES256", "typ": "JWT", "kid": jwk["kid"]}, claims, key, algorithms=["ES256"]
    )
    form = {"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": assertion}
    return {**form, "scope": scope} if scope else form
