"""What a client does with the gateway's answers: one suite for both clients, against the gateway in memory."""

import inspect
import itertools
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from regulation_sdk import (
    Ack,
    AsyncClient,
    AuthenticationError,
    Client,
    DuplicateId,
    Expired,
    InvalidMessage,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RecipientAnswer,
    RetryPolicy,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from regulation_sdk.testing import FakeGateway

from tests.sdk.subjects import KINDS, Clock, Subject, make

MESSAGE = {"distributionID": "fr.health.samu440_1", "secret": "Jeanne Exemple"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gateway(clock: Clock) -> FakeGateway:
    return FakeGateway(now=clock)


@pytest.fixture(params=KINDS)
async def client(
    request: pytest.FixtureRequest, gateway: FakeGateway, clock: Clock
) -> AsyncIterator[Subject]:
    made = make(request.param, transport=gateway, clock=clock)
    yield made
    await made.close()


def count(gateway: FakeGateway, path: str) -> int:
    return sum(request.url.path == path for request in gateway.requests)


async def test_a_message_gets_its_receipt_and_one_token_serves(client: Subject, gateway: FakeGateway) -> None:
    receipt = await client.send(MESSAGE)
    assert (receipt.status, receipt.distribution_id, receipt.duplicate) == (
        "received",
        "fr.health.samu440_1",
        False,
    )
    assert (await client.send(MESSAGE)).duplicate
    assert (await client.get(receipt.id)).timeline[0].step == "received"
    assert (await client.quota())[0].limit == 50
    assert [one.json() for one in gateway.sent] == [MESSAGE]
    assert count(gateway, "/oauth2/token") == 1


async def test_xml_and_bytes_go_as_they_are(client: Subject, gateway: FakeGateway) -> None:
    await client.send("<edxlDistribution><distributionID>a_1</distributionID></edxlDistribution>")
    await client.send(b'{ "distributionID" : "a_2" }')
    await client.send(
        {"resourceType": "Bundle", "identifier": '"distributionID": "a_3"', "distributionID": "a_3"}
    )
    assert [one.media_type for one in gateway.sent] == [
        "application/xml",
        "application/json",
        "application/fhir+json",
    ]
    assert gateway.sent[1].content == b'{ "distributionID" : "a_2" }'


async def test_the_token_is_renewed_before_it_expires(
    client: Subject, gateway: FakeGateway, clock: Clock
) -> None:
    await client.quota()
    clock.now += 539
    await client.quota()
    assert count(gateway, "/oauth2/token") == 1
    clock.now += 2
    await client.quota()
    assert count(gateway, "/oauth2/token") == 2


async def test_a_refused_token_is_replaced_once(client: Subject, gateway: FakeGateway, clock: Clock) -> None:
    await client.quota()
    gateway.revoke_tokens()
    await client.send(MESSAGE)
    assert count(gateway, "/oauth2/token") == 2 and clock.slept == []
    gateway.fail("unauthenticated", 2)
    with pytest.raises(AuthenticationError) as raised:
        await client.quota()
    assert raised.value.status == 401 and count(gateway, "/oauth2/token") == 3


async def test_the_old_token_serves_while_a_renewal_fails(
    client: Subject, gateway: FakeGateway, clock: Clock
) -> None:
    await client.quota()
    clock.now += 560
    gateway.refuse_connections(1, on="/oauth2/token")
    await client.quota()
    assert clock.slept == []
    clock.now += 41  # now the old one has expired
    gateway.refuse_connections(2, on="/oauth2/token")
    await client.quota()
    assert clock.slept == [1.0, 2.0]


async def test_refused_credentials_are_said_at_once(clock: Clock) -> None:
    body = {"error": "invalid_client", "error_description": "Unknown client or wrong credentials."}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/token":
            return httpx.Response(401, json=body)
        base = "https://gateway.test"
        return httpx.Response(200, json={"issuer": base, "token_endpoint": f"{base}/oauth2/token"})

    for kind in KINDS:
        client = make(kind, transport=httpx.MockTransport(answer), clock=clock)
        with pytest.raises(AuthenticationError, match="invalid_client: Unknown client"):
            await client.quota()
        await client.close()
    assert clock.slept == []


async def test_a_token_endpoint_without_tls_never_sees_the_credentials(clock: Clock) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        told = {"issuer": "https://gateway.test", "token_endpoint": "http://gateway.test/oauth2/token"}
        return httpx.Response(200, json=told)

    for kind in KINDS:
        client = make(
            kind, transport=httpx.MockTransport(answer), clock=clock, policy=RetryPolicy(deadline=0.1)
        )
        with pytest.raises(Unreachable):
            await client.quota()
        await client.close()
    assert set(asked) == {"/.well-known/oauth-authorization-server"}


async def test_lost_answers_and_refused_connections_are_asked_again(
    client: Subject, gateway: FakeGateway, clock: Clock
) -> None:
    gateway.lose_answers(2)
    gateway.refuse_connections(1)
    receipt = await client.send(MESSAGE)
    assert receipt.duplicate and len(gateway.sent) == 1
    assert clock.slept == [1.0, 2.0, 4.0]  # doubled, no jitter as random is 0 here
    posts = [r for r in gateway.requests if r.method == "POST" and r.url.path == "/v1/messages"]
    assert len({r.content for r in posts}) == 1 and len({r.headers["X-Request-Id"] for r in posts}) == 1


@pytest.mark.parametrize("code", ["overloaded", "quota-exceeded"])
async def test_retry_after_is_obeyed(client: Subject, gateway: FakeGateway, clock: Clock, code: str) -> None:
    gateway.fail(code, 1, retry_after=7)
    await client.send(MESSAGE)
    assert clock.slept == [7.0]


async def test_a_wait_beyond_the_deadline_is_an_error_at_once(
    client: Subject, gateway: FakeGateway, clock: Clock
) -> None:
    gateway.fail("quota-exceeded", 1, retry_after=3_600)
    with pytest.raises(QuotaExceeded) as raised:
        await client.send(MESSAGE)
    assert (raised.value.retry_after, raised.value.retry, clock.slept) == (3_600.0, "after", [])
    gateway.fail("overloaded", 99, retry_after=4)
    with pytest.raises(Unavailable):
        await client.send(MESSAGE, deadline=10)
    assert sum(clock.slept) == 8.0


async def test_without_any_answer_it_is_unreachable_at_the_deadline(
    client: Subject, gateway: FakeGateway, clock: Clock
) -> None:
    gateway.refuse_connections(10_000)
    began = clock.now
    with pytest.raises(Unreachable) as raised:
        await client.send(MESSAGE)
    assert clock.now - began <= 60.0 and raised.value.status == 0
    assert "same-id" in str(raised.value)


async def test_it_waits_before_a_window_that_it_knows_to_be_spent(
    client: Subject, gateway: FakeGateway, clock: Clock
) -> None:
    gateway.rate_limit = '"burst";r=0;t=3, "day";r=900;t=86400'
    await client.send(MESSAGE)
    assert clock.slept == []
    await client.send({"distributionID": "fr.health.samu440_2"})
    assert clock.slept == [3.0]
    await client.quota()  # spends nothing
    await client.send({"distributionID": "fr.health.samu440_3", "priority": "P0"})  # may use the reserve
    assert clock.slept == [3.0]
    gateway.rate_limit = '"day";r=0;t=5000'
    await client.quota()
    await client.send({"distributionID": "fr.health.samu440_4"})  # too long to wait: the gateway may judge
    assert sum(clock.slept) < 60


@pytest.mark.parametrize(
    ("code", "kind", "retry"),
    [
        ("distribution-id-reused", DuplicateId, "new-id"),
        ("expired", Expired, "new-id"),
        ("invalid-message", InvalidMessage, "new-id"),
        ("sender-inconsistent", PermissionDenied, "never"),
        ("not-found", NotFound, "never"),
    ],
)
async def test_a_refusal_is_an_exception_at_once(
    client: Subject, gateway: FakeGateway, clock: Clock, code: str, kind: type[Exception], retry: str
) -> None:
    gateway.fail(code)
    with pytest.raises(kind) as raised:
        await client.send(MESSAGE)
    error: Any = raised.value
    assert (error.retry, error.issues[0].code, clock.slept) == (retry, code, [])
    assert error.request_id and error.request_id in str(error)


async def test_an_issue_names_the_place_and_the_text_quotes_nothing(
    client: Subject, gateway: FakeGateway
) -> None:
    gateway.refuse("Found 'H'; expected one of M, F.", "content[0].message.patient[0].sex")
    with pytest.raises(InvalidMessage) as raised:
        await client.send(MESSAGE)
    issue = raised.value.issues[0]
    assert issue.pointer == "/content/0/message/patient/0/sex"
    assert (
        "patient[0].sex" in str(raised.value) and "'H'" not in str(raised.value) and "'H'" not in repr(issue)
    )
    assert "Found 'H'" in raised.value.explain()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(302, UnexpectedAnswer), (404, NotFound), (502, Unavailable), (418, UnexpectedAnswer)],
)
async def test_what_a_proxy_says_is_understood_as_far_as_it_goes(
    clock: Clock, status: int, kind: type[Exception]
) -> None:
    gateway = FakeGateway(now=clock)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/v1/"):
            return httpx.Response(status, text="<html>nginx</html>")
        return gateway.handle_request(request)

    for name in KINDS:
        client = make(name, transport=httpx.MockTransport(answer), clock=clock)
        with pytest.raises(kind):
            await client.quota()
        await client.close()
    assert bool(clock.slept) == (status == 502)


