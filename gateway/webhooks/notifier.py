"""The loop that tells publishers of their inbox items. Read `tell` first: it is one attempt at one event.

An event is told at least once: where a process dies between the answer and its record, the same event goes out again, with
the same `webhook-id`. Whatever becomes of it, the item stays in the inbox.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from gateway.errors import GatewayError
from gateway.observability import WEBHOOKS, WEBHOOKS_DISABLED, WEBHOOKS_WAITING, log
from gateway.registry import RegistryHolder
from gateway.store import Event, Events
from gateway.webhooks import event as wording
from gateway.webhooks.health import Healths
from gateway.webhooks.keys import WebhookKeys
from gateway.webhooks.schedule import LIFE, pause
from gateway.webhooks.sender import Answer, send

CONCURRENCY = 512  # attempts of one replica under way at one time
IDLE_SECONDS = 1.0  # the longest time without a look at the clock: retries become due in silence
HOLD_MARGIN = 30.0  # seconds beyond the time limit of an attempt until it counts as lost
SUSPENDED_SECONDS = 300.0  # until a suspended publisher's event is looked at again
TIDY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Way:
    """What telling needs: what waits, who is told where, what signs, the way out, seconds for one attempt, and the clock."""

    events: Events
    registry: RegistryHolder
    keys: WebhookKeys
    client: httpx.AsyncClient
    timeout: float
    now: Callable[[], float]

    def url_of(self, publisher_id: str) -> str:
        """The publisher's webhook, "" where it has none."""
        publisher = self.registry.current.by_id(publisher_id)
        return "" if publisher is None else publisher.webhook


async def tell(way: Way, healths: Healths, event: Event) -> str:
    """One attempt at one event. Returns what came of it, for the metrics; the store knows it already."""
    publisher = way.registry.current.by_id(event.publisher_id)
    if publisher is None or publisher.webhook in ("", event.disabled_url):
        await way.events.done(event.item_id)
        return "dropped"
    if publisher.status == "suspended":
        await way.events.put_off(event.item_id, way.now() + SUSPENDED_SECONDS, event.attempts)
        return "suspended"
    if event.disabled_url:  # it has moved since
        await way.events.enable(publisher.id)
    content = wording.body(event)
    signed = wording.headers(event, content, way.keys, way.now())
    answer = await send(way.client, publisher.webhook, content, signed, way.timeout, way.now())
    _learn(way, healths, event, publisher.webhook, answer)
    if not answer.cause:
        await way.events.done(event.item_id)
        return "sent"
    if answer.gone:
        await way.events.disable(publisher.id, publisher.webhook, way.now())
        log.warning("webhook_disabled", publisher=publisher.id, item=event.item_id)
        return "disabled"
    return await _again(way, event, answer)


def _learn(way: Way, healths: Healths, event: Event, url: str, answer: Answer) -> None:
    opened = healths.learn(event.publisher_id, url, answer, way.now())
    if opened is not None:
        log.warning(
            "webhook_circuit_opened" if opened else "webhook_circuit_closed", publisher=event.publisher_id
        )


async def _again(way: Way, event: Event, answer: Answer) -> str:
    """Put an event off, or give it up after its last attempt."""
    failed = event.attempts + 1
    seconds = pause(failed, random.random(), answer.retry_after)  # noqa: S311 - jitter
    about = {
        "publisher": event.publisher_id,
        "item": event.item_id,
        "cause": answer.cause,
        "attempts": failed,
    }
    if seconds is None:
        await way.events.done(event.item_id)
        log.warning("webhook_given_up", **about)
        return "given_up"
    await way.events.put_off(event.item_id, way.now() + seconds, failed)
    log.info("webhook_put_off", **about)
    return "retry"


class Notifier:
    """Keeps attempts under way. `run` ends after `stop`, when they have ended; cancelled, it leaves them to be made again."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._healths = Healths()
        self._stopping = asyncio.Event()
        self._freed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping.set()

    async def run(self) -> None:
        """Claim and tell until stopped."""
        tidying = asyncio.create_task(self._tidy())
        try:
            while not self._stopping.is_set():
                if not await self._claim():
                    await self._idle()
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            under_way = [tidying, *self._tasks]
            for task in under_way:
                task.cancel()
            await asyncio.wait(under_way)

    async def _claim(self) -> bool:
        """Begin what is due and has room; whether there may be more."""
        self._freed.clear()
        room = CONCURRENCY - len(self._tasks)
        if not room:
            return False
        now = self._way.now()
        most = self._healths.most(now, self._way.url_of)
        try:
            events = await self._way.events.claim(now, room, self._way.timeout + HOLD_MARGIN, most)
        except GatewayError as error:
            log.error("webhook_claim_failed", exc_info=error)
            await asyncio.sleep(IDLE_SECONDS)
            return False
        for event in events:
            task = asyncio.create_task(self._one(event))
            self._tasks.add(task)
            task.add_done_callback(self._done)
        return len(events) == room

    async def _idle(self) -> None:
        """Return when an attempt has ended, an event came, the gateway stops, or after IDLE_SECONDS."""
        waits = [
            asyncio.create_task(wait)
            for wait in (
                self._way.events.wait_due(IDLE_SECONDS),
                self._freed.wait(),
                self._stopping.wait(),
            )
        ]
        try:
            await asyncio.wait(waits, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _one(self, event: Event) -> None:
        try:
            result = await tell(self._way, self._healths, event)
        except Exception as error:  # noqa: BLE001 - the event stays in the store; when its hold ends it is told again
            log.error("webhook_failed", publisher=event.publisher_id, item=event.item_id, exc_info=error)
            result = "failed"
        WEBHOOKS.labels(result).inc()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._freed.set()

    async def _tidy(self) -> None:
        """Give up what is too old, and count what waits, now and then."""
        while True:
            try:
                if expired := await self._way.events.expire(self._way.now() - LIFE):
                    WEBHOOKS.labels("given_up").inc(expired)
                    log.warning("webhooks_expired", events=expired)
                endpoints = await self._way.events.endpoints()
                WEBHOOKS_WAITING.set(sum(one.waiting for one in endpoints))
                WEBHOOKS_DISABLED.set(sum(bool(one.disabled_url) for one in endpoints))
            except Exception as error:  # noqa: BLE001 - the next time it is tried again
                log.error("webhook_tidying_failed", exc_info=error)
            await asyncio.sleep(TIDY_SECONDS)
