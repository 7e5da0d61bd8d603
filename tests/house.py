"""A whole gateway in one process for the path tests: real rooms, a core in memory, a clock that tests set."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
from joserfc.jwk import ECKey

from gateway import service
from gateway.app import create_app, create_operations_app
from gateway.model import Limits, Publisher
from gateway.oauth2 import CoreClient, client_assertion, generate_signing_keys
from gateway.registry import Registry, RegistryHolder
from gateway.runtime import Runtime
from gateway.settings import Settings
from tests.strategies import enveloped

BASE = "https://gateway.test"
SCOPES = ("message.send", "message.read", "inbox.read")
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NOW = 1_795_514_400.0  # 2026-11-24T10:00:00+00:00
CASE: dict[str, Any] = {
    "caseId": "fr.health.samu440.DRFR154402632800017",
    "creation": "2026-11-24T10:05:00+01:00",
    "qualification": {"details": {"priority": "P2"}},
    "location": {"name": "Place du Marché"},
    "owner": "fr.health.samu440",
}


class Clock:
    """POSIX seconds that only a test moves."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class MemoryCore:
    """A core that keeps what it is sent, as bytes in `wire` too; `trouble` holds exceptions to raise first, one a call."""

    bundles: list[dict[str, Any]] = field(default_factory=list)
    wire: list[bytes] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)

    async def send(self, bundle: bytes) -> None:
        if self.trouble:
            raise self.trouble.pop(0)
        self.wire.append(bundle)
        self.bundles.append(orjson.loads(bundle))


@dataclass
class House:
    """One running gateway and a client for it."""

    runtime: Runtime
    client: httpx.AsyncClient
    core: MemoryCore
    clock: Clock
    core_key: ECKey

    @property
    def operations(self) -> httpx.AsyncClient:
        """A client of the operations listener."""
        inside = httpx.ASGITransport(create_operations_app(self.runtime))
        return httpx.AsyncClient(transport=inside, base_url=BASE)

    async def token(self, client_id: str = "lrm") -> dict[str, str]:
        answer = await self.client.post(
            "/oauth2/token", data={"grant_type": "client_credentials"}, auth=(client_id, secret(client_id))
        )
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def core_token(self) -> dict[str, str]:
        assertion = client_assertion(self.core_key, "national-core", BASE, self.clock())
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion,
        }
        answer = await self.client.post("/oauth2/token", data=form)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def send(self, document: dict[str, Any], client_id: str = "lrm", **headers: str) -> httpx.Response:
        return await self.post(orjson.dumps(document), client_id, **headers)

    async def post(self, body: bytes, client_id: str = "lrm", **headers: str) -> httpx.Response:
        given = {"Content-Type": "application/json", **await self.token(client_id), **headers}
        return await self.client.post("/v1/messages", content=body, headers=given)

    async def deliver(self, bundle: dict[str, Any]) -> httpx.Response:
        headers = {"Content-Type": "application/fhir+json", **await self.core_token()}
        return await self.client.post("/core/$process-message", content=orjson.dumps(bundle), headers=headers)

    async def inbox(self, client_id: str, query: str = "") -> list[dict[str, Any]]:
        answer = await self.client.get(f"/v1/inbox{query}", headers=await self.token(client_id))
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])


def secret(client_id: str) -> str:
    return f"secret-of-{client_id}"


def publisher(name: str, sends: tuple[str, ...], inbox: tuple[str, ...], **more: Any) -> Publisher:
    """A registration; the secret of client `name` is `secret(name)`."""
    facts: dict[str, Any] = {
        "scopes": SCOPES,
        "model_version": "v3",
        "format": "json",
        "message_types": (),
        "limits": Limits(),
        "secret_sha256": hashlib.sha256(secret(name).encode()).hexdigest(),
    }
    return Publisher(name, name.upper(), name, sends, inbox, **{**facts, **more})


PUBLISHERS = (
    publisher("lrm", ("fr.health.samu440",), ("fr.health.samu440",)),
    publisher("peer", ("fr.health.samu750",), ("fr.health.samu750",)),
    publisher("fire", ("fr.fire.nexsis.sdisZ",), ("fr.fire.nexsis.sdisZ",), format="xml"),
)


@asynccontextmanager
async def house(
    folder: Path, publishers: tuple[Publisher, ...] = PUBLISHERS, **settings: Any
) -> AsyncIterator[House]:
    """A gateway on a store in `folder`."""
    clock, core, core_key = Clock(), MemoryCore(), ECKey.generate_key("P-256", auto_kid=True)
    keys = service.Keys(
        generate_signing_keys(), CoreClient("national-core", {"keys": [core_key.as_dict(private=False)]})
    )
    made = Settings(base_url=BASE, database_url=f"sqlite:///{folder}/gateway.db", **settings)
    registry = RegistryHolder(Registry.of(publishers))
    async with service.running(made, registry, keys, core, now=clock) as runtime:
        transport = httpx.ASGITransport(create_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            yield House(runtime, client, core, clock, core_key)


def case(number: int = 1, recipient: str = "fr.health.samu750", **body: Any) -> dict[str, Any]:
    """An enveloped RS-EDA from fr.health.samu440, sent at NOW."""
    return enveloped(
        "createCaseHealth", {**CASE, **body}, recipient=recipient, internal_id=str(number), sent=_sent()
    )


def _sent() -> datetime:
    return datetime.fromtimestamp(NOW, UTC)