async def test_an_answer_that_is_no_receipt_is_said(clock: Clock) -> None:
    gateway = FakeGateway(now=clock)

    def answer(request: httpx.Request) -> httpx.Response:
        return (
            httpx.Response(202, text="thanks")
            if request.url.path == "/v1/messages"
            else gateway.handle_request(request)
        )

    for name in KINDS:
        client = make(name, transport=httpx.MockTransport(answer), clock=clock)
        with pytest.raises(UnexpectedAnswer):
            await client.send(MESSAGE)
        await client.close()


async def test_the_list_turns_the_pages(client: Subject, gateway: FakeGateway) -> None:
    for number in range(7):
        await client.send({"distributionID": f"a_{number}"})
    gateway.set_status("a_3", "dead")
    assert [r.distribution_id async for r in client.list(limit=3)] == [f"a_{n}" for n in range(6, -1, -1)]
    assert [r.distribution_id async for r in client.list(status="dead")] == ["a_3"]


async def test_a_refusal_is_no_acknowledgement(client: Subject, gateway: FakeGateway) -> None:
    receipt = await client.send(
        {"distributionID": "a_1", "senderID": "a", "explicitAddressValue": "b", "caseId": "c"}
    )
    assert (receipt.sender, receipt.recipient, receipt.case_id) == ("a", "b", "c")
    assert (receipt.refused, receipt.answer, receipt.attempts, receipt.last_cause) == (False, None, 0, None)
    gateway.set_status("a_1", "refused")
    refused = (await client.get(receipt.id)).receipt
    assert refused.refused and refused.answer == RecipientAnswer("ERREUR", True, None)
    gateway.set_status("a_1", "acknowledged")
    acknowledged = (await client.get(receipt.id)).receipt
    assert not acknowledged.refused and acknowledged.answer == RecipientAnswer("INTEGRE", False, None)


