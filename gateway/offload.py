"""Heavy work in worker processes: what would hold the event loop for more than some milliseconds.

Python runs one piece of work at a time, so a body of 1 MB that is decoded in the loop makes every urgent case wait. Ordinary
messages stay in the loop: sending them to another process would cost more than their work.
"""

import asyncio
import ctypes
import gc
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.process import BaseProcess
from typing import Any, ParamSpec, TypeVar

from gateway.errors import ErrorKind, Issue, Unavailable
from gateway.observability import OFFLOAD_RESTARTS, OFFLOADED, log

HEAVY = 12_288  # bytes of a body; the largest official message in its envelope has 8 kB
HEAVY_BUNDLE = 49_152  # bytes of a canonical Bundle; that of the largest official message has 46 kB
HEAVY_ELEMENTS = 2_000  # elements of an XML body
HEAVY_OBJECTS = 200  # objects of a JSON body that is translated; official messages have up to 120
URGENT = (b'"P0"', b'"P1"', b">P0<", b">P1<")
WAITING = 64  # pieces of work of one owner that wait or are done; more are refused
NICE = 10  # of the workers: what is in the loop goes before
ATTEMPTS = 2  # a worker's death may be another body's fault
LOOK = 1.0  # seconds between looks whether the workers live
LONGEST = 60.0  # seconds of one piece of work; the largest body takes less than 2
CLOSED = 10.0  # seconds after which workers that could not be made are tried again

P = ParamSpec("P")
T = TypeVar("T")


def is_heavy(body: bytes, media_type: str) -> bool:
    """Whether decoding and judging a body is work for a worker."""
    if media_type == "application/xml":
        return len(body) > HEAVY or body.count(b"<") - body.count(b"</") > HEAVY_ELEMENTS
    return len(body) > (HEAVY_BUNDLE if media_type == "application/fhir+json" else HEAVY)


def is_heavy_to_translate(body: bytes, media_type: str) -> bool:
    """The same for translating it: empty objects are small, and each becomes a resource."""
    if is_heavy(body, media_type):
        return True
    return media_type == "application/json" and body.count(b"{") > HEAVY_OBJECTS


def looks_urgent(body: bytes) -> bool:
    """Whether a priority of urgent cases stands anywhere in a body that is not read yet."""
    return any(mark in body for mark in URGENT)


