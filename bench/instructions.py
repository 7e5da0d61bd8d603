"""How many instructions a receipt costs: `python -m bench.instructions [--messages 160]`, with valgrind (apt).

The gateway and its client in one process, on SQLite with uvloop, log lines as in production, one message at a time on one
connection, after 150 that warm up; what the core is sent waits. The count repeats to about 0.3 %, whatever else the machine does.
Run it in two checkouts to compare them. Valgrind has no SHA instructions: SHA-256 is counted dearer than it is.
"""

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvicorn
import uvloop

from bench.fairness.wire import Connection
from bench.message import RECIPIENT, SENDER, body
from bench.servers import WIDE, SilentCore
from gateway import service
from gateway.app import create_app
from gateway.model import Publisher
from gateway.oauth2 import CoreClient, generate_signing_keys
from gateway.oauth2.tokens import access_token
from gateway.observability import configure_logging
from gateway.registry import Registry, RegistryHolder
from gateway.server import http_config
from gateway.settings import Settings

ISSUER, SCOPE = "http://bench.test", "message.send"
WARMING = 150
MARK = "getsid"  # the function of libc at which valgrind begins to count anew
ACCEPTED = 202


async def receipts(messages: int, port: int, folder: str) -> None:
    """Send so many messages between two marks."""
    signing = generate_signing_keys()
    sender = Publisher(
        SENDER, SENDER, SENDER, (SENDER,), (SENDER, RECIPIENT), (SCOPE,), "v3", "json", (), WIDE
    )
    settings = Settings(base_url=ISSUER, database_url=f"sqlite:///{folder}/gateway.db", port=port)
    keys = service.Keys(signing, CoreClient("national-core", {"keys": []}))
    registry = RegistryHolder(Registry.of([sender]))
    async with service.running(settings, registry, keys, SilentCore()) as runtime:
        server = uvicorn.Server(http_config(create_app(runtime), settings, grace=0))
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has a flag, no event
            await asyncio.sleep(0.01)
        token = access_token(
            signing, issuer=ISSUER, audience=ISSUER, client_id=SENDER, scope=SCOPE, now=time.time(), lifetime=3_600
        )  # fmt: skip
        requests = [request(token, body(f"m{number}")) for number in range(WARMING + messages)]
        _, client = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
        for number, one in enumerate(requests):
            if number == WARMING:
                await asyncio.sleep(1)
                os.getsid(0)
            answer = await client.exchange(one)
            if answer.status != ACCEPTED:
                raise RuntimeError(f"{answer.status}: {answer.body[:300]!r}")
        os.getsid(0)
        os._exit(0)  # nothing more is to be counted, and stopping takes long


def request(token: str, content: bytes) -> bytes:
    """A whole request."""
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def measure(messages: int, port: int) -> float:
    """Instructions a receipt."""
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts"
        subprocess.run(
            [
                "valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={counts}", f"--dump-before={MARK}",
                sys.executable, "-m", "bench.instructions", "--messages", str(messages), "--port", str(port),
                "--data", folder,
            ],
            check=True,
        )  # fmt: skip
        second = counts.with_name("counts.2")  # what was counted between the two marks
        found = re.search(r"^totals: (\d+)$", second.read_text(), re.MULTILINE)
        if found is None:
            raise RuntimeError("valgrind has counted nothing")
        return int(found[1]) / messages


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.instructions", description=__doc__)
    parser.add_argument("--messages", type=int, default=160)
    parser.add_argument("--port", type=int, default=8472)
    parser.add_argument("--data", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.data:
        nowhere = Path(os.devnull)
        with nowhere.open("wb") as lines, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            configure_logging("INFO", lines)
            runner.run(receipts(wanted.messages, wanted.port, wanted.data))
    print(f"{measure(wanted.messages, wanted.port):,.0f} instructions a receipt")


if __name__ == "__main__":
    main()
