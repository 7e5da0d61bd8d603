"""Guessing at the token endpoint: failures are bounded for each client and address, and lock nobody else out."""

import asyncio
import io
import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from gateway.callers import caller, network_of, networks
from gateway.oauth2 import AuthorizationService, routes
from gateway.oauth2.failures import BURST, SECONDS, Failures
from gateway.observability import METRICS
from tests.oauth2_samples import (
    CORE_KEY,
    ISSUER,
    NOW,
    SECRET,
    STRANGER,
    access_token,
    assertion,
    assertion_form,
    service,
)

GRANT = {"grant_type": "client_credentials"}
HERE, THERE = "192.0.2.1", "192.0.2.2"


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def face(of: AuthorizationService, peer: str = HERE) -> httpx.AsyncClient:
    """A client at an address."""
    app = Starlette(routes=routes(of))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(peer, 4_711)), base_url=ISSUER)


async def ask(
    of: AuthorizationService, secret: str, client_id: str = "lrm-1", peer: str = HERE, **headers: str
) -> httpx.Response:
    async with face(of, peer) as http:
        return await http.post("/oauth2/token", data=GRANT, auth=(client_id, secret), headers=headers)


async def sign(of: AuthorizationService, peer: str = HERE, **changed: Any) -> httpx.Response:
    async with face(of, peer) as http:
        return await http.post("/oauth2/token", data=assertion_form(assertion(**changed)))


async def exhaust(of: AuthorizationService, client_id: str = "lrm-1", peer: str = HERE) -> None:
    answers = [await ask(of, f"guess-{number}", client_id, peer) for number in range(BURST)]
    assert [one.status_code for one in answers] == [401] * BURST


async def test_after_twenty_failures_the_next_is_429_until_it_has_waited() -> None:
    assert BURST == 20
    clock = Clock()
    of = service(now=clock)
    await exhaust(of)
    refused = await ask(of, "guess")
    assert (refused.status_code, refused.json()["error"]) == (429, "temporarily_unavailable")
    assert refused.headers["Retry-After"] == "3" and refused.headers["Cache-Control"] == "no-store"
    assert "www-authenticate" not in refused.headers
    clock.now += float(refused.headers["Retry-After"])
    assert (await ask(of, "guess")).status_code == 401
    assert (await ask(of, "guess")).status_code == 429


async def test_the_right_secret_is_not_looked_at_until_the_wait_is_over() -> None:
    """Else the answers would still tell a guesser which one it is."""
    clock = Clock()
    of = service(now=clock)
    await exhaust(of)
    assert (await ask(of, SECRET)).status_code == 429
    clock.now += SECONDS
    assert (await ask(of, SECRET)).status_code == 200


async def test_another_address_is_never_refused() -> None:
    of = service()
    await exhaust(of)
    assert (await ask(of, SECRET, peer=THERE)).status_code == 200
    assert (await sign(of, THERE)).status_code == 200
    assert (await ask(of, "guess", peer=THERE)).status_code == 401


async def test_another_client_at_the_same_address_is_never_refused() -> None:
    """All centres may come through one proxy."""
    of = service()
    for number in range(5):
        await exhaust(of, f"nobody-{number}")
    await exhaust(of)
    assert (await ask(of, SECRET, "lrm-2")).status_code == 200


async def test_an_assertion_is_looked_at_whatever_failed_before_from_its_address() -> None:
    """Nobody guesses a signature; a publisher that signs is not locked out by who shares its proxy."""
    of = service()
    await exhaust(of)
    assert (await sign(of)).status_code == 200
    forged = await sign(of, key=STRANGER)
    assert (forged.status_code, forged.json()["error"]) == (429, "temporarily_unavailable")


async def test_forged_assertions_are_counted_too() -> None:
    of = service()
    answers = [(await sign(of, key=STRANGER)).status_code for _ in range(BURST + 1)]
    assert answers == [400] * BURST + [429]
    assert (await ask(of, SECRET)).status_code == 429


