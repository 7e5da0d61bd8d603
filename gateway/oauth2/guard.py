"""The guard of protected routes: access token -> Principal (RFC 6750, RFC 9068)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from heapq import heappop, heappush

from gateway.errors import ErrorKind, Issue, NotAuthenticated, Refused
from gateway.model import Publisher
from gateway.oauth2 import jose, tokens
from gateway.oauth2.clients import Client, CoreClient, FindClient, allowed_scopes
from gateway.oauth2.outside import OutsideKeys
from gateway.oauth2.tokens import SigningKeys

CACHE_SIZE = 10_000  # verified tokens kept
INACTIVE = "the client is unknown or suspended"
GET_ONE = "get one from POST /oauth2/token."


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, and what it may do now. `publisher` is None for the core."""

    publisher: Publisher | None
    client_id: str
    scopes: frozenset[str]
    is_core: bool


@dataclass(frozen=True, slots=True)
class _Verified:
    """What a verified token says, and the principal that this means for its client as registered at last sight.

    `key` is that by which it is revoked.
    """

    scopes: frozenset[str]
    key: str
    expires: float
    client: Client
    principal: Principal


class Guard:
    """Judges the Authorization header of each request.

    Verified tokens are kept by digest until they expire. The client is looked up at each call, so that suspending it
    or taking a scope from its registration stops its tokens at once.
    """

    def __init__(
        self,
        issuer: str,
        keys: SigningKeys,
        find_client: FindClient,
        outside: OutsideKeys | None = None,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self._issuer = issuer
        self._keys = keys
        self._find_client = find_client
        self._outside = outside
        self._cache_size = cache_size
        self._cache: dict[bytes, _Verified] = {}  # oldest first
        self._revoked: dict[str, float] = {}
        self._revoked_until: list[tuple[float, str]] = []  # a heap: the next to expire is first

    async def authenticate(self, authorization_header: str | None, now: float, scope: str) -> Principal:
        """Who sent this header, which must bear `scope` ("" = any). `now` in POSIX seconds.

        Raises NotAuthenticated (401), Refused with FORBIDDEN (403), and Unavailable (503) where an outside issuer's
        keys were never to be had. For a token seen before nothing is awaited.
        """
        if not authorization_header:
            raise _no_token()
        digest = sha256(authorization_header.encode(errors="replace")).digest()
        known = self._cache.get(digest)
        if known is None or now >= known.expires:
            known = await self._admit(digest, authorization_header, now)
        principal = known.principal
        client = self._find_client(principal.client_id)
        if client is not known.client:
            principal = self._see_again(digest, known, client).principal
        if principal.publisher is not None and principal.publisher.status != "active":
            raise _invalid(INACTIVE)
        if known.key in self._revoked:
            raise _invalid("the token was revoked")
        require(principal, scope)
        return principal

    def revoke(self, jti: str, exp: float) -> None:
        """Refuse a token by its revocation key (an own token's jti) from now on, in this process, until it expires at POSIX second `exp`."""
        if jti not in self._revoked:
            self._revoked[jti] = exp
            heappush(self._revoked_until, (exp, jti))

    def revoke_all(self, revoked: Iterable[tuple[str, float]]) -> None:
        """The same of several, as (jti, exp)."""
        for jti, exp in revoked:
            self.revoke(jti, exp)

    async def _admit(self, digest: bytes, header: str, now: float) -> _Verified:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise _no_token()
        try:
            verified = await self._verify(token.strip(" "), now)
        except jose.InvalidTokenError as error:
            raise _invalid(error.reason) from error
        while self._revoked_until and self._revoked_until[0][0] <= now:
            del self._revoked[heappop(self._revoked_until)[1]]
        self._cache.pop(digest, None)
        if len(self._cache) >= self._cache_size:
            del self._cache[next(iter(self._cache))]
        self._cache[digest] = verified
        return verified

    async def _verify(self, raw: str, now: float) -> _Verified:
        token = jose.parse(raw)
        issuer = token.claims.get("iss")
        if issuer == self._issuer:
            client_id = tokens.verified_client(token, self._keys)
        elif self._outside is not None and issuer == self._outside.issuer:
            client_id = await self._outside.verified_client(token, now)
        else:
            raise jose.InvalidTokenError("the issuer is not known")
        jose.check_audience(token.claims, self._issuer)
        expires = jose.check_times(token.claims, now)
        client = self._find_client(client_id)
        if client is None or (isinstance(client, CoreClient) and issuer != self._issuer):
            raise jose.InvalidTokenError(INACTIVE)
        scopes = frozenset(jose.text(token.claims, "scope").split())
        key = tokens.revocation_key(token, self._issuer)
        return _Verified(scopes, key, expires, client, _principal(client, scopes))

    def _see_again(self, digest: bytes, known: _Verified, client: Client | None) -> _Verified:
        # the registration was read anew since: its scopes count, and an outside token still is no token of the core
        if client is None or type(client) is not type(known.client):
            raise _invalid(INACTIVE)
        seen = replace(known, client=client, principal=_principal(client, known.scopes))
        self._cache[digest] = seen
        return seen


def require(principal: Principal, scope: str) -> None:
    """Raise Refused with FORBIDDEN (403) unless the principal may do what the scope names ("" = anything)."""
    if scope and scope not in principal.scopes:
        raise _insufficient(scope)


def _principal(client: Client, scopes: frozenset[str]) -> Principal:
    publisher = client if isinstance(client, Publisher) else None
    return Principal(publisher, client.client_id, scopes & set(allowed_scopes(client)), publisher is None)


def _no_token() -> NotAuthenticated:
    # RFC 6750, section 3.1: no error code where the request has no authentication information at all
    issue = Issue(
        ErrorKind.UNAUTHENTICATED, f"No access token was sent. Send `Authorization: Bearer …`; {GET_ONE}"
    )
    return NotAuthenticated(issue, headers={"WWW-Authenticate": 'Bearer realm="gateway"'})


def _invalid(reason: str) -> NotAuthenticated:
    issue = Issue(
        ErrorKind.UNAUTHENTICATED,
        f"The access token is refused: {reason}. {GET_ONE[0].upper() + GET_ONE[1:]}",
    )
    challenge = f'Bearer realm="gateway", error="invalid_token", error_description="{reason}"'
    return NotAuthenticated(issue, headers={"WWW-Authenticate": challenge})


def _insufficient(scope: str) -> Refused:
    issue = Issue(
        ErrorKind.FORBIDDEN, f"The access token lacks the scope {scope}, or the client no longer has it."
    )
    challenge = f'Bearer realm="gateway", error="insufficient_scope", scope="{scope}"'
    return Refused(issue, headers={"WWW-Authenticate": challenge})
