"""Synthetic clients, keys and tokens for the tests of `gateway.oauth2`. Time is always `NOW` or near it."""

import base64
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey
from starlette.applications import Starlette

from gateway.model import JsonObject, Limits, Publisher
from gateway.oauth2 import AuthorizationService, CoreClient, SigningKeys, generate_signing_keys, routes
from gateway.oauth2.authentication import ASSERTION_TYPE
from gateway.oauth2.clients import Client
from gateway.oauth2.jose import Key

NOW = 1_800_000_000.0
ISSUER = "https://gateway.example"
TOKEN_URL = f"{ISSUER}/oauth2/token"
SECRET = "s3cret-of-256-random-bits"
SIGNING = generate_signing_keys(2)
EC256 = ECKey.generate_key("P-256", auto_kid=True)
EC384 = ECKey.generate_key("P-384", auto_kid=True)
RSA = RSAKey.generate_key(2048, auto_kid=True)
STRANGER = ECKey.generate_key("P-256", {"kid": EC256.kid or ""})  # claims the kid of another
CORE_KEY = ECKey.generate_key("P-384", auto_kid=True)
_numbers = itertools.count()


def key_set(*keys: Key) -> JsonObject:
    """The public parts of keys as a JWK Set."""
    return {"keys": [dict(key.as_dict(private=False)) for key in keys]}


CLIENT_KEYS = key_set(EC256, EC384, RSA)


def publisher(client_id: str = "lrm-1", **changed: Any) -> Publisher:
    """A registration with a secret and keys."""
    facts: dict[str, Any] = {
        "id": client_id,
        "name": "Synthetic software",
        "client_id": client_id,
        "sends_for": (),
        "inbox_for": (),
        "scopes": ("message.send", "message.read", "inbox.read"),
        "model_version": "v3",
        "format": "json",
        "message_types": (),
        "limits": Limits(),
        "secret_sha256": hashlib.sha256(SECRET.encode()).hexdigest(),
        "jwks": CLIENT_KEYS,
    }
    return Publisher(**{**facts, **changed})


@dataclass
class Clients:
    """A registry that tests may change."""

    known: dict[str, Client] = field(default_factory=dict)

    def add(self, *clients: Client) -> "Clients":
        self.known.update({client.client_id: client for client in clients})
        return self

    def find(self, client_id: str) -> Client | None:
        return self.known.get(client_id)


def clients() -> Clients:
    """Two publishers and the core."""
    return Clients().add(publisher(), publisher("lrm-2"), CoreClient("national-core", key_set(CORE_KEY)))


class JtiStore:
    """What a durable store does, in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, float] = {}

    async def remember(self, key: str, keep_until: float) -> bool:
        if key in self.kept:
            return False
        self.kept[key] = keep_until
        return True


class Revoked:
    """Tokens that were revoked: jti and expiry."""

    def __init__(self) -> None:
        self.kept: dict[str, float] = {}

    async def revoke(self, jti: str, expires: float) -> None:
        self.kept[jti] = expires


def service(**changed: Any) -> AuthorizationService:
    """An authorization server at NOW."""
    facts: dict[str, Any] = {
        "issuer": ISSUER,
        "keys": SIGNING,
        "find_client": clients().find,
        "remember": JtiStore().remember,
        "revoke": Revoked().revoke,
        "now": lambda: NOW,
    }
    return AuthorizationService(**{**facts, **changed})


def browser(of: AuthorizationService) -> httpx.AsyncClient:
    """An HTTP client whose other end is the authorization server."""
    app = Starlette(routes=routes(of))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ISSUER)


def signed(key: Key | OctKey, header: Mapping[str, Any], claims: object) -> str:
    """A JWS over any JSON; `alg` must be in the header."""
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    return jws.serialize_compact(dict(header), orjson.dumps(claims), key, registry=registry)


def unsigned(header: object, payload: bytes = b"{}") -> str:
    """A token with any header and payload, and a signature that nobody made."""
    parts = (orjson.dumps(header), payload, b"signature")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def assertion(
    key: Key = EC256, alg: str = "ES256", header: Mapping[str, Any] | None = None, **changed: Any
) -> str:
    """A valid assertion of `lrm-1`; a changed claim of value None is left out."""
    claims = {
        "iss": "lrm-1",
        "sub": "lrm-1",
        "aud": TOKEN_URL,
        "exp": NOW + 120,
        "iat": NOW,
        "jti": f"jti-{next(_numbers)}",
    }
    kept = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    return signed(key, {"alg": alg, "kid": key.kid, "typ": "JWT", **(header or {})}, kept)


def assertion_form(value: str, **more: str) -> dict[str, str]:
    """The form of a token request by private_key_jwt."""
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": value,
        **more,
    }


def access_token(keys: SigningKeys = SIGNING, header: Mapping[str, Any] | None = None, **changed: Any) -> str:
    """A valid access token of `lrm-1`; a changed claim of value None is left out."""
    claims = {
        "iss": ISSUER,
        "sub": "lrm-1",
        "aud": ISSUER,
        "exp": NOW + 600,
        "iat": NOW,
        "jti": f"token-{next(_numbers)}",
        "client_id": "lrm-1",
        "scope": "message.send message.read inbox.read",
    }
    kept = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    key = keys.keys[0]
    return signed(key, {"alg": "ES256", "kid": key.kid, "typ": "at+jwt", **(header or {})}, kept)
