"""The rows of "Trouble, case by case" in docs/operations.md that no other test plays."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.requests import Request
from starlette.types import Message

from gateway.app import create_app
from gateway.body import read_body
from gateway.core_breaker import OUTAGES
from gateway.errors import CoreOutage, Refused, Unavailable
from gateway.model import Limits
from gateway.server import Protocol
from gateway.store import Store
from tests.house import House, case, house, publisher
from tests.patience import GIVE_UP, until, until_told
from tests.postgres_server import PostgresServer
from tests.store_samples import NOW, claimed, delivery, opened, submission
from tests.test_service import Served, served
from tests.test_store_sqlite import writer

__all__ = ["served"]  # a fixture
UNLIMITED = resource.RLIM_INFINITY
LATER = "2099-01-01T00:00:00+00:00"


class Quick(Protocol):
    """The gateway's own protocol, with less patience."""

    head_seconds = 0.2


@asynccontextmanager
async def listening(gateway: House) -> AsyncIterator[int]:
    """A real server in front of a gateway; its port."""
    config = uvicorn.Config(
        create_app(gateway.runtime), port=0, http=Quick, lifespan="off", access_log=False, log_config=None
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        gateway.runtime.store.end_waits()
        server.should_exit = True
        await task


# disk and database


async def test_a_full_file_refuses_and_takes_again_once_there_is_room(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        connection = writer(gateway.runtime.store)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 6}")
        kept: list[str] = []
        for number in range(1, 200):
            answer = await gateway.send(case(number))
            if answer.status_code != 202:
                break
            kept.append(answer.json()["distributionID"])
            gateway.clock.now += 1
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert kept
        assert (await gateway.operations.get("/health/deep")).status_code == 503
        connection.execute("PRAGMA max_page_count = 1000000")
        assert (await gateway.send(case(number))).status_code == 202

        def all_forwarded() -> bool:
            gateway.clock.now += 1  # what could not be marked is tried again
            return {bundle["identifier"]["value"] for bundle in gateway.core.bundles} >= {*kept}

        await until(all_forwarded)


def test_a_limit_on_file_sizes_refuses_until_it_is_raised(served: Served) -> None:
    url = f"http://127.0.0.1:{served.port}"
    headers = {"Authorization": f"Bearer {served.token().json()['access_token']}"}
    size = (served.folder / "gateway.db-wal").stat().st_size
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (size + 150_000, UNLIMITED))
        kept = {}
        for number in range(1, 300):
            answer = client.post("/v1/messages", json={**case(number), "dateTimeExpires": LATER})
            if answer.status_code != 202:
                break
            kept[number] = answer.json()["id"]
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert kept
        assert httpx.get(f"{served.operations}/health/deep", trust_env=False).status_code == 503
        assert (client.get("/health/ready").status_code, client.get("/health/live").status_code) == (200, 200)
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
        assert client.post("/v1/messages", json={**case(number), "dateTimeExpires": LATER}).status_code == 202
        for one, receipt in kept.items():
            again = client.post("/v1/messages", json={**case(one), "dateTimeExpires": LATER})
            assert (again.status_code, again.json()["id"]) == (200, receipt)


async def test_a_read_only_postgresql_refuses_and_keeps_what_it_has(postgres: PostgresServer) -> None:
    async with opened(postgres.fresh()) as store:

        async def set_read_only(value: str) -> None:
            for statement in (
                f"ALTER SYSTEM SET default_transaction_read_only = {value}",
                "SELECT pg_reload_conf()",
            ):
                await asyncio.to_thread(postgres.execute, statement)
            while await store.is_writable(NOW) != (value == "off"):  # noqa: ASYNC110 - the server reads it in its own time
                await asyncio.sleep(0.02)

        first = await store.enqueue(submission(1), NOW)
        try:
            await set_read_only("on")
            with pytest.raises(Unavailable) as refusal:
                await store.enqueue(submission(2), NOW)
            assert refusal.value.headers["Retry-After"] == "5"
            found = await store.find_receipt("north", first.distribution_id, submission(1).digest)
            assert found is not None and found.id == first.id
        finally:
            await set_read_only("off")
        second = await store.enqueue(submission(2), NOW)
        assert set(await claimed(store)) == {first.id, second.id}


