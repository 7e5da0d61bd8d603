"""One address before several gateways: each connection goes to the next of them that answers."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def balancer(front: str, replicas: Sequence[str]) -> AsyncIterator[None]:
    """Listens at `front` for as long as the block runs."""
    turns = itertools.count()
    under_way: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        try:
            with contextlib.suppress(asyncio.CancelledError):  # at the end; asyncio would print a traceback
                found = await _connect(replicas, next(turns))
                if found is not None:
                    await asyncio.gather(_pump(reader, found[1]), _pump(found[0], writer))
        finally:
            under_way.discard(task)
            writer.close()

    parts = urlsplit(front)
    server = await asyncio.start_server(carry, parts.hostname, parts.port)
    try:
        yield
    finally:
        server.close()
        for task in tuple(under_way):
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _connect(replicas: Sequence[str], turn: int) -> Streams | None:
    for step in range(len(replicas)):
        parts = urlsplit(replicas[(turn + step) % len(replicas)])
        with contextlib.suppress(OSError):
            return await asyncio.open_connection(parts.hostname, parts.port)
    return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
