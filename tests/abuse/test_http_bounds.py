"""What a stranger may take: bytes of a head, seconds of a request, of a write and of a connection, and connections at all."""

import asyncio
import contextlib
import socket
from pathlib import Path

import orjson
import pytest
from starlette.types import Receive, Scope, Send

from gateway import intake
from gateway.app import create_app
from gateway.protocol import Protocol
from gateway.settings import Settings
from tests.abuse.echo import Echo
from tests.abuse.wire import HOST, Answer, listening, read_answer, talk
from tests.house import House, case, house
from tests.patience import GIVE_UP, until

POST = b"POST /a HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n"
CLOSE = b"Connection: close\r\n"
UPGRADE = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQBAAAAAAIAAAAA\r\n"
)


async def one(port: int, *parts: bytes, end: bool = False) -> Answer:
    answers = await talk(port, *parts, end=end)
    assert len(answers) == 1, answers
    return answers[0]


def seeing(made: list[Protocol]) -> type[Protocol]:
    """A protocol whose connections are put into a list."""

    class Seen(Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            made.append(self)

    return Seen


# 1: a declared body is read, or refused


async def delivered(gateway: House) -> str:
    headers = {"Content-Type": "application/json", **await gateway.token()}
    made = await gateway.client.post("/v1/messages/$translate?to=fhir", json=case(1), headers=headers)
    assert (await gateway.deliver(made.json()["content"])).status_code == 200
    return str((await gateway.inbox("peer"))[0]["id"])


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_ack_with_upgrade_h2c_keeps_its_refusal(tmp_path: Path, chunked: bool) -> None:
    async with house(tmp_path) as gateway, listening(create_app(gateway.runtime)) as port:
        item = await delivered(gateway)
        token = (await gateway.token("peer"))["Authorization"].encode()
        wish = b'{"step":"ERREUR","refused":true}\n'
        length, body = b"Content-Length: 33\r\n", wish
        if chunked:
            length, body = b"Transfer-Encoding: chunked\r\n", b"21\r\n" + wish + b"\r\n0\r\n\r\n"
        head = b"POST /v1/inbox/%b/ack HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n" % (item.encode(), token)
        head += (
            b"Content-Type: application/json\r\n" + UPGRADE.replace(b"Upgrade,", b"Upgrade, close,") + length
        )
        answer = await one(port, head + b"\r\n", body)
        assert answer.status == 200, answer.body
        await until(lambda: gateway.core.bundles)
        sent = intake.from_bundle(orjson.dumps(gateway.core.bundles[0]))
        assert (sent.message_type, sent.body["step"], sent.body["refused"]) == ("RC-REF", "ERREUR", True)


async def test_an_ack_whose_body_does_not_arrive_acknowledges_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway, listening(create_app(gateway.runtime)) as port:
        item = await delivered(gateway)
        token = (await gateway.token("peer"))["Authorization"].encode()
        head = b"POST /v1/inbox/%b/ack HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n" % (item.encode(), token)
        for upgrade in (b"", UPGRADE):
            answer = await one(port, head + upgrade + b"Content-Length: 33\r\n\r\n", end=True)
            assert (answer.status, answer.code) == (400, "malformed-request")
        assert len(await gateway.inbox("peer")) == 1
        assert not gateway.core.bundles


async def test_a_form_that_does_not_arrive_or_is_compressed_is_told_so_by_the_token_endpoint(
    tmp_path: Path,
) -> None:
    async with (
        house(tmp_path) as gateway,
        listening(create_app(gateway.runtime), request_seconds=0.2) as port,
    ):
        head = (
            b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        )
        answer = await one(port, head + b"Content-Length: 29\r\n\r\ngrant_type", end=True)
        assert (answer.status, orjson.loads(answer.body)["error"]) == (400, "invalid_request")
        assert "ended before" in orjson.loads(answer.body)["error_description"]
        answer = await one(port, head + b"Content-Length: 29\r\n\r\ngrant_type")
        assert (answer.status, orjson.loads(answer.body)["error"]) == (408, "invalid_request")
        answer = await one(port, head + CLOSE + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi")
        assert (answer.status, answer.headers["accept-encoding"]) == (415, "identity")


# 2: trailers


async def test_a_trailer_authorizes_nobody(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway, listening(create_app(gateway.runtime)) as port:
        token = (await gateway.token())["Authorization"].encode()
        body = orjson.dumps(case(1))
        chunks = b"%x\r\n%b\r\n0\r\nAuthorization: %b\r\n\r\n" % (len(body), body, token)
        head = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + CLOSE
        head += b"Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n"
        for parts in ((head + chunks,), (head, chunks)):
            assert (await one(port, *parts)).status == 401


# 3: heads


@pytest.mark.parametrize(
    "head",
    {
        "one field": b"A: " + b"y" * 33_000 + b"\r\n",
        "one name": b"y" * 33_000 + b": a\r\n",
        "many fields": b"A: b\r\n" * 101,
        "half a megabyte": b"A: " + b"y" * 500_000 + b"\r\n",
        "100,000 fields": b"A: b\r\n" * 100_000,
    }.items(),
    ids=lambda one: one[0],
)
async def test_a_head_over_its_bounds_is_431_however_it_comes(head: tuple[str, bytes]) -> None:
    echo = Echo()
    sent = GET + head[1] + b"\r\n"
    pieces = [sent[at : at + 5_000] for at in range(0, len(sent), 5_000)]
    async with listening(echo.app) as port:
        for parts in ([sent], pieces, [GET + b"\r\n" + sent]):
            answers = await talk(port, *parts)
            assert (answers[-1].status, answers[-1].code) == (431, "head-too-large")
    assert len(echo.taken) == 1  # the good one before


async def test_a_target_over_the_bound_is_431() -> None:
    async with listening(Echo().app) as port:
        assert (await one(port, b"GET /" + b"a" * 33_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")).status == 431


async def test_a_head_just_within_its_bounds_is_taken() -> None:
    async with listening(Echo().app) as port:
        fields = b"".join(b"A%d: %b\r\n" % (number, b"y" * 300) for number in range(98))
        assert (await one(port, GET + CLOSE + fields + b"\r\n")).status == 200


@pytest.mark.parametrize(
    "endless", [b"A: " + b"y" * 5_000 + b"\r\n", b"y" * 5_000], ids=["many trailers", "one trailer"]
)
async def test_endless_trailers_are_cut_off(endless: bytes) -> None:
    sent = 0
    async with listening(Echo().app) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nB: ")
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof() and sent < 40_000_000:
                writer.write(endless)
                sent += len(endless)
                await writer.drain()
                if reader._buffer:  # type: ignore[attr-defined]
                    break
                await asyncio.sleep(0)
        answer = await read_answer(reader)
        assert answer is not None and answer.status == 431
        writer.close()
    assert sent < 2_000_000


async def test_trailers_over_the_bound_are_431_in_one_read_too() -> None:
    async with listening(Echo().app) as port:
        trailers = b"A: " + b"y" * 20_000 + b"\r\n"
        sent = POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n" + trailers * 2 + b"\r\n"
        assert (await one(port, sent)).status == 431


async def test_an_endless_chunk_extension_is_cut_off() -> None:
    async with listening(Echo().app) as port:
        sent = POST + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"y" * 100_000
        assert (await one(port, sent, b"y" * 100_000)).status == 431


async def test_requests_sent_ahead_are_bounded() -> None:
    """What is not answered on this connection is sent again on another one (RFC 9112, section 9.3.2)."""
    echo = Echo()
    async with listening(echo.app) as port:
        answers = await talk(port, (GET + b"\r\n") * 1_000)
    assert 1 < len(answers) < 100
    assert [answer.headers.get("connection") for answer in answers] == [None] * (len(answers) - 1) + ["close"]


# 3: time


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ((b"POST /a HTTP/1.1\r\nHos",), 408),
        ((POST + b"Content-Length: 9\r\n\r\nhi",), 408),
        ((POST + UPGRADE + b"Content-Length: 9\r\n\r\nhi",), 408),
        ((POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",), 408),
        ((POST, b"Content-Length: 9\r\n\r\n"), 408),
    ],
    ids=["head", "body", "body after Upgrade", "chunks", "head and body"],
)
async def test_a_request_that_does_not_come_in_time_is_408(parts: tuple[bytes, ...], status: int) -> None:
    async with listening(Echo().app, head_seconds=0.3, request_seconds=0.3) as port:
        answer = await one(port, *parts)
    assert (answer.status, answer.code) == (status, "request-timeout")
    assert answer.headers["connection"] == "close"
    (issue,) = orjson.loads(answer.body)["issue"]
    assert [e["valueCode"] for e in issue["extension"] if e["url"].endswith("/retry")] == ["same-id"]


async def test_a_body_that_drips_does_not_gain_time() -> None:
    """The deadline is the request's: each byte would else begin it anew, for ever."""
    async with listening(Echo().app, head_seconds=0.5, request_seconds=0.5) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(POST.replace(b"/a", b"/unbounded") + b"Content-Length: 100000\r\n\r\n")
        reading = asyncio.create_task(read_answer(reader))
        async with asyncio.timeout(GIVE_UP):
            while not reading.done():
                writer.write(b"y")
                await asyncio.sleep(0.02)
        answer = reading.result()
        assert answer is not None and answer.status == 408
        writer.close()


async def test_a_client_that_says_nothing_is_closed_without_a_word() -> None:
    async with listening(Echo().app, head_seconds=0.1) as port:
        assert await talk(port) == []


async def test_a_kept_connection_is_closed_when_its_time_is_over() -> None:
    async with listening(Echo().app, keep_alive=0.2) as port:
        assert [answer.status for answer in await talk(port, GET + b"\r\n")] == [200]


async def test_a_kept_connection_has_75_seconds_by_default() -> None:
    assert Settings().keep_alive == 75


async def test_reading_ends_after_an_early_answer() -> None:
    """The rest of a body whose answer is given is read for a while, so that the client sees the answer; then no more."""
    async with listening(Echo().app, drain_seconds=0.3) as port:
        head = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"
        assert (await one(port, head)).status == 200  # and the connection ended


async def test_a_small_rest_behind_an_early_answer_costs_no_connection() -> None:
    async with listening(Echo().app) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        early = await read_answer(reader)
        writer.write(b"later" + GET + CLOSE + b"\r\n")
        second = await read_answer(reader)
        assert early is not None and second is not None
        assert (early.status, second.status, await reader.read()) == (200, 200, b"")
        writer.close()


class Large:
    """Answers with so many pieces of so many bytes; `done` holds what came of the sending."""

    def __init__(self, pieces: int = 30, size: int = 1_000_000) -> None:
        self.size = size
        self.done: list[str] = []
        self.pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(self.pieces):
            await send({"type": "http.response.body", "body": b"y" * self.size, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        self.done.append("sent")


async def test_a_client_that_does_not_read_is_closed() -> None:
    large = Large()
    async with listening(large, write_seconds=0.2) as port:
        with socket.create_connection((HOST, port)) as client:
            client.setblocking(False)
            client.sendall(GET + b"\r\n")
            async with asyncio.timeout(GIVE_UP):
                await until(lambda: large.done)  # nothing is written any more, so that the application ends
            client.setblocking(True)
            client.settimeout(GIVE_UP)
            with contextlib.suppress(ConnectionError):
                total = 0
                while more := client.recv(1_000_000):
                    total += len(more)
                assert total < 30_000_000


async def test_a_client_that_does_not_read_the_last_answer_is_closed() -> None:
    """What is left to be written is less than what makes the application wait, and the connection is at its end."""
    made: list[Protocol] = []
    async with listening(Large(pieces=1, size=60_000), seeing(made), write_seconds=0.2) as port:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_024)
            client.connect((HOST, port))
            await until(lambda: made)
            ours = made[0]._parting.get_extra_info("socket")
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_024)
            client.sendall(GET + CLOSE + b"\r\n")
            await until(lambda: made[0]._parting.begun)
            assert made[0]._parting.get_write_buffer_size()
            await until(lambda: made[0] not in made[0].connections)


async def test_a_slow_reader_that_goes_on_gets_everything() -> None:
    large = Large(pieces=1, size=30_000_000)
    async with listening(large, write_seconds=0.5) as port:
        reader, writer = await asyncio.open_connection(HOST, port, limit=2**16)
        writer.write(b"GET /a HTTP/1.0\r\n\r\n")
        total = 0
        while more := await reader.read(300_000):
            total += len(more)
            await asyncio.sleep(0.01)
        assert total > 30_000_000
        writer.close()


# 3: connections


async def test_the_longest_silent_connections_make_room_and_whoever_waits_for_an_answer_stays(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as gateway:
        token = (await gateway.token())["Authorization"].encode()
        made: list[Protocol] = []
        async with listening(create_app(gateway.runtime), seeing(made), max_connections=100) as port:
            poll_reader, poll = await asyncio.open_connection(HOST, port)
            poll.write(
                b"GET /v1/inbox?wait=30 HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n%b\r\n" % (token, CLOSE)
            )
            await until(lambda: gateway.runtime.readers.open("lrm") == 1)
            silent = []
            for number in range(1_000):
                client = socket.create_connection((HOST, port))
                client.sendall(
                    (b"", b"GET /a HTTP/1.1\r\nHo", POST + b"Content-Length: 9\r\n\r\nhi")[number % 3]
                )
                silent.append(client)
                if number % 100 == 99:  # a good client comes through meanwhile
                    head = b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + CLOSE + b"\r\n"
                    assert (await one(port, head)).status == 200
                    await until(lambda: len(made[0].connections) <= 100)
            gateway.runtime.store.end_waits()
            answer = await read_answer(poll_reader)
            assert answer is not None and answer.status == 200
            poll.close()
            for client in silent:
                client.close()


async def test_a_newcomer_is_closed_where_everyone_waits_for_an_answer(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        token = (await gateway.token())["Authorization"].encode()
        async with listening(create_app(gateway.runtime), max_connections=40) as port:
            poll = b"GET /v1/inbox?wait=30 HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n%b\r\n" % (
                token,
                CLOSE,
            )
            polling = [asyncio.create_task(talk(port, poll)) for _ in range(40)]
            await until(lambda: gateway.runtime.readers.open("lrm") == 40)
            assert await talk(port, GET + b"\r\n") == []
            gateway.runtime.store.end_waits()
            assert [[answer.status for answer in await one] for one in polling] == [[200]] * 40


async def test_memory_of_many_unfinished_heads_is_bounded() -> None:
    """A head is refused before it is kept: 32 KiB and a read more for each."""
    made: list[Protocol] = []
    async with listening(Echo().app, seeing(made)) as port:
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                client = stack.enter_context(socket.create_connection((HOST, port)))
                client.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    client.sendall(GET + b"A: b\r\n" * 900_000)
            await until(lambda: len(made) == 20 and all(one._deaf for one in made))
            assert max(len(one.headers) for one in made) <= 101


# 4


async def test_nothing_too_large_is_asked_for(tmp_path: Path) -> None:
    async with house(tmp_path, max_body=1_000) as gateway, listening(create_app(gateway.runtime)) as port:
        token = (await gateway.token())["Authorization"].encode()
        head = b"POST %b HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\nExpect: 100-continue\r\n"
        head += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        answer = await one(port, head % (b"/v1/messages", token, 2_000_000))
        assert (answer.status, answer.code, answer.headers["connection"]) == (413, "too-large", "close")
        assert (await one(port, head % (b"/v1/messages", b"Bearer x", 10))).status == 401
        form = head.replace(b"application/json", b"application/x-www-form-urlencoded")
        assert (await one(port, form % (b"/oauth2/token", b"Basic eDp5", 20_000))).status == 413


async def test_what_is_not_too_large_is_asked_for() -> None:
    async with listening(Echo().app) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(POST + CLOSE + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        first = await read_answer(reader)
        writer.write(b"hi")
        second = await read_answer(reader)
        assert first is not None and second is not None
        assert (first.status, second.status) == (100, 200)
        writer.close()


async def test_a_compressed_body_is_415_and_says_what_is_read(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        for path in (
            "/v1/messages",
            "/v1/messages/$validate",
            "/v1/messages/$translate?to=fhir",
            "/v1/inbox/x/ack",
        ):
            headers = {
                "Content-Type": "application/json",
                "Content-Encoding": "gzip",
                **await gateway.token(),
            }
            answer = await gateway.client.post(path, content=b"\x1f\x8b", headers=headers)
            assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity"), path


# 5


async def test_the_publishers_port_says_up_or_not_and_nothing_else(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        for path in ("/metrics", "/health/deep"):
            assert (await gateway.client.get(path)).status_code == 404
            assert (await gateway.operations.get(path)).status_code == 200
        assert (await gateway.client.get("/health/ready")).json() == {"status": "ready"}
        assert (await gateway.client.get("/health/live")).json() == {"status": "live"}
        for path in ("/v1/messages", "/oauth2/token", "/core/$process-message"):
            assert (await gateway.operations.post(path)).status_code == 404
        assert set((await gateway.operations.get("/health/deep")).json()) == {
            "status", "store", "coreCircuit", "coreUp", "backlog", "oldestWaitingSeconds", "stopping",
        }  # fmt: skip
        gateway.runtime.stop()
        assert (await gateway.client.get("/health/ready")).status_code == 503


# 11


async def test_a_longer_wait_than_allowed_is_cut(tmp_path: Path) -> None:
    assert Settings().long_poll_max == 50
    async with house(tmp_path, long_poll_max=1) as gateway:
        token = await gateway.token()
        for wait in ("60", "3600", "999999999999999999"):
            answer = await gateway.client.get(f"/v1/inbox?wait={wait}", headers=token)
            assert (answer.status_code, answer.json()["items"]) == (200, [])
        assert (await gateway.client.get("/v1/inbox?wait=-1", headers=token)).status_code == 400


async def test_a_stream_asks_proxies_not_to_keep_it_back(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway, listening(create_app(gateway.runtime)) as port:
        token = (await gateway.token())["Authorization"].encode()
        for version in (b"1.1", b"1.0"):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(
                b"GET /v1/inbox/stream HTTP/%b\r\nHost: x\r\nAuthorization: %b\r\n\r\n" % (version, token)
            )
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert b"x-accel-buffering: no\r\n" in head
            # RFC 9112, section 6.1: HTTP/1.0 has no chunks
            assert (b"transfer-encoding: chunked" in head) == (version == b"1.1")
            await reader.readuntil(b": waiting\n\n")
            writer.write_eof()  # the client goes, and the stream with it
            await until(lambda: gateway.runtime.readers.open("lrm") == 0)
            writer.close()
