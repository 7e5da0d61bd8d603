"""Counters in Valkey or Redis: what many requests ask at one time is one script call, and exact.

A script runs as a whole, so that nobody ever sees a count that is taken back. One server, or a primary with replicas
behind one address, is spoken to; all keys are in one hash slot.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

DEFAULT_PORT = 6379
PATIENCE = 0.05  # seconds that a request waits for the server, at most
RETURN_PATIENCE = 2.0  # seconds that a server may take when it is asked whether it is back
SLICES = 5  # of the patience
RAISED = 1_000  # counters raised in one call
MARKER = "{gateway-quota}/known"

# KEYS: the marker, then three counters a demand. ARGV: of each demand the amount, and of each counter bound and expiry.
# Of each demand are answered: the amount that was taken, and the three counts after that.
TAKE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local answers, at = {}, 1
for first = 2, #KEYS, 3 do
  local amount = tonumber(ARGV[at])
  local counts = {}
  for w = 0, 2 do
    counts[w] = tonumber(redis.call('GET', KEYS[first + w]) or 0)
    if amount > 0 then amount = math.max(0, math.min(amount, tonumber(ARGV[at + 1 + 2 * w]) - counts[w])) end
  end
  for w = 0, 2 do
    local key = KEYS[first + w]
    if amount > 0 then
      counts[w] = redis.call('INCRBY', key, amount)
      if counts[w] == amount then redis.call('EXPIRE', key, ARGV[at + 2 + 2 * w]) end
    elseif amount < 0 and counts[w] > 0 then
      counts[w] = redis.call('DECRBY', key, math.min(-amount, counts[w]))
    end
  end
  answers[#answers + 1] = {amount, counts[0], counts[1], counts[2]}
  at = at + 7
end
return answers
"""
# KEYS: the marker, then counters. ARGV: whether the marker is to be set, then of each counter its least and its expiry.
RAISE = """
for i = 2, #KEYS do
  local least = tonumber(ARGV[2 * i - 2])
  if tonumber(redis.call('GET', KEYS[i]) or 0) < least then
    redis.call('SET', KEYS[i], least, 'EX', ARGV[2 * i - 1])
  end
end
if ARGV[1] == '1' then redis.call('SET', KEYS[1], 1) end
return 1
"""


class Away(Exception):
    """The server gives no answer that can be used. Its text is the cause, without anything that was sent."""


@dataclass(frozen=True, slots=True)
class Demand:
    """An amount to be added to three counters, as far as their bounds allow; taken off them where it is negative."""

    amount: int
    keys: tuple[str, ...]
    bounds: tuple[int, ...]
    expiries: tuple[int, ...]  # seconds


@dataclass(frozen=True, slots=True)
class Taken:
    """How much of a demand was taken, and the counts after that."""

    amount: int
    counts: tuple[int, ...]


class Valkey:
    """The way to the server of a `redis://` or `rediss://` URL. `server` names it without its password.

    `patience` in seconds is that of a request.
    """

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        parts = urlsplit(url)
        self.server = f"{parts.hostname}:{parts.port or DEFAULT_PORT}"
        self._patience = patience
        self._client: Redis = Redis.from_url(
            url, socket_connect_timeout=RETURN_PATIENCE, retry=Retry(NoBackoff(), 0), protocol=2
        )
        self._take = self._client.register_script(TAKE)
        self._raise = self._client.register_script(RAISE)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def take(self, demands: Sequence[Demand]) -> list[Taken]:
        """What came of the demands, in their order. Raises Away, also where the server has forgotten the counts."""
        keys, arguments = [MARKER], list[int]()
        for demand in demands:
            keys += demand.keys
            arguments.append(demand.amount)
            for bound, expiry in zip(demand.bounds, demand.expiries, strict=True):
                arguments += (bound, expiry)
        answers = await _within(self._patience, self._take(keys, arguments))
        if not isinstance(answers, list) or len(answers) != len(demands):
            raise Away("it has forgotten the counts")
        return [Taken(answer[0], tuple(answer[1:])) for answer in answers]

    async def ping(self) -> None:
        """Raises Away where the server does not answer."""
        await _within(RETURN_PATIENCE, self._client.ping())

    async def raise_to(self, counters: Sequence[tuple[str, int, int]]) -> None:
        """Make each counter (key, expiry, least) at least that much; from then on the counts are known. Raises Away."""
        for start in range(0, max(1, len(counters)), RAISED):
            portion = counters[start : start + RAISED]
            arguments = [int(start + RAISED >= len(counters))]
            for _, expiry, least in portion:
                arguments += (least, expiry)
            keys = [MARKER, *(key for key, _, _ in portion)]
            await _within(RETURN_PATIENCE, self._raise(keys, arguments))


async def _within(patience: float, call: Awaitable[Any]) -> Any:
    """The answer. Time is counted in turns of our own loop, so that a busy replica does not take the server for dead."""
    task = asyncio.ensure_future(call)
    try:
        for _ in range(SLICES):
            if (await asyncio.wait([task], timeout=patience / SLICES))[0]:
                return task.result()
    except (RedisError, OSError) as error:
        raise Away(type(error).__name__) from None
    finally:
        if not task.done():
            task.add_done_callback(_forget)
            task.cancel()
    raise Away("it gives no answer")


def _forget(task: "asyncio.Future[Any]") -> None:
    if not task.cancelled():
        task.exception()
