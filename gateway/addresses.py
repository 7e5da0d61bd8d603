"""Where the gateway may call by somebody else's wish: addresses of the public Internet, and URLs that can lead there.

Pure: nothing is resolved here. What is private to one network is private in every notation: an IPv6 address that carries an
IPv4 address (mapped, 6to4, Teredo, NAT64) is none that may be called, whatever it carries. Beside Python's own list, which
depends on its version, stands ours.
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
MAX_URL = 2_000  # characters
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # what is given out of IPv6 (RFC 4291, 2.4)
KEPT_APART = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network (RFC 791)
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598)
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "198.18.0.0/15",  # benchmarks (RFC 2544)
        "2001::/23",  # protocol assignments, Teredo among them (RFC 2928, RFC 4380)
        "2002::/16",  # 6to4 (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


def is_public(text: str) -> bool:
    """Whether a resolved address, with or without IPv6 zone, is one of the public Internet."""
    try:
        address: Address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.version == 6 and (address.scope_id is not None or address not in GLOBAL_UNICAST):
        return False
    if any(address in network for network in KEPT_APART):
        return False
    return address.is_global and not (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )


def url_problem(url: str) -> str:
    """Why this is no URL of an endpoint, "" where it is one.

    It has scheme http or https, a host by name or address in its usual notation, and neither user nor fragment.
    """
    if len(url) > MAX_URL or not _PRINTABLE.fullmatch(url):
        return f"must be a URL of at most {MAX_URL} ASCII characters without spaces"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "must be a URL that can be read"
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.startswith(parts.scheme):
        return "must begin with https:// and a host"
    if "@" in parts.netloc or "#" in url or "\\" in url:
        return "must have neither user, nor fragment, nor backslash"
    if port == 0 or not _is_host(parts):
        return (
            "must name a host by a name, or by an address in its usual notation, and a port from 1 to 65535"
        )
    return ""


def private_problem(url: str) -> str:
    """Why this URL of an endpoint is not to be called from here, as far as the URL tells; "" where nothing is against it."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".")
    if parts.scheme != "https":
        return "must be https"
    if _is_literal(host) and not is_public(host):
        return f"{host} is no address of the public Internet"
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, 6.3
        return f"{host} is this host itself"
    return ""


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        return _is_literal(host) and "%" not in host
    if _is_literal(host):
        return ":" not in host
    labels = host.removesuffix(".").split(".")
    # a name that ends in a number is an address in an unusual notation (WHATWG URL, 3.5): 127.1, 0x7f.1, 2130706433
    numeric = labels[-1].isdigit() or labels[-1].lower().startswith("0x")
    return len(host) <= 253 and all(map(_LABEL.fullmatch, labels)) and not numeric


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
