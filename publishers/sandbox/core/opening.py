"""What a simulated core is opened with: its settings from the keys in a folder, and its HTTP client."""

from pathlib import Path

import httpx
import httpx_aiohttp
import orjson

from publishers.sandbox.core import CoreSettings
from publishers.sandbox.core.routing import GatewayAccess
from publishers.sandbox.publishers import CORE_CLIENT, GATEWAY_CLIENT


def http_client(base_url: str = "") -> httpx.AsyncClient:
    """A client that calls the gateway. `trust_env` is off: the sandbox talks to its own machine."""
    transport = httpx_aiohttp.AiohttpTransport()
    return httpx.AsyncClient(transport=transport, base_url=base_url, timeout=30.0, trust_env=False)


def settings(url: str, gateway: str, keys: Path) -> CoreSettings:
    """The core's settings from the keys that the sandbox wrote."""
    access = GatewayAccess(gateway, CORE_CLIENT, orjson.loads((keys / "core.json").read_bytes()))
    return CoreSettings(url, GATEWAY_CLIENT, orjson.loads((keys / "gateway-jwks.json").read_bytes()), access)
