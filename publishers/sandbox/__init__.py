"""The sandbox: a gateway, the simulated national core and three demo publishers, in one process on one machine.

Read `run` first. What the gateway reads is what it reads in production: settings, registrations and key files.
"""

import asyncio
import logging
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import uvloop

from gateway.observability import configure_logging
from gateway.server import served
from gateway.settings import Settings
from publishers.sandbox import publishers as demo
from publishers.sandbox.clock import Clock
from publishers.sandbox.core.opening import http_client
from publishers.sandbox.demonstration import Stage, StepFailed, play
from publishers.sandbox.front import Front
from publishers.sandbox.plant import Sandbox, environment
from publishers.sandbox.servers import GRACE, HOST, PortTaken, listen

__all__ = ["MARKER", "Sandbox", "environment", "make_afresh", "opened", "run"]

MARKER = ".gateway-sandbox"  # what tells a sandbox's data folder from any other


def run(port: int, data: Path, once: bool) -> int:
    """Serve the gateway on `port`, the core on the next one and operations on the one after, with data made afresh in `data`, and play the demonstration.

    Then serve until interrupted, or leave with `once`. The exit code: 0, or 1 where it cannot start or, with `once`,
    where the demonstration failed.
    """
    configure_logging("error")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(_serve(port, data, once=once))
        except (PortTaken, OSError) as error:
            sys.stderr.write(f"gateway: {error}\n")
            return 1


async def _serve(port: int, data: Path, *, once: bool) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with opened(port, data) as sandbox:
        gateway = sandbox.gateway
        _say(
            f"The gateway serves {gateway} (the contract: {gateway}/docs), the simulated core {sandbox.core_url}."
        )
        _say(f"What goes on, and scenarios to play: {gateway}/sandbox")
        _say(f"Credentials of the demo publishers: {data / 'sandbox.json'}\n")
        failed = await _demonstrate(gateway, sandbox.publishers, stop)
        if once or stop.is_set():
            return 1 if failed else 0
        _say("Serving until interrupted (Ctrl-C).")
        await stop.wait()
    return 0


@asynccontextmanager
async def opened(port: int, data: Path, real: Callable[[], float] = time.time) -> AsyncIterator[Sandbox]:
    """A sandbox that serves on `port` and the next two, with data made afresh in `data`; `real` is the clock behind its own.

    Raises PortTaken and FileExistsError, having touched nothing.
    """
    async with AsyncExitStack() as stack:
        sockets = [stack.enter_context(listen(one)) for one in (port, port + 1, port + 2)]
        for_gateway, for_core, for_operations = sockets
        make_afresh(data)
        # an answer that POST /faults drops is an error in uvicorn's eyes
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        gateway, core, operations = (f"http://{HOST}:{one}" for one in (port, port + 1, port + 2))
        http = await stack.enter_async_context(http_client(gateway))
        serving = Settings(base_url=gateway)  # what the listeners need of them
        sandbox = Sandbox(gateway, core, operations, data, http, Clock(real))
        await stack.enter_async_context(served(sandbox.core_app, for_core, serving, GRACE))
        await stack.enter_async_context(served(sandbox.operations_app, for_operations, serving, GRACE))
        await sandbox.start()
        stack.push_async_callback(sandbox.stop)
        await stack.enter_async_context(served(Front(sandbox), for_gateway, serving, GRACE))
        stack.callback(sandbox.end_waits)
        yield sandbox


def make_afresh(data: Path) -> None:
    """An empty data folder. Raises FileExistsError where it holds anything but an earlier sandbox's data."""
    if data.exists():
        if any(data.iterdir()) and not (data / MARKER).exists():
            raise FileExistsError(
                f"{data} holds other things than a sandbox's data. Name a new or an empty folder with --data."
            )
        shutil.rmtree(data)
    data.mkdir(parents=True)
    (data / MARKER).touch()


async def _demonstrate(gateway: str, publishers: tuple[demo.DemoPublisher, ...], stop: asyncio.Event) -> bool:
    """Play the demonstration until it ends or a signal comes. True = a step failed."""
    async with httpx.AsyncClient(base_url=gateway, timeout=30.0, trust_env=False) as http:
        playing = asyncio.create_task(play(Stage(http, publishers[0], publishers[1], publishers[2], _say)))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not playing.done():
            playing.cancel()
            return False
        try:
            playing.result()
        except StepFailed as error:
            sys.stderr.write(f"gateway: the demonstration failed: {error}\n")
            return True
    _say(
        "The case went from one SAMU to the other, and its ack came back; the fire service got what it may see."
    )
    return False


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
