"""A whole gateway with webhooks: from the core's Bundle to the publisher's endpoint, in one process and in two replicas."""

import asyncio
import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web
from joserfc.jwk import ECKey
from prometheus_client import generate_latest
from regulation_sdk import verify_webhook

from gateway import service, settings
from gateway.app import create_app
from gateway.errors import ConfigurationError, CoreRejected
from gateway.model import Publisher
from gateway.oauth2 import CoreClient, generate_signing_keys
from gateway.observability import METRICS
from gateway.registry import Registry, RegistryHolder
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.store import PER_ENDPOINT
from gateway.webhooks import generate_webhook_keys
from tests.house import BASE, Clock, House, MemoryCore, case, house, publisher
from tests.openapi_documents import Place, document, judge
from tests.patience import until, until_told
from tests.postgres_server import PostgresServer
from tests.store_samples import NOW, delivery, opened
from tests.webhook_receiver import receiving

SEED = "Zébulon-Patient-7731"
KEYS = generate_webhook_keys()


def publishers(url: str) -> tuple[Publisher, ...]:
    return (
        publisher("lrm", ("fr.health.samu440",), ("fr.health.samu440",), webhook=url),
        publisher("peer", ("fr.health.samu750",), ("fr.health.samu750",), webhook=url),
    )


@asynccontextmanager
async def gateway(database_url: str, url: str, core_key: ECKey | None = None) -> AsyncIterator[House]:
    """A running gateway that tells both publishers at one URL."""
    key = core_key or ECKey.generate_key("P-256", auto_kid=True)
    clock, core = Clock(), MemoryCore()
    keys = service.Keys(
        generate_signing_keys(), CoreClient("national-core", {"keys": [key.as_dict(private=False)]}), KEYS
    )
    made = Settings(base_url=BASE, database_url=database_url, webhook_allow_private=True, retry_base=0.01)
    registry = RegistryHolder(Registry.of(publishers(url)))
    async with service.running(made, registry, keys, core, now=clock) as runtime:
        transport = httpx.ASGITransport(create_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            yield House(runtime, client, core, clock, key)


def sent_case(number: int = 1) -> dict[str, Any]:
    patient = {
        "patientId": "fr.health.samu440.patient.P7731",
        "identity": {"nonStrictFeatures": {"complete": SEED, "lastName": SEED}},
    }
    return case(number, patient=[patient], location={"name": SEED, "freetext": SEED})


async def test_a_delivered_message_is_told_of_and_nothing_of_its_content(
    tmp_path: Path, lines: io.BytesIO
) -> None:
    async with receiving() as receiver, gateway(f"sqlite:///{tmp_path}/gateway.db", receiver.url) as on:
        receiver.answers = [web.Response(status=500, text=SEED)]
        assert (await on.send(sent_case())).status_code == 202
        await until(lambda: on.core.bundles)
        assert (await on.deliver(on.core.bundles[0])).status_code == 200
        await until(lambda: receiver.received)

        def told_again() -> bool:
            on.clock.now += 1  # the failure may be stored after it was received
            return len(receiver.received) == 2

        await until(told_again)
        (item,) = await on.inbox("peer")
        keys = (await on.client.get("/.well-known/webhook-keys")).json()
        for headers, body in receiver.received:
            assert verify_webhook(body, headers, keys, now=on.clock.now).id == item["id"]
            assert_as_documented(headers, body)
            said = json.dumps(headers) + body.decode()
            for word in (SEED, "P7731", "samu440", "samu750", "DRFR", item["distributionID"]):
                assert word not in said
    logged = lines.getvalue().decode() + generate_latest(METRICS).decode()
    assert SEED not in logged and "Zébulon" not in logged and "/told" not in logged
    assert '"webhook_put_off"' in logged and 'gateway_webhooks_total{result="sent"}' in logged


def assert_as_documented(headers: dict[str, str], body: bytes) -> None:
    operation = Place("gateway.yaml", "", document("gateway.yaml")) / "webhooks" / "inboxItem" / "post"
    schema = operation / "requestBody" / "content" / "application/json" / "schema"
    assert judge(schema, json.loads(body)) == []
    components = Place("gateway.yaml", "", document("gateway.yaml")) / "components" / "parameters"
    for name in ("WebhookId", "WebhookTimestamp", "WebhookSignature"):
        parameter = components / name
        assert judge(parameter / "schema", headers[parameter.value["name"]]) == []


async def test_the_gateway_s_own_answers_are_told_of_too(tmp_path: Path) -> None:
    async with receiving() as receiver, gateway(f"sqlite:///{tmp_path}/gateway.db", receiver.url) as on:
        assert (await on.send(sent_case())).status_code == 202
        await until(lambda: on.core.bundles)
        on.clock.now += 1
        on.core.trouble = [_rejection()]
        assert (await on.send(sent_case(2))).status_code == 202
        await until(lambda: receiver.received)
        (item,) = await on.inbox("lrm")
        assert item["messageType"] == "RS-ERROR" and receiver.ids == [item["id"]]


def _rejection() -> Exception:
    issue = {"severity": "error", "code": "invalid", "diagnostics": "No."}
    return CoreRejected(422, {"resourceType": "OperationOutcome", "issue": [issue]})


async def test_a_gateway_without_keys_shows_none(tmp_path: Path) -> None:
    async with house(tmp_path) as on:
        answer = await on.client.get("/.well-known/webhook-keys")
        assert answer.json() == {"keys": []} and answer.headers["cache-control"] == "max-age=300"


async def test_two_replicas_tell_each_event_once(postgres: PostgresServer) -> None:
    database_url, key = postgres.fresh(), ECKey.generate_key("P-256", auto_kid=True)
    async with receiving() as receiver, AsyncExitStack() as stack:
        houses = [await stack.enter_async_context(gateway(database_url, receiver.url, key)) for _ in range(2)]
        now = houses[0].clock.now
        items = await asyncio.gather(
            *(
                houses[n % 2].runtime.store.deposit(
                    delivery(n, notify=True, publisher_id="peer", received_at=now), now
                )
                for n in range(60)
            )
        )
        await until(lambda: len(set(receiver.ids)) == 60)
        await until_none_waits(houses[0].runtime)
        assert Counter(receiver.ids) == Counter(item.id for item in items)
        assert receiver.most <= 4  # of one publisher, in both replicas together


async def test_replicas_that_claim_at_once_keep_to_what_one_endpoint_is_given(
    postgres: PostgresServer,
) -> None:
    url = postgres.fresh()
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(opened(url)) for _ in range(4)]
        for turn in range(8):
            name = f"peer{turn}"
            await asyncio.gather(
                *(stores[n % 4].deposit(delivery(n, notify=True, publisher_id=name), NOW) for n in range(20))
            )
            claims = await asyncio.gather(*(store.events.claim(NOW, 100, 60.0, {}) for store in stores))
            assert sum(event.publisher_id == name for events in claims for event in events) == PER_ENDPOINT


