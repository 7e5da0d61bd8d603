"""The sandbox as one thing that can be reset: clock, core, gateway, publishers, and what is done to them."""

import asyncio
import secrets
import shutil
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import httpx

from gateway import service, settings, workbench
from gateway.app import create_app, create_operations_app
from gateway.registry import Registry
from gateway.runtime import Runtime
from publishers.sandbox import publishers as demo
from publishers.sandbox.assertion import JsonObject, new_key
from publishers.sandbox.clock import Clock
from publishers.sandbox.core import SimulatedCore, create_core
from publishers.sandbox.core.bundle import Bundle
from publishers.sandbox.core.opening import http_client as core_http_client
from publishers.sandbox.core.opening import settings as core_settings
from publishers.sandbox.director import Director
from publishers.sandbox.guests import Guest, Guests
from publishers.sandbox.local import local_only
from publishers.sandbox.peers import Peers
from publishers.sandbox.scenarios import HOUR, NARROW, SCENARIOS
from publishers.sandbox.switch import Switch

PATIENCE = 3.0  # seconds for requests under way when a part is exchanged
SIGNING_KEYS = 2  # at most: the one that signs, and the one before it


def environment(gateway: str, core: str, data: Path) -> dict[str, str]:
    """The `GATEWAY_*` variables of a gateway on what `publishers.write` left in `data`; its retries are quick, and its
    operations listener is two ports above it.
    """
    port = int(gateway.rpartition(":")[2])
    return {
        "GATEWAY_HEAVY_WORKERS": "1",  # it has no large urgent cases to keep a place for
        "GATEWAY_PORT": str(port),
        "GATEWAY_OPS_PORT": str(port + 2),
        "GATEWAY_BASE_URL": gateway,
        "GATEWAY_DATABASE_URL": f"sqlite:///{data / 'gateway.db'}",
        "GATEWAY_REGISTRY_DIR": str(data / "registry"),
        "GATEWAY_SIGNING_KEYS_FILE": str(data / "keys" / "signing.json"),
        "GATEWAY_CLIENT_ID": demo.GATEWAY_CLIENT,
        "GATEWAY_CLIENT_KEY_FILE": str(data / "keys" / "gateway.json"),
        "GATEWAY_CORE_CLIENT_ID": demo.CORE_CLIENT,
        "GATEWAY_CORE_JWKS_FILE": str(data / "keys" / "core-jwks.json"),
        "GATEWAY_CORE_URL": f"{core}/fhir",
        "GATEWAY_CORE_TOKEN_URL": f"{core}/oauth2/token",
        "GATEWAY_RETRY_BASE": "0.2",
        "GATEWAY_RETRY_MAX": "2",
        "GATEWAY_STOP_GRACE": "3",
        "GATEWAY_WEBHOOK_KEYS_FILE": str(data / "keys" / "webhooks.json"),
        "GATEWAY_WEBHOOK_ALLOW_PRIVATE": "true",
    }


