"""The sandbox's own routes: clock, reset, state, page, registration. And that production has none of them."""

import asyncio
import contextlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from regulation_sdk import verify_webhook

from gateway.errors import Refused
from publishers.sandbox import control, front, guests, reference
from publishers.sandbox.assertion import new_key, public_jwks, token_request
from publishers.sandbox.clock import Clock
from publishers.sandbox.scenarios import RECIPIENTS
from publishers.sandbox.switch import Switch
from tests.house import case, house
from tests.patience import GIVE_UP, until_told
from tests.test_sandbox_scenarios import OTHER, Box, box
from tests.webhook_receiver import receiving

Json = dict[str, Any]
OWN = [
    ("GET", "/sandbox"),
    ("GET", "/sandbox/state"),
    ("GET", "/sandbox/scenarios"),
    ("GET", "/sandbox/clock"),
    ("POST", "/sandbox/clock"),
    ("POST", "/sandbox/reset"),
    ("POST", "/oauth2/register"),
    ("GET", "/oauth2/register/someone"),
]


class Hand:
    """A real clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_clock_runs_on_from_where_it_was_put() -> None:
    hand = Hand()
    clock = Clock(hand)
    clock.set(2_000_000.0)
    hand.now += 5
    assert (clock(), clock.offset) == (2_000_005.0, 1_000_000.0)
    clock.freeze(True)
    hand.now += 5
    assert (clock(), clock.frozen) == (2_000_005.0, True)
    clock.set(3_000_000.0)
    hand.now += 5
    assert clock() == 3_000_000.0
    clock.freeze(False)
    hand.now += 1
    assert clock() == 3_000_001.0
    clock.reset()
    assert (clock(), clock.offset, clock.frozen) == (hand.now, 0.0, False)


@pytest.mark.parametrize("frozen", [True, False])
async def test_who_sleeps_is_woken_by_the_clock(frozen: bool) -> None:
    clock = Clock(Hand())
    clock.freeze(frozen)
    sleeping = asyncio.create_task(clock.sleep_until(clock() + 1_000))
    await asyncio.sleep(0.01)
    clock.set(clock() + 999)
    await asyncio.sleep(0.01)
    assert not sleeping.done()
    clock.set(clock() + 1)
    await asyncio.wait_for(sleeping, GIVE_UP)


@given(
    st.dictionaries(
        st.sampled_from(["advance", "set", "reset", "frozen", "other"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
    )
)
def test_a_clock_is_moved_or_the_wish_refused(wish: Json) -> None:
    hand = Hand()
    clock = Clock(hand)
    refused = None
    try:
        control.move(clock, wish)
    except Refused as refusal:
        refused = refusal.status
    assert refused in {None, 400}
    assert refused is None or (clock.offset, clock.frozen) == (0.0, False)
    assert abs(clock.offset) <= 315_360_000.0


async def test_requests_wait_while_an_application_is_exchanged() -> None:
    switch, answered, going = Switch(), [], asyncio.Event()

    def app(name: str) -> Any:
        async def answer(*_: Any) -> None:
            if name == "first":
                await going.wait()
            answered.append(name)

        return answer

    async def never(*_: Any) -> Any:
        raise AssertionError("it is not asked")

    switch.open(app("first"))
    first = asyncio.create_task(switch({}, never, never))
    await asyncio.sleep(0)
    closing = asyncio.create_task(switch.close(5))
    await asyncio.sleep(0)
    second = asyncio.create_task(switch({}, never, never))
    await asyncio.sleep(0.01)
    assert not closing.done() and answered == []
    going.set()
    await closing
    switch.open(app("second"))
    await asyncio.gather(first, second)
    assert answered == ["first", "second"]


async def test_one_who_hangs_does_not_keep_a_switch_open() -> None:
    switch = Switch()

    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    async def never(*_: Any) -> Any:
        raise AssertionError("it is not asked")

    switch.open(hang)
    hanging = asyncio.create_task(switch({}, never, never))
    await asyncio.sleep(0)
    await switch.close(0.01)
    hanging.cancel()


async def test_the_clock_moves_expiry_and_tokens(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        late = on.document(OTHER, life=60)
        await on.advance(90)
        answer = await on.send(late)
        assert answer.status_code == 410
        await on.advance(700)
        assert (await on.send(on.document(OTHER))).status_code == 401
        on.token = await on.login()
        assert (await on.send(on.document(OTHER))).status_code == 202
        wrong = await on.client.post("/sandbox/clock", json={"advance": 1, "set": 2})
        assert wrong.status_code == 400 and wrong.json()["resourceType"] == "OperationOutcome"
        told = (await on.client.post("/sandbox/clock", json={"set": "2030-01-01T00:00:00+00:00"})).json()
        assert told["now"] == "2030-01-01T00:00:00+00:00" and not told["frozen"]
        assert (await on.client.post("/sandbox/clock", json={"reset": True})).json()["offset"] == 0.0


async def test_a_reset_leaves_nothing_but_the_credentials(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        before = json.loads((tmp_path / "data" / "sandbox.json").read_bytes())
        receipt = await on.send(on.document("fr.health.sandbox.accepts"))
        await until_told(on.inbox, len)
        await on.core.post("/faults", json={"count": 5})
        await on.client.post("/oauth2/register", json={})
        await on.client.post("/sandbox/clock", json={"advance": 60, "frozen": True})
        waiting = asyncio.create_task(
            on.client.get("/v1/inbox?wait=30&cursor=999999999", headers=on.token)
        )  # a long poll does not hold a reset up
        await asyncio.sleep(0.05)
        async with asyncio.timeout(10):
            await on.reset()
            assert (await waiting).status_code == 200
        assert await on.inbox() == []
        answer = await on.client.get(f"/v1/messages/{receipt.json()['id']}", headers=on.token)
        assert answer.status_code == 404
        assert (await on.core.get("/arrivals")).json() == []
        state = (await on.client.get("/sandbox/state")).json()
        assert state["faults"] is None and state["events"] == []
        assert state["clock"]["offset"] == 0.0 and not state["clock"]["frozen"]
        assert all(not one["id"].startswith("guest") for one in state["publishers"])
        assert json.loads((tmp_path / "data" / "sandbox.json").read_bytes()) == before
        assert (await on.send(on.document(OTHER))).status_code == 202


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"seed": "x"}', b'{"seed": true}', b'{"seeds": 1}'])
async def test_a_wrong_reset_is_refused_and_nothing_is_lost(body: bytes, tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        await on.send(on.document("fr.health.sandbox.silent"))
        assert (await on.client.post("/sandbox/reset", content=body)).status_code == 400
        assert (await on.client.get("/v1/messages", headers=on.token)).json()["items"]


async def test_the_state_names_what_goes_on_and_no_content(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        document = on.document("fr.health.sandbox.silent")
        await on.send(document)
        await until_told(on.events, len)
        await on.core.post("/faults", json={"status": 503, "count": 3})
        answer = await on.client.get("/sandbox/state")
        state = answer.json()
        by_id = {one["id"]: one for one in state["publishers"]}
        assert [one["distributionID"] for one in by_id["demo-lrm"]["sent"]] == [document["distributionID"]]
        assert by_id["sandbox-peer-v3"]["inbox"]["waiting"] == 1
        assert state["faults"] == {"status": 503, "latency_ms": 0, "drop_answer": False, "left": 3}
        assert state["core"] == {"arrivals": 1, "waiting": 0}
        page = await on.client.get("/sandbox")
        for text in (answer.text, page.text):
            assert document["distributionID"] in text
            for secret in ("Fictif", "thoracique", "+33600000001", on.sandbox.publishers[0].client_secret):
                assert secret not in text


class Seen(HTMLParser):
    """What a page's tags are, and where they lead."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


