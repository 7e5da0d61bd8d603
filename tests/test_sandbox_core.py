"""The simulated core, its token endpoint, its faults, and its way through the gateway to the recipients."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import ASGIApp

from publishers.sandbox.assertion import new_key, public_jwks, token_request
from publishers.sandbox.core import CoreSettings, SimulatedCore, create_core, faults
from publishers.sandbox.core import bundle as canonical
from publishers.sandbox.core.routing import GatewayAccess
from tests.patience import until

CORE = "http://core.test"
GATEWAY = "http://gateway.test"
GATEWAY_KEY, CORE_KEY = new_key(), new_key()
SETTINGS = CoreSettings(
    CORE, "the-gateway", public_jwks(GATEWAY_KEY), GatewayAccess(GATEWAY, "core", CORE_KEY)
)
EXTENSION = "https://hub-fhir.example/fhir/StructureDefinition"
Json = dict[str, Any]


def bundle(
    distribution_id: str = "fr.health.samu440_1", to: str = "fr.health.samu750", index: int | None = None
) -> Json:
    """The least that the core reads."""
    header: Json = {
        "resourceType": "MessageHeader",
        "eventCoding": {"code": "RS-EDA"},
        "destination": [{"receiver": {"identifier": {"value": "fr.health.other"}}}],
        "extension": [
            {
                "url": f"{EXTENSION}/explicit-address",
                "extension": [{"url": "scheme", "valueString": "hubex"}, {"url": "value", "valueString": to}],
            }
        ],
    }
    if index is not None:
        place = [{"url": "i", "valueUnsignedInt": index}, {"url": "n", "valueUnsignedInt": 2}]
        header["extension"].append({"url": f"{EXTENSION}/content-index", "extension": place})
    identifier = {"value": distribution_id}
    return {
        "resourceType": "Bundle",
        "type": "message",
        "identifier": identifier,
        "entry": [{"resource": header}],
    }


class Inboxes:
    """The gateway's side of the link: takes Bundles unless told to answer otherwise."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.answers: list[httpx.Response | Exception] = []
        self.came = asyncio.Event()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/token":
            return httpx.Response(
                200, json={"access_token": "let-me", "token_type": "Bearer", "expires_in": 600}
            )
        assert request.url.path == "/core/$process-message"
        assert request.headers["authorization"] == "Bearer let-me"
        assert request.headers["content-type"] == "application/fhir+json"
        answer = self.answers.pop(0) if self.answers else httpx.Response(200)
        if isinstance(answer, Exception):
            raise answer
        if answer.is_success:
            self.taken.append(json.loads(request.content)["identifier"]["value"])
        self.came.set()
        return answer


@contextlib.asynccontextmanager
async def running(
    inboxes: Inboxes, journal: Path | None = None, now: Callable[[], float] = lambda: 1_000.0
) -> AsyncIterator[tuple[SimulatedCore, httpx.AsyncClient]]:
    """A core over in-process transports, and a client of it."""
    core = SimulatedCore(SETTINGS, httpx.AsyncClient(transport=httpx.MockTransport(inboxes)), journal, now)
    core.resume()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_core(core)), base_url=CORE) as client:
        yield core, client
    await core.close()


async def token(client: httpx.AsyncClient) -> dict[str, str]:
    form = token_request(GATEWAY_KEY, "the-gateway", f"{CORE}/oauth2/token", 1_000.0)
    answer = await client.post("/oauth2/token", data=form)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def delivered(core: SimulatedCore) -> None:
    await until(lambda: not core.arrivals.undelivered())


async def test_a_bundle_is_taken_once_and_delivered_once() -> None:
    inboxes = Inboxes()
    async with running(inboxes) as (core, client):
        headers = await token(client)
        for _ in range(2):
            answer = await client.post("/fhir/$process-message", json=bundle(), headers=headers)
            assert answer.status_code == 200
            assert answer.json()["resourceType"] == "OperationOutcome"
        await delivered(core)
        assert inboxes.taken == ["fr.health.samu440_1"]
        arrivals = (await client.get("/arrivals")).json()
        assert arrivals == [
            {
                "distributionID": "fr.health.samu440_1",
                "messageType": "RS-EDA",
                "recipient": "fr.health.samu750",
                "at": 1_000.0,
                "duplicate": duplicate,
                "status": 200,
            }
            for duplicate in (False, True)
        ]
        assert (await client.get("/received", params={"distributionID": "fr.health.samu440_1"})).json() == [
            bundle()
        ]
        assert (await client.get("/received")).json() == [bundle()]
        assert (await client.get("/received", params={"distributionID": "other"})).json() == []


