"""The token endpoint's rules: client credentials (RFC 6749, section 4.4) on Authlib's framework-free core.

Authlib runs the flow; what is ours is both ways of client authentication, the scope rule and the token's form.
Authlib is synchronous and asks no store: an accepted assertion is noted on the request, and `answer` consumes its
`jti` before the answer leaves.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from authlib.oauth2.rfc6749.authorization_server import AuthorizationServer
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidScopeError, OAuth2Error
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload, OAuth2Request

from gateway.errors import Unavailable
from gateway.model import JsonObject
from gateway.oauth2 import tokens
from gateway.oauth2.authentication import (
    Assertion,
    KeyCache,
    RegisteredClient,
    client_secret_basic,
    client_secret_post,
    named_client,
    private_key_jwt,
)
from gateway.oauth2.clients import allowed_scopes, is_active
from gateway.oauth2.service import AuthorizationService
from gateway.observability import TOKEN_FAILURES, log

GRANT_TYPE = "client_credentials"
AUTHENTICATION_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749, section 5.1
RETRY_AFTER = 5  # seconds
SHOWN = (
    16  # characters of a client id that nobody has, in the log: somebody may have put a secret in its place
)


@dataclass(frozen=True, slots=True, repr=False)
class TokenForm:
    """A token request (RFC 6749, section 4.4.2). `authorization` is the header's value, "" where absent; `address` is
    the caller's.
    """

    authorization: str
    parameters: Mapping[str, str]
    address: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What the token endpoint answers: a token, or an error of RFC 6749, section 5.2."""

    status: int
    body: JsonObject
    headers: Mapping[str, str]


def refusal(error: str, description: str, status: int = 400) -> Answer:
    """An error answer. 401 names the scheme that the client may authenticate with."""
    challenge = {"WWW-Authenticate": f'Basic realm="oauth2", error="{error}"'} if status == 401 else {}
    return Answer(status, {"error": error, "error_description": description}, NO_STORE | challenge)


async def answer(server: "TokenServer", form: TokenForm, now: float) -> Answer:
    """Decide a token request and consume its assertion, if any: of equal assertions only one is ever accepted."""
    request = TokenRequest(form, now)
    decided: Answer = server.create_token_response(request)
    return await consume(server, request) or decided


async def consume(server: "TokenServer", request: "TokenRequest") -> Answer | None:
    """Note that the request's assertion, if it has any, is used now; an error answer where it was used before."""
    if request.assertion is None:
        return None
    try:
        is_new = await server.service.remember(request.assertion.key, request.assertion.keep_until)
    except Unavailable as error:
        return later("Assertions cannot be recorded now. Ask again later.", error)
    if not is_new:
        return refusal("invalid_client", "client_assertion: the jti was used before; sign a new assertion.")
    return None


class TooManyFailuresError(OAuth2Error):  # type: ignore[misc] # Authlib has no types
    """Too many authentications of this client from this address failed. `wait` = seconds until the next may be tried."""

    error = "temporarily_unavailable"

    def __init__(self, wait: float) -> None:
        super().__init__(
            "Too many attempts of this client failed from this address. Mend its credentials, and wait."
        )
        self.wait = math.ceil(wait)


def later(description: str, outage: Unavailable) -> Answer:
    """What is to be asked again later."""
    told = refusal("temporarily_unavailable", description, 503)
    return Answer(503, told.body, {**NO_STORE, "Retry-After": str(RETRY_AFTER), **outage.headers})


class TokenRequest(OAuth2Request):  # type: ignore[misc] # Authlib has no types
    """Authlib's view of a TokenForm, with the time and the place where an accepted assertion is noted."""

    def __init__(self, form: TokenForm, now: float) -> None:
        # Authlib insists on https; whether TLS ends here or at a proxy is not for this class to know
        super().__init__("POST", "https://gateway.invalid/oauth2/token")
        self.payload = BasicOAuth2Payload(form.parameters)
        self.authorization = form.authorization
        self.address = form.address
        self.now = now
        self.assertion: Assertion | None = None
        self.proven = (
            False  # whether an assertion's signature is the client's own, be its claims right or wrong
        )


class ClientCredentials(ClientCredentialsGrant):  # type: ignore[misc] # Authlib has no types
    """The one grant. Without `scope` a token has all of the client's scopes (RFC 6749, section 3.3)."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTHENTICATION_METHODS

    def validate_requested_scope(self) -> None:
        """Set the request's scope to what is granted. Raises InvalidScopeError for anything beyond the client's."""
        allowed = allowed_scopes(self.request.client.client)
        asked = self.request.payload.scope.split() if self.request.payload.scope else allowed
        if not asked or not set(asked) <= set(allowed):
            raise InvalidScopeError(f"This client may ask for: {' '.join(allowed) or 'no scope at all'}.")
        self.request.scope = " ".join(scope for scope in allowed if scope in asked)

    def create_token_response(self) -> tuple[int, JsonObject, Mapping[str, str]]:
        """Issue the token. Unlike Authlib's own step it writes no token into a log."""
        return 200, self.server.issue(self.request), NO_STORE