async def test_the_page_loads_nothing_from_elsewhere_and_runs_no_script(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        await on.send(on.document("fr.health.sandbox.accepts"))
        await until_told(on.inbox, len)
        await on.client.post("/oauth2/register", json={"client_name": "<script>alert(1)</script>"})
        answer = await on.client.get("/sandbox")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        seen = Seen()
        seen.feed(answer.text)
        names = {tag for tag, _ in seen.tags}
        assert "script" not in names and {"main", "h1", "h2", "caption", "nav"} <= names
        assert "&lt;script&gt;" in answer.text
        links = [
            attrs.get("href") or attrs.get("src") for _, attrs in seen.tags if {"href", "src"} & attrs.keys()
        ]
        assert links and all(link and link.startswith(("/", "#")) for link in links)
        assert (await on.client.get("/sandbox/style.css")).headers["content-type"].startswith("text/css")
        ids = [attrs["id"] for _, attrs in seen.tags if "id" in attrs]
        assert len(ids) == len(set(ids))
        for tag, attrs in seen.tags:
            assert tag != "th" or attrs.get("scope") in {"col", "row"}


async def test_other_paths_and_methods_are_refused_as_by_the_gateway(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        nowhere, wrong = await on.client.get("/sandbox/x"), await on.client.delete("/sandbox/clock")
        assert (nowhere.status_code, wrong.status_code) == (404, 405)
        for answer in (nowhere, wrong):
            assert answer.json()["resourceType"] == "OperationOutcome" and answer.headers["traceparent"]


async def registered(on: Box, **wish: Any) -> Json:
    answer = await on.client.post("/oauth2/register", json=wish)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told: Json = answer.json()
    return told


async def token_of(on: Box, told: Json) -> httpx.Response:
    grant = {"grant_type": "client_credentials"}
    return await on.client.post("/oauth2/token", data=grant, auth=(told["client_id"], told["client_secret"]))


async def test_a_guest_registers_sends_and_receives_at_once(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        for path in front.METADATA:
            told = (await on.client.get(path)).json()
            assert told["registration_endpoint"] == f"{on.sandbox.gateway}/oauth2/register"
            assert told["token_endpoint"] == f"{on.sandbox.gateway}/oauth2/token"
        guest = await registered(on, client_name='Régulation 🚑 \\ "x"', format="xml", model_version="v2")
        (own_id,) = guest["sender_ids"]
        assert own_id == guest["inbox_ids"][0] == f"{RECIPIENTS}.guest1"
        token = {"Authorization": f"Bearer {(await token_of(on, guest)).json()['access_token']}"}
        await on.send(on.document(own_id))

        async def inbox() -> list[Json]:
            answer = await on.client.get("/v1/inbox", headers=token)
            items: list[Json] = answer.json()["items"]
            return items

        (item,) = await until_told(inbox, len)
        assert (item["modelVersion"], item["contentType"]) == ("v2", "application/xml")
        foreign = await on.client.post(
            "/v1/messages", json=on.document(OTHER), headers={**token, "Model-Version": "v3"}
        )
        assert foreign.status_code == 403


async def test_a_guest_is_told_by_webhook_of_what_comes(tmp_path: Path) -> None:
    async with box(tmp_path) as on, receiving() as receiver:
        mine = {"Authorization": f"Bearer {on.sandbox.registration_token}"}
        answer = await on.client.post("/oauth2/register", json={"webhook_url": receiver.url}, headers=mine)
        guest: Json = answer.json()
        assert guest["webhook_url"] == receiver.url
        await on.send(on.document(guest["inbox_ids"][0]))

        async def came() -> int:
            return len(receiver.received)

        await until_told(came, bool)
        keys = (await on.client.get("/.well-known/webhook-keys")).json()
        ((headers, body),) = receiver.received
        assert verify_webhook(body, headers, keys, now=on.sandbox.clock()).id == headers["webhook-id"]
        token = {"Authorization": f"Bearer {(await token_of(on, guest)).json()['access_token']}"}
        (item,) = (await on.client.get("/v1/inbox", headers=token)).json()["items"]
        assert json.loads(body)["data"] == {"id": item["id"], "messageType": "RS-EDA"}
        assert "webhook" not in (tmp_path / "data" / "sandbox.json").read_text()


async def test_a_guest_with_a_key_authenticates_by_it(tmp_path: Path) -> None:
    key = new_key()
    async with box(tmp_path) as on:
        guest = await registered(
            on, token_endpoint_auth_method="private_key_jwt", jwks=public_jwks(key), scope="inbox.read"
        )
        assert "client_secret" not in guest
        url = f"{on.sandbox.gateway}/oauth2/token"
        form = token_request(key, guest["client_id"], url, on.sandbox.clock())
        answer = await on.client.post("/oauth2/token", data=form)
        assert (answer.status_code, answer.json()["scope"]) == (200, "inbox.read")


async def test_a_guest_reads_and_deletes_its_registration(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        guest, other = await registered(on), await registered(on)
        assert other["sender_ids"] != guest["sender_ids"]
        bearer = {"Authorization": f"Bearer {guest['registration_access_token']}"}
        assert (await on.client.get(guest["registration_client_uri"], headers=bearer)).json() == guest
        assert (await on.client.get(other["registration_client_uri"], headers=bearer)).status_code == 401
        assert (await on.client.get(guest["registration_client_uri"])).status_code == 401
        token = {"Authorization": f"Bearer {(await token_of(on, guest)).json()['access_token']}"}
        assert (await on.client.get("/v1/quota", headers=token)).status_code == 200
        assert (await on.client.delete(guest["registration_client_uri"], headers=bearer)).status_code == 204
        assert (await on.client.get("/v1/quota", headers=token)).status_code == 401
        assert (await token_of(on, guest)).status_code == 401
        assert (await on.client.delete(guest["registration_client_uri"], headers=bearer)).status_code == 401
        assert (await token_of(on, other)).status_code == 200


REFUSED: list[tuple[Any, str, str]] = [
    ([], "invalid_client_metadata", "object"),
    ({"redirect_uris": ["https://a.example"]}, "invalid_redirect_uri", "redirect_uris"),
    ({"software_statement": "a.b.c"}, "invalid_software_statement", "software_statement"),
    ({"jwks_uri": "https://a.example"}, "invalid_client_metadata", "jwks_uri"),
    ({"grant_types": ["authorization_code"]}, "invalid_client_metadata", "grant_types"),
    ({"response_types": ["code"]}, "invalid_client_metadata", "response_types"),
    ({"token_endpoint_auth_method": "none"}, "invalid_client_metadata", "token_endpoint_auth_method"),
    ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata", "jwks"),
    ({"jwks": {"keys": []}}, "invalid_client_metadata", "jwks"),
    ({"jwks": {"keys": [new_key()]}}, "invalid_client_metadata", "private key"),
    ({"scope": "core.deliver"}, "invalid_client_metadata", "scope"),
    ({"scope": ""}, "invalid_client_metadata", "scope"),
    ({"client_name": "a\u0000b"}, "invalid_client_metadata", "client_name"),
    ({"client_name": " "}, "invalid_client_metadata", "client_name"),
    ({"model_version": "v4"}, "invalid_client_metadata", "model_version"),
    ({"format": ["json"]}, "invalid_client_metadata", "format"),
    ({"webhook_url": 7}, "invalid_client_metadata", "webhook_url: must be a text"),
    ({"webhook_url": "ftp://a.example"}, "invalid_client_metadata", "webhook_url: must begin with https://"),
    ({"webhook_url": "http://a\n.example"}, "invalid_client_metadata", "webhook_url: must be a URL"),
]


@pytest.mark.parametrize(("wish", "error", "said"), REFUSED)
def test_wrong_metadata_are_refused_as_the_standard_says(wish: Any, error: str, said: str) -> None:
    with pytest.raises(guests.RegistrationError, match=re.escape(said)) as caught:
        guests.make_guest(wish, 1, 0.0)
    assert caught.value.error == error


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", "invalid_client_metadata"),
        (b'{"redirect_uris": ["x"]}', "invalid_redirect_uri"),
        (b'{"client_name": "' + b"x" * 70_000 + b'"}', "invalid_client_metadata"),
    ],
)
async def test_a_refused_registration_leaves_nothing(body: bytes, error: str, tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        answer = await on.client.post("/oauth2/register", content=body)
        assert (answer.status_code, answer.json()["error"]) == (400, error)
        assert answer.json()["error_description"]
        assert not list((tmp_path / "data" / "registry").glob("guest*"))


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *guests.REFUSED,
                "jwks",
                "scope",
                "client_name",
                "grant_types",
                "format",
                "token_endpoint_auth_method",
            ]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["keys", "kty", "n", "x"]), inner)
            ),
        ),
    )
)
def test_no_metadata_whatever_are_a_crash(wish: Json) -> None:
    with contextlib.suppress(guests.RegistrationError):
        guest = guests.make_guest(wish, 1, 0.0)
        assert guest.metadata["client_id"] == "guest-1-client"


@pytest.mark.parametrize(("method", "path"), OWN)
async def test_production_has_no_such_route(method: str, path: str, tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        answer = await gateway.client.request(method, path)
        assert answer.status_code == 404 and answer.json()["resourceType"] == "OperationOutcome"


async def test_production_knows_no_scenario_and_no_registration(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        answer = await gateway.send(case(), **{"Sandbox-Scenario": "nonsense"})
        assert answer.status_code == 202
        for path in front.METADATA:
            assert "registration_endpoint" not in (await gateway.client.get(path)).json()


async def test_the_sandbox_has_every_route(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        for method, path in OWN:
            answer = await on.client.request(method, path, json={} if method == "POST" else None)
            assert answer.status_code in {200, 201, 401}, path
        assert len((await on.client.get("/sandbox/scenarios")).json()["scenarios"]) == 18


def test_the_page_of_scenarios_is_up_to_date() -> None:
    assert reference.FILE.read_text(encoding="utf-8") == reference.page(), (
        "run python -m publishers.sandbox.reference"
    )
