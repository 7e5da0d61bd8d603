"""Whether the registry's folder has changed: a mounted folder changes without a signal."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

LOOK_SECONDS = 10.0
Fingerprint = tuple[tuple[str, int, int], ...]


def fingerprint(directory: Path) -> Fingerprint:
    """Names, sizes and times of change of what is in a folder; nothing where it cannot be read."""
    try:
        found = [(path.name, path.stat()) for path in directory.iterdir()]
    except OSError:  # it is replaced just now, or gone
        return ()
    return tuple(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in found))


@asynccontextmanager
async def watched(
    directory: Path, known: Fingerprint, changed: Callable[[], None], every: float = LOOK_SECONDS
) -> AsyncIterator[None]:
    """Call `changed` once for each change of the folder that is seen, looking every so many seconds, while the block runs.

    `known` is how the folder was when it was read.
    """
    watching = asyncio.create_task(_watch(directory, known, changed, every))
    try:
        yield
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _watch(directory: Path, known: Fingerprint, changed: Callable[[], None], every: float) -> None:
    while True:
        await asyncio.sleep(every)
        found = await asyncio.to_thread(fingerprint, directory)  # a thousand files take some time
        if found != known:
            known = found
            changed()
