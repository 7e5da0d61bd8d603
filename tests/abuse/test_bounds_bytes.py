"""Bytes under way are bounded beside counts: towards a slow core, and towards readers who do not read."""

import asyncio
import errno
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from gateway.budget import ByteBudget
from gateway.errors import ErrorKind, Issue, QuotaExceeded, Unavailable
from gateway.forward import UNDER_WAY, ForwardPolicy, Way, expected_bytes, to_bundle
from gateway.forwarder import PUT_OFF, Forwarder
from gateway.inbox import PIECE, Page
from gateway.model import Outgoing
from gateway.offload import Offload
from gateway.readers import PAGES, Readers
from gateway.registry import Registry, RegistryHolder
from gateway.store import Store
from gateway.store.rows import PAGE_BYTES
from tests.error_examples import PATIENT
from tests.house import PUBLISHERS, case, house
from tests.patience import GIVE_UP, until
from tests.store_samples import NOW, delivery, submission
from tests.streams import streaming

BOMB = orjson.dumps(case(1, patient=[{**PATIENT, "detail": {"age": "P55Y"}}] * 500)) + b" " * 400_000


class SlowCore:
    """A core that answers when it is told to, and knows the Bundles that wait for it."""

    def __init__(self) -> None:
        self.answering = asyncio.Event()
        self.waiting: list[int] = []

    async def send(self, bundle: bytes) -> None:
        self.waiting.append(len(bundle))
        await self.answering.wait()


def bomb(number: int, **changes: Any) -> Any:
    return submission(number, body=BOMB + b" " * number, **changes)


async def test_bundles_behind_a_slow_core_are_bounded_in_bytes(store: Store) -> None:
    for number in range(36):
        await store.enqueue(bomb(number), NOW)
    core = SlowCore()
    way = Way(store, core, RegistryHolder(Registry.of(())), ForwardPolicy(), lambda: NOW)
    forwarder = Forwarder(way)
    running = asyncio.create_task(forwarder.run())
    most = UNDER_WAY // expected_bytes(bomb(0))
    assert 1 < most < 8
    try:
        await until(lambda: len(core.waiting) >= most)
        await store.enqueue(bomb(99, urgent=True), NOW)
        await until(lambda: len(core.waiting) > most)  # the urgent one sets out all the same
        assert len(core.waiting) == most + 1
        assert way.budget.held <= UNDER_WAY * 5 // 4
    finally:
        core.answering.set()
        await until(lambda: store.backlog() == 0)  # nothing is lost
        forwarder.stop()
        await running
    assert len(core.waiting) == 37
    assert way.budget.held == 0


class NoRoom(Offload):
    """Workers that have no room for the first that ask, or fail for them."""

    def __init__(self, times: int, error: Exception) -> None:
        super().__init__()
        self.left, self.error = times, error

    async def run(self, *args: Any, **named: Any) -> Any:
        if self.left:
            self.left -= 1
            raise self.error
        return await super().run(*args, **named)


@pytest.mark.parametrize(
    "error",
    [Unavailable(Issue(ErrorKind.OVERLOADED, "No room.")), OSError(errno.EMFILE, "Too many open files")],
    ids=["no room", "no file descriptor"],
)
async def test_a_message_for_which_the_workers_have_no_room_sets_out_soon(
    store: Store, error: Exception
) -> None:
    await store.enqueue(bomb(1), NOW)
    core, clock = SlowCore(), [NOW]
    core.answering.set()
    policy = ForwardPolicy(retry_max=3_600.0)
    offload = NoRoom(1, error)
    way = Way(store, core, RegistryHolder(Registry.of(())), policy, lambda: clock[0], offload=offload)
    forwarder = Forwarder(way)
    running = asyncio.create_task(forwarder.run())
    try:
        await until(lambda: not offload.left and not way.budget.held)
        clock[0] += PUT_OFF
        await until(lambda: core.waiting)
    finally:
        forwarder.stop()
        await running


def test_the_expected_bytes_of_a_message_are_no_less_than_those_of_its_bundle() -> None:
    for body in (BOMB, orjson.dumps(case())):
        stored = submission(1, body=body)
        assert len(to_bundle(Outgoing("1", stored, 0))) <= expected_bytes(stored)