class Sandbox:
    """Gateway and core on `data`, behind the switches `gateway_app`, `core_app` and `operations_app`, each served at its URL.

    `http` calls the gateway for the peers. Whoever changes or shows a sandbox holds `changing` meanwhile. A gateway is exchanged as in production, by a restart on the same files.
    """

    def __init__(
        self, gateway: str, core: str, operations: str, data: Path, http: httpx.AsyncClient, clock: Clock
    ) -> None:
        self.gateway = gateway
        self.data = data
        self.clock = clock
        self.gateway_app, self.core_app, self.operations_app = Switch(), Switch(), Switch()
        self.seed = 0
        self.guests = Guests()
        self.registration_token = secrets.token_urlsafe(32)  # of who can read sandbox.json
        self.runtime: Runtime
        self.core: SimulatedCore
        self.director: Director
        self.core_url, self.operations_url = core, operations
        self._http = http
        self._first = demo.generate_publishers(), demo.generate_keys()
        self.publishers, self._keys = self._first
        self.peers = demo.generate_peers()
        self.narrowed: set[str] = set()
        self._running = AsyncExitStack()
        self.changing = asyncio.Lock()

    async def start(self) -> None:
        """Write all files afresh and open core and gateway."""
        demo.write(self.data, (*self.publishers, *self.peers), self._keys)
        self._describe()
        peers = Peers(self._http, self._secret_owner, self.clock, self.seed)
        self.director = Director(self.clock, peers, self._deliver, self.seed)
        told = core_settings(self.core_url, self.gateway, self.data / "keys")
        self.core = SimulatedCore(told, core_http_client(), now=self.clock, script=self.director)
        self.core_app.open(local_only(create_core(self.core)))
        await self._open_gateway()

    async def stop(self) -> None:
        """Close gateway and core."""
        await self.director.close()
        await self._close_gateway()
        await self.core_app.close(PATIENCE)
        await self.core.close()

    async def reset(self, seed: int) -> None:
        """Everything anew, with the credentials of the beginning; those who registered themselves are gone."""
        await self.stop()
        self.publishers, self._keys = self._first
        self.seed, self.guests = seed, Guests()
        self.narrowed.clear()
        self.clock.reset()
        self._clear()
        await self.start()

    def end_waits(self) -> None:
        """Let long polls and streams end: a server that stops would wait for them."""
        self.runtime.store.end_waits()

    async def prepare(self, action: str, publisher_id: str | None) -> None:
        """Do what a scenario wants before its message is looked at: `Scenario.before`."""
        if action == "rotate-gateway":
            await self.rotate_signing_key()
        elif action.startswith("clock-"):
            hour = HOUR if action == "clock-ahead" else -HOUR
            self.clock.set(self.clock() - self.clock.offset + hour)
        elif publisher_id is not None and action == "narrow":
            self.narrow(publisher_id, NARROW)
        elif publisher_id is not None and action == "rotate-client":
            self.rotate_client_key(publisher_id)

    def narrow(self, publisher_id: str, per_second: int | None) -> None:
        """Give a demo publisher so many messages a second, None = as many as before."""
        for publisher in self.publishers:
            if publisher.id == publisher_id:
                self._register(publisher, per_second)
                (self.narrowed.discard if per_second is None else self.narrowed.add)(publisher_id)

    def rotate_client_key(self, publisher_id: str) -> None:
        """Replace a demo publisher's key; `sandbox.json` has the new one."""
        self.publishers = tuple(
            replace(one, private_key_jwk=new_key()) if one.id == publisher_id else one
            for one in self.publishers
        )
        for publisher in self.publishers:
            if publisher.id == publisher_id:
                self._register(publisher)
        self._describe()

    async def rotate_signing_key(self) -> None:
        """Restart the gateway on a new signing key, with the one before beside it."""
        kept = (new_key(), *self._keys.signing)[:SIGNING_KEYS]
        self._keys = replace(self._keys, signing=kept)
        await self._close_gateway()
        demo.write_private(self.data / "keys" / "signing.json", {"keys": [*kept]})
        await self._open_gateway()

    def admit(self, guest: Guest) -> None:
        """Register a guest while the gateway runs. Raises ConfigurationError, having changed nothing."""
        file = self._file(guest.publisher.id)
        scopes = guest.metadata["scope"].split()
        file.write_text(demo.registration(guest.publisher, list(guest.keys), scopes=scopes))
        try:
            self._reload()
        except Exception:
            file.unlink()
            raise

    def dismiss(self, guest: Guest) -> None:
        """Take a guest's registration away; its tokens are refused from now on."""
        self.guests.remove(guest)
        self._file(guest.publisher.id).unlink()
        self._reload()

    def everybody(self) -> tuple[demo.DemoPublisher, ...]:
        """Demo publishers, guests, then peers."""
        return (*self.publishers, *self.guests.publishers(), *self.peers)

    def _deliver(self, bundle: Bundle) -> None:
        self.core.routing.submit(bundle)

    def _register(self, publisher: demo.DemoPublisher, per_second: int | None = None) -> None:
        limits = demo.LIMITS | ({} if per_second is None else {"per_second": per_second})
        self._file(publisher.id).write_text(demo.registration(publisher, limits=limits))
        self._reload()

    def _reload(self) -> None:
        self.runtime.registry.reload(self._registry)

    def _registry(self) -> Registry:
        return service.read_registry(self.runtime.settings, exclusive_senders=False)

    def _file(self, publisher_id: str) -> Path:
        return self.data / "registry" / f"{publisher_id}.toml"

    def _secret_owner(self, recipient: str) -> demo.DemoPublisher | None:
        owner = self.runtime.registry.current.recipient_publisher(recipient)
        return next((one for one in self.everybody() if owner and one.id == owner.id), None)

    def _describe(self) -> None:
        plays = [
            {"name": one.name, "label": one.label, "recipient": one.recipient, "header": one.header}
            for one in SCENARIOS
        ]
        told: JsonObject = demo.describe(self.gateway, self.core_url, self.publishers, self.operations_url)
        document = {
            **told,
            "sandbox": f"{self.gateway}/sandbox",
            "registration_token": self.registration_token,
            "scenarios": plays,
        }
        demo.write_private(self.data / "sandbox.json", document)

    def _clear(self) -> None:
        for folder in ("registry", "keys"):
            shutil.rmtree(self.data / folder)
        for file in self.data.glob("gateway.db*"):
            file.unlink()

    async def _open_gateway(self) -> None:
        made = settings.load(environment(self.gateway, self.core_url, self.data))
        opening = service.assembled(made, exclusive_senders=False, now=self.clock)
        self.runtime = await self._running.enter_async_context(opening)
        self.runtime.offload.start(workbench.warm)
        self.gateway_app.open(create_app(self.runtime))
        self.operations_app.open(create_operations_app(self.runtime))

    async def _close_gateway(self) -> None:
        self.end_waits()
        await self.gateway_app.close(PATIENCE)
        await self.operations_app.close(PATIENCE)
        await self._running.aclose()
