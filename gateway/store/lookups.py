"""Lookups: callers wait a moment, and one query answers them all.

The first is answered at once. A flood of them costs one query every PAUSE seconds, however many they are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

PAUSE = 0.02  # seconds between two queries
MOST = 512  # keys in one query

Key = TypeVar("Key")
Found = TypeVar("Found")


class Lookups(Generic[Key, Found]):
    """`query` gives what it found for each key, in their order."""

    def __init__(self, query: Callable[[Sequence[Key]], Awaitable[Sequence[Found]]]) -> None:
        self._query = query
        self._waiting: list[tuple[Key, asyncio.Future[Found]]] = []
        self._working: asyncio.Task[None] | None = None

    async def find(self, key: Key) -> Found:
        """What the query finds for this key, or what it raises."""
        future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, future))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await future

    async def close(self) -> None:
        """Answer who waits, and end."""
        while self._working is not None:
            await asyncio.wait([self._working])

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            await self._answer(batch)
            await asyncio.sleep(PAUSE)
        self._working = None

    async def _answer(self, batch: Sequence[tuple[Key, asyncio.Future[Found]]]) -> None:
        try:
            found = await self._query([key for key, _ in batch])
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), one in zip(batch, found, strict=True):
            if not future.done():  # whoever asked has gone
                future.set_result(one)
                await asyncio.sleep(0)  # all of them at once would keep everyone else from the event loop
