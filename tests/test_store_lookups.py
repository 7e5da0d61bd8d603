"""Lookups that are answered together."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.errors import Unavailable
from gateway.store.batches import unavailable
from gateway.store.lookups import MOST, Lookups


class Table:
    """What is asked, query by query."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.broken = False

    async def query(self, keys: Sequence[int]) -> list[str]:
        self.asked.append([*keys])
        await asyncio.sleep(0)
        if self.broken:
            raise unavailable("away")
        return [str(key) for key in keys]


async def test_who_asks_meanwhile_is_answered_by_one_query_each_with_its_own() -> None:
    table = Table()
    lookups = Lookups(table.query)
    assert await asyncio.gather(*(lookups.find(n) for n in range(50))) == [str(n) for n in range(50)]
    assert len(table.asked) == 1
    assert await lookups.find(7) == "7"
    await lookups.close()


async def test_a_query_is_bounded() -> None:
    table = Table()
    lookups = Lookups(table.query)
    await asyncio.gather(*(lookups.find(n) for n in range(MOST + 1)))
    assert [len(keys) for keys in table.asked] == [MOST, 1]
    await lookups.close()


async def test_a_failure_reaches_all_who_asked_and_no_one_later() -> None:
    table = Table()
    table.broken = True
    lookups = Lookups(table.query)
    told = await asyncio.gather(*(lookups.find(n) for n in range(3)), return_exceptions=True)
    assert [type(one) for one in told] == [Unavailable] * 3
    table.broken = False
    assert await lookups.find(1) == "1"
    await lookups.close()


async def test_who_goes_away_takes_no_answer_from_the_others() -> None:
    lookups = Lookups(Table().query)
    gone, waiting = (asyncio.create_task(lookups.find(n)) for n in (1, 2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await waiting == "2"
    with pytest.raises(asyncio.CancelledError):
        await gone
    await lookups.close()
