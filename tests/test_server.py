"""The end of connections: at a stop, and whenever the server closes one."""

import asyncio
import contextlib
import logging.handlers
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from gateway.server import Protocol, Server, accept_all

HOST = "127.0.0.1"
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def on_both_loops(scenario: Callable[[], Awaitable[None]]) -> Callable[..., None]:
    """The scenario as a test, on the event loop of production and on Python's own."""

    @pytest.mark.parametrize(
        "loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
    )
    def test(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        async def run() -> None:
            async with asyncio.timeout(60):
                await scenario()

        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(run())

    test.__doc__ = scenario.__doc__
    return test


class Slow:
    """Answers with the path; /slow waits for `go` after its `begun` is set, /stream between two halves of its answer."""

    def __init__(self) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.seen: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        told = scope["path"].encode()
        self.seen.append(scope["path"])
        while (await receive())["more_body"]:
            pass
        if scope["path"] == "/slow":
            self.begun.set()
            await self.go.wait()
        head = [(b"content-length", b"%d" % len(told))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        if scope["path"] == "/stream":
            self.begun.set()
            await self.go.wait()
        await send({"type": "http.response.body", "body": told})


@asynccontextmanager
async def serving(
    app: Slow, idle_seconds: float = 30.0, before_stop: Callable[[], None] = lambda: None
) -> AsyncIterator[tuple[Server, int]]:
    """A server and its port."""
    config = uvicorn.Config(
        app, host=HOST, port=0, http=Protocol, lifespan="off", log_config=None,
        timeout_keep_alive=60, timeout_graceful_shutdown=30,
    )  # fmt: skip
    server = Server(config, before_stop, idle_seconds)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        app.go.set()
        server.force_exit = True
        if server.servers[0].is_serving():
            await server.shutdown()


def request(path: str, more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()


async def answer(stream: Stream) -> tuple[str, bool]:
    """What was answered, and whether the connection ends with it."""
    head = await stream[0].readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return (await stream[0].readexactly(length)).decode(), b"connection: close" in head.lower()


async def opened(port: int) -> Stream:
    """A connection that has had one answer and is kept."""
    stream = await asyncio.open_connection(HOST, port)
    stream[1].write(request("/first"))
    assert await answer(stream) == ("/first", False)
    return stream


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):  # less than what a server that waits in vain would take
        while not fact():  # noqa: ASYNC110 - uvicorn has flags, no events
            await asyncio.sleep(0.005)


async def refused(port: int) -> None:
    """Until nobody is taken any more."""
    async with asyncio.timeout(15):
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except ConnectionError:
                return
            writer.close()
            await asyncio.sleep(0.005)


async def ended(stream: Stream) -> None:
    """The server says that it has nothing more; it does not break the connection off."""
    async with asyncio.timeout(15):
        assert await stream[0].read() == b""
    stream[1].close()
    await stream[1].wait_closed()


@on_both_loops
async def test_a_kept_connection_is_answered_once_more_after_the_stop() -> None:
    stopped: list[str] = []
    async with serving(Slow(), before_stop=lambda: stopped.append("stop")) as (server, port):
        stream = await opened(port)
        stopping = asyncio.create_task(server.shutdown())
        await refused(port)
        assert stopped == ["stop"]
        stream[1].write(request("/late"))
        assert await answer(stream) == ("/late", True)
        await ended(stream)
        await stopping


@on_both_loops
async def test_requests_sent_together_are_all_answered_and_the_last_one_closes() -> None:
    async with serving(Slow()) as (server, port):
        stream = await opened(port)
        stopping = asyncio.create_task(server.shutdown())
        await refused(port)
        stream[1].write(request("/a") + request("/b") + request("/c"))
        assert [await answer(stream) for _ in range(3)] == [("/a", False), ("/b", False), ("/c", True)]
        await ended(stream)
        await stopping


@on_both_loops
async def test_what_is_sent_behind_a_request_under_way_is_answered() -> None:
    app = Slow()
    async with serving(app) as (server, port):
        stream = await opened(port)
        stream[1].write(request("/slow"))
        await app.begun.wait()
        stopping = asyncio.create_task(server.shutdown())
        await refused(port)
        stream[1].write(request("/next"))
        await until(lambda: any(c.pipeline for c in server.server_state.connections))  # type: ignore[union-attr]
        app.go.set()
        assert [await answer(stream) for _ in range(2)] == [("/slow", False), ("/next", True)]
        await ended(stream)
        await stopping


@on_both_loops
async def test_an_answer_that_has_begun_is_finished_and_its_connection_gets_its_chance() -> None:
    app = Slow()
    async with serving(app) as (server, port):
        stream = await opened(port)
        stream[1].write(request("/stream"))
        await app.begun.wait()
        stopping = asyncio.create_task(server.shutdown())
        await refused(port)
        app.go.set()
        assert await answer(stream) == ("/stream", False)  # its head was written before the stop
        stream[1].write(request("/last"))
        assert await answer(stream) == ("/last", True)
        await ended(stream)
        await stopping


@on_both_loops
async def test_a_client_that_closes_itself_is_not_kept() -> None:
    async with serving(Slow()) as (server, port):
        stream = await opened(port)
        stopping = asyncio.create_task(server.shutdown())
        await refused(port)
        stream[1].write(request("/a", "Connection: close\r\n") + request("/b"))
        assert await answer(stream) == ("/a", True)
        await ended(stream)
        await stopping


@on_both_loops
async def test_who_is_connected_but_not_taken_yet_is_answered() -> None:
    """The kernel accepts in our name; a listening socket that is closed resets what still waits in it."""
    waiting: list[socket.socket] = []

    def connect() -> None:  # the event loop takes no turn between this and the end of listening
        for number in range(5):
            one = socket.create_connection((HOST, port))
            one.sendall(request(f"/{number}"))
            one.setblocking(False)
            waiting.append(one)

    async with serving(Slow(), before_stop=connect) as (server, port):
        stopping = asyncio.create_task(server.shutdown())
        await until(lambda: len(waiting) == 5)
        for number, one in enumerate(waiting):
            stream = await asyncio.open_connection(sock=one)
            assert await answer(stream) == (f"/{number}", True)
            await ended(stream)
        await stopping


@on_both_loops
async def test_connections_without_a_request_end_but_a_request_that_comes_in_is_waited_for() -> None:
    app = Slow()
    async with serving(app, idle_seconds=0.0) as (server, port):
        idle, coming = await opened(port), await opened(port)
        coming[1].write(b"GET /half HTTP/1.1\r\n")
        await until(lambda: sum(c._coming for c in server._connections) == 1)
        stopping = asyncio.create_task(server.shutdown())
        async with asyncio.timeout(15):
            assert await idle[0].read() == b""
        idle[1].write(request("/too-late"))
        coming[1].write(b"Host: x\r\n\r\n")
        assert await answer(coming) == ("/half", True)
        await ended(coming)
        await stopping
        idle[1].close()
    assert "/too-late" not in app.seen


@on_both_loops
async def test_an_answer_reaches_a_client_that_still_sends() -> None:
    """Closed at once, the connection would be reset, and what the client has not read would be lost."""
    app = Slow()
    async with serving(app) as (_, port):
        stream = await asyncio.open_connection(HOST, port)
        stream[1].write(request("/a", "Connection: close\r\n"))
        assert await answer(stream) == ("/a", True)
        for _ in range(20):
            stream[1].write(request("/too-late") * 100)
            await stream[1].drain()
            await asyncio.sleep(0.005)
        await ended(stream)
    assert app.seen == ["/a"]


@on_both_loops
async def test_a_client_that_never_closes_is_closed() -> None:
    async with serving(Slow()) as (server, port):
        stream = await asyncio.open_connection(HOST, port)
        stream[1].write(request("/a", "Connection: close\r\n"))
        await answer(stream)
        await until(lambda: not server.server_state.connections)
        stream[1].close()


@on_both_loops
async def test_nonsense_behind_a_request_takes_nothing_from_its_answer() -> None:
    """The request may have been accepted by then: its sender is not to read the 400 in place of its receipt."""
    app, logged = Slow(), logging.handlers.BufferingHandler(100)
    logging.getLogger("uvicorn.error").addHandler(logged)
    async with serving(app) as (server, port):
        stream = await asyncio.open_connection(HOST, port)
        stream[1].write(request("/slow"))
        await app.begun.wait()
        stream[1].write(b"\0 nonsense\r\n\r\n")
        await until(lambda: any(c.pipeline for c in server.server_state.connections))  # type: ignore[union-attr]
        app.go.set()
        assert await answer(stream) == ("/slow", False)
        text = await stream[0].read()
        assert text.startswith(b"HTTP/1.1 400 ") and b"OperationOutcome" in text
        stream[1].close()
    logging.getLogger("uvicorn.error").removeHandler(logged)
    assert not [record for record in logged.buffer if record.exc_info]


def test_waiting_connections_are_taken_and_no_more_than_so_many() -> None:
    listening = socket.create_server((HOST, 0))
    clients = [socket.create_connection(listening.getsockname()) for _ in range(4)]
    taken = accept_all(listening, 3)
    assert {one.getpeername() for one in taken} == {one.getsockname() for one in clients[:3]}
    with pytest.raises(ConnectionResetError):
        clients[3].recv(1)
    with contextlib.ExitStack() as stack:
        for one in (*clients, *taken):
            stack.enter_context(one)
