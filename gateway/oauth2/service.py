"""What the authorization server is made of: one frozen value, put together at start."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.callers import Network
from gateway.oauth2.clients import FindClient
from gateway.oauth2.failures import Failures
from gateway.oauth2.outside import OutsideKeys
from gateway.oauth2.tokens import SigningKeys

Remember = Callable[[str, float], Awaitable[bool]]
Revoke = Callable[[str, float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class AuthorizationService:
    """The authorization server's configuration and the callables it depends on.

    `issuer` is the public base URL without a slash at its end (RFC 8414); tokens have it as audience too.
    `remember(key, keep_until)` notes a used assertion, durably and for all replicas, until POSIX second `keep_until`,
    and says whether it was new. `revoke(jti, expires)` has an access token refused, durably and by all replicas, until
    it expires at that POSIX second. Both may raise Unavailable. `now` gives POSIX seconds. `failures` counts failed
    authentications by client and address, which is what a proxy in `trusted_proxies` says, else the peer's. `outside` is
    the other issuer whose tokens are accepted, and so can be revoked.
    """

    issuer: str
    keys: SigningKeys
    find_client: FindClient
    remember: Remember
    revoke: Revoke
    now: Callable[[], float]
    token_seconds: int = 600
    trusted_proxies: tuple[Network, ...] = ()
    outside: OutsideKeys | None = None
    failures: Failures = field(default_factory=Failures)

    @property
    def token_endpoint(self) -> str:
        """The URL that tokens are asked from."""
        return f"{self.issuer}/oauth2/token"

    @property
    def revocation_endpoint(self) -> str:
        """The URL that tokens are handed back to."""
        return f"{self.issuer}/oauth2/revoke"

    @property
    def audiences(self) -> tuple[str, str]:
        """What a client assertion may name as `aud` (RFC 7523, section 3)."""
        return (self.issuer, self.token_endpoint)
