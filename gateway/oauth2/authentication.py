"""How a client proves who it is at the token endpoint: `client_secret_basic`, `client_secret_post`, `private_key_jwt`.

All are functions of the form that Authlib's client authentication calls: `(query_client, request)`, giving the
client, None where the request does not use this method, or raising InvalidClientError.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson
from authlib.oauth2.rfc6749.errors import InvalidClientError
from joserfc.jwk import ECKey, RSAKey

from gateway.model import JsonObject, Publisher
from gateway.oauth2 import jose
from gateway.oauth2.clients import Client

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_LIFETIME = 300  # seconds that an assertion's exp may be ahead (SMART App Launch, private_key_jwt)
MAX_AGE = 300  # seconds that its iat may be ago (RFC 7523, section 3)
MAX_JTI = 256  # characters
_ASSERTION_TYPES = ("", "jwt", "client-authentication+jwt")  # an access token is no assertion
# one text for all, so that nobody learns which client ids exist
_NO_SECRET = "No active client has this client_id and secret."  # noqa: S105 - an error text
_NO_KEY = (
    "client_assertion: no active client of this id has a key of this kid and alg that verifies the signature."
)


# Nobody's digest and keys. A client that does not exist is compared with them, which takes as long as with real ones.
_NOBODY = "0" * 64
_RSA = RSAKey.import_key(
    {"kty": "RSA", "n": base64.urlsafe_b64encode(b"\xff" * 256).decode().rstrip("="), "e": "AQAB"}
)
_NOBODYS_KEYS: tuple[jose.Key, ...] = (ECKey.generate_key("P-256"), ECKey.generate_key("P-384"), _RSA)
_DECOYS = {algorithm: key for key in _NOBODYS_KEYS for algorithm in jose.key_algorithms(key)}


@dataclass(frozen=True, slots=True, repr=False)
class RegisteredClient:
    """A client, in the shape that Authlib asks questions of. `imported` gives its keys when they are needed."""

    client: Client
    imported: Callable[[Client], tuple[jose.Key, ...]]

    @property
    def keys(self) -> tuple[jose.Key, ...]:
        """The client's public keys."""
        return self.imported(self.client)

    def check_grant_type(self, grant_type: str) -> bool:
        """Every client uses the one grant."""
        return grant_type == "client_credentials"

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - Authlib's signature
        """A client may use what its registration holds a secret or keys for."""
        return bool(self.keys if method == "private_key_jwt" else self.secret_sha256)

    @property
    def secret_sha256(self) -> str:
        """The hex SHA-256 digest of the client's secret, "" where it has none."""
        return self.client.secret_sha256 if isinstance(self.client, Publisher) else ""


QueryClient = Callable[[str], RegisteredClient | None]


@dataclass(frozen=True, slots=True)
class Assertion:
    """A valid assertion, to be consumed: `key` stands for client and jti, `keep_until` is in POSIX seconds."""

    key: str
    keep_until: float


class KeyCache:
    """Imported keys by client, renewed when a registration's JWK Set is replaced."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[JsonObject | None, tuple[jose.Key, ...]]] = {}

    def of(self, client: Client) -> tuple[jose.Key, ...]:
        """The client's public keys."""
        known = self._known.get(client.client_id)
        if known is None or known[0] is not client.jwks:
            known = self._known[client.client_id] = (client.jwks, jose.public_keys(client.jwks))
        return known[1]


def client_secret_basic(query_client: QueryClient, request: Any) -> RegisteredClient | None:
    """HTTP Basic with client_id and secret (RFC 6749, section 2.3.1)."""
    if not request.authorization:
        return None
    client_id, secret = _basic_credentials(request.authorization)
    _check_client_id(request, client_id)
    return _with_secret(query_client, client_id, secret)


def client_secret_post(query_client: QueryClient, request: Any) -> RegisteredClient | None:
    """client_id and client_secret in the form (RFC 6749, section 2.3.1)."""
    form = request.payload.data
    if "client_secret" not in form:
        return None
    if "client_id" not in form:
        raise InvalidClientError("The parameter client_id is missing beside client_secret.")
    return _with_secret(query_client, form["client_id"], form["client_secret"])


