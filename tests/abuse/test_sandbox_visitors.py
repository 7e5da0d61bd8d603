"""The sandbox on a developer's machine: no web page drives it, and no guest has it call what is on that machine."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.addresses import private_problem
from publishers.sandbox.guests import DAY, IDLE, MOST, Guests, RegistrationError, make_guest
from tests.patience import until_told
from tests.test_sandbox_control import registered, token_of
from tests.test_sandbox_scenarios import Box, box
from tests.webhook_receiver import receiving

OWN = [("GET", "/sandbox"), ("GET", "/sandbox/state"), ("POST", "/sandbox/reset"), ("POST", "/sandbox/clock")]
REGISTER = ("POST", "/oauth2/register")
CORES = [("GET", "/received"), ("GET", "/arrivals"), ("POST", "/faults")]
HOSTILE = [
    {"Host": "evil.example"},
    {"Host": "evil.example:{port}"},
    {"Host": "localhost.evil.example:{port}"},
    {"Host": "localhost:1"},
    {"Host": "localhost"},
    {"Host": "user@localhost:{port}"},
    {"Host": "[::1:{port}"},
    {"Host": "127.0.0.2:{port}"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:3000"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
]
LOOPBACK = [
    "http://127.0.0.1:9/x",
    "https://127.0.0.1:9/x",
    "https://[::1]:9/x",
    "https://localhost/x",
    "https://localhost./x",
    "https://a.localhost/x",
    "https://10.0.0.7/x",
    "https://169.254.169.254/latest",
    "https://[::ffff:127.0.0.1]/x",
    "http://lrm.example/x",
]


async def call(of: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    port = str(of.base_url.port)
    told = {name: value.replace("{port}", port) for name, value in headers.items()}
    return await of.request(method, path, headers=told, content=b"{}" if method == "POST" else None)


async def test_a_foreign_host_or_page_is_refused(tmp_path: Path) -> None:
    async with box(tmp_path) as on:
        calls = [(on.client, *one) for one in [*OWN, REGISTER]] + [(on.core, *one) for one in CORES]
        before = on.sandbox.clock(), on.sandbox.core.faults.current()
        for client, method, path in calls:
            for headers in HOSTILE:
                answer = await call(client, method, path, headers)
                # 400 where the HTTP server itself refuses the field
                assert answer.status_code in {400, 403}, (method, path, headers)
        assert len(on.sandbox.guests) == 0 and on.sandbox.core.faults.current() == before[1]
        posted = await call(on.client, "POST", "/sandbox", {"Sec-Fetch-Site": "cross-site", **NAVIGATION})
        assert posted.status_code == 403


NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:{port}"},
        {"Host": "LOCALHOST:{port}"},
        {"Host": "[::1]:{port}"},
        {"Host": "localhost:{port}", "Origin": "http://localhost:{port}", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none", **NAVIGATION},
        {
            "Sec-Fetch-Site": "cross-site",
            **NAVIGATION,
        },  # a link to the page, which the other site cannot read
    ],
    ids=str,
)
async def test_the_developers_own_software_and_browser_are_served(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async with box(tmp_path) as on:
        for client, path in ((on.client, "/sandbox"), (on.client, "/sandbox/state"), (on.core, "/arrivals")):
            assert (await call(client, "GET", path, headers)).status_code == 200


async def test_the_core_and_the_gateway_still_meet_under_any_name(tmp_path: Path) -> None:
    """Only the routes for developers are kept: in a container the two have other names."""
    async with box(tmp_path) as on:
        assert (await call(on.core, "GET", "/health/live", {"Host": "core:8401"})).status_code == 200
        assert (await call(on.client, "GET", "/health/live", {"Host": "gateway:8400"})).status_code == 200


@pytest.mark.parametrize("url", LOOPBACK)
def test_a_guests_webhook_is_never_on_this_machine(url: str) -> None:
    with pytest.raises(RegistrationError, match=r"webhook_url: .*registration_token of sandbox\.json"):
        make_guest({"webhook_url": url}, 1, 0.0)
    assert make_guest({"webhook_url": url}, 1, 0.0, private_webhook=True).publisher.webhook == url
    assert private_problem(url)
    assert make_guest({"webhook_url": "https://lrm.example/told"}, 1, 0.0).publisher.webhook


async def test_the_token_of_sandbox_json_lets_the_developers_own_software_be_called(tmp_path: Path) -> None:
    async with box(tmp_path) as on, receiving() as receiver:
        wish = {"webhook_url": receiver.url}
        told = json.loads((tmp_path / "data" / "sandbox.json").read_text())
        for token in ("wrong", f"{told['registration_token']}x", "é"):
            headers = {b"Authorization": f"Bearer {token}".encode()}
            refused = await on.client.post("/oauth2/register", json=wish, headers=headers)
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")
        headers = {b"Authorization": f"Bearer {told['registration_token']}".encode()}
        guest = (await on.client.post("/oauth2/register", json=wish, headers=headers)).json()
        await on.send(on.document(guest["inbox_ids"][0]))

        async def came() -> int:
            return len(receiver.received)

        await until_told(came, bool)


class Hand:
    """Seconds that only a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def crowd(hand: Hand, count: int) -> Guests:
    made = Guests(hand)
    for number in range(count):
        made.add(make_guest({}, number, 0.0))
        hand.now += 1
    return made


def test_guests_are_bounded_and_the_one_idle_longest_goes() -> None:
    hand = Hand()
    made = crowd(hand, MOST)
    assert made.ended() == [] and made.wait() == IDLE - MOST
    made.seen("guest-0-client")
    hand.now = IDLE + 1
    (gone,) = made.ended()
    assert gone.publisher.id == "guest-1"
    made.remove(gone)
    assert made.wait() == 0 and made.ended() == []
    hand.now += DAY
    assert len(made.ended()) == MOST - 1
    assert crowd(Hand(), MOST - 1).wait() == 0
    made.seen("nobody")
    assert len(made) == MOST - 1


async def test_one_guest_too_many_gets_429_and_later_a_place(tmp_path: Path) -> None:
    hand = Hand()
    async with box(tmp_path) as on:
        on.sandbox.guests = Guests(hand, most=2)
        first = await registered(on)
        hand.now += 10
        second = await registered(on)
        full = await on.client.post("/oauth2/register", json={})
        assert (full.status_code, full.json()["error"]) == (429, "temporarily_unavailable")
        assert full.headers["Retry-After"] == "3590"
        await active(on, first)
        hand.now = IDLE + 10
        await active(on, first)
        await registered(on)  # the second has not called
        assert (await token_of(on, second)).status_code == 401
        assert (await token_of(on, first)).status_code == 200


async def active(on: Box, guest: dict[str, Any]) -> None:
    token = (await token_of(on, guest)).json()["access_token"]
    answer = await on.client.get("/v1/quota", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