async def test_content_items_of_one_message_are_different_bundles() -> None:
    inboxes = Inboxes()
    async with running(inboxes) as (core, client):
        headers = await token(client)
        for index in (0, 1, 1):
            await client.post("/fhir/$process-message", json=bundle(index=index), headers=headers)
        await delivered(core)
        assert [a["duplicate"] for a in core.arrivals.all()] == [False, False, True]
        assert len((await client.get("/received?distributionID=fr.health.samu440_1")).json()) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"Bundle"',
        b'{"resourceType": "Patient"}',
        json.dumps({**bundle(), "type": "transaction"}).encode(),
        json.dumps({**bundle(), "entry": []}).encode(),
        json.dumps({**bundle(), "identifier": {"value": 3}}).encode(),
        json.dumps({**bundle(), "entry": [{"resource": {"resourceType": "Patient"}}]}).encode(),
    ],
)
async def test_what_is_no_message_bundle_is_refused(body: bytes) -> None:
    async with running(Inboxes()) as (core, client):
        answer = await client.post("/fhir/$process-message", content=body, headers=await token(client))
        assert answer.status_code == 422
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert core.arrivals.all() == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["url", "value", "i"]), inner)
        ),
    )
)
def test_no_header_whatever_is_a_crash(junk: Any) -> None:
    for name in ("extension", "destination", "eventCoding"):
        sent = bundle()
        sent["entry"][0]["resource"][name] = junk
        with contextlib.suppress(ValueError):
            assert canonical.read(json.dumps(sent).encode()).recipient


async def test_no_bundle_without_the_cores_own_token() -> None:
    at = [1_000.0]
    async with running(Inboxes(), now=lambda: at[0]) as (core, client):
        good = await token(client)
        for headers in (
            {},
            {"Authorization": "Bearer made-up"},
            {"Authorization": good["Authorization"][7:]},
        ):
            answer = await client.post("/fhir/$process-message", json=bundle(), headers=headers)
            assert answer.status_code == 401
        at[0] += 600.0
        assert (await client.post("/fhir/$process-message", json=bundle(), headers=good)).status_code == 401
        assert core.arrivals.all() == []


@pytest.mark.parametrize(
    ("key", "client_id", "audience", "issued"),
    [
        (new_key(), "the-gateway", f"{CORE}/oauth2/token", 1_000.0),
        (GATEWAY_KEY, "another", f"{CORE}/oauth2/token", 1_000.0),
        (GATEWAY_KEY, "the-gateway", "http://elsewhere.test/oauth2/token", 1_000.0),
        (GATEWAY_KEY, "the-gateway", f"{CORE}/oauth2/token", 800.0),
        (GATEWAY_KEY, "the-gateway", f"{CORE}/oauth2/token", 2_000.0),
    ],
    ids=["key", "client", "audience", "expired", "future"],
)
async def test_a_wrong_assertion_gets_no_token(
    key: Json, client_id: str, audience: str, issued: float
) -> None:
    async with running(Inboxes()) as (_, client):
        answer = await client.post("/oauth2/token", data=token_request(key, client_id, audience, issued))
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_an_assertion_serves_once_and_its_absence_never() -> None:
    async with running(Inboxes()) as (_, client):
        form = token_request(GATEWAY_KEY, "the-gateway", f"{CORE}/oauth2/token", 1_000.0, "some.scope")
        first = await client.post("/oauth2/token", data=form)
        assert (first.status_code, first.json()["scope"]) == (200, "some.scope")
        assert (await client.post("/oauth2/token", data=form)).status_code == 401
        for wrong in ({}, {"grant_type": "password"}):
            answer = await client.post("/oauth2/token", data=wrong)
            assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")
        garbage = {**form, "client_assertion": "a.b.c"}
        assert (await client.post("/oauth2/token", data=garbage)).status_code == 401
        key = (await client.get("/oauth2/jwks")).json()["keys"][0]
        assert key["kid"] == CORE_KEY["kid"] and "d" not in key


async def test_faults_answer_so_many_times_and_take_nothing() -> None:
    async with running(Inboxes()) as (core, client):
        headers = await token(client)
        told = {"status": 503, "count": 2, "latency_ms": 0, "drop_answer": False}
        assert (await client.post("/faults", json=told)).json() == told
        got = [
            (await client.post("/fhir/$process-message", json=bundle(), headers=headers)).status_code
            for _ in "abc"
        ]
        assert got == [503, 503, 200]
        assert [a["duplicate"] for a in core.arrivals.all()] == [False]


