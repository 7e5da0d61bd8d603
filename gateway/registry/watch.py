"""Whether the registry's folder has changed: a mounted folder changes without a signal."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

LOOK_SECONDS = 10.0
Fingerprint = tuple[tuple[str, int, int], ...]
Read = Callable[[], Awaitable[bool]]  # reads the folder anew, and says whether that succeeded


def fingerprint(directory: Path) -> Fingerprint:
    """Names, sizes and times of change of what is in a folder; nothing where it cannot be read."""
    try:
        return tuple(sorted(_facts(path) for path in directory.iterdir()))
    except OSError:  # it is replaced just now, or gone
        return ()


def _facts(path: Path) -> tuple[str, int, int]:
    try:
        stat = path.stat()
    except OSError:  # a link that leads nowhere must not hide what becomes of the other files
        return path.name, -1, -1
    return path.name, stat.st_size, stat.st_mtime_ns


@asynccontextmanager
async def watched(
    directory: Path, known: Fingerprint, read: Read, every: float = LOOK_SECONDS
) -> AsyncIterator[Callable[[], None]]:
    """Call `read` for each change of the folder that is seen, looking every so many seconds, while the block runs.

    `known` is how the folder was when it was read. A reading that failed is repeated at each look until one succeeds:
    what was in its way (no file descriptor left, a file that was half written) may be gone. `read` raises nothing. The block
    gets a function that has the folder read anew whether it changed or not; asked during a reading, once more after it.
    """
    asked = asyncio.Event()
    watching = asyncio.create_task(_watch(directory, known, read, every, asked))
    try:
        yield asked.set
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _watch(directory: Path, known: Fingerprint, read: Read, every: float, asked: asyncio.Event) -> None:
    succeeded = True
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(every):
                await asked.wait()
        found = await asyncio.to_thread(fingerprint, directory)  # a thousand files take some time
        if found != known or asked.is_set() or not succeeded:
            known = found
            asked.clear()
            succeeded = await read()
