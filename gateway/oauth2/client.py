"""The gateway as a client itself: assertions and access tokens for calling the national core."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import orjson
from joserfc import jwt

from gateway.errors import CoreOutage
from gateway.oauth2 import jose
from gateway.oauth2.authentication import ASSERTION_TYPE

ASSERTION_SECONDS = 120
RENEW_BEFORE = 60.0  # seconds before expiry
RETRY_RENEWAL = 5.0  # seconds after a renewal that failed while the old token still serves
MAX_WAIT = 3_600.0  # seconds; an endpoint that asks for more is asked again after an hour
DEFAULT_LIFETIME = 300.0  # seconds, where the answer has no expires_in (RFC 6749 only recommends it)


def client_assertion(key: jose.Key, client_id: str, audience: str, now: float) -> str:
    """A fresh assertion for `private_key_jwt` (RFC 7523, section 2.2), good for two minutes and one use.

    The algorithm is the key's own `alg`, else the first that fits it. `now` in POSIX seconds.
    """
    key.ensure_kid()
    algorithm = jose.key_algorithms(key)[0]
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "exp": int(now) + ASSERTION_SECONDS,
        "iat": int(now),
        "jti": secrets.token_urlsafe(24),
    }
    header = {"alg": algorithm, "typ": "JWT", "kid": key.kid}
    return jwt.encode(header, claims, key, algorithms=[algorithm])


@dataclass(frozen=True, slots=True, repr=False)
class _Token:
    value: str
    renew_at: float
    expires: float


class TokenSource:
    """A current access token of the core's issuer, asked for once however many need it at the same time.

    It is renewed 60 s before it expires. While a renewal fails, the old token serves until it expires.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        token_url: str,
        key: jose.Key,
        client_id: str,
        scope: str,
        now: Callable[[], float],
    ) -> None:
        self._client = client
        self._url = token_url
        self._key = key
        self._client_id = client_id
        self._scope = scope
        self._now = now
        self._token: _Token | None = None
        self._asking = asyncio.Lock()

    async def __call__(self) -> str:
        """The token. Raises CoreOutage where none is to be had."""
        token = self._token
        if token is not None and (self._now() < token.renew_at or self._is_being_renewed(token)):
            return token.value
        async with self._asking:
            token = self._token
            if token is None or self._now() >= token.renew_at:
                token = await self._renew(token)
            return token.value

    def forget(self) -> None:
        """Drop the token: the core refused it."""
        self._token = None

    def _is_being_renewed(self, token: _Token) -> bool:
        return self._asking.locked() and self._now() < token.expires

    async def _renew(self, old: _Token | None) -> _Token:
        try:
            self._token = await self._ask()
        except CoreOutage:
            now = self._now()
            if old is None or now >= old.expires:
                raise
            self._token = _Token(old.value, now + RETRY_RENEWAL, old.expires)
        return self._token

    async def _ask(self) -> _Token:
        asked_at = self._now()
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": client_assertion(self._key, self._client_id, self._url, asked_at),
        }
        if self._scope:
            form["scope"] = self._scope
        try:
            answer = await self._client.post(self._url, data=form, headers={"Accept": "application/json"})
        except httpx.HTTPError as error:
            raise CoreOutage(f"token endpoint: {type(error).__name__}") from error
        if answer.status_code != 200:
            wait = answer.headers.get("Retry-After", "")
            raise CoreOutage(
                f"token endpoint: HTTP {answer.status_code}",
                min(float(wait), MAX_WAIT) if wait.isdecimal() else None,
            )
        return _read(answer.content, asked_at)


def _read(body: bytes, asked_at: float) -> _Token:
    try:
        answer = orjson.loads(body)
        value, kind = answer["access_token"], answer["token_type"].lower()
        lifetime = float(answer.get("expires_in") or DEFAULT_LIFETIME)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CoreOutage("token endpoint: the answer is no token") from error
    if not isinstance(value, str) or not value.isascii() or kind != "bearer" or lifetime <= 0:
        raise CoreOutage("token endpoint: the answer is no bearer token")
    return _Token(value, asked_at + max(lifetime - RENEW_BEFORE, lifetime / 2), asked_at + lifetime)
