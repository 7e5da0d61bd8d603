"""The quota of one of several replicas: counted in Valkey, and in this process while Valkey is away.

Requests that spend while a call is under way share the next one. Every answer is also noted in this process, so that
headers tell what it told, and counting alone begins where counting together ended. While Valkey is away each replica
admits at most the limit of a window; in all at most the limit times the number of replicas.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from contextvars import Context
from dataclasses import dataclass, field

from gateway.breaker import Breaker
from gateway.errors import GatewayError
from gateway.model import JsonObject, Publisher
from gateway.observability import QUOTA_SHARED, log
from gateway.quota import ALONE, ORDINARY, RESERVE, LocalQuota, Spent, Window, exceeded
from gateway.shared_quota.valkey import Away, Demand, Taken, Valkey

Usage = Callable[[float], Awaitable[Iterable[tuple[str, str, str, int]]]]
Windows = tuple[Window, ...]
PING_SECONDS = 1.0
# closed again after a tenth of a second where Valkey only stumbled; asked every second where it stays away
BREAKER = Breaker(threshold=1, first_pause=0.1, max_pause=1.0)


@dataclass(frozen=True, slots=True)
class _Answer:
    """Whether it was admitted, and the counts with this message, be they spent or only asked for."""

    admitted: bool
    counts: tuple[int, ...]


@dataclass(slots=True)
class _Group:
    """Requests that ask the same of the same counters: `step` is +1 to spend, -1 to give back, 0 to look."""

    windows: Windows
    second: int
    urgent: bool
    step: int
    waiting: list["asyncio.Future[_Answer | None]"] = field(default_factory=list)

    def demand(self) -> Demand:
        """What all of them ask together."""
        return Demand(
            self.step * len(self.waiting),
            tuple(w.key(self.second) for w in self.windows),
            tuple(w.bound(self.urgent) for w in self.windows),
            tuple(w.expiry for w in self.windows),
        )


class SharedQuota:
    """The `Quota` of a replica. `usage` is the store's; `now` gives POSIX seconds. `run` is to run beside it."""

    def __init__(self, valkey: Valkey, usage: Usage, now: Callable[[], float]) -> None:
        self._valkey = valkey
        self._usage = usage
        self._now = now
        self._local = LocalQuota()
        self._breaker = BREAKER
        self._stretch = ALONE  # a number for each stretch of time in which counts are shared
        self._stretches = 0
        self._pending: dict[tuple[Windows, int, bool, int], _Group] = {}
        self._asking: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._gauge = QUOTA_SHARED.labels(valkey.server)

    async def start(self) -> None:
        """Take up the counts of the store, in this process and, where it is there, in Valkey. Raises Unavailable."""
        self._local.rebuild(await self._usage(self._now()), self._now())
        try:
            await self._come_back()
        except Away as cause:
            self._lose(cause)

    async def close(self) -> None:
        """Let go of Valkey. What is asked later is answered by this process."""
        self._stretch = ALONE
        if self._asking is not None:
            await asyncio.wait([self._asking])
        await self._valkey.close()

    @property
    def is_shared(self) -> bool:
        """Whether the replicas count together now."""
        return self._stretch != ALONE

    async def spend(self, publisher: Publisher, urgent: bool, now: float) -> Spent:
        """See `Quota.spend`."""
        windows, stretch = self._local.plan(publisher).windows, self._stretch
        answer = await self._ask(windows, int(now), urgent, 1)
        if answer is None:
            return self._local.spend_now(publisher, urgent, now)
        if not answer.admitted:
            raise exceeded(windows, answer.counts, urgent, int(now))
        within = all(count <= w.limit for w, count in zip(windows, answer.counts, strict=True))
        return Spent(ORDINARY if within else RESERVE, int(now), stretch)

    async def give_back(self, publisher: Publisher, spent: Spent, now: float) -> None:
        """See `Quota.give_back`. What was spent before Valkey came back stays spent there: it may know nothing of it."""
        if self.is_shared and spent.where != self._stretch:
            return
        windows = self._local.plan(publisher).windows
        if await self._ask(windows, spent.second, urgent=False, step=-1) is None:
            self._local.give_back_now(publisher, spent, now)

    def in_flight(self, publisher: Publisher) -> AbstractContextManager[None]:
        """See `Quota.in_flight`."""
        return self._local.in_flight(publisher)

    def headers(self, publisher: Publisher, now: float) -> list[tuple[bytes, bytes]]:
        """See `Quota.headers`: by the last answer that this replica had."""
        return self._local.headers(publisher, now)

    async def snapshot(self, publisher: Publisher, now: float) -> list[JsonObject]:
        """See `Quota.snapshot`."""
        await self._ask(self._local.plan(publisher).windows, int(now), urgent=False, step=0)
        return self._local.snapshot_now(publisher, now)

    async def run(self) -> None:
        """Look after Valkey for as long as the gateway runs: whether it is still there, and whether it is back."""
        loop = asyncio.get_running_loop()
        while True:
            if self.is_shared:
                self._lost.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PING_SECONDS):
                        await self._lost.wait()
                await self._try(self._valkey.take([]))
            elif self._breaker.waits(loop.time()):
                await asyncio.sleep(self._breaker.probe_at - loop.time())
            else:
                await self._try(self._come_back())

    async def _try(self, attempt: Awaitable[object]) -> None:
        try:
            await attempt
        except (Away, GatewayError) as cause:
            self._lose(cause)
        except Exception as error:  # noqa: BLE001 - whatever it is, requests are served, and it is tried again
            self._lose(Away(type(error).__name__))
            log.error("quota_shared_failed", exc_info=error)

    async def _come_back(self) -> None:
        """Raise Valkey's counters to what store and process know: it may have lost them. Raises Away, Unavailable."""
        await self._valkey.ping()
        now = self._now()
        self._local.rebuild(await self._usage(now), now)
        await self._valkey.raise_to(self._local.counted(self._now()))
        self._breaker = self._breaker.after_verdict()
        self._stretches += 1
        self._stretch = self._stretches
        self._gauge.set(1)
        log.info("quota_shared")

    def _lose(self, cause: Exception) -> None:
        was_open = self._breaker.is_open
        self._breaker = self._breaker.after_outage(asyncio.get_running_loop().time())
        self._stretch = ALONE
        self._lost.set()
        self._gauge.set(0)
        if not was_open:
            log.warning("quota_not_shared", cause=str(cause) if isinstance(cause, Away) else "store")

    # calls

    async def _ask(self, windows: Windows, second: int, urgent: bool, step: int) -> _Answer | None:
        """The answer of Valkey; None where it is away."""
        return await self._join(windows, second, urgent, step) if self.is_shared else None

    def _join(
        self, windows: Windows, second: int, urgent: bool, step: int
    ) -> "asyncio.Future[_Answer | None]":
        loop = asyncio.get_running_loop()
        key = windows, second, urgent, step
        group = self._pending.get(key)
        if group is None:
            group = self._pending[key] = _Group(windows, second, urgent, step)
        future: asyncio.Future[_Answer | None] = loop.create_future()
        group.waiting.append(future)
        if self._asking is None:
            # it begins after the callers that are ready now, and is no part of the first one's request
            self._asking = loop.create_task(self._work(), context=Context())
        return future

    async def _work(self) -> None:
        while self._pending:
            groups, self._pending = list(self._pending.values()), {}
            try:
                answers: list[Taken | None] = [*await self._valkey.take([group.demand() for group in groups])]
            except Exception as error:  # noqa: BLE001 - whatever it is, the callers must be answered
                self._lose(error if isinstance(error, Away) else Away(type(error).__name__))
                answers = [None] * len(groups)
            for group, taken in zip(groups, answers, strict=True):
                self._settle(group, taken)
            if not self.is_shared:
                for group in self._pending.values():
                    self._settle(group, None)
                self._pending = {}
        self._asking = None

    def _settle(self, group: _Group, taken: Taken | None) -> None:
        if taken is None:
            for future in group.waiting:
                if not future.done():
                    future.set_result(None)
            return
        self._local.see(group.windows, taken.counts, group.second)
        abandoned = 0
        for number, future in enumerate(group.waiting, 1):
            admitted = number <= taken.amount
            if future.done():  # its request went away: it must not cost anything
                abandoned += admitted and group.step > 0
                continue
            # of those that were admitted each sees its own count, the last of them what came of all
            off = number - taken.amount if group.step > 0 and admitted else int(group.step > 0)
            future.set_result(_Answer(admitted, tuple(count + off for count in taken.counts)))
        for _ in range(abandoned):
            self._join(group.windows, group.second, urgent=False, step=-1)