@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.booleans(), st.sampled_from(["end", "cancel", "go on"])), max_size=25
    )
)
def test_the_budget_is_never_exceeded_and_everyone_has_a_turn(works: list[tuple[int, bool, str]]) -> None:
    async def scene() -> None:
        budget, held, seen = ByteBudget(60, 20), 0, 0

        async def work(size: int, urgent: bool, end: asyncio.Event) -> None:
            nonlocal held, seen
            await budget.take(size, urgent=urgent)
            held, seen = held + size, seen + 1
            assert held <= (80 if urgent else 60) or held == size
            assert budget.held >= held
            try:
                await end.wait()
            finally:
                held -= size
                budget.give_back(size)

        tasks, ends = [], []
        for size, urgent, then in works:
            ends.append(asyncio.Event())
            tasks.append(asyncio.create_task(work(size, urgent, ends[-1])))
            await asyncio.sleep(0)
            if then == "end":
                ends[0 if len(ends) % 2 else -1].set()
            elif then == "cancel":
                tasks[-1].cancel()
            await asyncio.sleep(0)
        for end in ends:
            end.set()
        came = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [one for one in came if isinstance(one, AssertionError)]
        assert seen + sum(task.cancelled() for task in tasks) >= len(works)
        assert budget.held == held == 0

    asyncio.run(scene())


# readers


async def test_a_page_is_bounded_in_bytes_and_losses_count(store: Store) -> None:
    assert PAGE_BYTES <= 2_097_152
    third = b"x" * 700_000
    loss = tuple({"path": "a" * 1_000, "target": "", "reason": "-"} for _ in range(500))
    for number in range(4):
        await store.deposit(delivery(number, content=third, loss=loss), NOW)
    cursor, pages = 0, []
    while items := await store.read_inbox("south", cursor, 1_000):
        pages.append(len(items))
        cursor = items[-1].cursor
    assert pages == [1, 1, 1, 1]  # without the losses two have room in one


async def answered(page: Page, read: asyncio.Event, sent: list[int]) -> None:
    """Send a page to a client that reads nothing after its first piece until it is told to."""

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            if sent:
                await read.wait()
            sent.append(len(message["body"]))

    await page({"type": "http"}, receive, send)


async def test_pages_that_are_not_read_are_counted_and_bounded(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        runtime, me = gateway.runtime, PUBLISHERS[0]
        content = b"x" * PAGE_BYTES
        read, sent = asyncio.Event(), list[list[int]]()
        open_pages = []
        for _ in range(PAGES // PAGE_BYTES):
            sent.append([])
            open_pages.append(asyncio.create_task(answered(Page(runtime, me, content), read, sent[-1])))
        await until(lambda: all(sent))
        assert sent == [[PIECE]] * len(sent)  # no more is handed over than the server buffers
        with pytest.raises(QuotaExceeded):
            await answered(Page(runtime, me, content), read, [])
        await answered(Page(runtime, PUBLISHERS[1], b"others are not concerned"), read, [])
        read.set()
        await asyncio.gather(*open_pages)
        assert [sum(one) for one in sent] == [PAGE_BYTES] * len(sent)
        assert runtime.readers.bytes_held(me.id) == 0
        await answered(Page(runtime, me, content), read, [])


def test_a_page_that_is_alone_has_room_and_their_number_is_bounded() -> None:
    readers, me = Readers(), PUBLISHERS[0]
    with readers.page(me, PAGES * 2), pytest.raises(QuotaExceeded):
        readers.page(me, 1).__enter__()
    rooms = [readers.page(me, 1) for _ in range(me.limits.in_flight + 1)]
    for room in rooms[:-1]:
        room.__enter__()
    with pytest.raises(QuotaExceeded):
        rooms[-1].__enter__()


async def test_a_whole_page_comes_as_it_did(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        for number in range(3):
            content = orjson.dumps({"text": "é" * PIECE})
            await gateway.runtime.store.deposit(delivery(number, publisher_id="lrm", content=content), NOW)
        items = cast("list[Any]", await gateway.inbox("lrm"))
        assert [item["content"]["text"] for item in items] == ["é" * PIECE] * 3
        head = await gateway.client.head("/v1/inbox", headers=await gateway.token())
        assert head.status_code == 200


async def test_a_stream_waits_for_room_and_lets_its_page_go(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        peer = PUBLISHERS[1]
        readers, content = gateway.runtime.readers, b'"' + b"x" * 100_000 + b'"'
        await gateway.runtime.store.deposit(delivery(1, publisher_id="peer", content=content), NOW)
        with readers.page(peer, PAGES):
            async with streaming(gateway, await gateway.token("peer")) as sent, asyncio.timeout(GIVE_UP):
                while b"waiting" not in (piece := await sent.get()):
                    assert b"event" not in piece
                assert readers.bytes_held(peer.id) == PAGES
        async with (
            streaming(gateway, await gateway.token("peer"), unread=1) as sent,
            asyncio.timeout(GIVE_UP),
        ):
            await until(lambda: readers.bytes_held(peer.id) > 100_000)
            assert sent.qsize() == 1
        await until(lambda: not readers.bytes_held(peer.id))