class TokenServer(AuthorizationServer):  # type: ignore[misc] # Authlib has no types
    """Authlib's authorization server without a framework: it takes a TokenRequest and gives an Answer."""

    def __init__(self, service: AuthorizationService) -> None:
        super().__init__()
        self.service = service
        self._keys = KeyCache()
        self.register_client_auth_method("client_secret_basic", client_secret_basic)
        self.register_client_auth_method("client_secret_post", client_secret_post)
        self.register_client_auth_method("private_key_jwt", partial(private_key_jwt, service.audiences))
        self.register_grant(ClientCredentials)

    def query_client(self, client_id: str) -> RegisteredClient | None:
        """The registered client, None where unknown or suspended: neither is told apart."""
        client = self.service.find_client(client_id)
        return RegisteredClient(client, self._keys.of) if client and is_active(client) else None

    def issue(self, request: TokenRequest) -> JsonObject:
        """The token answer (RFC 6749, section 5.1)."""
        token = tokens.access_token(
            self.service.keys,
            issuer=self.service.issuer,
            audience=self.service.issuer,
            client_id=request.client.client.client_id,
            scope=request.scope,
            now=request.now,
            lifetime=self.service.token_seconds,
        )
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self.service.token_seconds,
            "scope": request.scope,
        }

    def create_oauth2_request(self, request: TokenRequest) -> TokenRequest:
        """The request is Authlib's already."""
        return request

    def authenticate_client(
        self, request: TokenRequest, methods: tuple[str, ...], endpoint: str = "token"
    ) -> Any:
        """The client behind the request's credentials. Raises InvalidClientError and TooManyFailuresError.

        After too many failures of a client from one address, its secrets are not looked at until it has waited: else the
        right one could still be guessed. An assertion is, for nobody guesses a signature, and a publisher that signs is
        never locked out by others who come from its address.
        """
        if not request.authorization and not _has_assertion(request) and not _has_secret(request):
            raise InvalidClientError(
                "Authenticate with HTTP Basic (client_secret_basic), client_id and client_secret, or a client_assertion."
            )
        client_id = named_client(request)
        wait = self.service.failures.wait(client_id, request.address, request.now)
        if wait and not _has_assertion(request):
            raise self._blocked(client_id, wait)
        try:
            return super().authenticate_client(request, methods, endpoint)
        except InvalidClientError as error:
            if wait and not request.proven:
                raise self._blocked(client_id, wait) from error
            self._failed(client_id, request)
            raise

    def _blocked(self, client_id: str, wait: float) -> TooManyFailuresError:
        TOKEN_FAILURES.labels(self._known(client_id), "blocked").inc()
        return TooManyFailuresError(wait)

    def _failed(self, client_id: str, request: TokenRequest) -> None:
        """Count and log a failed authentication. Further ones of a pair that has to wait are counted only."""
        failures, address = self.service.failures, request.address
        known = self._known(client_id)
        TOKEN_FAILURES.labels(known, "refused").inc()
        shown = known or client_id[:SHOWN]
        log.warning("client_authentication_failed", client=shown, address=address)
        if client_id and not request.proven:  # a wrong claim in what the client itself signed is no guess
            failures.add(client_id, address, request.now)
            if failures.wait(client_id, address, request.now):
                log.warning("client_authentication_blocked", client=shown, address=address)

    def _known(self, client_id: str) -> str:
        """The client id, "" where no client has it: what strangers send must not become labels of a metric."""
        return client_id if self.service.find_client(client_id) else ""

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, body: JsonObject, headers: Mapping[str, str]) -> Answer:
        """Authlib's last step."""
        return Answer(status, body, headers)

    def handle_error_response(self, request: TokenRequest, error: OAuth2Error) -> Answer:
        """401 where the client might authenticate by the Authorization header, 400 for all else (section 5.2), and 429
        with Retry-After where it has failed too often.
        """
        if isinstance(error, TooManyFailuresError):
            told = refusal(error.error, error.description, 429)
            return Answer(429, told.body, {**NO_STORE, "Retry-After": str(error.wait)})
        is_challenge = isinstance(error, InvalidClientError) and not _has_assertion(request)
        description = error.description or f"Only grant_type={GRANT_TYPE} is served."
        return refusal(error.error, description, 401 if is_challenge else 400)


def _has_secret(request: TokenRequest) -> bool:
    return "client_secret" in request.payload.data


def _has_assertion(request: TokenRequest) -> bool:
    return "client_assertion" in request.payload.data or "client_assertion_type" in request.payload.data
