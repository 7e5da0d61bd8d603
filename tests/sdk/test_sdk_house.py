"""Both clients against the real gateway over real sockets."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey
from regulation_sdk import (
    AsyncClient,
    AuthenticationError,
    Client,
    ClientSecret,
    DuplicateId,
    Expired,
    InvalidMessage,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PrivateKey,
    RetryPolicy,
    Unreachable,
    Untranslatable,
)
from regulation_sdk.envelopes import Envelope
from regulation_sdk.messages.v3 import rs_eda

from tests.house import PUBLISHERS, secret
from tests.sdk.live import live_gateway
from tests.sdk.subjects import KINDS, Subject, make

KEY = ECKey.generate_key("P-256", auto_kid=True)
POLICY_QUICK = RetryPolicy(deadline=1.0, first=0.05)
LRM = replace(PUBLISHERS[0], jwks={"keys": [KEY.as_dict(private=False)]})


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with live_gateway(tmp_path_factory.mktemp("house"), (LRM, *PUBLISHERS[1:])) as url:
        yield url


@pytest.fixture(params=KINDS)
async def clients(request: pytest.FixtureRequest, gateway: str) -> AsyncIterator[tuple[Subject, Subject]]:
    """The software of SAMU 44 and that of SAMU 75."""
    first, second = (make(request.param, gateway, ClientSecret(n, secret(n))) for n in ("lrm", "peer"))
    yield first, second
    await first.close()
    await second.close()


def case(**options: Any) -> Envelope:
    use_case: rs_eda.CreateCaseHealth = {
        "caseId": "fr.health.samu440.DRFR154402632800017",
        "creation": "2026-11-24T10:05:00+01:00",
        "qualification": {"details": {"priority": "P2"}},
        "location": {"name": "Place du Marché"},
        "owner": "fr.health.samu440",
    }
    return rs_eda.message(use_case, sender="fr.health.samu440", recipient="fr.health.samu750", **options)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_case_and_its_ack(clients: tuple[Subject, Subject], stream: bool) -> None:
    first, second = clients
    message = case()
    receipt = await first.send(message)
    async for delivery in second.inbox(stream=stream):
        async with delivery as item:
            if item.distribution_id == message["distributionID"]:
                assert item.content == message
                reference = (await delivery.ack(step="INTEGRE")).reference
                break
    async for delivery in first.inbox(stream=stream):
        async with delivery as item:
            if item.distribution_id == reference:
                break
    assert item.message_type == "RC-REF"
    steps = [step.step for step in (await first.get(receipt.id)).timeline]
    assert steps[0] == "received" and "acknowledged" in steps


async def test_a_private_key_serves_as_well(gateway: str) -> None:
    for kind in KINDS:
        client = make(kind, gateway, PrivateKey("lrm", KEY.as_dict(private=True)))
        assert {limit.name for limit in await client.quota()} >= {"burst", "minute", "day"}
        await client.close()


async def test_refusals_are_told_apart(clients: tuple[Subject, Subject]) -> None:
    first, _ = clients
    message = case()
    await first.send(message)
    assert (await first.send(message)).duplicate
    with pytest.raises(DuplicateId):
        await first.send({**message, "dateTimeExpires": "2098-12-31T00:00:00+00:00"})
    with pytest.raises(Expired):
        await first.send(case(sent_at=datetime(2020, 1, 1, tzinfo=UTC)))
    with pytest.raises(NotFound):
        await first.get("no-such-id")
    with pytest.raises(NotFound):
        await first.acknowledge("no-such-id")
    with pytest.raises(InvalidRequest):
        [one async for one in first.list(limit=0)]
    with pytest.raises(InvalidMessage) as raised:
        await first.send("{")
    assert raised.value.issues[0].code == "unreadable"
    with pytest.raises(PermissionDenied):
        await first.send(rs_eda.message({}, sender="fr.health.samu999", recipient="fr.health.samu750"))  # type: ignore[typeddict-item]


async def test_everything_that_is_wrong_is_said(clients: tuple[Subject, Subject]) -> None:
    first, _ = clients
    wrong: Any = case()
    use_case = wrong["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["createCaseHealth"]
    use_case["patient"] = [
        {
            "patientId": "fr.health.samu440.patient.DRFR154402632800017.1",
            "identity": {"strictFeatures": {"sex": "H"}},
        }
    ]
    del use_case["owner"]
    found = await first.validate(wrong)
    assert not found.ok and len(found.issues) >= 2
    with pytest.raises(InvalidMessage) as raised:
        await first.send(wrong)
    assert {issue.expression for issue in raised.value.issues} <= {issue.expression for issue in found.issues}
    assert "M, F, O, UN" in raised.value.explain() and "M, F, O, UN" not in str(raised.value)


async def test_translation(clients: tuple[Subject, Subject]) -> None:
    first, _ = clients
    bundle = await first.translate(case(), to="fhir")
    assert isinstance(bundle.content, dict) and bundle.content["resourceType"] == "Bundle" and not bundle.loss
    back = await first.translate(bundle.content, to="RS-EDA", version="v2", format="xml")
    assert back.content_type == "application/xml" and back.content.startswith("<?xml")
    with pytest.raises((Untranslatable, InvalidMessage)):
        await first.translate(case(), to="GEO-REQ")


async def test_listing_reaches_every_message(clients: tuple[Subject, Subject]) -> None:
    first, _ = clients
    sent = [(await first.send(case())).id for _ in range(5)]
    assert [r.id async for r in first.list(limit=2)][:5] == sent[::-1]


async def test_wrong_credentials(gateway: str) -> None:
    for kind in KINDS:
        client = make(kind, gateway, ClientSecret("lrm", "wrong"))
        with pytest.raises(AuthenticationError, match="invalid_client"):
            await client.send(case())
        await client.close()


async def test_nobody_there(gateway: str) -> None:
    for kind in KINDS:
        client = make(kind, "http://127.0.0.1:1", policy=POLICY_QUICK)
        with pytest.raises(Unreachable, match="ConnectError"):
            await client.send(case())
        await client.close()


class CountTokens(httpx.HTTPTransport):
    """Counts requests to the token endpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.tokens += request.url.path == "/oauth2/token"
        return super().handle_request(request)


class CountTokensAsync(httpx.AsyncHTTPTransport):
    """The same for asyncio."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.tokens += request.url.path == "/oauth2/token"
        return await super().handle_async_request(request)


def test_threads_share_one_token(gateway: str) -> None:
    transport = CountTokens()
    barrier = threading.Barrier(16)
    with Client(gateway, ClientSecret("lrm", secret("lrm")), transport=transport) as client:

        def ask() -> int:
            barrier.wait(30)
            return len(client.quota())

        with ThreadPoolExecutor(16) as pool:
            assert all(future.result() for future in [pool.submit(ask) for _ in range(16)])
    assert transport.tokens == 1


async def test_tasks_share_one_token(gateway: str) -> None:
    transport = CountTokensAsync()
    async with AsyncClient(gateway, ClientSecret("lrm", secret("lrm")), transport=transport) as client:
        assert all(await asyncio.gather(*(client.quota() for _ in range(50))))
    assert transport.tokens == 1


async def test_a_cancelled_call_leaves_the_client_in_order(gateway: str) -> None:
    async with AsyncClient(gateway, ClientSecret("peer", secret("peer"))) as client:
        async for delivery in client.inbox(follow=False):
            await delivery.ack(reference=False)

        async def read() -> None:
            async for delivery in client.inbox():
                pytest.fail(f"nothing waits, and here is {delivery.item.id}")

        reading = asyncio.create_task(read())
        await asyncio.sleep(0.2)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await client.quota()
