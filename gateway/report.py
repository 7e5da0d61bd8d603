"""What the gateway tells Prometheus of its state, whatever its requests and its forwarder do just then.

Everything here is looked at now and then, beside the work: nothing of it costs a receipt anything.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import Gauge

from gateway.errors import GatewayError
from gateway.model import Publisher
from gateway.observability import (
    BACKLOG,
    CERTIFICATION_DAYS,
    FAILING_MESSAGES,
    FAILING_SECONDS,
    INBOX_UNREAD,
    KEY_DAYS,
    OLDEST,
    OLDEST_READY,
    OLDEST_RETRIED,
    PUBLISHER_KEY_DAYS,
    REGISTRY_AGE,
    STORE,
    STORE_WAL,
    TOKEN_FAILURES,
    WORKER_FAILURES,
    log,
)
from gateway.registry import Registry
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.store import Store, is_shared

LOOK_SECONDS = 1.0
SEARCH_SECONDS = 60.0  # between two looks at what the database has to be asked for, or changes by the day
DAY = 86_400.0
AT_A_TIME = 25  # figures of publishers that are set before others have their turn


async def report(runtime: Runtime, every: float = LOOK_SECONDS, search: float = SEARCH_SECONDS) -> None:
    """Tell of the state every so many seconds, for as long as the gateway runs. What fails is tried again."""
    reporter = Reporter(runtime, search)
    failures = WORKER_FAILURES.labels("Reporter")
    while True:
        try:
            await reporter.look()
        except GatewayError as error:  # the database is away, of which requests tell
            log.warning("report_failed", exc_info=error)
        except Exception as error:  # noqa: BLE001 - what else there is to tell must be told
            failures.inc()
            log.error("report_failed", exc_info=error)
        await asyncio.sleep(every)


class Reporter:
    """Looks at a running gateway and sets its gauges. `search`: seconds between two looks into the database."""

    def __init__(self, runtime: Runtime, search: float = SEARCH_SECONDS) -> None:
        self._runtime = runtime
        self._search = search
        self._kind = "postgresql" if is_shared(runtime.settings.database_url) else "sqlite"
        self._keys = keys_of(runtime.settings)  # they are read at the start only
        self._registry: Registry | None = None
        self._read_at = 0.0
        self._search_at = float("-inf")  # by the loop's clock, which nobody sets
        self._inboxes, self._ends = Figures(INBOX_UNREAD), Figures(CERTIFICATION_DAYS)
        self._key_ends, self._own_key_ends = Figures(PUBLISHER_KEY_DAYS), Figures(KEY_DAYS)
        STORE.labels(self._kind).set(1)

    async def look(self) -> None:
        """Tell of what is in memory; where it is time to, of the rest. Raises Unavailable."""
        now = self._runtime.now()
        tell_of_waits(self._runtime.store, now)
        registry = self._runtime.registry.current
        if registry is not self._registry:
            self._registry, self._read_at = registry, now
            self._search_at = float("-inf")
            core = self._runtime.settings.core_client_id
            await begin_counts(("", core, *(publisher.client_id for publisher in registry.publishers)))
        REGISTRY_AGE.set(now - self._read_at)
        loop = asyncio.get_running_loop()
        if loop.time() >= self._search_at:
            self._search_at = loop.time() + self._search
            await self._tell_of_ends(registry.publishers, now)
            await self._tell_of_store(registry.publishers, now)

    async def _tell_of_ends(self, publishers: Iterable[Publisher], now: float) -> None:
        certified = {p.id: p.certification.valid_until for p in publishers if p.certification is not None}
        await self._ends.show(days(certified, now))
        await self._own_key_ends.show(days({name: end_of(keys) for name, keys in self._keys.items()}, now))
        await self._key_ends.show(days({p.id: end_of(p.jwks) for p in publishers}, now))

    async def _tell_of_store(self, publishers: Iterable[Publisher], now: float) -> None:
        active = [publisher.id for publisher in publishers if publisher.status == "active"]
        unread = await self._runtime.store.oldest_unread(active)
        await self._inboxes.show({name: max(0.0, now - unread.get(name, now)) for name in active})
        size = await self._runtime.store.wal_bytes()
        if size is not None:
            STORE_WAL.labels(self._kind).set(size)


def tell_of_waits(store: Store, now: float) -> None:
    """How many messages wait, and for how long."""
    BACKLOG.set(store.backlog())
    OLDEST.set(store.oldest_due_age(now))
    OLDEST_READY.set(store.oldest_ready_age(now))
    OLDEST_RETRIED.set(store.oldest_tried_age(now))
    count, age = store.failing(now)
    FAILING_MESSAGES.set(count)
    FAILING_SECONDS.set(age)


class Figures:
    """A gauge by name. Names that are there no more are taken out of it."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._shown: set[str] = set()

    async def show(self, figures: Mapping[str, float]) -> None:
        """Set these figures, few at a time: there may be a thousand publishers."""
        for number, (name, figure) in enumerate(figures.items()):
            self._gauge.labels(name).set(figure)
            if number % AT_A_TIME == AT_A_TIME - 1:
                await asyncio.sleep(0)
        for name in self._shown - figures.keys():
            self._gauge.remove(name)
        self._shown = set(figures)


async def begin_counts(client_ids: Iterable[str]) -> None:
    """Let each client's refused logins be there as 0 before the first one."""
    for number, client_id in enumerate(client_ids):
        TOKEN_FAILURES.labels(client_id, "refused")
        if number % AT_A_TIME == AT_A_TIME - 1:
            await asyncio.sleep(0)


def days(ends: Mapping[str, float | None], now: float) -> dict[str, float]:
    """In how many days each of them ends; what has no end is left out."""
    return {name: (end - now) / DAY for name, end in ends.items() if end is not None}


def keys_of(settings: Settings) -> dict[str, Any]:
    """The documents of keys that the settings name, those that can be read."""
    files = {
        "signing": settings.signing_keys_file,
        "client": settings.client_key_file,
        "core": settings.core_jwks_file,
        "webhooks": settings.webhook_keys_file,
    }
    read: dict[str, Any] = {}
    for name, file in files.items():
        with suppress(OSError, orjson.JSONDecodeError):  # `serve` refuses to start with it
            if file is not None:
                read[name] = orjson.loads(Path(file).read_bytes())
    return read


def end_of(document: Any) -> float | None:
    """When the last key of a JWK or a JWK Set ends (its `exp`, POSIX seconds); None where a key says no end."""
    keys = document.get("keys", [document]) if isinstance(document, dict) else []
    ends = [key.get("exp") if isinstance(key, dict) else None for key in keys]
    known = [float(end) for end in ends if isinstance(end, int | float) and not isinstance(end, bool)]
    return max(known) if known and len(known) == len(ends) else None
