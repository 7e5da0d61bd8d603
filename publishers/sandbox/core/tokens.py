"""The core's own token endpoint: one client, the gateway, by `private_key_jwt` (RFC 7523); opaque tokens in memory."""

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.requests import Request
from starlette.responses import JSONResponse

from publishers.sandbox.assertion import TYPE

JsonObject = dict[str, Any]
LIFETIME = 600  # seconds
MAX_AHEAD = 300  # seconds that exp may be ahead
LEEWAY = 60  # seconds by which two clocks may differ


class Tokens:
    """Gives access tokens to the gateway and knows them again. `url` is the token endpoint's own; `now` gives POSIX seconds."""

    def __init__(self, url: str, client_id: str, jwks: JsonObject, now: Callable[[], float]) -> None:
        self._url = url
        self._client_id = client_id
        self._keys = KeySet.import_key_set(jwks)  # type: ignore[arg-type]  # a JSON object read from a file
        self._now = now
        self._expires: dict[str, float] = {}
        self._used: dict[str, float] = {}

    async def endpoint(self, request: Request) -> JSONResponse:
        """`POST /oauth2/token`; errors as in RFC 6749, section 5.2."""
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials":
            return _error(400, "unsupported_grant_type", "grant_type must be client_credentials")
        try:
            self._check(form)
        except ValueError as error:
            return _error(401, "invalid_client", str(error))
        token = secrets.token_urlsafe(32)
        self._expires[token] = self._now() + LIFETIME
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME}
        scope = form.get("scope")
        return JSONResponse(
            {**answer, "scope": scope} if scope else answer, headers={"Cache-Control": "no-store"}
        )

    def allows(self, authorization: str | None) -> bool:
        """Does the Authorization header carry a token that was given here and is still good?"""
        scheme, _, token = (authorization or "").partition(" ")
        return scheme.lower() == "bearer" and self._expires.get(token.strip(), 0.0) > self._now()

    def _check(self, form: dict[str, str]) -> None:
        if form.get("client_assertion_type") != TYPE:
            raise ValueError(f"client_assertion_type must be {TYPE}")
        try:
            claims = jwt.decode(form.get("client_assertion", ""), self._keys, algorithms=["ES256"]).claims
        except (JoseError, ValueError):
            raise ValueError("client_assertion is not signed by the gateway's key") from None
        audience, expires, jti, now = claims.get("aud"), claims.get("exp"), claims.get("jti"), self._now()
        if not claims.get("iss") == claims.get("sub") == self._client_id:
            raise ValueError(f"iss and sub must be {self._client_id}")
        if self._url not in (audience if isinstance(audience, list) else [audience]):
            raise ValueError(f"aud must be {self._url}")
        if not isinstance(expires, int | float) or not now - LEEWAY < expires <= now + MAX_AHEAD + LEEWAY:
            raise ValueError(f"exp must be in the next {MAX_AHEAD} seconds")
        self._used = {used: until for used, until in self._used.items() if until > now}
        if not isinstance(jti, str) or not jti or jti in self._used:
            raise ValueError("jti is missing or was used before")
        self._used[jti] = expires + LEEWAY


def _error(status: int, code: str, description: str) -> JSONResponse:
    told = {"error": code, "error_description": description}
    return JSONResponse(told, status, headers={"Cache-Control": "no-store"})
