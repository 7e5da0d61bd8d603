"""How long a test waits for what should come: a guard against hanging, never a measure of speed.

What comes by itself after a while (a long poll that ends, a connection that is closed as idle) needs a bound of its own, or
the test would wait for that.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

GIVE_UP = 60.0  # seconds
PAUSE = 0.01  # seconds between two looks

T = TypeVar("T")


async def until(condition: Callable[[], T]) -> T:
    """What the condition gives once it holds. Raises AssertionError where it does not."""

    async def look() -> T:
        return condition()

    return await until_told(look)


async def until_told(ask: Callable[[], Awaitable[T]], good: Callable[[T], object] = bool) -> T:
    """What is told once it is good. Raises AssertionError where it does not become so."""
    loop = asyncio.get_running_loop()
    end = loop.time() + GIVE_UP
    while not good(told := await ask()):
        assert loop.time() < end, f"it did not come; last was {told!r}"
        await asyncio.sleep(PAUSE)
    return told
