"""Telling publishers of inbox items: what one event says, and what becomes of it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from regulation_sdk import verify_webhook

from gateway.errors import ConfigurationError
from gateway.model import Publisher
from gateway.registry import Registry, RegistryHolder
from gateway.store import PER_ENDPOINT, Event, Store
from gateway.webhooks import Notifier, Way, generate_webhook_keys, http_client, load_webhook_keys
from gateway.webhooks import event as wording
from gateway.webhooks.health import FAILURES, MAX_PAUSE, Health, Healths
from gateway.webhooks.notifier import tell
from gateway.webhooks.schedule import LIFE, PAUSES, pause
from gateway.webhooks.sender import Answer, judge, send
from tests.house import Clock, publisher
from tests.patience import GIVE_UP, until
from tests.store_samples import NOW, delivery, opened
from tests.webhook_receiver import Receiver, receiving

KEYS = generate_webhook_keys()
EVENT = Event("00064fa1b2c3d4e5" + "a" * 16, "south", "RS-EDA", NOW, 0)
SECRET = "Zébulon-Patient-7731"


def south(url: str, **more: Any) -> Publisher:
    return publisher("south", (), ("fr.health.samu750",), webhook=url, **more)


def way_of(store: Store, client: httpx.AsyncClient, *publishers: Publisher, **more: Any) -> Way:
    facts = {"timeout": 5.0, "now": Clock(NOW), "keys": KEYS, **more}
    return Way(store.events, RegistryHolder(Registry.of(publishers)), client=client, **facts)


@dataclass
class Told:
    """A store, an endpoint of publisher `south`, and the way between them."""

    store: Store
    receiver: Receiver
    way: Way
    clock: Clock = field(default_factory=lambda: Clock(NOW))
    healths: Healths = field(default_factory=Healths)

    async def deposit(self, number: int = 1, **more: Any) -> str:
        given = {"notify": True, "received_at": self.clock(), **more}
        return (await self.store.deposit(delivery(number, **given), self.clock())).id

    async def tell(self) -> list[str]:
        """What comes of all that is due."""
        due = await self.way.events.claim(self.clock(), 100, 60.0, {})
        return [await tell(self.way, self.healths, event) for event in due]

    def move(self, url: str) -> None:
        self.way.registry.reload(lambda: Registry.of([south(url)]))


@asynccontextmanager
async def told(store: Store) -> AsyncIterator[Told]:
    async with receiving() as receiver, http_client(allow_private=True) as client:
        clock = Clock(NOW)
        yield Told(store, receiver, way_of(store, client, south(receiver.url), now=clock), clock)


# what is said


def test_an_event_names_the_item_and_nothing_of_its_content() -> None:
    assert json.loads(wording.body(EVENT)) == {
        "type": "inbox.item",
        "timestamp": "2027-01-15T08:00:00+00:00",
        "data": {"id": EVENT.item_id, "messageType": "RS-EDA"},
    }
    refusal = replace(EVENT, message_type="RC-REF", answer_status="refused")
    data = {"id": EVENT.item_id, "messageType": "RC-REF", "status": "refused"}
    assert json.loads(wording.body(refusal))["data"] == data


def test_it_is_signed_as_standard_webhooks_says() -> None:
    keys = generate_webhook_keys(2)
    content = wording.body(EVENT)
    headers = wording.headers(EVENT, content, keys, NOW + 7.9)
    assert headers["webhook-id"] == EVENT.item_id and "." not in EVENT.item_id
    assert headers["webhook-timestamp"] == "1800000007"
    assert headers["User-Agent"].startswith("regulation-gateway/")
    signatures = headers["webhook-signature"].split(" ")
    signed = b"%s.1800000007.%s" % (EVENT.item_id.encode(), content)
    for jwk, signature in zip(keys.public()["keys"], signatures, strict=True):
        version, _, value = signature.partition(",")
        assert version == "v1a"
        public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk["x"] + "="))
        public.verify(base64.b64decode(value, validate=True), signed)
        with pytest.raises(InvalidSignature):
            public.verify(base64.b64decode(value), signed + b" ")


def test_while_keys_rotate_a_receiver_may_know_either() -> None:
    old, new = generate_webhook_keys(), generate_webhook_keys()
    both = load_webhook_keys(json.dumps({"keys": old.private()["keys"] + new.private()["keys"]}).encode())
    content = wording.body(EVENT)
    headers = wording.headers(EVENT, content, both, NOW)
    for known in (old, new, both):
        assert verify_webhook(content, headers, known.public(), now=NOW).id == EVENT.item_id
    with pytest.raises(ValueError, match="known key"):
        verify_webhook(content, headers, generate_webhook_keys().public(), now=NOW)


def test_no_private_part_is_published() -> None:
    (jwk,) = KEYS.public()["keys"]
    assert jwk.keys() == {"kty", "crv", "x", "kid", "use", "alg"} and jwk["alg"] == "EdDSA"
    assert load_webhook_keys(json.dumps(KEYS.private()).encode()).public() == KEYS.public()


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (b"{", "not JSON"),
        (b"[]", "a JWK Set with 1 to 8 keys"),
        (b'{"keys": []}', "a JWK Set with 1 to 8 keys"),
        (b'{"keys": [7]}', "key 1: a private OKP key on Ed25519"),
        (json.dumps(KEYS.public()).encode(), "key 1: a private OKP key on Ed25519"),
        (json.dumps({"keys": KEYS.private()["keys"] * 2}).encode(), "two keys have the same kid"),
        (json.dumps({"keys": [{**KEYS.private()["keys"][0], "d": "secret"}]}).encode(), "key 1: a private OKP"),
        (json.dumps({"keys": [{**KEYS.private()["keys"][0], "crv": "X25519"}]}).encode(), "key 1: a private"),
    ],
)  # fmt: skip
def test_keys_that_cannot_sign_are_refused_and_not_quoted(document: bytes, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as refusal:
        load_webhook_keys(document)
    assert "secret" not in str(refusal.value)


# when it is said again


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    assert [pause(n, 0.0) for n in range(1, 11)] == [
        5,
        300,
        1800,
        7200,
        18000,
        36000,
        50400,
        72000,
        86400,
        None,
    ]
    assert pause(1, 0.999) == pytest.approx(6, rel=1e-3)
    assert pause(1, 0.0, 60.0) == 60 and pause(9, 0.5, 60.0) == 86_400 * 1.1
    assert sum(PAUSES) * 1.2 < LIFE < 4 * 86_400


@pytest.mark.parametrize(
    ("status", "asked", "answer"),
    [
        (200, None, Answer()), (204, "60", Answer()), (299, None, Answer()),
        (302, None, Answer("HTTP 302")), (400, "60", Answer("HTTP 400")), (410, None, Answer("HTTP 410", gone=True)),
        (429, "60", Answer("HTTP 429", retry_after=60.0)), (503, "86400", Answer("HTTP 503", retry_after=3600.0)),
        (503, "soon", Answer("HTTP 503")), (500, "60", Answer("HTTP 500")),
        (503, "Fri, 15 Jan 2027 08:01:00 GMT", Answer("HTTP 503", retry_after=60.0)),
    ],
)  # fmt: skip
def test_what_an_answer_means(status: int, asked: str | None, answer: Answer) -> None:
    assert judge(status, asked, NOW) == answer


def test_many_failures_leave_an_endpoint_to_probes_and_one_answer_ends_that() -> None:
    healths, now = Healths(), NOW
    for _ in range(FAILURES - 1):
        assert healths.learn("south", "u", Answer("HTTP 500"), now) is None
    assert healths.most(now, lambda _: "u") == {}
    assert healths.learn("south", "u", Answer("HTTP 500"), now) is True
    assert healths.most(now + 4, lambda _: "u") == {"south": 0}
    assert healths.most(now + 5, lambda _: "u") == {"south": 1}
    for _ in range(20):
        now += MAX_PAUSE
        assert healths.learn("south", "u", Answer("TimeoutError"), now) is None
    assert healths.most(now + MAX_PAUSE - 1, lambda _: "u") == {"south": 0}
    assert healths.most(now - 100_000, lambda _: "u") == {"south": 1}  # the clock was set back
    assert healths.most(now + MAX_PAUSE, lambda _: "u") == {"south": 1}
    assert healths.learn("south", "u", Answer(), now) is False
    assert healths.most(now, lambda _: "u") == {}


def test_an_endpoint_that_moved_begins_anew() -> None:
    healths = Healths()
    for _ in range(FAILURES):
        healths.learn("south", "old", Answer("HTTP 500"), NOW)
    assert healths.most(NOW, lambda _: "new") == {}
    assert healths.most(NOW, lambda _: "old") == {}  # forgotten
    for _ in range(FAILURES - 1):
        healths.learn("south", "old", Answer("HTTP 500"), NOW)
    assert healths.learn("south", "new", Answer("HTTP 500"), NOW) is None


def test_retry_after_holds_back_every_event_of_the_endpoint() -> None:
    health = Health("u").after(Answer("HTTP 429", retry_after=60.0), NOW)
    assert [health.room(NOW + at) for at in (0, 59.9, 60, -1000)] == [0, 0, 4, 4]
    assert health.after(Answer(), NOW + 1).room(NOW + 2) == 4


# what becomes of it


async def test_a_taken_event_is_told_once(store: Store) -> None:
    async with told(store) as south:
        item = await south.deposit()
        assert await south.tell() == ["sent"]
        ((headers, body),) = south.receiver.received
        assert verify_webhook(body, headers, KEYS.public(), now=NOW).id == item
        assert json.loads(body)["data"]["id"] == item
        assert headers["content-type"] == "application/json"
        south.clock.now += 1_000_000
        assert await south.tell() == []
        assert [one.id for one in await store.read_inbox("south", 0, 10)] == [item]


async def test_a_failed_event_comes_again_by_the_schedule_until_it_is_given_up(store: Store) -> None:
    async with told(store) as south:
        item = await south.deposit()
        south.receiver.answers = [web.Response(status=500, text=SECRET) for _ in range(20)]
        results = []
        for seconds in (0.0, *PAUSES):
            if seconds:
                south.clock.now += seconds - 0.1
                assert await south.tell() == []
                south.clock.now += 0.2 + seconds * 0.2
            results += await south.tell()
        assert results == ["retry"] * len(PAUSES) + ["given_up"]
        assert south.receiver.ids == [item] * 10
        sent = [int(headers["webhook-timestamp"]) for headers, _ in south.receiver.received]
        assert sent == sorted(set(sent))
        assert {body for _, body in south.receiver.received} == {south.receiver.received[0][1]}
        south.clock.now += 1_000_000
        assert await south.tell() == []
        assert [one.id for one in await store.read_inbox("south", 0, 10)] == [item]


async def test_retry_after_is_obeyed(store: Store) -> None:
    async with told(store) as south:
        await south.deposit()
        south.receiver.answers = [web.Response(status=503, headers={"Retry-After": "120"})]
        assert await south.tell() == ["retry"]
        south.clock.now += 119
        assert await south.tell() == []
        south.clock.now += 1
        assert await south.tell() == ["sent"]


async def test_an_endpoint_that_is_gone_is_asked_no_more_until_it_moves(store: Store) -> None:
    async with told(store) as south:
        await south.deposit(1)
        await south.deposit(2, received_at=NOW + 10)
        south.receiver.answers = [web.Response(status=410)]
        assert await south.tell() == ["disabled"]
        south.clock.now += 10
        await south.deposit(3)
        assert await south.tell() == ["dropped"]
        assert len(south.receiver.received) == 1
        (endpoint,) = await store.events.endpoints()
        assert (endpoint.disabled_url, endpoint.disabled_at) == (south.receiver.url, NOW)
        south.move(south.receiver.url + "/new")
        item = await south.deposit(4)
        assert await south.tell() == ["sent"] and south.receiver.ids[1:] == [item]
        assert await store.events.endpoints() == []
        assert len(await store.read_inbox("south", 0, 10)) == 4


async def test_without_a_webhook_nothing_is_told_and_of_the_suspended_later(store: Store) -> None:
    async with told(store) as south:
        item = await south.deposit()
        url = south.receiver.url
        south.way.registry.reload(lambda: Registry.of([replace(SUSPENDED, webhook=url)]))
        assert await south.tell() == ["suspended"] and south.receiver.received == []
        south.clock.now += 300
        south.move(url)
        assert await south.tell() == ["sent"] and south.receiver.ids == [item]
        await south.deposit(2)
        south.move("")
        assert await south.tell() == ["dropped"]
        await south.deposit(3)
        south.way.registry.reload(lambda: Registry.of([]))
        assert await south.tell() == ["dropped"]
        assert len(south.receiver.received) == 1 and await store.events.endpoints() == []


SUSPENDED = south("", status="suspended")


async def test_what_was_sent_but_not_recorded_goes_out_again_with_the_same_id(database_url: str) -> None:
    async with receiving() as receiver, http_client(allow_private=True) as client:
        for _ in range(2):
            async with opened(database_url) as store:
                if not receiver.received:
                    await store.deposit(delivery(1, notify=True), NOW)
                way = way_of(store, client, south(receiver.url))
                (event,) = await store.events.claim(NOW, 10, 0.05, {})
                content = wording.body(event)
                headers = wording.headers(event, content, KEYS, NOW)
                assert await send(client, receiver.url, content, headers, 5.0, NOW) == Answer()
            await asyncio.sleep(0.1)  # here it died; its hold ends
        async with opened(database_url) as store:
            (event,) = await store.events.claim(NOW, 10, 60.0, {})
            way = way_of(store, client, south(receiver.url))
            assert await tell(way, Healths(), event) == "sent"
            assert await store.events.endpoints() == []
        assert len(receiver.ids) == 3 and len(set(receiver.ids)) == 1


# the loop


@asynccontextmanager
async def notifying(*ways: Way) -> AsyncIterator[list[Notifier]]:
    """Notifiers at work, drained at the end."""
    notifiers = [Notifier(way) for way in ways]
    running = [asyncio.create_task(notifier.run()) for notifier in notifiers]
    try:
        yield notifiers
    finally:
        for notifier in notifiers:
            notifier.stop()
        await asyncio.wait_for(asyncio.gather(*running), GIVE_UP)


async def test_a_slow_endpoint_delays_nobody_else_and_has_few_calls_at_a_time(store: Store) -> None:
    async with AsyncExitStack() as stack:
        slow, quick = [await stack.enter_async_context(receiving()) for _ in range(2)]
        slow.gate = asyncio.Event()
        client = await stack.enter_async_context(http_client(allow_private=True))
        west = replace(south(quick.url), id="west", client_id="west", inbox_for=("fr.health.samu110",))
        await stack.enter_async_context(notifying(way_of(store, client, south(slow.url), west)))
        items = [await store.deposit(delivery(n, notify=True), NOW) for n in range(20)]
        await until(lambda: len(slow.received) == 4)
        others = [await store.deposit(delivery(n, notify=True, publisher_id="west"), NOW) for n in range(40)]
        await until(lambda: len(quick.received) == 40)
        assert sorted(quick.ids) == [one.id for one in others]
        assert len(slow.received) == 4
        slow.gate.set()
        await until(lambda: len(slow.received) == 20)
        assert slow.most == 4 and sorted(slow.ids) == [one.id for one in items]


async def test_every_event_is_told_once_when_nothing_fails(store: Store) -> None:
    async with told(store) as south, notifying(south.way):
        items = await asyncio.gather(*(south.deposit(n) for n in range(200)))
        await until(lambda: len(south.receiver.received) >= 200)
    assert sorted(south.receiver.ids) == sorted(items) and south.receiver.most <= PER_ENDPOINT
    assert await store.events.endpoints() == []


async def test_a_dead_endpoint_is_not_hammered(store: Store) -> None:
    async with told(store) as south:
        south.receiver.answers = [web.Response(status=500) for _ in range(99)]
        for n in range(50):
            await south.deposit(n)
        async with notifying(south.way):
            await until(lambda: len(south.receiver.received) >= FAILURES)
            await asyncio.sleep(0.1)
            # those that were out when it opened, and those that were being claimed
            assert len(south.receiver.received) <= FAILURES + 2 * PER_ENDPOINT
            before = len(south.receiver.received)
            south.clock.now += 5.0
            await until(lambda: len(south.receiver.received) > before)
            await asyncio.sleep(0.1)
            assert len(south.receiver.received) == before + 1
            south.receiver.answers = []

            def all_told() -> bool:
                south.clock.now += 1.0  # the breaker may learn of the probe after it was received
                return len(set(south.receiver.ids)) == 50

            await until(all_told)


async def test_a_stop_ends_what_is_under_way_and_a_cancelled_one_comes_again(database_url: str) -> None:
    async with opened(database_url) as store, told(store) as south:
        south.receiver.gate = asyncio.Event()
        item = await south.deposit()
        async with notifying(south.way):
            await until(lambda: south.receiver.received)
            asyncio.get_running_loop().call_later(0.1, south.receiver.gate.set)
        assert await store.events.endpoints() == []
        south.receiver.gate = asyncio.Event()
        item = await south.deposit(2)
        running = asyncio.create_task(Notifier(replace(south.way, timeout=-29.9)).run())  # a hold of 0.1 s
        await asyncio.sleep(0.3)
        running.cancel()
        await asyncio.wait([running])
        assert [(one.publisher_id, one.waiting) for one in await store.events.endpoints()] == [("south", 1)]
        south.receiver.gate.set()
        await asyncio.sleep(0.2)
        south.clock.now += 10
        assert await south.tell() == ["sent"] and south.receiver.ids[-1] == item


async def test_old_events_are_given_up_and_counted(store: Store) -> None:
    async with told(store) as south:
        south.receiver.answers = [web.Response(status=500) for _ in range(9)]
        await south.deposit(1, received_at=NOW - LIFE - 1)
        keep = await south.deposit(2, received_at=NOW - LIFE + 60)
        async with notifying(south.way):
            await until(lambda: south.receiver.received)
        await asyncio.sleep(0)
        assert [one.waiting for one in await store.events.endpoints()] == [1]
        assert keep in south.receiver.ids


# the answer of an endpoint is nothing to rely on


async def answered(url: str, seconds: float = 5.0) -> Answer:
    async with http_client(allow_private=True) as client:
        return await send(client, url, b"{}", {"Content-Type": "application/json"}, seconds, NOW)


async def test_a_redirect_is_not_followed_and_no_cookie_kept() -> None:
    async with receiving() as receiver:
        receiver.answers = [
            web.Response(status=307, headers={"Location": receiver.url + "/elsewhere"}),
            web.Response(headers={"Set-Cookie": "a=b"}),
        ]
        async with http_client(allow_private=True) as client:
            results = [(await send(client, receiver.url, b"{}", {}, 5.0, NOW)).cause for _ in range(3)]
        assert results == ["HTTP 307", "", ""] and len(receiver.received) == 3
        assert not any("cookie" in headers for headers, _ in receiver.received)


async def test_no_more_of_an_answer_is_read_than_is_needed() -> None:
    sent = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n")
        try:
            while sent < 100_000_000:
                writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
                await writer.drain()
                sent += 65_536
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await answered(f"http://127.0.0.1:{port}/") == Answer()
    assert sent < 20_000_000


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (b"", "ServerDisconnectedError"), (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nslowly", ""),
        (b"HTTP/1.1 20\r\n\r\n", "ClientResponseError"), (b"SSH-2.0-OpenSSH\r\n", "ClientResponseError"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "ClientResponseError"),
    ],
)  # fmt: skip
async def test_an_endpoint_that_speaks_badly(said: bytes, cause: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        assert (await answered(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")).cause == cause


async def test_an_endpoint_that_says_nothing_is_left_in_time() -> None:
    async with receiving() as receiver:
        receiver.gate = asyncio.Event()
        assert (await answered(receiver.url, 0.2)).cause == "TimeoutError"


async def test_nobody_there() -> None:
    async with receiving() as receiver:
        url = receiver.url
    assert (await answered(url)).cause == "ClientConnectorError"
