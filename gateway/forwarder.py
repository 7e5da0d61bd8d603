"""The loop of the way out: what is due is claimed, urgent messages first, and goes its way side by side (`forward`).

While the core is away, single messages are sent as probes (`core_breaker`); everything else waits.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from gateway.core_breaker import PROBE_SECONDS, CoreBreaker
from gateway.errors import GatewayError, Unavailable
from gateway.forward import NOTHING_TO_SEND, Way, forward
from gateway.model import Outgoing, Status
from gateway.observability import CORE_CIRCUIT, FORWARD_SECONDS, FORWARDS, log
from gateway.store import FAILING

PUT_OFF = 1.0  # seconds, where the workers had no room for a message
IDLE_SECONDS = 1.0  # the longest time without a look at the clock: retries become due in silence

# While little waits, one publisher's burst sets out in portions, so that the requests and urgent cases that come meanwhile do
# not queue behind it, neither here nor at the core. With more than that waiting, everything goes as fast as it can.
PORTION, GAP_SECONDS = 2, 0.01
HURRY = 100  # messages that wait or are under way


class Forwarder:
    """The loop that keeps as many forwards under way as the policy says. `run` ends after `stop`, when they are drained."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._store = way.store
        self._now = way.now
        self._breaker = CoreBreaker(min(PROBE_SECONDS, way.policy.retry_max))
        CORE_CIRCUIT.set(self._breaker.is_open)
        # a probe in vain says nothing about its message, which is to go as soon as the core is back
        self._probing = replace(way, policy=replace(way.policy, retry_max=self._breaker.pause))
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
            self._freed.clear()
            await (self._probe() if self._breaker.is_open else self._send_what_is_due())
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _send_what_is_due(self) -> None:
        room, ordinary = self._room()
        unhurried = self._store.backlog() < HURRY
        limit = min(room, PORTION) if unhurried else room
        jobs = await self._claim(limit, ordinary) if limit else []
        for job in jobs:
            self._start(self._way, job)
            await asyncio.sleep(0)  # requests that came meanwhile have their turn before the next one
        room, ordinary = self._room()
        if not jobs or (not ordinary and len(jobs) < limit):  # no urgent one is left
            await self._idle(room, ordinary)
        elif unhurried and not all(job.submission.urgent for job in jobs):
            await self._store.wait_due(GAP_SECONDS, urgent=True)

    async def _probe(self) -> None:
        """Send one message if it is time to, then wait until it is, a message comes, or an attempt ends."""
        wait = self._breaker.wait(self._now())
        if wait or len(self._tasks) >= self._way.policy.most:
            await self._wait(self._freed_within(min(IDLE_SECONDS, wait or IDLE_SECONDS)))
            return
        job = await self._claim_probe()
        if job is None:
            await self._wait(self._store.wait_due(IDLE_SECONDS))
            return
        self._breaker = self._breaker.after_probe(self._now())
        self._start(self._probing, job)

    def _start(self, way: Way, job: Outgoing) -> None:
        task = asyncio.create_task(self._one(way, job))
        self._tasks[task] = job.submission.urgent
        task.add_done_callback(self._done)

    def _room(self) -> tuple[int, int]:
        """How many messages may set out now, and how many of them that are not urgent."""
        policy = self._way.policy
        room = max(0, policy.most - len(self._tasks))
        ordinary = sum(not urgent for urgent in self._tasks.values())
        return room, max(0, min(room, policy.concurrency - ordinary))

    async def _claim(self, room: int, ordinary: int) -> list[Outgoing]:
        try:
            return await self._store.claim(self._now(), room, ordinary)
        except GatewayError as error:
            log.error("claim_failed", exc_info=error)
            await asyncio.sleep(IDLE_SECONDS)
            return []

    async def _claim_probe(self) -> Outgoing | None:
        try:
            return await self._store.claim_probe(self._now(), new_first=self._breaker.is_turn_of_new)
        except GatewayError as error:
            log.error("claim_failed", exc_info=error)
            await asyncio.sleep(IDLE_SECONDS)
            return None

    async def _idle(self, room: int, ordinary: int) -> None:
        if ordinary:
            await self._wait(self._store.wait_due(IDLE_SECONDS))
        elif room:
            await self._wait(self._urgent_or_freed())
        else:
            await self._wait(self._freed.wait())

    async def _wait(self, wait: Coroutine[Any, Any, Any]) -> None:
        self._idling = asyncio.ensure_future(wait)
        with contextlib.suppress(asyncio.CancelledError):
            await self._idling

    async def _freed_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._freed.wait()

    async def _urgent_or_freed(self) -> None:
        async with asyncio.TaskGroup() as group:
            waits = [
                group.create_task(self._store.wait_due(IDLE_SECONDS, urgent=True)),
                group.create_task(self._freed.wait()),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    async def _one(self, way: Way, job: Outgoing) -> None:
        try:
            with FORWARD_SECONDS.time():
                result = await forward(way, job)
            self._learn(job, result)
        except Unavailable as busy:  # the workers or the machine, for a moment
            log.warning("forward_put_off", receipt=job.id, cause=busy.issues[0].diagnostics)
            result = "put_off"
            await self._put_back(job, PUT_OFF)
        except Exception as error:  # noqa: BLE001 - the message stays in the store and is tried again
            log.error("forward_failed", receipt=job.id, exc_info=error)
            result = "failed"
            await self._put_back(job, self._way.policy.retry_max)
        FORWARDS.labels(result).inc()

    def _learn(self, job: Outgoing, result: str) -> None:
        before = self._breaker.is_open
        if result == "retry":
            self._breaker = self._breaker.after_outage(job.lane, self._now())
            if job.attempts + 1 == FAILING and not before:
                log.warning(
                    "message_keeps_failing", receipt=job.id, distribution_id=job.submission.distribution_id
                )
        elif result in ("forwarded", Status.REJECTED):
            self._breaker = self._breaker.after_verdict()
        elif result in (Status.EXPIRED, Status.DEAD, NOTHING_TO_SEND):
            self._breaker = self._breaker.after_nothing(self._now())
        CORE_CIRCUIT.set(self._breaker.is_open)
        if self._breaker.is_open != before:
            log.warning("core_circuit_closed" if before else "core_circuit_opened")

    async def _put_back(self, job: Outgoing, pause: float) -> None:
        try:
            await self._store.mark_retry(job.id, self._now(), self._now() + pause, "internal")
        except Exception as error:  # noqa: BLE001 - the store is down; it frees the lane by itself when it is back
            log.error("put_back_failed", receipt=job.id, exc_info=error)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._freed.set()
