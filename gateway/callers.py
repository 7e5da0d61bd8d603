"""The address that a request comes from: the peer's, or what a trusted proxy says of its own peer."""

import ipaddress
from collections.abc import Sequence

from starlette.types import Scope

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
FORWARDED_FOR = b"x-forwarded-for"


def caller(scope: Scope, trusted: Sequence[Network]) -> str:
    """The address of whoever made the request, "" where it has none (a Unix socket).

    Where the peer is a trusted proxy, this is the last hop in `X-Forwarded-For` that is none: every hop before that one may
    be made up by the caller. A hop that is no address ends the search at the proxy that wrote it. From any other peer the
    header is not looked at.
    """
    client = scope.get("client")
    found = _address(client[0]) if client else None
    if found is None:
        return ""
    for hop in reversed(_hops(scope)):
        named = _address(hop)
        if named is None or not any(found in network for network in trusted):
            break
        found = named
    return str(found)


def networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, separated by commas. Raises ValueError, whose text says what is expected."""
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("must be addresses or networks like 10.4.0.0/16, separated by commas") from None


def network_of(address: str) -> str:
    """What one caller can choose its addresses from: of IPv6 the /64 network, of IPv4 the address itself."""
    found = _address(address)
    if found is None or found.version == 4:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))


def _hops(scope: Scope) -> list[str]:
    fields = [value.decode("latin-1") for name, value in scope["headers"] if name == FORWARDED_FOR]
    return [hop.strip() for field in fields for hop in field.split(",")]


def _address(text: str) -> Address | None:
    """An address, some proxies write it with its port; IPv4 in its IPv6 notation is IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if found.version == 6 else None
    return mapped or found
