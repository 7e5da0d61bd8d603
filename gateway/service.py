"""The gateway as one running whole: opened in order, served, and closed in reverse."""

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import orjson
import uvicorn

from gateway import desk
from gateway.app import create_app
from gateway.core import Core
from gateway.core.fhir import FhirCore, http_client
from gateway.errors import ConfigurationError
from gateway.oauth2 import (
    AuthorizationService,
    Client,
    CoreClient,
    Guard,
    OutsideKeys,
    SigningKeys,
    TokenSource,
    load_private_key,
    load_signing_keys,
)
from gateway.observability import configure_logging, log
from gateway.quota import Quota, UrgentCases
from gateway.registry import Registry, RegistryHolder
from gateway.registry import load as load_registry
from gateway.runtime import Runtime
from gateway.server import Protocol, Server
from gateway.settings import Settings, require_complete
from gateway.store import open_store
from gateway.workers import at_work

URGENT_SECONDS = 86_400.0  # a case stays urgent for 24 hours after its last P0 or P1
CORE_SCOPE = ""  # the core's token endpoint gives what the client is registered for


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one gateway: what signs its access tokens, and the core's client registration with public keys."""

    signing: SigningKeys
    core: CoreClient


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
        quota, urgent_cases = Quota(), UrgentCases()
        quota.rebuild(await store.usage(now()), now())
        urgent_cases.rebuild(await store.urgent_cases(now() - URGENT_SECONDS))

        def find_client(client_id: str) -> Client | None:
            return keys.core if client_id == keys.core.client_id else registry.current.by_client_id(client_id)

        async def remember(key: str, keep_until: float) -> bool:
            return await store.remember_jti(key, keep_until, now())

        guard = Guard(settings.base_url, keys.signing, find_client, outside)
        authorization = AuthorizationService(
            settings.base_url, keys.signing, find_client, remember, now, settings.access_token_seconds
        )
        runtime = Runtime(settings, registry, quota, urgent_cases, guard, authorization, store, now)
        async with at_work(runtime, core):
            yield runtime
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
        key = load_private_key(_read(settings.client_key_file))
        token = TokenSource(client, settings.core_token_url, key, settings.client_id, CORE_SCOPE, now)
        core = FhirCore(client, settings.core_url, token, now)
        outside = None
        if settings.outside_issuer:
            outside = OutsideKeys(settings.outside_issuer, settings.outside_jwks_url, client)
        keys = read_keys(settings)
        yield await stack.enter_async_context(running(settings, registry, keys, core, outside, now))


def read_registry(settings: Settings, *, exclusive_senders: bool = True) -> Registry:
    """The registry as its folder stands now. Raises ConfigurationError."""
    return load_registry(
        settings.registry_dir, exclusive_senders=exclusive_senders, core_recipients=settings.core_recipients
    )


def read_keys(settings: Settings) -> Keys:
    """The keys in the files that the settings name. Raises ConfigurationError, which quotes no key."""
    try:
        jwks = orjson.loads(_read(settings.core_jwks_file))
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"{settings.core_jwks_file}:{error.lineno}: not JSON") from None
    return Keys(
        load_signing_keys(_read(settings.signing_keys_file)), CoreClient(settings.core_client_id, jwks)
    )


def _read(path: object) -> bytes:
    try:
        with open(str(path), "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None


def reload(runtime: Runtime) -> None:
    """Read the registry anew; a faulty one changes nothing and is said in the log."""
    try:
        runtime.registry.reload(lambda: read_registry(runtime.settings))
    except ConfigurationError as error:
        log.error("registry_reload_failed", findings=str(error).splitlines())
    else:
        log.info("registry_reloaded", publishers=len(runtime.registry.current.publishers))


def settle_memory() -> None:
    """Call once when all is loaded: what lives for ever is not looked at again by the garbage collector, which comes
    less often for the many short-lived values of a request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reads the registry anew, without dropping a request."""
    configure_logging(settings.log_level)
    async with (
        assembled(settings) as runtime,
        desk.opened(settings.database_url, runtime.store, runtime.now),
    ):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, reload, runtime)
        config = uvicorn.Config(
            create_app(runtime),
            host=settings.host,
            port=settings.port,
            http=Protocol,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(settings.stop_grace / 2),  # the other half is the forwarder's
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn has handlers of its own while it serves, and raises the signal once more when it has stopped:
            # by then the workers are still to be drained
            signal.signal(number, signal.SIG_IGN)
        settle_memory()
        log.info("serving", host=settings.host, port=settings.port)
        await Server(config, runtime.store.end_waits).serve()
