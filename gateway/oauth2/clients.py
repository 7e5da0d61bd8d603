"""Who may ask for an access token: the publishers of the registry, and the national core."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.model import JsonObject, Publisher

PUBLISHER_SCOPES = ("message.send", "message.read", "inbox.read")
CORE_SCOPE = "core.deliver"
SCOPES = (*PUBLISHER_SCOPES, CORE_SCOPE)


@dataclass(frozen=True, slots=True)
class CoreClient:
    """The national core as a client of the gateway. `jwks` holds its public keys (RFC 7517)."""

    client_id: str
    jwks: JsonObject


Client = Publisher | CoreClient
FindClient = Callable[[str], Client | None]


def is_active(client: Client) -> bool:
    """False once a publisher's registration is suspended."""
    return isinstance(client, CoreClient) or client.status == "active"


def allowed_scopes(client: Client) -> tuple[str, ...]:
    """The scopes that a client may have now. `core.deliver` is the core's alone, whatever a registration says."""
    if isinstance(client, CoreClient):
        return (CORE_SCOPE,)
    return tuple(scope for scope in client.scopes if scope in PUBLISHER_SCOPES)