async def test_a_late_answer_is_still_an_answer() -> None:
    async with running(Inboxes()) as (core, client):
        headers = await token(client)
        told = (await client.post("/faults", json={"latency_ms": 30})).json()
        assert told["status"] is None
        started = asyncio.get_running_loop().time()
        assert (
            await client.post("/fhir/$process-message", json=bundle(), headers=headers)
        ).status_code == 200
        assert asyncio.get_running_loop().time() - started >= 0.03
        assert core.arrivals.all()[0]["status"] == 200


def test_a_share_of_the_requests_fails_the_same_way_for_the_same_seed() -> None:
    def drawn(seed: int) -> list[bool]:
        some = faults.Faults()
        some.set(faults.parse({"rate": 0.33, "status": 503, "seed": seed}))
        return [some.next() is not None for _ in range(1_000)]

    assert 250 < sum(drawn(7)) < 410
    assert drawn(7) == drawn(7) != drawn(8)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ([], "object"),
        ({"statuses": 1}, "statuses"),
        ({"status": 99}, "status"),
        ({"status": "503"}, "status"),
        ({"count": -1}, "count"),
        ({"count": True}, "count"),
        ({"latency_ms": 0.5}, "latency_ms"),
        ({"drop_answer": 1}, "drop_answer"),
        ({"rate": 1.1}, "rate"),
        ({"rate": 0.5, "count": 3}, "count and rate"),
        ({"rate": 0.5, "seed": "x"}, "seed"),
    ],
)
async def test_a_wrong_fault_is_refused_and_named(wish: Any, said: str) -> None:
    async with running(Inboxes()) as (core, client):
        answer = await client.post("/faults", json=wish)
        assert answer.status_code == 400
        assert said in answer.json()["error"]
        assert core.faults.next() is None


async def test_recipients_get_theirs_in_order_and_do_not_wait_for_one_another() -> None:
    inboxes = Inboxes()
    refused = httpx.Response(422, json={"resourceType": "OperationOutcome", "issue": []})
    inboxes.answers = [
        httpx.Response(503),
        httpx.ConnectError("down"),
        httpx.Response(422),
        httpx.Response(401),
        refused,
    ]
    async with running(inboxes) as (core, client):
        headers = await token(client)
        for number in range(3):
            await client.post("/fhir/$process-message", json=bundle(f"id_{number}"), headers=headers)
        await inboxes.came.wait()
        await client.post("/fhir/$process-message", json=bundle("id_other", to="fr.fire.x"), headers=headers)
        await delivered(core)
        assert [one for one in inboxes.taken if one != "id_other"] == [
            "id_1",
            "id_2",
        ]  # id_0 was refused for good
        assert inboxes.taken.count("id_other") == 1


async def test_a_journal_keeps_arrivals_and_what_is_left_to_deliver(tmp_path: Path) -> None:
    down = Inboxes()
    down.answers = [httpx.Response(200), *[httpx.Response(503)] * 100]
    async with running(down, tmp_path / "journal") as (core, client):
        headers = await token(client)
        for number in (0, 1, 1, 2):
            await client.post("/fhir/$process-message", json=bundle(f"id_{number}"), headers=headers)
        await until(lambda: len(core.arrivals.undelivered()) == 2)
        before = core.arrivals.all()
    again = Inboxes()
    async with running(again, tmp_path / "journal") as (core, client):
        assert (await client.get("/arrivals")).json() == before
        assert [a["duplicate"] for a in before] == [False, False, True, False]
        await delivered(core)
        assert again.taken == ["id_1", "id_2"]


@contextlib.asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """The application over a real socket."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="on"))
        task = asyncio.create_task(server.serve([listening]))
        await until(lambda: server.started)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await task


async def test_a_dropped_answer_leaves_a_taken_bundle_and_a_broken_connection() -> None:
    inboxes = Inboxes()
    core = SimulatedCore(
        SETTINGS, httpx.AsyncClient(transport=httpx.MockTransport(inboxes)), now=lambda: 1_000.0
    )
    async with served(create_core(core)) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        headers = await token(client)
        await client.post("/faults", json={"count": 1, "drop_answer": True})
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/fhir/$process-message", json=bundle(), headers=headers)
        assert (
            await client.post("/fhir/$process-message", json=bundle(), headers=headers)
        ).status_code == 200
        arrivals = (await client.get("/arrivals")).json()
        assert [(a["duplicate"], a["status"]) for a in arrivals] == [(False, None), (True, 200)]
        assert (await client.get("/health/live")).json() == {"status": "live"}
