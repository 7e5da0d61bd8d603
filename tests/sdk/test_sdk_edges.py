"""Rare trouble: wrong clocks, false certificates, answers that trickle, proxies that swallow streams, slow token endpoints."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from email.utils import formatdate
from urllib.parse import parse_qs

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from regulation_sdk import AsyncClient, Client, PrivateKey, RetryPolicy, Unreachable
from regulation_sdk.testing import FakeGateway

from tests.sdk.subjects import KINDS, SECRET, Clock, make

MESSAGE = {"distributionID": "fr.health.samu440_1"}


class Between(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The gateway in memory behind something that sees each request first, and may answer it."""

    def __init__(self, gateway: FakeGateway, see: Callable[[httpx.Request], httpx.Response | None]) -> None:
        self.gateway = gateway
        self.see = see

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self.see(request) or self.gateway.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self.see(request) or await self.gateway.handle_async_request(request)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gateway(clock: Clock) -> FakeGateway:
    return FakeGateway(now=clock)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("ahead", "believed"), [(3_600.0, True), (-3_600.0, True), (20.0, False)])
async def test_an_assertion_has_the_servers_time(
    kind: str, ahead: float, believed: bool, gateway: FakeGateway, clock: Clock
) -> None:
    key, seen = ECKey.generate_key("P-256"), []

    def see(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.startswith("/.well-known/"):
            told = {"issuer": "https://issuer.test", "token_endpoint": "https://gateway.test/oauth2/token"}
            return httpx.Response(
                200, json=told, headers={"Date": formatdate(clock.now + ahead, usegmt=True)}
            )
        if request.url.path == "/oauth2/token":
            form = parse_qs(request.content.decode())
            seen.append(jwt.decode(form["client_assertion"][0], key, algorithms=["ES256"]).claims)
        return None

    private = PrivateKey("me", key.as_dict(private=True))
    client = make(kind, credentials=private, transport=Between(gateway, see), clock=clock)
    await client.quota()
    assert seen[0]["aud"] == "https://issuer.test"
    assert seen[0]["iat"] - int(clock.now) == (ahead if believed else 0)
    await client.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_false_certificate_is_an_error_at_once(kind: str, gateway: FakeGateway, clock: Clock) -> None:
    def see(request: httpx.Request) -> httpx.Response | None:
        raise httpx.ConnectError("certificate") from ssl.SSLCertVerificationError("self-signed")

    client = make(kind, transport=Between(gateway, see), clock=clock)
    with pytest.raises(Unreachable, match="certificate is not trusted"):
        await client.send(MESSAGE)
    assert clock.slept == []
    await client.close()


class Trickle(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body whose bytes come one in ten seconds."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(1_000):
            self.clock.now += 10
            yield b" "

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_that_trickles_does_not_outlast_the_deadline(
    kind: str, gateway: FakeGateway, clock: Clock
) -> None:
    def see(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(200, stream=Trickle(clock)) if request.url.path == "/v1/quota" else None

    client, began = make(kind, transport=Between(gateway, see), clock=clock), clock.now
    with pytest.raises(Unreachable, match="too long"):
        await client.quota()
    assert clock.now - began <= 60.0 + 20.0  # two bytes may be awaited
    await client.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_that_swallows_streams_is_passed_by_long_polls(
    kind: str, gateway: FakeGateway, clock: Clock
) -> None:
    def see(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == "/v1/inbox/stream":
            clock.now += 45
            raise httpx.ReadTimeout("nothing came")
        return None

    gateway.deliver(MESSAGE)
    client = make(kind, transport=Between(gateway, see), clock=clock)
    async for delivery in client.inbox(stream=True):
        async with delivery:
            break
    assert gateway.waiting() == []
    await client.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_streams_that_end_at_once_are_tried_with_pauses(
    kind: str, gateway: FakeGateway, clock: Clock
) -> None:
    def see(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == "/v1/inbox/stream":
            return httpx.Response(200, headers={"Content-Type": "text/event-stream"})
        return None

    gateway.deliver(MESSAGE)
    client = make(kind, transport=Between(gateway, see), clock=clock)
    async for delivery in client.inbox(stream=True):
        assert delivery.item.id == "item-1"
        break
    assert clock.slept == [1.0, 2.0, 4.0]
    await client.close()


async def test_messages_on_their_way_count_on_the_window(gateway: FakeGateway, clock: Clock) -> None:
    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(0.05)
            return await gateway.handle_async_request(request)

    async with AsyncClient(
        "https://gateway.test", SECRET, transport=Slow(), timing=clock.timing(), sleep=clock.async_sleep
    ) as client:
        gateway.rate_limit = '"burst";r=1;t=3'
        await client.quota()
        await asyncio.gather(*(client.send({"distributionID": f"a_{n}"}) for n in range(2)))
    assert clock.slept == [3.0]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_ack_outlasts_an_outage_as_its_reader_does(
    kind: str, gateway: FakeGateway, clock: Clock
) -> None:
    gateway.deliver(MESSAGE)
    client = make(kind, transport=gateway, clock=clock)
    async for delivery in client.inbox():
        async with delivery:
            gateway.refuse_connections(30)
            break
    assert gateway.waiting() == [] and sum(clock.slept) > 120
    await client.close()


def test_a_slow_renewal_holds_up_one_thread_alone(gateway: FakeGateway, clock: Clock) -> None:
    renewing, go_on = threading.Event(), threading.Event()

    def see(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == "/oauth2/token" and clock.now > 1_795_514_500:
            renewing.set()
            assert go_on.wait(30)
        return None

    patient = RetryPolicy(deadline=900.0, timeout=600.0)
    transport = Between(gateway, see)
    with Client(
        "https://gateway.test", SECRET, transport=transport, timing=clock.timing(), retry=patient
    ) as client:
        client.quota()
        clock.now += 560  # due for renewal, still good
        slow = threading.Thread(target=client.quota)
        slow.start()
        assert renewing.wait(30)
        assert client.quota()  # by the old token, meanwhile
        go_on.set()
        slow.join(30)
    assert sum(r.url.path == "/oauth2/token" for r in gateway.requests) == 2


async def test_a_slow_renewal_holds_up_one_task_alone(gateway: FakeGateway, clock: Clock) -> None:
    renewing, go_on = asyncio.Event(), asyncio.Event()

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == "/oauth2/token" and clock.now > 1_795_514_500:
                renewing.set()
                await go_on.wait()
            return await gateway.handle_async_request(request)

    async with AsyncClient("https://gateway.test", SECRET, transport=Slow(), timing=clock.timing()) as client:
        await client.quota()
        clock.now += 560
        slow = asyncio.create_task(client.quota())
        await renewing.wait()
        async with asyncio.timeout(30):
            assert await client.quota()
        go_on.set()
        await slow


async def test_a_token_endpoint_that_hangs_holds_up_nobody_beyond_the_deadline(gateway: FakeGateway) -> None:
    hanging = asyncio.Event()

    class Hanging(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == "/oauth2/token":
                await hanging.wait()
            return await gateway.handle_async_request(request)

    policy = RetryPolicy(deadline=0.3, timeout=0.1, first=0.01)
    async with AsyncClient("https://gateway.test", SECRET, transport=Hanging(), retry=policy) as client:
        first = asyncio.create_task(client.quota())
        await asyncio.sleep(0.01)
        with pytest.raises(Unreachable, match="waits for a token"):
            await client.quota()
        hanging.set()
        await first
