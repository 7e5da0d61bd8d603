"""What the gateway tells of its state: ages, unread inboxes, ends of keys and certifications, and counts from 0."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.forward import NOTHING_TO_SEND
from gateway.model import Certification, Status
from gateway.observability import ANSWERS, BOUNDED, CONNECTIONS_CLOSED, FORWARDS, METRICS, WEBHOOKS
from gateway.registry import Registry
from gateway.report import DAY, Reporter, end_of, keys_of, report
from gateway.settings import Settings
from gateway.store import Store, postgres_reads
from gateway.store.postgres import PostgresStore
from tests.house import NOW as HOUSE_NOW
from tests.house import PUBLISHERS, case, house, publisher
from tests.patience import until
from tests.postgres_server import PostgresServer
from tests.store_samples import NOW, claimed, delivery, opened, submission

ROOT = Path(__file__).parent.parent


def figure(name: str, **labels: str) -> float | None:
    return METRICS.get_sample_value(name, labels)


# ages of what waits


async def ages(store: Store, now: float) -> tuple[float, float]:
    """Ready and tried, as a shared store tells once it has looked."""
    if isinstance(store, PostgresStore):
        store._engine.waits = await store._engine.ask(postgres_reads.waits)
    return store.oldest_ready_age(now), store.oldest_tried_age(now)


async def test_the_age_of_what_could_go_and_of_what_was_tried_in_vain(store: Store) -> None:
    assert await ages(store, NOW) == (0.0, 0.0)
    first = await store.enqueue(submission(1, case_id="a"), NOW)
    assert await ages(store, NOW + 9) == pytest.approx((9.0, 0.0))
    await claimed(store)
    assert await ages(store, NOW + 9) == pytest.approx((9.0, 0.0)), "its first attempt may hang"
    await store.mark_retry(first.id, NOW, NOW + 60, "HTTP 503")
    assert await ages(store, NOW + 9) == pytest.approx((0.0, 9.0))
    await store.enqueue(submission(2, case_id="a", received_at=NOW + 1), NOW + 1)  # behind it
    assert await ages(store, NOW + 9) == pytest.approx((0.0, 9.0))
    await store.enqueue(submission(3, case_id="b", received_at=NOW + 4), NOW + 4)
    assert await ages(store, NOW + 9) == pytest.approx((5.0, 9.0))
    again = await claimed(store, NOW + 61)
    assert first.id in again
    assert await ages(store, NOW + 69) == pytest.approx((65.0, 69.0)), "a further attempt is no first one"
    for receipt in again:
        await store.mark_forwarded(receipt, NOW + 61)
    assert await ages(store, NOW + 99) == pytest.approx((98.0, 0.0))


async def test_what_a_database_does_not_tell_counts_as_old(postgres: PostgresServer) -> None:
    async with opened(postgres.fresh()) as store:
        assert isinstance(store, PostgresStore)
        assert store.oldest_ready_age(NOW) == 0.0
        store._engine.counted_at -= 90
        assert store.oldest_ready_age(NOW) >= 90


async def test_a_first_attempt_that_hangs_for_20_minutes_is_told_of(tmp_path: Path) -> None:
    stuck = asyncio.Event()
    async with house(tmp_path) as gateway:

        async def hang(_bundle: bytes) -> None:
            await stuck.wait()

        gateway.core.send = hang  # type: ignore[method-assign, assignment]
        await gateway.send(case(1))
        gateway.clock.now = HOUSE_NOW + 1_200
        await until(lambda: (figure("gateway_oldest_ready_seconds") or 0) >= 1_200)
        assert figure("gateway_oldest_retried_seconds") == 0
        stuck.set()


# inboxes and the log of the database


async def test_the_oldest_unread_item_of_each_inbox(store: Store) -> None:
    for number, owner in enumerate(("south", "south", "east")):
        await store.deposit(delivery(number, publisher_id=owner, received_at=NOW + number), NOW + number)
    every = ("south", "east", "west")
    assert await store.oldest_unread(every) == {"south": NOW, "east": NOW + 2}
    assert await store.oldest_unread(("east",)) == {"east": NOW + 2}
    assert await store.oldest_unread(()) == {}
    (first, _) = await store.read_inbox("south", 0, 10)
    await store.acknowledge("south", first.id, NOW + 5, None)
    assert await store.oldest_unread(every) == {"south": NOW + 1, "east": NOW + 2}


async def test_the_write_ahead_log_has_a_size(store: Store) -> None:
    await store.enqueue(submission(1), NOW)
    size = await store.wal_bytes()
    assert size is not None and size > 0


async def test_a_role_that_may_not_see_the_log_is_told_nothing(postgres: PostgresServer) -> None:
    connection: Any = await asyncpg.connect(postgres.fresh())
    try:
        assert (await postgres_reads.wal_bytes(connection) or 0) > 0
        await connection.execute("CREATE ROLE plain")
        await connection.execute("SET ROLE plain")
        assert await postgres_reads.wal_bytes(connection) is None
        await connection.execute("RESET ROLE")
        await connection.execute("DROP ROLE plain")
    finally:
        await connection.close()


async def test_inboxes_of_active_publishers_are_told_of(tmp_path: Path) -> None:
    away = publisher("away", ("fr.health.samu330",), ("fr.health.samu330",), status="suspended")
    async with house(tmp_path, (*PUBLISHERS, away)) as gateway:
        for owner in ("peer", "away"):
            item = delivery(1, publisher_id=owner, received_at=HOUSE_NOW)
            await gateway.runtime.store.deposit(item, HOUSE_NOW)
        gateway.clock.now += 900
        reporter = Reporter(gateway.runtime)
        await reporter.look()
        assert figure("gateway_inbox_oldest_unread_seconds", publisher="peer") == 900.0
        assert figure("gateway_inbox_oldest_unread_seconds", publisher="lrm") == 0.0
        assert figure("gateway_inbox_oldest_unread_seconds", publisher="away") is None
        assert (figure("gateway_store_wal_bytes", store="sqlite") or 0) > 0
        assert figure("gateway_store_info", store="sqlite") == 1
        gateway.runtime.registry.reload(lambda: Registry.of(PUBLISHERS[:1]))
        gateway.clock.now += 5
        await reporter.look()
        assert figure("gateway_inbox_oldest_unread_seconds", publisher="peer") is None
        assert figure("gateway_registry_age_seconds") == 0.0


async def test_a_report_that_fails_is_counted_and_tried_again(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:

        class Broken:
            def __getattr__(self, name: str) -> Any:
                raise RuntimeError(name)

        before = figure("gateway_worker_failures_total", worker="Reporter") or 0.0
        broken = replace(gateway.runtime, store=Broken())
        task = asyncio.create_task(report(broken, every=0.01))
        await until(lambda: (figure("gateway_worker_failures_total", worker="Reporter") or 0.0) >= before + 2)
        task.cancel()


# ends


async def test_days_until_certifications_and_keys_end(tmp_path: Path) -> None:
    ends = Certification("0" * 64, HOUSE_NOW + 10 * DAY, ("RS-EDA@v3",))
    lrm = replace(PUBLISHERS[0], certification=ends, jwks={"keys": [{"exp": HOUSE_NOW - DAY}]})
    async with house(tmp_path, (lrm, *PUBLISHERS[1:])) as gateway:
        await Reporter(gateway.runtime).look()
        assert figure("gateway_certification_expiry_days", publisher="lrm") == pytest.approx(10.0)
        assert figure("gateway_certification_expiry_days", publisher="peer") is None
        assert figure("gateway_publisher_key_expiry_days", publisher="lrm") == pytest.approx(-1.0)


def test_the_keys_that_the_settings_name(tmp_path: Path) -> None:
    (tmp_path / "signing.json").write_bytes(orjson.dumps({"keys": [{"exp": 5}, {"exp": 7}]}))
    (tmp_path / "client.json").write_bytes(b"{")
    made = Settings(
        signing_keys_file=tmp_path / "signing.json",
        client_key_file=tmp_path / "client.json",
        core_jwks_file=tmp_path / "absent.json",
    )
    assert {name: end_of(keys) for name, keys in keys_of(made).items()} == {"signing": 7.0}


@given(st.lists(st.none() | st.integers(0, 10_000) | st.floats(0, 10_000) | st.text() | st.booleans()))
def test_a_set_of_keys_ends_with_the_last_of_them_where_all_end(ends: list[Any]) -> None:
    keys = [{} if end is None else {"exp": end} for end in ends]
    say = [end for end in ends if isinstance(end, int | float) and not isinstance(end, bool)]
    assert end_of({"keys": keys}) == (max(say) if say and len(say) == len(ends) else None)


@pytest.mark.parametrize("document", [None, [], "x", {"keys": []}, {"keys": "x"}, {"keys": [1]}, {}])
def test_what_is_no_set_of_keys_has_no_end(document: Any) -> None:
    assert end_of(document) is None


# counts from 0


def test_every_kind_of_work_for_the_workers_is_counted_from_0() -> None:
    named = set()
    for path in (ROOT / "gateway").rglob("*.py"):
        named |= set(re.findall(r"offload\.run\(\s*[^,]+,\s*[^,]+,\s*(\w+)", path.read_text()))
    assert len(named) > 4
    for work in named:
        assert figure("gateway_offloaded_total", work=work) is not None, work


def test_every_value_of_a_label_that_the_code_gives_is_counted_from_0() -> None:
    def literals(name: str, pattern: str) -> set[str]:
        return set(re.findall(pattern, (ROOT / "gateway" / name).read_text()))

    ends = {NOTHING_TO_SEND, *(str(status) for status in (Status.EXPIRED, Status.DEAD, Status.REJECTED))}
    given = {
        WEBHOOKS: literals("webhooks/notifier.py", r'(?:return |result = |labels\()"(\w+)"'),
        FORWARDS: ends
        | literals("forwarder.py", r'result = "(\w+)"')
        | literals("forward.py", r'return "(\w+)"'),
        CONNECTIONS_CLOSED: literals("connection.py", r'(?:_close|labels|abort)\("(\w+)"\)'),
        ANSWERS: {"answered", *(str(status) for status in Status)} - {"received", "forwarded", "dead"},
    }
    for counter, values in given.items():
        assert values == set(BOUNDED[counter])