class Offload:
    """The workers of one gateway. Until `start`, and with 0 workers, the work is done where it is asked for.

    Ordinary work leaves one worker free for urgent work, where there are two or more; the pieces of one owner come one after the
    other, so that no owner holds up the others. `longest`: seconds of one piece of work, after which its worker is ended;
    `closed`: seconds until workers that could not be made are tried again.
    """

    def __init__(self, workers: int = 0, longest: float = LONGEST, closed: float = CLOSED) -> None:
        self._workers = workers
        self._longest = longest
        self._closed = closed
        self._opened_at = 0.0
        self._opening: asyncio.Task[ProcessPoolExecutor | None] | None = None
        self._any = asyncio.Semaphore(max(1, workers))
        self._ordinary = asyncio.Semaphore(max(1, workers - 1))
        self._owners: dict[str, asyncio.Lock] = {}
        self._waiting: Counter[str] = Counter()
        self._tasks: set[asyncio.Future[Any]] = set()

    @property
    def is_open(self) -> bool:
        """Whether work goes to workers."""
        return self._opening is not None

    def start(self, warm: Callable[[], None]) -> None:
        """Have the workers made beside what goes on, each of which calls `warm` first. Work that comes before waits for them."""
        if self._workers:
            self._warm = warm
            self._open()

    def _open(self) -> None:
        self._opened_at = asyncio.get_running_loop().time()
        self._opening = asyncio.create_task(asyncio.to_thread(_opened, self._workers, self._warm))

    async def close(self) -> None:
        """Let the workers go. What is under way is finished."""
        if self._opening is not None:
            pool = await self._opening
            self._opening = None
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)

    async def run(
        self, owner: str, urgent: bool, function: Callable[P, T], *args: P.args, **named: P.kwargs
    ) -> T:
        """What a pure function of a module gives, done in a worker. Arguments and result are pickled: give bytes, not trees.

        Raises what the function raises, and Unavailable (503) where this owner's work has no room, or workers die of it.
        """
        if not self.is_open:
            return function(*args, **named)
        if self._waiting[owner] >= (2 * WAITING if urgent else WAITING):
            raise _no_room(f"{WAITING} large bodies of one sender are being worked on.")
        self._waiting[owner] += 1
        lock = self._owners.setdefault(owner, asyncio.Lock())
        try:
            async with lock:
                if urgent:
                    return await self._in_worker(function, *args, **named)
                async with self._ordinary:
                    return await self._in_worker(function, *args, **named)
        finally:
            self._waiting[owner] -= 1
            if not self._waiting[owner]:
                del self._waiting[owner], self._owners[owner]

    async def _in_worker(self, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        # a request that goes away meanwhile must not free the place: the worker works on
        await self._any.acquire()
        work = asyncio.ensure_future(self._attempts(function, *args, **named))
        self._tasks.add(work)
        work.add_done_callback(self._done)
        return await asyncio.shield(work)

    def _done(self, work: "asyncio.Future[Any]") -> None:
        self._tasks.discard(work)
        self._any.release()
        if not work.cancelled():
            work.exception()  # whoever asked for it may have gone

    async def _attempts(self, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        for _ in range(ATTEMPTS):
            opening = self._opening
            pool = None if opening is None else await asyncio.shield(opening)
            if opening is None or pool is None:  # none can be made here and now, or the gateway stops
                self._open_again(opening)
                return function(*args, **named)
            OFFLOADED.labels(function.__name__).inc()
            try:
                return await self._result(pool, pool.submit(_worked, function, args, named))
            except BrokenProcessPool:
                self._renew(opening, pool)
        raise _no_room("The workers that read large bodies failed.")

    async def _result(self, pool: ProcessPoolExecutor, work: "Future[T]") -> T:
        """What a worker gives. Raises BrokenProcessPool where one died, or works too long.

        The pool sees most deaths by itself. Where a worker dies while it writes its result, the pool waits for the rest for ever.
        """
        result = asyncio.wrap_future(work)
        ends = asyncio.get_running_loop().time() + self._longest
        while not (await asyncio.wait({result}, timeout=LOOK))[0]:
            if _has_dead(pool) or asyncio.get_running_loop().time() > ends:
                _kill(pool)
                result.cancel()
                raise BrokenProcessPool
        return await result

    def _open_again(self, failed: object) -> None:
        is_time = asyncio.get_running_loop().time() >= self._opened_at + self._closed
        if failed is not None and self._opening is failed and is_time:
            self._open()

    def _renew(self, opening: object, broken: ProcessPoolExecutor) -> None:
        """New workers in place of those of which one died; the first who sees it has them made."""
        if self._opening is opening:
            log.error("offload_worker_died")
            OFFLOAD_RESTARTS.inc()
            broken.shutdown(wait=False)
            self._open()


def _no_room(why: str) -> Unavailable:
    issue = Issue(ErrorKind.OVERLOADED, f"{why} Send the same bytes again after 1 s.")
    return Unavailable(issue, headers={"Retry-After": "1"})


def _opened(workers: int, warm: Callable[[], None]) -> ProcessPoolExecutor | None:
    """So many workers, all of them warm; None, with a line in the log, where the system allows none."""
    try:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([warm.__module__])  # imported once for all
        pool = ProcessPoolExecutor(workers, context, _begin)
        for done in [pool.submit(warm) for _ in range(workers)]:
            done.result()
    except (OSError, NotImplementedError, BrokenProcessPool) as error:
        log.error("offload_impossible", exc_info=error)
        return None
    return pool


def _processes(pool: ProcessPoolExecutor) -> list[BaseProcess]:
    return list((pool._processes or {}).values())  # noqa: SLF001 - None once it is shut down


def _has_dead(pool: ProcessPoolExecutor) -> bool:
    return any(not process.is_alive() for process in _processes(pool))


def _kill(pool: ProcessPoolExecutor) -> None:
    """End all workers, and close the pool's own end of their pipe: its thread reads until nobody can write."""
    for process in _processes(pool):
        process.kill()
    pool._result_queue._writer.close()  # type: ignore[attr-defined]  # noqa: SLF001 - no other way


# In the workers


def _begin() -> None:
    """Make a fresh process a worker: nice, deaf to Ctrl-C, and gone when the gateway is gone, however it ended."""
    os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    gc.collect()
    gc.freeze()
    gc.disable()  # a tree of 400,000 lists takes 20 ms to make, and 700 with the collector


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)


def _worked(function: Callable[..., T], args: tuple[object, ...], named: dict[str, object]) -> T:
    try:
        return function(*args, **named)
    finally:
        gc.collect()
        _give_back_memory()


def _give_back_memory() -> None:
    with suppress(AttributeError, OSError):  # a libc without it
        ctypes.CDLL(None).malloc_trim(0)
