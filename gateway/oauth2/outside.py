"""The keys of one outside issuer, fetched from its JWK Set and kept."""

import asyncio

import httpx
import orjson

from gateway.errors import ErrorKind, Issue, Unavailable
from gateway.oauth2 import jose

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
