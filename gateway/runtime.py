"""The parts that the paths share, put together once by `app` and never changed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request

from gateway.case_turns import CaseTurns
from gateway.errors import ErrorKind, Issue, Refused
from gateway.headers import header
from gateway.model import Publisher
from gateway.oauth2 import AuthorizationService, Guard, Principal, require
from gateway.offload import Offload
from gateway.pace import Pace
from gateway.quota import Quota, UrgentCases, Volume
from gateway.readers import Readers
from gateway.registry import RegistryHolder
from gateway.settings import Settings
from gateway.store import Store
from gateway.webhooks import WebhookKeys


@dataclass(frozen=True, slots=True)
class Runtime:
    """One running gateway: its settings and its rooms. `now` gives POSIX seconds."""

    settings: Settings
    registry: RegistryHolder
    quota: Quota
    urgent_cases: UrgentCases
    guard: Guard
    authorization: AuthorizationService
    store: Store
    now: Callable[[], float]
    webhook_keys: WebhookKeys | None = None
    readers: Readers = field(default_factory=Readers)
    pace: Pace = field(default_factory=Pace)
    volume: Volume = field(default_factory=Volume)
    case_turns: CaseTurns = field(default_factory=CaseTurns)
    offload: Offload = field(default_factory=Offload)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """The gateway takes nothing new from now on, and nobody waits for what will not come."""
        self.stopping.set()
        self.store.end_waits()


async def authenticate(runtime: Runtime, request: Request, scope: str) -> Publisher:
    """The publisher behind the request's access token, once it is its turn. Raises NotAuthenticated (401) or Refused (403)."""
    principal = await identify(runtime, request, scope)
    if principal.publisher is None:
        raise Refused(
            Issue(ErrorKind.FORBIDDEN, "This token is not a publisher's. Use a publisher's client.")
        )
    await runtime.pace.step_if_crowded(principal.publisher.id, runtime.now())
    return principal.publisher


async def identify(runtime: Runtime, request: Request, scope: str) -> Principal:
    """Who calls, be it a publisher or the core. Raises NotAuthenticated (401) or Refused (403).

    A publisher is left in the ASGI scope as `user`, which the RateLimit headers of every answer are made from.
    """
    token = header(request.scope, b"authorization")
    principal = await runtime.guard.authenticate(token, runtime.now(), "")
    request.scope["user"] = principal.publisher
    require(principal, scope)
    return principal


async def require_still(runtime: Runtime, request: Request, scope: str) -> None:
    """Check once more what `authenticate` checked, for a request that has waited: a suspension, a revocation or expiry since
    then counts. Raises NotAuthenticated (401) or Refused (403).
    """
    await runtime.guard.authenticate(header(request.scope, b"authorization"), runtime.now(), scope)