async def test_what_the_client_itself_signed_is_no_guess() -> None:
    """It is told what is wrong with it, however often, and keeps nobody out."""
    of = service()
    for _ in range(2 * BURST):
        late = await sign(of, exp=NOW - 600)
        assert (late.status_code, late.json()["error"]) == (400, "invalid_client")
        assert "the token has expired" in late.text
    assert (await ask(of, SECRET)).status_code == 200
    await exhaust(of)
    assert "the token has expired" in (await sign(of, exp=NOW - 600)).text


async def test_successes_do_not_count() -> None:
    of = service()
    assert {(await ask(of, SECRET)).status_code for _ in range(3 * BURST)} == {200}


async def test_revoking_is_no_way_round_the_limit() -> None:
    of = service()
    async with face(of) as http:
        form = {"token": access_token()}
        answers = [
            (await http.post("/oauth2/revoke", data=form, auth=("lrm-1", "guess"))) for _ in range(BURST + 1)
        ]
    assert [one.status_code for one in answers] == [401] * BURST + [429]
    assert answers[-1].headers["Retry-After"]
    assert (await ask(of, SECRET)).status_code == 429


async def test_a_client_that_nobody_has_is_answered_like_any_other() -> None:
    """The limit says nothing about which client ids exist."""
    of = service()
    known = [await ask(of, f"guess-{number}", "lrm-1") for number in range(BURST + 5)]
    unknown = [await ask(of, f"guess-{number}", "nobody") for number in range(BURST + 5)]
    assert [(one.status_code, one.text) for one in known] == [(one.status_code, one.text) for one in unknown]


async def test_a_secret_in_the_form_is_counted_like_one_in_the_header() -> None:
    of = service()
    async with face(of) as http:
        form = {**GRANT, "client_id": "lrm-1"}
        answers = [
            await http.post("/oauth2/token", data={**form, "client_secret": str(number)})
            for number in range(BURST + 1)
        ]
        assert [one.status_code for one in answers] == [401] * BURST + [429]
        assert (await http.post("/oauth2/token", data={**form, "client_secret": SECRET})).status_code == 429


async def test_a_request_that_names_nobody_blocks_nobody() -> None:
    of = service()
    async with face(of) as http:
        for _ in range(3 * BURST):
            assert (await http.post("/oauth2/token", data=GRANT)).status_code == 401
            broken = await http.post("/oauth2/token", data=GRANT, headers={"Authorization": "Basic !"})
            assert broken.status_code == 401
    assert len(of.failures) == 0


# what is remembered


def test_what_is_remembered_is_bounded_whoever_guesses() -> None:
    failures = Failures(most=100)
    for number in range(10_000):
        failures.add("x" * 10_000 + str(number), HERE, NOW)
    assert len(failures) == 100


def test_what_is_over_is_forgotten() -> None:
    failures = Failures()
    for number in range(1_000):
        failures.add(str(number), HERE, NOW)
    for number in range(1_000):
        failures.add("late", HERE, NOW + 3_600 + number * 3_600)
    assert len(failures) <= 2


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from([HERE, THERE]), st.floats(0, 30, width=32)),
        max_size=200,
    )
)
def test_a_pair_never_fails_more_often_than_the_bucket_says(
    attempts: list[tuple[str, str, float]],
) -> None:
    """Against a bucket counted in the simplest way, for each pair alone."""
    failures, full, at, now = Failures(), dict[Any, float](), dict[Any, float](), NOW
    for client, address, pause in attempts:
        now += pause / 10
        pair = client, address
        left = min(float(BURST), full.get(pair, BURST) + (now - at.get(pair, now)) / SECONDS)
        wait = failures.wait(client, address, now)
        assert (wait > 0) == (left < 1) or abs(left - 1) < 1e-3
        if not wait:
            failures.add(client, address, now)
            left -= 1
        full[pair], at[pair] = left, now


def test_one_host_of_ipv6_has_one_address() -> None:
    """It may choose any of its network's 2^64."""
    failures = Failures()
    for number in range(BURST):
        failures.add("lrm-1", f"2001:db8:1:2::{number:x}", NOW)
    assert failures.wait("lrm-1", "2001:db8:1:2:ffff::1", NOW) > 0
    assert failures.wait("lrm-1", "2001:db8:1:3::1", NOW) == 0
    assert network_of(HERE) == HERE