async def test_translate_and_validate(client: Subject, gateway: FakeGateway) -> None:
    translation = await client.translate(MESSAGE, to="RS-EDA", version="v2", format="xml", model_version="v3")
    assert translation.content == MESSAGE and translation.loss == ()
    request = gateway.requests[-1]
    assert dict(request.url.params) == {"to": "RS-EDA", "version": "v2", "format": "xml"}
    assert request.headers["Model-Version"] == "v3"
    found = await client.validate(MESSAGE)
    assert found.ok and found.issues[0].severity == "information"


async def test_an_item_says_that_nobody_answered_it_in_time(client: Subject, gateway: FakeGateway) -> None:
    ids = [gateway.deliver({"distributionID": f"b_{n}"}) for n in range(2)]
    gateway.expire(ids[0])
    found = [delivery.item.expired async for delivery in client.inbox(follow=False)]
    assert found == [True, False]


async def test_items_are_acknowledged_where_the_block_ends_well(
    client: Subject, gateway: FakeGateway
) -> None:
    ids = [gateway.deliver({"distributionID": f"b_{n}"}) for n in range(4)]
    async for delivery in client.inbox(follow=False, limit=2, ack=Ack(step="RECU")):
        if delivery.item.id == ids[0]:
            async with delivery as item:
                assert item.content == {"distributionID": "b_0"}
        elif delivery.item.id == ids[1]:
            with pytest.raises(KeyError):
                async with delivery:
                    raise KeyError
        elif delivery.item.id == ids[2]:
            async with delivery:
                assert (await delivery.ack(step="ERREUR", refused=True)).reference == "reference-of-item-3"
    assert gateway.waiting() == [ids[1], ids[3]]
    assert sum(request.url.path.endswith("/ack") for request in gateway.requests) == 2
    assert gateway.acks == [
        (ids[0], {"reference": True, "step": "RECU"}),
        (ids[2], {"reference": True, "step": "ERREUR", "refused": True}),
    ]


