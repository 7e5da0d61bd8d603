"""Every scenario of the sandbox, played over HTTP from the first request to the last answer, twice with one outcome."""

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from publishers.sandbox import Sandbox, messages, opened
from publishers.sandbox.assertion import token_request
from publishers.sandbox.publishers import DemoPublisher
from publishers.sandbox.scenarios import BY_NAME, SCENARIOS, Scenario
from tests.patience import until_told
from tests.test_sandbox import free_port

Json = dict[str, Any]
T = TypeVar("T")
SENDER, OTHER = "fr.health.samu440", "fr.health.samu750"
ACCEPTED = ("RC-REF", "INTEGRE", False)
REQUEST = {
    "caseId": "fr.health.samu440.DRFR15DEMO",
    "request": {
        "requestId": "fr.health.samu440.request.12",
        "datetime": "2026-11-24T09:58:00+01:00",
        "purpose": "PARAMED",
    },
}
LOCATE = {"resourceId": ["fr.health.sandbox.answers.resource.VLM1"]}
NEW_IN_V3 = Path(__file__).parent / "cases" / "RS-SAS-RDV" / "full" / "in.json"


@dataclass
class Box:
    """A running sandbox, and the software of its first publisher."""

    sandbox: Sandbox
    client: httpx.AsyncClient
    core: httpx.AsyncClient
    token: dict[str, str]

    async def login(self, publisher: DemoPublisher | None = None) -> dict[str, str]:
        one = publisher or self.sandbox.publishers[0]
        answer = await self.client.post(
            "/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(one.client_id, one.client_secret),
        )
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def document(self, recipient: str, name: str = "1", life: float | None = None) -> Json:
        now = self.sandbox.clock()
        made = messages.case(SENDER, recipient, datetime.fromtimestamp(now, UTC), name)
        if life is not None:
            expires = datetime.fromtimestamp(now + life, UTC)
            made["dateTimeExpires"] = expires.isoformat(timespec="seconds")
        return made

    def other(self, root_key: str, body: Json, recipient: str, name: str = "1") -> Json:
        now = datetime.fromtimestamp(self.sandbox.clock(), UTC)
        return messages.enveloped(body, SENDER, recipient, now, name, root_key)

    async def send(self, document: Json, scenario: str = "") -> httpx.Response:
        wish = {"Sandbox-Scenario": scenario} if scenario else {}
        return await self.client.post("/v1/messages", json=document, headers={**self.token, **wish})

    async def advance(self, seconds: float) -> None:
        answer = await self.client.post("/sandbox/clock", json={"advance": seconds})
        assert answer.status_code == 200, answer.text

    async def reset(self, seed: int = 0) -> None:
        assert (await self.client.post("/sandbox/reset", json={"seed": seed})).status_code == 200
        self.token = await self.login()

    async def inbox(self) -> list[Json]:
        answer = await self.client.get("/v1/inbox", headers=self.token)
        assert answer.status_code == 200, answer.text
        items: list[Json] = answer.json()["items"]
        return items

    async def status(self, receipt: httpx.Response) -> Json:
        told: Json = (
            await self.client.get(f"/v1/messages/{receipt.json()['id']}", headers=self.token)
        ).json()
        return told

    async def events(self) -> list[str]:
        told = (await self.client.get("/sandbox/state")).json()
        return [event["event"] for event in told["events"]][::-1]


@asynccontextmanager
async def box(folder: Path) -> AsyncIterator[Box]:
    async with opened(free_port(), folder / "data", time.time) as sandbox:
        urls = sandbox.gateway, sandbox.core_url
        async with (
            httpx.AsyncClient(base_url=urls[0], trust_env=False, timeout=20) as client,
            httpx.AsyncClient(base_url=urls[1], trust_env=False, timeout=20) as core,
        ):
            made = Box(sandbox, client, core, {})
            made.token = await made.login()
            yield made