# the clock


@pytest.mark.parametrize("step", [-3_600.0, 3_600.0])
async def test_a_retry_does_not_wait_an_hour_more_when_the_clock_jumps(store: Store, step: float) -> None:
    first = await store.enqueue(submission(1, case_id="c"), NOW)
    second = await store.enqueue(submission(2, case_id="c"), NOW)
    await claimed(store)
    await store.mark_retry(first.id, NOW, NOW + 10, "HTTP 503")
    assert await claimed(store, NOW + 1) == []
    assert await claimed(store, NOW + 1 + step) == [first.id]
    await store.mark_forwarded(first.id, NOW + 1 + step)
    assert await claimed(store, NOW + 1 + step) == [second.id], "the order stays"


async def test_a_clock_that_trembles_ends_no_wait(store: Store) -> None:
    first = await store.enqueue(submission(1), NOW)
    await claimed(store)
    await store.mark_retry(first.id, NOW, NOW + 10, "HTTP 503")
    assert await claimed(store, NOW - 0.5) == []


async def test_tokens_and_quotas_after_a_jump_of_an_hour(tmp_path: Path) -> None:
    narrow = publisher("lrm", ("fr.health.samu440",), ("fr.health.samu440",), limits=Limits(per_second=1))
    peer = publisher("peer", ("fr.health.samu750",), ("fr.health.samu750",))
    async with house(tmp_path, (narrow, peer)) as gateway:
        token = await gateway.token()
        assert (await gateway.send(case(1))).status_code == 202
        assert (await gateway.send(case(2))).status_code == 429
        gateway.clock.now += 3_600
        assert (await gateway.client.get("/v1/quota", headers=token)).status_code == 401
        assert (await gateway.send(case(2))).status_code == 202
        gateway.clock.now -= 7_200
        assert (await gateway.send(case(3))).status_code == 202
        assert (await gateway.send(case(3))).status_code == 200


# slow and many clients