async def until_none_waits(runtime: Runtime) -> None:
    await until_told(runtime.store.events.endpoints, lambda waiting: not waiting)


async def test_another_replica_tells_what_a_dead_one_was_telling(postgres: PostgresServer) -> None:
    database_url, now = postgres.fresh(), Clock().now
    async with receiving() as receiver, opened(database_url) as dead:
        item = await dead.deposit(delivery(1, notify=True, publisher_id="peer", received_at=now), now)
        (event,) = await dead.events.claim(now, 1, 0.5, {})
        async with gateway(database_url, receiver.url) as on:
            await until(lambda: receiver.received)
            await until_none_waits(on.runtime)
        assert receiver.ids == [item.id] == [event.item_id]


def test_webhooks_without_keys_are_a_finding(tmp_path: Path) -> None:
    text = 'id = "lrm"\nname = "L"\nclient_id = "c"\nsecret_sha256 = "%s"\n' % ("0" * 64)
    (tmp_path / "lrm.toml").write_text(text + '[webhook]\nurl = "https://lrm.example/"\n')
    environ = {"GATEWAY_REGISTRY_DIR": str(tmp_path)}
    with pytest.raises(
        ConfigurationError, match="GATEWAY_WEBHOOK_KEYS_FILE is not set, and lrm has a webhook"
    ):
        service.read_registry(settings.load(environ))
    (tmp_path / "keys.json").write_bytes(orjson.dumps(KEYS.private()))
    environ["GATEWAY_WEBHOOK_KEYS_FILE"] = str(tmp_path / "keys.json")
    assert service.read_registry(settings.load(environ)).publishers[0].webhook == "https://lrm.example/"
