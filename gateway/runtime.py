"""The parts that the paths share, put together once by `app` and never changed."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from gateway.errors import ErrorKind, Issue, Refused
from gateway.model import Publisher
from gateway.oauth2 import AuthorizationService, Guard
from gateway.quota import Quota, UrgentCases
from gateway.registry import RegistryHolder
from gateway.settings import Settings
from gateway.store import Store


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


async def authenticate(runtime: Runtime, request: Request, scope: str) -> Publisher:
    """The publisher behind the request's access token. Raises NotAuthenticated (401) or Refused (403).

    The publisher is left in the ASGI scope as `user`, where every answer's RateLimit headers are made from.
    """
    principal = await runtime.guard.authenticate(request.headers.get("authorization"), runtime.now(), scope)
    if principal.publisher is None:
        raise Refused(
            Issue(ErrorKind.FORBIDDEN, "This token is not a publisher's. Use a publisher's client.")
        )
    request.scope["user"] = principal.publisher
    return principal.publisher