def told_by(item: Json) -> tuple[Any, ...]:
    """What an answer in the inbox says."""
    inner = item["content"]["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    if item["messageType"] == "RC-REF":
        return "RC-REF", inner["reference"].get("step"), inner["reference"].get("refused")
    if item["messageType"] == "RS-ERROR":
        return "RS-ERROR", int(inner["error"]["errorCode"]["statusCode"])
    return (item["messageType"],)


@dataclass(frozen=True)
class Expected:
    """The outcome of a scenario for a case: `answers` in the sender's inbox, the message's `status`, and the core's answers
    to its arrivals. Once the scenario had the `event`, the clock is moved by `advance` seconds; `life` is the message's.
    """

    status: str
    answers: list[tuple[Any, ...]]
    arrivals: list[int | None] | None
    event: str = ""
    advance: float = 0.0
    life: float | None = None


EXPECTED = {
    "accepts": Expected("acknowledged", [ACCEPTED], [200]),
    "answers": Expected("acknowledged", [ACCEPTED, ("RS-RI",)], [200]),
    "refuses": Expected("refused", [("RC-REF", "ERREUR", True)], [200]),
    "fails": Expected("refused", [("RS-ERROR", 704)], [200]),
    "slow": Expected("acknowledged", [ACCEPTED, ("RS-RI",)], [200], "delivered", 61.0),
    "silent": Expected("expired", [("RS-ERROR", 500)], [200], "delivered", 120.0, 60.0),
    "expires": Expected("expired", [("RS-ERROR", 500)], [200], "", 120.0, 60.0),
    "unreachable": Expected("expired", [("RS-ERROR", 400)], [], "HTTP 503", 120.0, 60.0),
    "duplicate": Expected("acknowledged", [ACCEPTED], [None, 200]),
    "outage": Expected("acknowledged", [ACCEPTED], [None, 200]),
    "flaky": Expected("acknowledged", [ACCEPTED], None),
    "version-v2": Expected("acknowledged", [("RC-REF", None, False)], [200]),
    "version-v1": Expected("acknowledged", [("RC-REF", None, False)], [200]),
}
CONTROLS = {"quota", "gateway-key-rotation", "client-key-rotation", "clock-ahead", "clock-behind"}


def test_every_scenario_is_played_here() -> None:
    assert EXPECTED.keys() | CONTROLS == BY_NAME.keys()


async def play(on: Box, scenario: Scenario, by_header: bool) -> Json:
    """One run; everything about it that does not hang on the time of day."""
    wanted = EXPECTED[scenario.name]
    recipient = OTHER if by_header else scenario.recipient
    document = on.document(recipient, life=wanted.life)
    receipt = await on.send(document, scenario.name if by_header else "")
    assert receipt.status_code == 202, receipt.text
    if wanted.event:
        await until_told(on.events, lambda events: any(wanted.event in event for event in events))
    if wanted.advance:
        if not wanted.event:
            await until_told(lambda: on.status(receipt), lambda told: told["status"] != "received")
        assert await on.inbox() == []
        await on.advance(wanted.advance)
        on.token = await on.login()
    items = await until_told(on.inbox, lambda found: len(found) >= len(wanted.answers))
    status = await until_told(lambda: on.status(receipt), lambda told: told["status"] == wanted.status)
    events = await until_told(on.events, lambda found: is_over(scenario, found))
    arrivals = [
        one["status"]
        for one in (await on.core.get("/arrivals")).json()
        if one["distributionID"] == document["distributionID"]
    ]
    return {
        "answers": sorted((told_by(item), item["distributionID"]) for item in items),
        "status": status["status"],
        "arrivals": arrivals,
        "events": sorted(events),
    }


def is_over(scenario: Scenario, events: list[str]) -> bool:
    """Whether nothing more is to come: all deliveries are made and the peer has done its part."""
    delivered = sum(event.startswith("delivered") for event in events)
    answered = any(event.startswith("peer") for event in events)
    undelivered = scenario.core.never or scenario.core.lost
    return (undelivered or delivered == scenario.core.copies) and (answered or scenario.peer is None)


PLAYED = [
    (one, by_header)
    for one in SCENARIOS
    if one.name in EXPECTED
    for by_header in (False, True)
    if (one.header if by_header else one.recipient)
]


@pytest.mark.parametrize(
    ("scenario", "by_header"),
    PLAYED,
    ids=[f"{one.name}-{'header' if by else 'recipient'}" for one, by in PLAYED],
)
async def test_a_scenario_ends_as_it_says_and_twice_the_same(
    scenario: Scenario, by_header: bool, tmp_path: Path
) -> None:
    wanted = EXPECTED[scenario.name]
    async with box(tmp_path) as on:
        first = await play(on, scenario, by_header)
        assert [answer for answer, _id in first["answers"]] == sorted(wanted.answers)
        if wanted.arrivals is not None:
            assert first["arrivals"] == wanted.arrivals
        deliveries = sum(event == "delivered: HTTP 200" for event in first["events"])
        assert deliveries == (
            scenario.core.copies if 200 in first["arrivals"] and not scenario.core.lost else 0
        )
        if by_header:  # what plays is the same, and once is enough
            return
        await on.reset()
        second = await play(on, scenario, by_header)
        if scenario.name == "unreachable":  # how often it was tried is a matter of time
            first["events"], second["events"] = set(first["events"]), set(second["events"])
        assert second == first


@pytest.mark.parametrize(
    ("root_key", "body", "answer"),
    [("resourcesRequest", REQUEST, "RS-RR"), ("geoResourcesRequest", LOCATE, "GEO-POS")],
)
async def test_a_request_gets_its_answer_under_one_id(
    root_key: str, body: Json, answer: str, tmp_path: Path
) -> None:
    async with box(tmp_path) as on:
        ids = []
        for seed in (0, 0, 7):
            await on.reset(seed)
            sent = await on.send(on.other(root_key, body, "fr.health.sandbox.answers"))
            assert sent.status_code == 202, sent.text
            items = await until_told(on.inbox, lambda found: len(found) == 2)
            assert (
                sorted(told_by(item) for item in items)
                == [(answer,), ACCEPTED][:: 1 if answer < "RC" else -1]
            )
            ids.append({item["messageType"]: item["distributionID"] for item in items}[answer])
        assert ids[0] == ids[1] != ids[2]


async def test_what_a_message_type_has_no_answer_to_gets_its_reference_alone(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        on_its_way = {"position": [{**on_position(), "datetime": "2026-11-24T09:58:00+01:00"}]}
        await on.send(on.other("geoPositionsUpdate", on_its_way, "fr.health.sandbox.answers"))
        await until_told(on.events, lambda events: "peer: RC-REF" in events)


def on_position() -> Json:
    return {"resourceId": LOCATE["resourceId"][0], "coord": {"lat": 48.8, "lon": 2.4}}


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_what_an_older_version_cannot_say_comes_back_as_an_error(version: str, tmp_path: Path) -> None:
    inner = json.loads(NEW_IN_V3.read_bytes())["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    async with box(tmp_path) as on:
        sent = on.other("appointment", inner["appointment"], f"fr.health.sandbox.version-{version}")
        assert (await on.send(sent)).status_code == 202
        items = await until_told(on.inbox, len)
        assert [told_by(item) for item in items] == [("RS-ERROR", 600)]


async def test_an_answer_sent_to_a_peer_plays_nothing(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        await on.send(on.document("fr.health.sandbox.answers"))
        items = await until_told(on.inbox, lambda found: len(found) == 2)
        report = next(item for item in items if item["messageType"] == "RS-RI")
        done = await on.client.post(f"/v1/inbox/{report['id']}/ack", headers=on.token)
        reference = done.json()["reference"]
        await until_told(
            lambda: on.core.get("/arrivals"),
            lambda told: any(one["distributionID"] == reference for one in told.json()),
        )
        await until_told(
            lambda: on.client.get("/sandbox/state"), lambda told: told.json()["core"]["waiting"] == 0
        )
        events = (await on.client.get("/sandbox/state")).json()["events"]
        assert [event["messageType"] for event in events] == ["RS-EDA"] * 2  # delivered, answered


async def test_the_seed_draws_the_failures(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        drawn = []
        for seed in (1, 1, 2, 3):
            await on.reset(seed)
            await on.send(on.document("fr.health.sandbox.flaky"))
            await until_told(on.inbox, len)
            drawn.append([event for event in await on.events() if event.startswith(("HTTP", "answer"))])
        assert drawn[0] == drawn[1] and len({str(one) for one in drawn}) > 1


async def test_a_quota_is_spent_and_widens_again(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        outcomes = []
        for _ in "ab":
            await on.reset()
            await on.client.post("/sandbox/clock", json={"frozen": True})
            answers = [
                await on.send(on.other("geoResourcesRequest", LOCATE, OTHER, str(number)), "quota")
                for number in range(5)
            ]
            outcomes.append([answer.status_code for answer in answers])
            assert answers[-1].headers["retry-after"] == "1"
            assert (await on.send(on.other("geoResourcesRequest", LOCATE, OTHER, "wide"))).status_code == 202
            await on.advance(1.0)
            again = await on.send(on.other("geoResourcesRequest", LOCATE, OTHER, "4"), "quota")
            assert again.status_code == 202
        assert outcomes == [[202, 202, 429, 429, 429]] * 2


def kid_of(token: dict[str, str]) -> str:
    head = token["Authorization"].partition(" ")[2].partition(".")[0]
    kid: str = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
    return kid


async def test_the_gateways_key_rotates_and_tokens_in_hand_stay_good(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        assert (await on.send(on.document(OTHER, "before"))).status_code == 202
        answer = await on.send(on.document(OTHER, "rotating"), "gateway-key-rotation")
        assert answer.status_code == 202
        new = await on.login()
        published = {key["kid"] for key in (await on.client.get("/oauth2/jwks")).json()["keys"]}
        assert kid_of(new) != kid_of(on.token) and published == {kid_of(new), kid_of(on.token)}
        assert (await on.status(answer))["id"] == answer.json()["id"]  # what was accepted is still there
        await on.send(on.document(OTHER, "again"), "gateway-key-rotation")
        assert (await on.send(on.document(OTHER, "after"))).status_code == 401  # its key is gone
        await on.reset()
        assert kid_of(on.token) != kid_of(new)


async def assertion_answer(on: Box, key: Json) -> tuple[int, str]:
    url = f"{on.sandbox.gateway}/oauth2/token"
    client_id = on.sandbox.publishers[0].client_id
    answer = await on.client.post(
        "/oauth2/token", data=token_request(key, client_id, url, on.sandbox.clock())
    )
    return answer.status_code, answer.json().get("error", "")


async def test_a_clients_key_is_replaced_and_comes_back_with_a_reset(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        file = tmp_path / "data" / "sandbox.json"
        old = json.loads(file.read_bytes())["publishers"][0]["private_key_jwk"]
        assert await assertion_answer(on, old) == (200, "")
        assert (await on.send(on.document(OTHER), "client-key-rotation")).status_code == 202
        new = json.loads(file.read_bytes())["publishers"][0]["private_key_jwk"]
        assert await assertion_answer(on, old) == (400, "invalid_client")
        assert await assertion_answer(on, new) == (200, "")
        await on.reset()
        assert json.loads(file.read_bytes())["publishers"][0]["private_key_jwk"] == old
        assert await assertion_answer(on, old) == (200, "")


@pytest.mark.parametrize(("scenario", "hour"), [("clock-ahead", 3_600), ("clock-behind", -3_600)])
async def test_a_gateway_of_another_time_refuses_the_token_in_hand(
    scenario: str, hour: int, tmp_path: Path
) -> None:
    async with box(tmp_path) as on:
        for _ in "ab":
            answer = await on.send(on.document(OTHER), scenario)
            assert answer.status_code == 401
            clock = (await on.client.get("/sandbox/clock")).json()
            assert clock["offset"] == pytest.approx(hour, abs=1.0)
            on.token = await on.login()
            assert (await on.send(on.document(OTHER, "2"))).status_code == 202
            await on.reset()


@pytest.mark.parametrize(
    ("name", "said"), [("nonsense", "accepts, answers"), ("version-v2", "fr.health.sandbox")]
)
async def test_a_scenario_that_a_header_does_not_play_is_named(name: str, said: str, tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        answer = await on.send(on.document(OTHER), name)
        assert answer.status_code == 400 and answer.headers["x-request-id"]
        (issue,) = answer.json()["issue"]
        assert said in issue["diagnostics"] and issue["expression"] == ["header.Sandbox-Scenario"]


@pytest.mark.parametrize(
    ("body", "given", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"", {}, 400),
        (b"{}", {"Model-Version": "v9"}, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b" " * 3_000_000, {}, 413),
        (b"{}", {"Authorization": "Bearer a.b.c"}, 401),
        (b"{}", {"Authorization": "Bearer a.W10.c"}, 401),
    ],
)
async def test_what_cannot_be_read_is_refused_by_the_gateway_itself(
    body: bytes, given: dict[str, str], status: int, tmp_path: Path
) -> None:
    async with box(tmp_path) as on:
        headers = {**on.token, "Content-Type": "application/json", "Sandbox-Scenario": "outage", **given}
        answer = await on.client.post("/v1/messages", content=body, headers=headers)
        assert answer.status_code == status
        assert answer.json()["resourceType"] == "OperationOutcome"
