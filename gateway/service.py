"""The gateway as one running whole: opened in order, served, and closed in reverse."""

import asyncio
import gc
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import orjson

from gateway import desk, workbench
from gateway.app import create_app, create_operations_app
from gateway.core import Core
from gateway.core.fhir import FhirCore, http_client
from gateway.errors import ConfigurationError
from gateway.model import JsonObject
from gateway.oauth2 import (
    AuthorizationService,
    Client,
    CoreClient,
    Guard,
    Key,
    OutsideKeys,
    SigningKeys,
    TokenSource,
    load_private_key,
    load_signing_keys,
    public_keys,
)
from gateway.observability import REGISTRY_FINDINGS, REGISTRY_OUTDATED, configure_logging, log
from gateway.offload import Offload
from gateway.quota import UrgentCases
from gateway.registry import Registry, RegistryHolder, fingerprint, watched
from gateway.registry import load as load_registry
from gateway.runtime import Runtime
from gateway.server import Server, http_config, served
from gateway.settings import Settings, require_complete
from gateway.shared_quota import open_quota
from gateway.store import open_store
from gateway.webhooks import WebhookKeys, load_webhook_keys
from gateway.workers import at_work

URGENT_SECONDS = 86_400.0  # a case stays urgent for 24 hours after its last P0 or P1
SWITCH_SECONDS = 0.0005  # that the event loop goes on while another thread waits for its turn
Loaded = TypeVar("Loaded")
CORE_SCOPE = ""  # the core's token endpoint gives what the client is registered for


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one gateway: what signs its access tokens, the core's client registration with public keys, and what
    signs webhooks, where any are sent.
    """

    signing: SigningKeys
    core: CoreClient
    webhooks: WebhookKeys | None = None


@asynccontextmanager
async def running(
    settings: Settings,
    registry: RegistryHolder,
    keys: Keys,
    core: Core,
    outside: OutsideKeys | None = None,
    now: Callable[[], float] = time.time,
) -> AsyncIterator[Runtime]:
    """A gateway with its store open and its workers at work. On leaving, what is under way is finished first."""
    store = await open_store(settings.database_url, backlog_limit=settings.backlog_limit, now=now())
    try:
        urgent_cases = UrgentCases()
        urgent_cases.rebuild(await store.urgent_cases(now() - URGENT_SECONDS))

        def find_client(client_id: str) -> Client | None:
            return keys.core if client_id == keys.core.client_id else registry.current.by_client_id(client_id)

        async def remember(key: str, keep_until: float) -> bool:
            return await store.remember_jti(key, keep_until, now())

        guard = Guard(settings.base_url, keys.signing, find_client, outside)
        guard.revoke_all(await store.revoked(0.0))

        async def revoke(jti: str, expires: float) -> None:
            await store.revoke(jti, expires, now())
            guard.revoke(jti, expires)

        authorization = AuthorizationService(
            settings.base_url,
            keys.signing,
            find_client,
            remember,
            revoke,
            now,
            settings.access_token_seconds,
            settings.trusted_proxies,
            outside,
        )
        async with open_quota(settings.quota_url, store.usage, now) as quota:
            offload = Offload(settings.heavy_workers)
            runtime = Runtime(
                settings, registry, quota, urgent_cases, guard, authorization, store, now, keys.webhooks,
                offload=offload,
            )  # fmt: skip
            async with at_work(runtime, core):
                yield runtime
            await offload.close()
    finally:
        await store.close()


@asynccontextmanager
async def assembled(
    settings: Settings, *, exclusive_senders: bool = True, now: Callable[[], float] = time.time
) -> AsyncIterator[Runtime]:
    """A running gateway made from its settings alone: registry, keys and the HTTP way to the core.

    Raises ConfigurationError where one of them is wrong or missing.
    """
    require_complete(settings)
    registry = RegistryHolder(read_registry(settings, exclusive_senders=exclusive_senders))
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(http_client(settings.core_timeout))
        key = read_client_key(settings)
        token = TokenSource(client, settings.core_token_url, key, settings.client_id, CORE_SCOPE, now)
        core = FhirCore(client, settings.core_url, token, now)
        outside = None
        if settings.outside_issuer:
            outside = OutsideKeys(settings.outside_issuer, settings.outside_jwks_url, client)
        keys = read_keys(settings)
        yield await stack.enter_async_context(running(settings, registry, keys, core, outside, now))


def read_registry(settings: Settings, *, exclusive_senders: bool = True) -> Registry:
    """The registry as its folder stands now. Raises ConfigurationError."""
    registry = load_registry(
        settings.registry_dir,
        exclusive_senders=exclusive_senders,
        core_recipients=settings.core_recipients,
        private_webhooks=settings.webhook_allow_private,
        core_client_id=settings.core_client_id,
    )
    told = [publisher.id for publisher in registry.publishers if publisher.webhook]
    if told and settings.webhook_keys_file is None:
        raise ConfigurationError(f"GATEWAY_WEBHOOK_KEYS_FILE is not set, and {told[0]} has a webhook.")
    REGISTRY_FINDINGS.set(len(registry.warnings))
    for finding in registry.warnings:
        log.error("registration_finding", finding=finding)
    return registry


def read_keys(settings: Settings) -> Keys:
    """The keys in the files that the settings name. Raises ConfigurationError, which quotes no key."""
    file = settings.webhook_keys_file
    return Keys(
        _load(settings.signing_keys_file, load_signing_keys),
        CoreClient(settings.core_client_id, _load(settings.core_jwks_file, _cores_keys)),
        None if file is None else _load(file, load_webhook_keys),
    )


def read_client_key(settings: Settings) -> Key:
    """The private key by which the gateway authenticates at the core. Raises ConfigurationError, which quotes no key."""
    return _load(settings.client_key_file, load_private_key)


def _cores_keys(document: bytes) -> JsonObject:
    jwks = orjson.loads(document)
    if not isinstance(jwks, dict) or not public_keys(jwks):
        raise ConfigurationError("no public key of the core that can be used")
    return jwks


def _load(path: object, read: Callable[[bytes], Loaded]) -> Loaded:
    """What a file of keys holds. Raises ConfigurationError with file and line, which quotes no key."""
    try:
        with open(str(path), "rb") as file:
            document = file.read()
        orjson.loads(document)  # for the line of what is no JSON
        return read(document)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"{path}:{error.lineno}: not JSON") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}:1: {error}") from None


async def reload(runtime: Runtime) -> bool:
    """Read the registry anew in a thread, swap it in as a whole, and say whether that succeeded. Where it did not, whatever the reason, the old one stays
    in force, the log has the reason once, and `gateway_registry_outdated` is 1 until a reading succeeds.
    """
    try:
        registry = await asyncio.to_thread(read_registry, runtime.settings)
    except ConfigurationError as error:
        _registry_failed(runtime.registry, str(error).splitlines())
    except Exception as error:  # noqa: BLE001 - a fault in the reader itself must not stop the registry being watched
        _registry_failed(runtime.registry, [type(error).__name__], error)
    else:
        runtime.registry.reload(lambda: registry)
        runtime.registry.findings = []
        log.info("registry_reloaded", publishers=len(runtime.registry.current.publishers))
    REGISTRY_OUTDATED.set(bool(runtime.registry.findings))
    return not runtime.registry.findings


def _registry_failed(registry: RegistryHolder, findings: list[str], error: Exception | None = None) -> None:
    if findings != registry.findings:  # it is read again and again until it is right
        about = {} if error is None else {"exc_info": error}
        log.error("registry_reload_failed", findings=findings, **about)
    registry.findings = findings


def settle_memory() -> None:
    """Call once when all is loaded: what lives for ever is not looked at again by the garbage collector. It comes for few
    new values at a time, so that it stops everyone for some 1 ms and not for 12, and seldom for older ones: few of those of
    a request are left by then. And a store's thread that comes back from the disk gets its turn soon: Python would let
    it wait for up to 5 ms, several times a message.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 200, 20)
    sys.setswitchinterval(SWITCH_SECONDS)