def named_client(request: Any) -> str:
    """Who a request says that it comes from, whatever its credentials prove; "" where it names nobody."""
    form = request.payload.data
    try:
        if request.authorization:
            return _basic_credentials(request.authorization)[0]
        if "client_assertion" in form:
            return jose.text(jose.parse(form["client_assertion"]).claims, "sub")
    except (InvalidClientError, jose.InvalidTokenError):
        return ""
    return str(form.get("client_id", ""))


def _with_secret(query_client: QueryClient, client_id: str, secret: str) -> RegisteredClient:
    client = query_client(client_id)
    expected = (client.secret_sha256.lower() if client else "") or _NOBODY
    digest = hashlib.sha256(secret.encode()).hexdigest()
    if not hmac.compare_digest(digest.encode(), expected.encode()) or client is None or not secret:
        raise InvalidClientError(_NO_SECRET)
    return client


def private_key_jwt(
    audiences: tuple[str, ...], query_client: QueryClient, request: Any
) -> RegisteredClient | None:
    """A signed assertion (RFC 7523, sections 2.2 and 3). The `jti` is noted on the request, to be consumed later."""
    form = request.payload.data
    if "client_assertion" not in form and "client_assertion_type" not in form:
        return None
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise InvalidClientError(f"client_assertion_type must be {ASSERTION_TYPE}.")
    try:
        client, token = _verified(form.get("client_assertion", ""), query_client)
        request.proven = True
        request.assertion = _judge(token.claims, audiences, request.now)
    except jose.InvalidTokenError as error:
        raise InvalidClientError(f"client_assertion: {error.reason}.") from error
    _check_client_id(request, client.client.client_id)
    return client


def _verified(assertion: str, query_client: QueryClient) -> tuple[RegisteredClient, jose.Unverified]:
    token = jose.parse(assertion)
    if token.type not in _ASSERTION_TYPES:
        raise jose.InvalidTokenError("typ must be JWT")
    client_id = jose.text(token.claims, "sub")
    if not client_id or client_id != jose.text(token.claims, "iss"):
        raise jose.InvalidTokenError("iss and sub must both be the client_id")
    client = query_client(client_id)
    key = jose.find_key(token, client.keys if client else _NOBODYS_KEYS)
    try:
        jose.verify(token, key or _DECOYS[token.algorithm])
    except jose.InvalidTokenError as error:
        raise InvalidClientError(_NO_KEY) from error
    if client is None or key is None:
        raise InvalidClientError(_NO_KEY)
    return client, token


def _judge(claims: JsonObject, audiences: tuple[str, ...], now: float) -> Assertion:
    jose.check_sole_audience(claims, audiences)
    expires = jose.check_times(claims, now, jose.LEEWAY)
    jose.check_issued(claims, now, MAX_AGE + jose.LEEWAY)
    if expires > now + MAX_LIFETIME + jose.LEEWAY:
        raise jose.InvalidTokenError(f"exp is more than {MAX_LIFETIME} seconds ahead")
    jti = jose.text(claims, "jti")
    if not 0 < len(jti) <= MAX_JTI:
        raise jose.InvalidTokenError(f"the claim jti must have 1 to {MAX_JTI} characters")
    # a digest, so that no store has to cope with what a client may write into a jti
    key = hashlib.sha256(orjson.dumps([claims["sub"], jti])).hexdigest()
    return Assertion(key, expires + jose.LEEWAY)


def _basic_credentials(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClientError("The Authorization header must use the scheme Basic.")
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise InvalidClientError("The Authorization header is not base64 of UTF-8 text.") from None
    if not colon:
        raise InvalidClientError("The Authorization header is not base64 of client_id:client_secret.")
    return unquote(client_id), unquote(secret)


def _check_client_id(request: Any, client_id: str) -> None:
    # RFC 7521, section 4.2: a client_id that is sent besides must name the same client
    if request.payload.data.get("client_id", client_id) != client_id:
        raise InvalidClientError("The parameter client_id names another client than the credentials.")
