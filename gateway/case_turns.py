"""One message of a case at a time for one recipient: what is known of the case is read and added to in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: int = 0


class CaseTurns:
    """Turns in this process, by recipient and case. Replicas have none in common."""

    def __init__(self) -> None:
        self._turns: dict[tuple[str, str], _Turn] = {}

    @asynccontextmanager
    async def of(self, recipient: str, case_id: str) -> AsyncIterator[None]:
        """Wait until nobody else is at the case of this recipient, and hold it for as long as the block runs."""
        key = recipient, case_id
        turn = self._turns.setdefault(key, _Turn())
        turn.wanted += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[key]