def listen(settings: Settings) -> socket.socket:
    """The socket of the operations listener. Raises ConfigurationError."""
    if settings.ops_port == settings.port:
        raise ConfigurationError(f"GATEWAY_OPS_PORT is {settings.port}, as GATEWAY_PORT is. Set another.")
    try:
        family = socket.AF_INET6 if ":" in settings.ops_host else socket.AF_INET
        return socket.create_server((settings.ops_host, settings.ops_port), family=family)
    except OSError as error:
        raise ConfigurationError(
            f"GATEWAY_OPS_PORT {settings.ops_port} at {settings.ops_host} cannot be listened to: {error.strerror}"
        ) from None


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. SIGHUP, or a change of its folder, reads the registry anew and drops no request."""
    configure_logging(settings.log_level)
    known = fingerprint(settings.registry_dir)
    async with (
        assembled(settings) as runtime,
        desk.opened(settings.database_url, runtime.store, runtime.now),
        watched(settings.registry_dir, known, lambda: reload(runtime)) as ask,
    ):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, ask)
        operations = listen(settings)
        idle = settings.stop_grace / 10
        grace = int(settings.stop_grace / 2 - idle)  # the other half is the workers'
        config = http_config(create_app(runtime), settings, grace)
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn has handlers of its own while it serves, and raises the signal once more when it has stopped:
            # by then the workers are still to be drained
            signal.signal(number, signal.SIG_IGN)
        settle_memory()
        runtime.offload.start(workbench.warm)
        log.info("serving", host=settings.host, port=settings.port, operations=settings.ops_port)
        async with served(create_operations_app(runtime), operations, settings, 1):
            await Server(config, runtime.stop, idle).serve()
