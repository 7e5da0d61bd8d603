"""Raw HTTP over a real socket: what is sent byte by byte, and every answer to it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import httpx
import orjson
import uvicorn
from starlette.types import ASGIApp

from gateway.protocol import Protocol
from tests.patience import GIVE_UP, until

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it was read."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The catalogue code of the first issue."""
        told = orjson.loads(self.body)
        return str(told["issue"][0]["details"]["coding"][0]["code"])

    @property
    def response(self) -> httpx.Response:
        """The same for whoever reads httpx."""
        return httpx.Response(self.status, headers=self.headers, content=self.body)


@contextlib.asynccontextmanager
async def listening(
    app: ASGIApp, protocol: type[Protocol] = Protocol, keep_alive: float = 75, **bounds: Any
) -> AsyncIterator[int]:
    """The gateway's own server before an application; its port. `bounds` are attributes of its protocol."""
    config = uvicorn.Config(
        app, host=HOST, port=0, http=type("Bounded", (protocol,), bounds), ws="none", lifespan="off",
        log_config=None, access_log=False, server_header=False, timeout_keep_alive=cast("int", keep_alive),
    )  # fmt: skip
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    await server.on_tick(0)  # the Date of the answers
    try:
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.servers[0].close()
        for connection in [*server.server_state.connections]:
            cast("Protocol", connection).abort("idle")
        await until(lambda: not server.server_state.connections)
        for task in [*server.server_state.tasks]:
            task.cancel()


async def read_answer(reader: asyncio.StreamReader) -> Answer | None:
    """The next answer, None at the end of the connection. A 100 is given as an answer without a body."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(first.split()[1])
    if status == 100:
        return Answer(100, headers, b"")
    if "content-length" in headers:
        return Answer(status, headers, await reader.readexactly(int(headers["content-length"])))
    return Answer(status, headers, await reader.read())


async def talk(port: int, *parts: bytes, end: bool = False) -> list[Answer]:
    """Send the parts one after the other, and read all answers to the end of the connection.

    `end`: our side ends with the last part. A connection that the server keeps is ended by us once an answer is there and
    nothing more can come: the last part must ask for that (`Connection: close`), or be what the server closes for.
    """
    reader, writer = await asyncio.open_connection(HOST, port, limit=2**24)
    answers: list[Answer] = []
    async with asyncio.timeout(GIVE_UP):
        for part in parts:
            writer.write(part)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            await asyncio.sleep(0)  # so that it is sent as a part
        if end:
            writer.write_eof()
        with contextlib.suppress(ConnectionError):
            while answer := await read_answer(reader):
                answers.append(answer)
    writer.close()
    return answers
