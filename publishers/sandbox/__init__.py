"""The sandbox: a gateway, the simulated national core and three demo publishers, in one process on one machine.

Read `run` first. What the gateway reads is what it reads in production: settings, registrations and key files.
"""

import asyncio
import shutil
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import uvloop

from gateway import service, settings
from gateway.app import create_app
from gateway.observability import configure_logging
from publishers.sandbox import publishers as demo
from publishers.sandbox.core import SimulatedCore, create_core
from publishers.sandbox.core.opening import http_client as core_http_client
from publishers.sandbox.core.opening import settings as core_settings
from publishers.sandbox.demonstration import Stage, StepFailed, play
from publishers.sandbox.servers import HOST, PortTaken, listen, served

MARKER = ".gateway-sandbox"  # what tells a sandbox's data folder from any other


def run(port: int, data: Path, once: bool) -> int:
    """Serve the gateway on `port` and the core on the next one, with data made afresh in `data`, and play the demonstration.

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
    async with AsyncExitStack() as stack:
        for_gateway, for_core = stack.enter_context(listen(port)), stack.enter_context(listen(port + 1))
        make_afresh(data)
        gateway, core = f"http://{HOST}:{port}", f"http://{HOST}:{port + 1}"
        publishers = demo.generate_publishers()
        demo.write(data, publishers, demo.generate_keys())
        demo.write_private(data / "sandbox.json", demo.describe(gateway, core, publishers))
        simulated = SimulatedCore(core_settings(core, gateway, data / "keys"), core_http_client())
        await stack.enter_async_context(served(create_core(simulated), for_core, lifespan=True))
        made = settings.load(environment(gateway, core, data))
        runtime = await stack.enter_async_context(service.assembled(made, exclusive_senders=False))
        await stack.enter_async_context(served(create_app(runtime), for_gateway, lifespan=False))
        _say(f"The gateway serves {gateway} (the contract: {gateway}/docs), the simulated core {core}.")
        _say(f"Credentials of the demo publishers: {data / 'sandbox.json'}\n")
        failed = await _demonstrate(gateway, publishers, stop)
        if once or stop.is_set():
            return 1 if failed else 0
        _say("Serving until interrupted (Ctrl-C).")
        await stop.wait()
    return 0


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


def environment(gateway: str, core: str, data: Path) -> dict[str, str]:
    """The `GATEWAY_*` variables of a gateway on what `publishers.write` left in `data`; its retries are quick."""
    return {
        "GATEWAY_PORT": gateway.rpartition(":")[2],
        "GATEWAY_BASE_URL": gateway,
        "GATEWAY_DATABASE_URL": f"sqlite:///{data / 'gateway.db'}",
        "GATEWAY_REGISTRY_DIR": str(data / "registry"),
        "GATEWAY_SIGNING_KEYS_FILE": str(data / "keys" / "signing.json"),
        "GATEWAY_CLIENT_ID": demo.GATEWAY_CLIENT,
        "GATEWAY_CLIENT_KEY_FILE": str(data / "keys" / "gateway.json"),
        "GATEWAY_CORE_CLIENT_ID": demo.CORE_CLIENT,
        "GATEWAY_CORE_JWKS_FILE": str(data / "keys" / "core-jwks.json"),
        "GATEWAY_CORE_URL": f"{core}/fhir",
        "GATEWAY_CORE_TOKEN_URL": f"{core}/oauth2/token",
        "GATEWAY_RETRY_BASE": "0.2",
        "GATEWAY_RETRY_MAX": "2",
        "GATEWAY_STOP_GRACE": "3",
    }


async def _demonstrate(gateway: str, publishers: tuple[demo.DemoPublisher, ...], stop: asyncio.Event) -> bool:
    """Play the demonstration until it ends or a signal comes. True = a step failed."""
    async with httpx.AsyncClient(base_url=gateway, timeout=30.0, trust_env=False) as http:
        playing = asyncio.create_task(play(Stage(http, publishers[0], publishers[1], _say)))
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
    _say("The case went from one SAMU to the other, and its ack came back.")
    return False


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
