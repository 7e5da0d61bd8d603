"""The loop of the way out: what is due is claimed, urgent messages first, and goes its way side by side (`forward`)."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from gateway.breaker import Breaker
from gateway.errors import GatewayError
from gateway.forward import Way, forward
from gateway.model import Outgoing, Status
from gateway.observability import BACKLOG, CORE_CIRCUIT, FORWARD_SECONDS, FORWARDS, OLDEST, log

IDLE_SECONDS = 1.0  # the longest time without a look at the clock: retries become due in silence

# While little waits, one publisher's burst sets out in portions, so that the requests and urgent cases that come meanwhile do
# not queue behind it, neither here nor at the core. With more than that waiting, everything goes as fast as it can.
PORTION, GAP_SECONDS = 2, 0.01
HURRY = 100  # messages that wait or are under way

OUTAGES = 10  # in a row, until only probes go to the core


class Forwarder:
    """The loop that keeps as many forwards under way as the policy says. `run` ends after `stop`, when they are drained."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._store = way.store
        self._now = way.now
        self._breaker = Breaker(OUTAGES, way.policy.retry_base, way.policy.retry_max)
        self._stopping = False
        self._idling: asyncio.Future[Any] | None = None
        self._tasks: dict[asyncio.Task[None], bool] = {}  # whether each is an urgent message's
        self._freed = asyncio.Event()

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping = True
        if self._idling is not None:
            self._idling.cancel()

    async def run(self) -> None:
        """Claim and forward until stopped."""
        while not self._stopping:
            BACKLOG.set(self._store.backlog())
            OLDEST.set(self._store.oldest_due_age(self._now()))
            self._freed.clear()
            room, ordinary = self._room()
            unhurried = self._store.backlog() < HURRY
            limit = min(room, PORTION) if unhurried else room
            jobs = await self._claim(limit, ordinary) if limit else []
            for job in jobs:
                task = asyncio.create_task(self._one(job))
                self._tasks[task] = job.submission.urgent
                task.add_done_callback(self._done)
                await asyncio.sleep(0)  # requests that came meanwhile have their turn before the next one
            room, ordinary = self._room()
            if not jobs or (not ordinary and len(jobs) < limit):  # no urgent one is left
                await self._idle(room, ordinary)
            elif unhurried and not all(job.submission.urgent for job in jobs):
                await self._store.wait_due(GAP_SECONDS, urgent=True)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _room(self) -> tuple[int, int]:
        """How many messages may set out now, and how many of them that are not urgent."""
        policy = self._way.policy
        room = self._breaker.room(self._now(), policy.most, len(self._tasks))
        ordinary = sum(not urgent for urgent in self._tasks.values())
        return room, max(0, min(room, policy.concurrency - ordinary))

    async def _claim(self, room: int, ordinary: int) -> list[Outgoing]:
        try:
            return await self._store.claim(self._now(), room, ordinary)
        except GatewayError as error:
            log.error("claim_failed", exc_info=error)
            await asyncio.sleep(IDLE_SECONDS)
            return []

    async def _idle(self, room: int, ordinary: int) -> None:
        wait: Coroutine[Any, Any, Any]
        if ordinary:
            wait = self._store.wait_due(IDLE_SECONDS)
        elif room:
            wait = self._urgent_or_freed()
        elif self._tasks:
            wait = self._freed.wait()
        else:
            wait = asyncio.sleep(min(IDLE_SECONDS, self._breaker.pause))
        self._idling = asyncio.ensure_future(wait)
        with contextlib.suppress(asyncio.CancelledError):
            await self._idling

    async def _urgent_or_freed(self) -> None:
        async with asyncio.TaskGroup() as group:
            waits = [
                group.create_task(self._store.wait_due(IDLE_SECONDS, urgent=True)),
                group.create_task(self._freed.wait()),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    async def _one(self, job: Outgoing) -> None:
        try:
            with FORWARD_SECONDS.time():
                result = await forward(self._way, job)
            self._learn(result)
        except Exception as error:  # noqa: BLE001 - the message stays in the store and is tried again
            log.error("forward_failed", receipt=job.id, exc_info=error)
            result = "failed"
            await self._put_back(job)
        FORWARDS.labels(result).inc()

    def _learn(self, result: str) -> None:
        before = self._breaker.is_open
        if result == "retry":
            self._breaker = self._breaker.after_outage(self._now())
        elif result in ("forwarded", Status.REJECTED):
            self._breaker = self._breaker.after_verdict()
        CORE_CIRCUIT.set(self._breaker.is_open)
        if self._breaker.is_open != before:
            log.warning("core_circuit_closed" if before else "core_circuit_opened", pause=self._breaker.pause)

    async def _put_back(self, job: Outgoing) -> None:
        try:
            await self._store.mark_retry(
                job.id, self._now(), self._now() + self._way.policy.retry_max, "internal"
            )
        except Exception as error:  # noqa: BLE001 - the store is down; it frees the lane by itself when it is back
            log.error("put_back_failed", receipt=job.id, exc_info=error)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._freed.set()