async def test_a_handler_that_raises_leaves_its_item(client: Subject, gateway: FakeGateway) -> None:
    ids = [gateway.deliver({"distributionID": f"b_{n}"}) for n in range(3)]
    failed = []

    def handle(item: Any) -> Ack | None:
        if item.id == ids[1]:
            raise ValueError("no room")
        return Ack(reference=False) if item.id == ids[0] else None

    await client.process_inbox(
        handle, on_error=lambda item, error: failed.append((item.id, str(error))), follow=False
    )
    assert failed == [(ids[1], "no room")] and gateway.waiting() == [ids[1]]
    assert gateway.acks == [(ids[0], {"reference": False}), (ids[2], {"reference": True})]
    with pytest.raises(ValueError, match="no room"):
        await client.process_inbox(handle, follow=False)


@pytest.mark.parametrize("stream", [False, True])
async def test_following_outlasts_outages_and_hands_out_each_item_once(
    client: Subject, gateway: FakeGateway, clock: Clock, stream: bool
) -> None:
    first = [gateway.deliver({"distributionID": f"b_{n}"}) for n in range(3)]
    gateway.fail("overloaded", 3, on="/v1/inbox")
    gateway.refuse_connections(20, on="/v1/inbox")
    seen = []
    async for delivery in client.inbox(stream=stream):
        seen.append(delivery.item.id)
        if len(seen) == 3:
            gateway.revoke_tokens()
            gateway.lose_answers(2, on="/v1/inbox")
            gateway.deliver({"distributionID": "b_3"})
        if len(seen) == 4:
            break
    assert seen == [*first, "item-4"]
    assert sum(clock.slept) > 60  # beyond any call's deadline


async def test_a_stream_that_does_not_serve_gives_way_to_long_polls(
    client: Subject, gateway: FakeGateway
) -> None:
    gateway.fail("not-found", 1, on="/v1/inbox/stream")
    gateway.deliver({"distributionID": "b_0"})
    async for delivery in client.inbox(stream=True):
        assert delivery.item.id == "item-1"
        break
    assert count(gateway, "/v1/inbox") == 1


async def test_a_following_reader_does_not_spin_on_an_empty_inbox(
    client: Subject, gateway: FakeGateway, clock: Clock
) -> None:
    gateway.deliver({"distributionID": "b_0"})
    gateway.fail("insufficient-scope", 1, on="/nowhere")
    async for delivery in client.inbox():
        if delivery.item.id == "item-1":
            started = clock.now
            gateway._faults.append(_after(gateway, 5))
        else:
            break
    assert clock.now - started >= 4 and count(gateway, "/v1/inbox") < 9


def _after(gateway: FakeGateway, polls: int) -> Any:
    """A fault that delivers a second item after so many polls."""
    from regulation_sdk.testing import _Fault

    numbers = itertools.count(1)

    def answer() -> httpx.Response:
        if next(numbers) == polls:
            gateway.deliver({"distributionID": "b_1"})
        return httpx.Response(200, json={"items": [], "cursor": "1"})

    return _Fault(polls, "/v1/inbox", answer)


async def test_logs_tell_of_requests_and_never_of_bodies(
    client: Subject, gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "regulation_sdk")
    gateway.fail("overloaded", 1, retry_after=1)
    await client.send(MESSAGE, request_id="my-request")
    lines = [record.getMessage() for record in caplog.records if record.name == "regulation_sdk"]
    assert len(lines) == 2 and all("my-request" in line for line in lines)
    assert "Jeanne" not in "".join(lines) and "token-1" not in "".join(lines)


def test_both_clients_have_the_same_surface() -> None:
    def surface(kind: type) -> dict[str, list[str]]:
        found = inspect.getmembers(kind, lambda m: inspect.isfunction(m) and not m.__name__.startswith("_"))
        return {name: list(inspect.signature(method).parameters) for name, method in found}

    assert surface(Client) == surface(AsyncClient)


@pytest.mark.parametrize("url", ["gateway.test", "ftp://gateway.test", "https://"])
def test_a_wrong_url_is_said_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="http or https"):
        make("sync", url)
