"""The Ed25519 keys that sign webhooks. They are others than those of access tokens, and have a resource of their own."""

import base64
from dataclasses import dataclass
from typing import Final

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gateway.errors import ConfigurationError
from gateway.model import JsonObject

CURVE: Final = "Ed25519"
MAX_KEYS = 8  # signatures of one webhook


@dataclass(frozen=True, slots=True, repr=False)
class WebhookKeys:
    """Private keys, all of which sign. To rotate, add the new one, and drop the old one when every receiver has the new."""

    keys: tuple[OKPKey, ...]

    def sign(self, content: bytes) -> str:
        """The signatures as the header `webhook-signature` has them (Standard Webhooks, asymmetric: `v1a`)."""
        signatures = (key.private_key.sign(content) for key in self.keys)  # type: ignore[union-attr]
        return " ".join(f"v1a,{base64.b64encode(signature).decode()}" for signature in signatures)

    def public(self) -> JsonObject:
        """The public parts as a JWK Set (RFC 7517, RFC 8037)."""
        return {"keys": [{**key.as_dict(private=False), "use": "sig", "alg": "EdDSA"} for key in self.keys]}

    def private(self) -> JsonObject:
        """The private JWK Set: what `load_webhook_keys` reads."""
        return {"keys": [key.as_dict(private=True) for key in self.keys]}


def generate_webhook_keys(count: int = 1) -> WebhookKeys:
    """Fresh keys, each with its thumbprint (RFC 7638) as kid."""
    return WebhookKeys(tuple(OKPKey.generate_key(CURVE, auto_kid=True) for _ in range(count)))


def load_webhook_keys(document: bytes) -> WebhookKeys:
    """Private keys from a JWK Set. Raises ConfigurationError, which quotes no key."""
    try:
        value = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise ConfigurationError(
            "webhook keys: not JSON"
        ) from None  # the parser's error may quote the document
    listed = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_KEYS:
        raise ConfigurationError(f"webhook keys: a JWK Set with 1 to {MAX_KEYS} keys is needed")
    keys = tuple(_key(number, jwk) for number, jwk in enumerate(listed, 1))
    if len({key.kid for key in keys}) != len(keys):
        raise ConfigurationError("webhook keys: two keys have the same kid")
    return WebhookKeys(keys)


def _key(number: int, jwk: object) -> OKPKey:
    fits = isinstance(jwk, dict) and jwk.get("kty") == "OKP" and jwk.get("crv") == CURVE and "d" in jwk
    try:
        key = OKPKey.import_key(jwk) if fits and isinstance(jwk, dict) else None
        if key is not None:
            key.ensure_kid()
    except (JoseError, ValueError, TypeError, KeyError):
        key = None
    if key is None:
        raise ConfigurationError(f"webhook keys, key {number}: a private OKP key on {CURVE} is needed")
    return key
