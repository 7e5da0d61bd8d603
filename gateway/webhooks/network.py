"""The HTTP client towards publishers' endpoints. Their hosts are named by others, so that it calls public addresses only.

The check stands where a connection is made: a host is resolved once, refused where *any* of its addresses is not public,
and connected to at the address that was checked; TLS is verified for its name. So a second answer of its DNS changes
nothing, and neither does a URL that is read in two ways.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import aiohttp
import httpx
import httpx_aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.addresses import is_public

Lookup = Callable[[str, int, int, int], Sequence[tuple[Any, ...]]]  # as socket.getaddrinfo
RESOLVERS = 32  # names that are resolved at one time; a name server that hangs keeps one from the others
KEEPALIVE_SECONDS = 30.0


class ForbiddenAddressError(OSError):
    """An endpoint is at an address that is none of the public Internet. The text names no address."""


def http_client(
    *, allow_private: bool = False, tls: ssl.SSLContext | None = None, lookup: Lookup = socket.getaddrinfo
) -> httpx.AsyncClient:
    """The one HTTP client for webhooks. It has no time limits of its own.

    `tls` replaces the system's trusted authorities, `lookup` its resolver.
    """
    context = tls or httpx.create_ssl_context(trust_env=False)

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=Resolver(lookup, allow_private=allow_private),
            socket_factory=None if allow_private else public_socket,
            ssl=context,
            limit=0,  # the notifier bounds what is under way
            keepalive_timeout=KEEPALIVE_SECONDS,
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return httpx.AsyncClient(
        transport=httpx_aiohttp.AiohttpTransport(verify=context, client=session),
        timeout=None,  # noqa: S113 - `send` bounds the whole exchange
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


def public_socket(address: Any) -> socket.socket:
    """A socket for an address as getaddrinfo gives it. Raises ForbiddenAddressError where it is not public.

    Every connection comes by here, that to an address in a URL too.
    """
    family, kind, protocol, _name, where = address
    if not is_public(where[0]) or (family == socket.AF_INET6 and where[3]):  # the scope of a link-local one
        raise ForbiddenAddressError("the endpoint's address is not public")
    return socket.socket(family, kind, protocol)


class Resolver(AbstractResolver):
    """Names to addresses, looked up in threads of its own."""

    def __init__(self, lookup: Lookup, *, allow_private: bool) -> None:
        self._lookup = lookup
        self._allow_private = allow_private
        self._threads = ThreadPoolExecutor(RESOLVERS, "webhook-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All addresses of a host. Raises OSError, and ForbiddenAddressError where one of them is not public."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._lookup, host, port, family, socket.SOCK_STREAM
        )
        if not found:
            raise OSError("the endpoint's name has no address")
        if not self._allow_private and not all(is_public(str(where[0])) for *_, where in found):
            raise ForbiddenAddressError("the endpoint's address is not public")
        return [
            ResolveResult(
                hostname=host, host=str(where[0]), port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
            )
            for kind, _, protocol, _, where in found
        ]  # fmt: skip

    async def close(self) -> None:
        """Resolve nothing more; who hangs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