# whose address it is


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.7", ["198.51.100.9"], "192.0.2.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.9"], "198.51.100.9"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.9"], "198.51.100.9"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.9"], "198.51.100.9"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.9, 10.0.0.2"], "198.51.100.9"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.9:1234"], "198.51.100.9"),
        ("10.0.0.1", ["[2001:db8::1]:1234"], "2001:db8::1"),
        ("10.0.0.1", ["::ffff:198.51.100.9"], "198.51.100.9"),
        ("::ffff:10.0.0.1", ["198.51.100.9"], "198.51.100.9"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.9, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["", ", ,"], "10.0.0.1"),
        ("10.0.0.1", ["\xff" * 9_000], "10.0.0.1"),
        (None, ["198.51.100.9"], ""),
    ],
)
def test_only_a_trusted_proxy_names_the_caller(peer: str | None, forwarded: list[str], expected: str) -> None:
    scope = {
        "type": "http",
        "client": (peer, 1) if peer else None,
        "headers": [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded],
    }
    assert caller(scope, networks("10.0.0.0/8")) == expected


async def test_behind_a_trusted_proxy_callers_are_counted_apart() -> None:
    of = service(trusted_proxies=networks("10.0.0.1"))
    for _ in range(BURST):
        await ask(of, "guess", peer="10.0.0.1", **{"X-Forwarded-For": "6.6.6.6, 198.51.100.9"})
    told = [
        (await ask(of, SECRET, peer="10.0.0.1", **{"X-Forwarded-For": address})).status_code
        for address in ("198.51.100.9", "1.1.1.1, 198.51.100.9", "198.51.100.8")
    ]
    assert told == [429, 429, 200]


async def test_nobody_else_chooses_its_address_by_a_header() -> None:
    of = service(trusted_proxies=networks("10.0.0.1"))
    for number in range(BURST):
        await ask(of, "guess", **{"X-Forwarded-For": f"198.51.100.{number}"})
    assert (await ask(of, "guess", **{"X-Forwarded-For": "1.1.1.1"})).status_code == 429


# what the operator sees


def counted(client: str, result: str) -> float:
    labels = {"client": client, "result": result}
    return METRICS.get_sample_value("gateway_token_failures_total", labels) or 0.0


async def test_failures_are_logged_with_client_and_address_and_counted(lines: io.BytesIO) -> None:
    before = [counted("lrm-1", "refused"), counted("lrm-1", "blocked"), counted("", "refused")]
    of = service()
    await exhaust(of)
    await asyncio.gather(*(ask(of, "guess") for _ in range(7)))
    await ask(of, "guess", "nobody")
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    failed = [line for line in told if line["event"] == "client_authentication_failed"]
    assert [(line["client"], line["address"]) for line in failed] == [
        *[("lrm-1", HERE)] * BURST,
        ("nobody", HERE),
    ]
    blocked = [line for line in told if line["event"] == "client_authentication_blocked"]
    assert [(line["client"], line["address"]) for line in blocked] == [("lrm-1", HERE)]
    after = [counted("lrm-1", "refused"), counted("lrm-1", "blocked"), counted("", "refused")]
    assert [b - a for a, b in zip(before, after, strict=True)] == [BURST, 7, 1]


async def test_no_credential_reaches_the_log(lines: io.BytesIO) -> None:
    """A secret in the place of the id either: it is a common slip."""
    of = service()
    await ask(of, "wrong-and-confidential")
    await ask(of, "lrm-1", SECRET * 2)
    forged = assertion(STRANGER)
    async with face(of) as http:
        await http.post("/oauth2/token", data=assertion_form(forged))
        await http.post("/oauth2/token", data={**GRANT, "client_id": "lrm-1", "client_secret": "in-the-form"})
    await sign(of, key=CORE_KEY, alg="ES384")
    logged = lines.getvalue().decode()
    assert logged.count("client_authentication_failed") == 5
    for secret in ("wrong-and-confidential", SECRET, forged, forged.split(".")[2], "in-the-form"):
        assert secret not in logged
