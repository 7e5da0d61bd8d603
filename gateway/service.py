"""The gateway as one running whole: opened in order, served, and closed in reverse."""

import asyncio
import contextlib
import gc
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway import desk
from gateway.app import create_app
from gateway.core import Core
from gateway.core.fhir import FhirCore, http_client
from gateway.errors import ConfigurationError
from gateway.forward import Forwarder, ForwardPolicy, Way
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
from gateway.settings import Settings, require_complete
from gateway.store import open_store

URGENT_SECONDS = 86_400.0  # a case stays urgent for 24 hours after its last P0 or P1
CORE_SCOPE = ""  # the core's token endpoint gives what the client is registered for
DAY = 86_400.0
MAX_HEAD = 65_536  # bytes of a request's line and headers, and of what comes with them in one piece
SWEEP_SECONDS = 60.0  # between two sweeps of contents past their retention


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
        async with _workers(runtime, core):
            yield runtime
    finally:
        await store.close()


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 whose request heads are bounded: neither uvicorn nor its parser asks how long one grows."""

    _head: int | None = 0  # bytes received of the current head, None while a body is read

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket; a head over MAX_HEAD is answered with 400 and the connection closed."""
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > MAX_HEAD:
            self._head = None
            self.send_400_response("The head of the request is too large.")

    def on_headers_complete(self) -> None:
        """The head is read."""
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next request begins."""
        self._head = 0
        super().on_message_complete()


class Server(uvicorn.Server):
    """A server that tells the gateway when it begins to stop, so that nobody waits for what will not come."""

    def __init__(self, config: uvicorn.Config, before_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._before_stop = before_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop as uvicorn does."""
        self._before_stop()
        await super().shutdown(sockets)


@asynccontextmanager
async def _workers(runtime: Runtime, core: Core) -> AsyncIterator[None]:
    made = runtime.settings
    policy = ForwardPolicy(made.forward_concurrency, made.retry_base, made.retry_max)
    forwarder = Forwarder(Way(runtime.store, core, runtime.registry, policy, runtime.now))
    forwarding, sweeping = asyncio.create_task(forwarder.run()), asyncio.create_task(_sweep(runtime))
    try:
        yield
    finally:
        sweeping.cancel()
        forwarder.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(forwarding, made.stop_grace / 2)


async def _sweep(runtime: Runtime) -> None:
    """Erase health data that is past its retention, for as long as the gateway runs."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            await runtime.store.erase(runtime.now() - runtime.settings.retention_days * DAY)
        except Exception as error:  # noqa: BLE001 - the next sweep tries again
            log.error("erase_failed", exc_info=error)


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