async def test_a_head_that_drips_and_a_silent_connection_are_closed_a_busy_one_is_not(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway, listening(gateway) as port:
        dripping, drips = await asyncio.open_connection("127.0.0.1", port)
        drips.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n")
        silent, nothing = await asyncio.open_connection("127.0.0.1", port)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as busy:
            assert (await busy.get("/health/live")).status_code == 200
            async with asyncio.timeout(20):  # less than the patience in production
                assert await silent.read() == b""
                assert (await dripping.read()).startswith(b"HTTP/1.1 408 ")
            assert (await busy.get("/health/live")).status_code == 200
        for one in (drips, nothing):
            one.close()


async def test_a_body_that_drips_is_refused_and_the_connection_closed() -> None:
    parts: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> Message:
        if not parts:
            await asyncio.Event().wait()
        return parts.pop()

    request = Request({"type": "http", "headers": [(b"content-length", b"50")]}, receive)
    with pytest.raises(Refused) as refusal:
        await read_body(request, 100, 1_000, seconds=0.05)
    assert (refusal.value.status, refusal.value.headers) == (408, {"Connection": "close"})


async def test_a_stream_that_nobody_reads_holds_up_nobody_and_loses_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway, listening(gateway) as port:
        token = (await gateway.token("peer"))["Authorization"]
        content = b'{"text": "' + b"x" * 100_000 + b'"}'
        for number in range(60):
            one = delivery(number, publisher_id="peer", content=content)
            await gateway.runtime.store.deposit(one, NOW)
        reader, asks = await asyncio.open_connection("127.0.0.1", port, limit=1_024)
        asks.write(f"GET /v1/inbox/stream HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
        await reader.readuntil(b"event: message")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as other:
            assert (await other.get("/health/live")).status_code == 200
        for _ in range(59):
            async with asyncio.timeout(20):
                found = b""
                while b"event: message" not in found[-40:]:
                    found = found[-40:] + await reader.readexactly(1)
        asks.close()


def readers_of(limit: int) -> Limits:
    return Limits(in_flight=limit)


async def test_long_polls_beyond_the_limit_are_refused_and_take_no_room_from_messages(tmp_path: Path) -> None:
    lrm = publisher("lrm", ("fr.health.samu440",), ("fr.health.samu440",), limits=readers_of(2))
    peer = publisher("peer", ("fr.health.samu750",), ("fr.health.samu750",))
    async with house(tmp_path, (lrm, peer)) as gateway:
        token = await gateway.token()
        polls = [
            asyncio.create_task(gateway.client.get("/v1/inbox?wait=20", headers=token)) for _ in range(2)
        ]
        await until(lambda: gateway.runtime.readers.open(lrm.id) == 2)
        third = await gateway.client.get("/v1/inbox?wait=20", headers=token)
        assert (third.status_code, third.headers["retry-after"]) == (429, "1")
        assert (await gateway.client.get("/v1/inbox?wait=0", headers=token)).status_code == 200
        assert (await gateway.client.get("/v1/inbox?wait=1", headers=await gateway.token("peer"))).is_success
        assert (await gateway.send(case(1))).status_code == 202
        gateway.runtime.store.end_waits()
        assert [(await poll).status_code for poll in polls] == [200, 200]
        assert gateway.runtime.readers.open(lrm.id) == 0


async def test_a_stream_counts_for_as_long_as_it_is_open(tmp_path: Path) -> None:
    lrm = publisher("lrm", ("fr.health.samu440",), ("fr.health.samu440",), limits=readers_of(1))
    async with house(tmp_path, (lrm,)) as gateway, listening(gateway) as port:
        token = await gateway.token()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            async with client.stream("GET", "/v1/inbox/stream", headers=token) as first:
                assert first.status_code == 200
                assert (await client.get("/v1/inbox/stream", headers=token)).status_code == 429
            await until(lambda: gateway.runtime.readers.open(lrm.id) == 0)
            async with client.stream("GET", "/v1/inbox/stream", headers=token) as again:
                assert again.status_code == 200


def test_without_file_descriptors_who_is_connected_is_served(served: Served) -> None:
    url, address = f"http://127.0.0.1:{served.port}", ("127.0.0.1", served.port)
    with ExitStack() as stack:
        connected = stack.enter_context(httpx.Client(base_url=url, trust_env=False))
        assert connected.get("/health/live").status_code == 200
        used = len([*Path(f"/proc/{served.process.pid}/fd").iterdir()])
        _, most = resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE, (used + 10, most))
        with ExitStack() as many:
            for _ in range(60):
                many.enter_context(socket.create_connection(address, timeout=GIVE_UP))
            assert connected.get("/health/live").status_code == 200
        resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE, (most, most))
        assert httpx.get(url + "/health/live", trust_env=False, timeout=20).status_code == 200


# the core


async def test_deep_health_shows_the_circuit_and_stays(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:

        async def deep() -> tuple[int, str]:
            answer = await gateway.operations.get("/health/deep")
            return answer.status_code, answer.json()["coreCircuit"]

        gateway.core.trouble = [CoreOutage("HTTP 503")] * OUTAGES
        for number in range(OUTAGES):
            await gateway.send(case(number, caseId=f"fr.health.samu440.DRFR{number}"))
        await until(lambda: gateway.core.trouble == [])
        await until_told(deep, lambda told: told == (200, "open"))
        gateway.clock.now += 300
        await until(lambda: len(gateway.core.bundles) == OUTAGES)
        await until_told(deep, lambda told: told == (200, "closed"))
