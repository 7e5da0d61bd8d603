"""The keys of one outside issuer, fetched from its JWK Set and kept."""

import asyncio

import httpx
import orjson

from gateway.errors import ErrorKind, Issue, Unavailable
from gateway.oauth2 import jose
from gateway.oauth2.tokens import TYPE, UNKNOWN_KEY

NEEDED = ("sub", "client_id", "jti")  # beside iss, aud, exp and iat (RFC 9068, section 2.2)
MAX_LIFETIME = 3_600  # seconds that a token may live: a longer one outlives what its client may do
TIMEOUT = 5.0  # seconds for a fetch
MAX_BODY = 262_144  # bytes of a JWK Set


class OutsideKeys:
    """The keys of an issuer besides the gateway, whose access tokens are accepted for publishers' clients.

    However many tokens come with unknown kids, at most one fetch is made in `refetch_after` seconds. Keys count as
    fresh for `max_age` seconds.
    """

    def __init__(
        self,
        issuer: str,
        jwks_url: str,
        client: httpx.AsyncClient,
        refetch_after: float = 30.0,
        max_age: float = 600.0,
    ) -> None:
        self.issuer = issuer
        self._url = httpx.URL(jwks_url)
        self._client = client
        self._refetch_after = refetch_after
        self._max_age = max_age
        self._keys: tuple[jose.Key, ...] = ()
        self._tried_at = float("-inf")
        self._fetched_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def verified_client(self, token: jose.Unverified, now: float) -> str:
        """The client_id of an access token that the issuer signed. Raises InvalidTokenError and Unavailable.

        Only tokens of RFC 9068 are taken. A person's ID token has another `typ`, and its `sub` is a person: neither `sub` nor
        `azp` ever stands for the client. Audience and times are not looked at, but for how long the token lives.
        """
        if token.type != TYPE:
            raise jose.InvalidTokenError(f"not an access token of typ {TYPE} (RFC 9068)")
        key = await self.find(token, now)
        if key is None:
            raise jose.InvalidTokenError(UNKNOWN_KEY)
        jose.verify(token, key)
        for claim in NEEDED:
            if not jose.text(token.claims, claim):
                raise jose.InvalidTokenError(f"the claim {claim} is missing (RFC 9068)")
        issued, expires = jose.number(token.claims, "iat"), jose.number(token.claims, "exp")
        if issued is None or expires is None:
            raise jose.InvalidTokenError("the claims iat and exp are needed (RFC 9068)")
        if max(expires - issued, expires - now) > MAX_LIFETIME + jose.LEEWAY:
            raise jose.InvalidTokenError(f"the token lives longer than {MAX_LIFETIME} seconds")
        return jose.text(token.claims, "client_id")

    async def find(self, token: jose.Unverified, now: float) -> jose.Key | None:
        """The key that fits the token, None where the issuer has no such key.

        Old keys serve on while a fetch is under way or fails. Raises Unavailable while no keys were ever had.
        """
        key = jose.find_key(token, self._keys)
        is_fresh = now < self._fetched_at + self._max_age
        if key is not None and (is_fresh or self._fetching.locked()):
            return key
        async with self._fetching:
            if now >= self._tried_at + self._refetch_after:
                await self._fetch(now)
        if not self._keys:
            issue = Issue(ErrorKind.OVERLOADED, "The token's issuer cannot be reached to verify the token.")
            raise Unavailable(issue, headers={"Retry-After": str(int(self._refetch_after))})
        return jose.find_key(token, self._keys)

    async def _fetch(self, now: float) -> None:
        before, self._tried_at = self._tried_at, now
        try:
            answer = await self._client.get(self._url, timeout=TIMEOUT, follow_redirects=False)
            keys = _read(answer)
        except httpx.HTTPError:
            return
        except asyncio.CancelledError:
            self._tried_at = before  # a caller that went away has learnt nothing
            raise
        if keys:
            self._keys, self._fetched_at = keys, now


def _read(answer: httpx.Response) -> tuple[jose.Key, ...]:
    if answer.status_code != 200 or len(answer.content) > MAX_BODY:
        return ()
    try:
        document = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return ()
    return jose.public_keys(document) if isinstance(document, dict) else ()
