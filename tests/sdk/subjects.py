"""Both clients behind one asyncio face, so that one suite holds for both. A blocking call runs in a thread."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from regulation_sdk import (
    AsyncClient,
    AsyncDelivery,
    Client,
    ClientSecret,
    Delivery,
    InboxItem,
    PrivateKey,
    RetryPolicy,
    Timing,
)

SECRET = ClientSecret("lrm", "secret-of-lrm")
POLICY = RetryPolicy(deadline=60.0, timeout=20.0, first=1.0, most=8.0)


@dataclass
class Clock:
    """A clock that only sleeping moves. `slept` are the waits."""

    now: float = 1_795_514_400.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)
        await asyncio.sleep(0)

    def timing(self, chance: Callable[[], float] = lambda: 0.0) -> Timing:
        return Timing(self, self, chance)


class SyncSubject:
    """A blocking client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await asyncio.to_thread(method, *args, **kwargs)

        return call

    async def list(self, **wishes: Any) -> AsyncIterator[Any]:
        for receipt in await asyncio.to_thread(lambda: list(self.client.list(**wishes))):
            yield receipt

    async def inbox(self, **wishes: Any) -> AsyncIterator["Held"]:
        deliveries = self.client.inbox(**wishes)
        try:
            while delivery := await asyncio.to_thread(next, deliveries, None):
                yield Held(delivery)
        finally:
            await asyncio.to_thread(deliveries.close)  # type: ignore[attr-defined]  # it is a generator

    async def process_inbox(self, handler: Callable[[InboxItem], Any], **wishes: Any) -> None:
        await asyncio.to_thread(self.client.process_inbox, handler, **wishes)


class AsyncSubject:
    """A client for asyncio."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    async def inbox(self, **wishes: Any) -> AsyncIterator["Held"]:
        deliveries = self.client.inbox(**wishes)
        try:
            async for delivery in deliveries:
                yield Held(delivery)
        finally:
            await deliveries.aclose()  # type: ignore[attr-defined]  # it is a generator

    async def process_inbox(self, handler: Callable[[InboxItem], Any], **wishes: Any) -> None:
        async def handle(item: InboxItem) -> Any:
            return handler(item)

        await self.client.process_inbox(handle, **wishes)


class Held:
    """A delivery of either client."""

    def __init__(self, delivery: Delivery | AsyncDelivery) -> None:
        self._delivery = delivery
        self.item = delivery.item

    async def ack(self, **wishes: Any) -> Any:
        if isinstance(self._delivery, AsyncDelivery):
            return await self._delivery.ack(**wishes)
        return await asyncio.to_thread(self._delivery.ack, **wishes)

    async def __aenter__(self) -> InboxItem:
        if isinstance(self._delivery, AsyncDelivery):
            return await self._delivery.__aenter__()
        return self._delivery.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(self._delivery, AsyncDelivery):
            await self._delivery.__aexit__(kind, error, trace)
        else:
            await asyncio.to_thread(self._delivery.__exit__, kind, error, trace)


Subject = Any  # a SyncSubject or an AsyncSubject
KINDS = ("sync", "async")


def make(
    kind: str,
    url: str = "https://gateway.test",
    credentials: ClientSecret | PrivateKey = SECRET,
    *,
    transport: Any = None,
    clock: Clock | None = None,
    policy: RetryPolicy = POLICY,
) -> Subject:
    """A client of this kind; with a clock, time passes by sleeping only."""
    timing = clock.timing() if clock else Timing(time.monotonic, time.time, random.random)
    if kind == "sync":
        sleep = clock.sleep if clock else time.sleep
        return SyncSubject(
            Client(url, credentials, retry=policy, transport=transport, timing=timing, sleep=sleep)
        )
    pause = clock.async_sleep if clock else asyncio.sleep
    return AsyncSubject(
        AsyncClient(url, credentials, retry=policy, transport=transport, timing=timing, sleep=pause)
    )
