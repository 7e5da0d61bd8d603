"""A private gateway and simulated core for one run: real processes, as they run elsewhere, on ports and keys of their own."""

import asyncio
import hashlib
import json
import os
import secrets
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
from joserfc.jwk import ECKey

JsonObject = dict[str, Any]
HOST = "127.0.0.1"
READY_WITHIN = 90.0  # seconds
WIDE = {"per_second": 1_000, "per_minute": 60_000, "per_day": 10_000_000, "in_flight": 1_000}


class NotStarted(Exception):
    """The private gateway or core did not start; the text says why."""


@dataclass(frozen=True, slots=True)
class Registration:
    """One publisher of the private gateway. `keys` are private JWKs; the first is the one in use."""

    id: str
    sends_for: tuple[str, ...]
    inbox_for: tuple[str, ...]
    format: str = "json"
    model_version: str = "v3"
    limits: dict[str, int] = field(default_factory=lambda: dict(WIDE))
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    keys: tuple[JsonObject, ...] = field(default_factory=lambda: (new_key(), new_key()))

    @property
    def client_id(self) -> str:
        """Its OAuth2 client id."""
        return f"{self.id}-client"

    def toml(self) -> str:
        """The registration's file."""
        facts = {
            "id": self.id,
            "name": self.id,
            "client_id": self.client_id,
            "sends_for": list(self.sends_for),
            "inbox_for": list(self.inbox_for),
            "model_version": self.model_version,
            "format": self.format,
            "secret_sha256": hashlib.sha256(self.client_secret.encode()).hexdigest(),
        }
        # JSON's strings and arrays of strings are TOML's as well
        lines = [f"{name} = {json.dumps(value)}" for name, value in facts.items()]
        lines += ["", "[limits]", *(f"{name} = {value}" for name, value in self.limits.items())]
        for key in self.keys:
            lines += [
                "",
                "[[jwks.keys]]",
                *(f"{name} = {json.dumps(value)}" for name, value in public(key).items()),
            ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a private gateway and its core are."""

    gateway: str
    core: str


def new_key() -> JsonObject:
    """A fresh EC P-256 private JWK with its thumbprint as kid."""
    return {**ECKey.generate_key("P-256", auto_kid=True).as_dict(private=True), "use": "sig", "alg": "ES256"}


def public(key: JsonObject) -> JsonObject:
    """The public part of an EC key."""
    return {name: value for name, value in key.items() if name != "d"}


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on now."""
    with ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(number)]
        for one in found:
            one.bind((HOST, 0))
        return [int(one.getsockname()[1]) for one in found]


@asynccontextmanager
async def running(
    folder: Path, registrations: Iterable[Registration], public_url: str = ""
) -> AsyncIterator[Environment]:
    """A gateway and its core on data in `folder`. `public_url` is where clients reach the gateway, if not at its own port.

    Raises NotStarted.
    """
    port, core_port, operations_port = free_ports(3)
    gateway, core = f"http://{HOST}:{port}", f"http://{HOST}:{core_port}"
    keys = write(folder, registrations)
    settings = environment(folder, gateway, public_url or gateway, core)
    settings["GATEWAY_OPS_PORT"] = str(operations_port)
    async with AsyncExitStack() as stack:
        of_core = [
            "publishers.sandbox.core",
            "--port",
            str(core_port),
            "--gateway",
            public_url or gateway,
            "--keys",
            str(keys),
        ]
        for url, arguments in ((core, of_core), (gateway, ["gateway", "serve"])):
            log = stack.enter_context((folder / f"{arguments[0]}.log").open("wb"))
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *arguments, stdin=DEVNULL, stdout=log, stderr=log, env=settings
            )
            stack.push_async_callback(stop, process)
            await ready(f"{url}/health/live", process, folder / f"{arguments[0]}.log")
        yield Environment(gateway, core)


def write(folder: Path, registrations: Iterable[Registration]) -> Path:
    """Write registry and keys; the folder of the keys."""
    registry, keys = folder / "registry", folder / "keys"
    registry.mkdir(parents=True)
    keys.mkdir(mode=0o700)
    for registration in registrations:
        (registry / f"{registration.id}.toml").write_text(registration.toml())
    signing, gateway, core = new_key(), new_key(), new_key()
    documents = {
        "signing": {"keys": [signing]},
        "gateway": gateway,
        "gateway-jwks": {"keys": [public(gateway)]},
        "core": core,
        "core-jwks": {"keys": [public(core)]},
    }
    for name, document in documents.items():
        (keys / f"{name}.json").write_bytes(orjson.dumps(document))
    return keys


def environment(folder: Path, gateway: str, public_url: str, core: str) -> dict[str, str]:
    """The environment of both processes: this one's, with the gateway's settings set and no others of them."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return inherited | {
        "GATEWAY_PORT": gateway.rpartition(":")[2],
        "GATEWAY_BASE_URL": public_url,
        "GATEWAY_DATABASE_URL": f"sqlite:///{folder / 'gateway.db'}",
        "GATEWAY_REGISTRY_DIR": str(folder / "registry"),
        "GATEWAY_SIGNING_KEYS_FILE": str(folder / "keys" / "signing.json"),
        "GATEWAY_CLIENT_KEY_FILE": str(folder / "keys" / "gateway.json"),
        "GATEWAY_CORE_JWKS_FILE": str(folder / "keys" / "core-jwks.json"),
        "GATEWAY_CORE_URL": f"{core}/fhir",
        "GATEWAY_CORE_TOKEN_URL": f"{core}/oauth2/token",
        "GATEWAY_RETRY_BASE": "0.2",
        "GATEWAY_RETRY_MAX": "2",
        "GATEWAY_STOP_GRACE": "2",
    }


async def ready(url: str, process: Process, log: Path) -> None:
    """Wait until a server answers. Raises NotStarted."""
    deadline = asyncio.get_running_loop().time() + READY_WITHIN
    async with httpx.AsyncClient(trust_env=False) as http:
        while process.returncode is None and asyncio.get_running_loop().time() < deadline:
            try:
                await http.get(url)
            except httpx.HTTPError:
                await asyncio.sleep(0.05)
            else:
                return
    told = await asyncio.to_thread(log.read_text, errors="replace")
    raise NotStarted(f"{log.stem} did not start: {told[-500:]}")


async def stop(process: Process) -> None:
    """End a process, hard where it does not end by itself."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
