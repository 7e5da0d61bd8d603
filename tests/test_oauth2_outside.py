"""Access tokens of one outside issuer: whose keys verify them, and how often those are fetched."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.errors import NotAuthenticated, Refused, Unavailable
from gateway.oauth2 import Guard, OutsideKeys
from gateway.oauth2.jose import Key
from tests.oauth2_samples import (
    CORE_KEY,
    EC256,
    EC384,
    ISSUER,
    NOW,
    RSA,
    SIGNING,
    STRANGER,
    Clients,
    access_token,
    clients,
    key_set,
    signed,
)

OUTSIDE = "https://issuer.example/realm"
JWKS_URL = f"{OUTSIDE}/certs"
SCOPE = "message.send"


class Certs:
    """The outside issuer's JWK Set endpoint; `answer` may be changed."""

    def __init__(self, *keys: Key) -> None:
        self.answer: Callable[[], httpx.Response] = lambda: httpx.Response(200, json=key_set(*keys))
        self.fetches = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url == JWKS_URL
        self.fetches += 1
        await asyncio.sleep(0)
        return self.answer()

    def publish(self, *keys: Key) -> None:
        self.answer = lambda: httpx.Response(200, json=key_set(*keys))


def guard(certs: Certs, known: Clients | None = None) -> Guard:
    http = httpx.AsyncClient(transport=httpx.MockTransport(certs))
    outside = OutsideKeys(OUTSIDE, JWKS_URL, http, refetch_after=30, max_age=600)
    return Guard(ISSUER, SIGNING, (known or clients()).find, outside)


def token(key: Key = RSA, alg: str = "RS256", header: dict[str, Any] | None = None, **changed: Any) -> str:
    claims = {
        "iss": OUTSIDE,
        "aud": ISSUER,
        "sub": "service-account-7",
        "client_id": "lrm-1",
        "azp": "portal",
        "exp": NOW + 300,
        "iat": NOW,
        "jti": "outside-1",
        "scope": "message.send inbox.read profile",
    }
    kept = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    return signed(key, {"alg": alg, "kid": key.kid, "typ": "at+jwt", **(header or {})}, kept)


async def authenticate(judge: Guard, raw: str, now: float = NOW, scope: str = SCOPE) -> str:
    return (await judge.authenticate(f"Bearer {raw}", now, scope)).client_id


async def is_refused(judge: Guard, raw: str, now: float = NOW) -> None:
    with pytest.raises(NotAuthenticated, match="unauthenticated"):
        await authenticate(judge, raw, now)


@pytest.mark.parametrize(
    ("key", "alg"),
    [(EC256, "ES256"), (EC384, "ES384"), (RSA, "RS256"), (RSA, "RS384"), (RSA, "PS256")],
    ids=["ES256", "ES384", "RS256", "RS384", "PS256"],
)
async def test_a_token_of_the_outside_issuer_is_accepted(key: Key, alg: str) -> None:
    judge = guard(Certs(EC256, EC384, RSA))
    principal = await judge.authenticate(f"Bearer {token(key, alg)}", NOW, SCOPE)
    assert (principal.client_id, principal.scopes) == (
        "lrm-1",
        frozenset({"message.send", "inbox.read"}),
    )


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"])
async def test_the_type_of_rfc_9068_is_taken_in_each_notation(typ: str) -> None:
    assert await authenticate(guard(Certs(RSA)), token(header={"typ": typ})) == "lrm-1"


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "account"},
        {"aud": None},
        {"exp": NOW},
        {"exp": None},
        {"nbf": NOW + 61},
        {"client_id": "nobody"},
        {"client_id": 7},
        {"scope": 7},
        {"header": {"typ": "logout+jwt"}},
        {"header": {"kid": "unknown"}},
        {"key": CORE_KEY, "alg": "ES384"},
        {"key": STRANGER, "alg": "ES256"},
        {"iss": "https://another.example"},
    ],
    ids=str,
)
async def test_a_wrong_outside_token_is_refused(changed: dict[str, Any]) -> None:
    await is_refused(guard(Certs(RSA, EC256)), token(**changed))


async def test_an_outside_token_is_never_the_cores() -> None:
    judge = guard(Certs(RSA))
    await is_refused(judge, token(client_id="national-core", scope="core.deliver"))
    with pytest.raises(Refused):
        await authenticate(judge, token(scope="core.deliver"), scope="core.deliver")


async def test_neither_issuer_signs_for_the_other() -> None:
    judge = guard(Certs(RSA, EC256))
    await is_refused(judge, token(iss=ISSUER, header={"typ": "at+jwt"}))
    await is_refused(judge, token(EC256, "ES256", iss=ISSUER, header={"typ": "at+jwt"}))
    await is_refused(judge, access_token(iss=OUTSIDE))
    own_only = Guard(ISSUER, SIGNING, clients().find)
    await is_refused(own_only, token())


async def test_keys_are_fetched_once_for_many_tokens() -> None:
    certs = Certs(RSA)
    judge = guard(certs)
    await asyncio.gather(*(authenticate(judge, token(jti=str(n))) for n in range(20)))
    await authenticate(judge, token(), NOW + 299)
    assert certs.fetches == 1


async def test_a_flood_of_unknown_kids_is_one_fetch_a_window() -> None:
    certs = Certs(RSA)
    judge = guard(certs)
    for window in range(3):
        at = NOW + 30 * window
        await asyncio.gather(*(is_refused(judge, token(header={"kid": f"k{n}"}), at) for n in range(50)))
        await asyncio.gather(
            *(is_refused(judge, token(header={"kid": f"k{n}"}), at + 29.9) for n in range(50))
        )
        assert certs.fetches == window + 1
    await authenticate(judge, token())


async def test_a_new_key_is_found_at_the_next_fetch() -> None:
    certs = Certs(RSA)
    judge = guard(certs)
    await authenticate(judge, token())
    certs.publish(RSA, EC384)
    rotated = token(EC384, "ES384")
    await is_refused(judge, rotated, NOW + 29)
    assert await authenticate(judge, rotated, NOW + 30) == "lrm-1"
    assert certs.fetches == 2


async def test_a_withdrawn_key_is_gone_once_the_keys_are_old() -> None:
    certs = Certs(RSA)
    judge = guard(certs)
    await authenticate(judge, token())
    certs.publish(EC384)
    await authenticate(judge, token(exp=NOW + 3_600, jti="before"), NOW + 599)
    await is_refused(judge, token(exp=NOW + 3_600, jti="after"), NOW + 600)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503, json=key_set(RSA)),
        httpx.Response(302, headers={"location": "https://evil.example"}),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"keys": []}),
        httpx.Response(200, json={**key_set(RSA), "padding": "x" * 262_144}),
    ],
    ids=["503", "302", "html", "list", "empty", "huge"],
)
async def test_while_no_keys_were_ever_had_the_answer_is_unavailable(answer: httpx.Response) -> None:
    certs = Certs(RSA)
    certs.answer = lambda: answer
    judge = guard(certs)
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            await authenticate(judge, token())
        assert caught.value.status == 503
        assert caught.value.headers == {"Retry-After": "30"}
    assert certs.fetches == 1
    certs.publish(RSA)
    await authenticate(judge, token(), NOW + 30)


def away() -> httpx.Response:
    raise httpx.ConnectError("away")


@pytest.mark.parametrize(
    "answer", [away, lambda: httpx.Response(200, json={"keys": []})], ids=["away", "empty"]
)
async def test_old_keys_serve_while_the_issuer_has_none(answer: Callable[[], httpx.Response]) -> None:
    certs = Certs(RSA)
    judge = guard(certs)
    await authenticate(judge, token())
    certs.answer = answer
    long = token(exp=NOW + 3_600)
    assert await authenticate(judge, long, NOW + 1_000) == "lrm-1"
    assert certs.fetches == 2


async def test_old_keys_serve_while_new_ones_are_fetched() -> None:
    released = asyncio.Event()

    async def slow(_: httpx.Request) -> httpx.Response:
        fetches.append(1)
        if len(fetches) > 1:
            await released.wait()
        return httpx.Response(200, json=key_set(RSA))

    fetches: list[int] = []
    http = httpx.AsyncClient(transport=httpx.MockTransport(slow))
    judge = Guard(ISSUER, SIGNING, clients().find, OutsideKeys(OUTSIDE, JWKS_URL, http))
    await authenticate(judge, token())
    first = asyncio.create_task(authenticate(judge, token(exp=NOW + 3_600, jti="a"), NOW + 1_000))
    await asyncio.sleep(0.01)
    assert await authenticate(judge, token(exp=NOW + 3_600, jti="b"), NOW + 1_000) == "lrm-1"
    assert not first.done()
    released.set()
    assert await first == "lrm-1"


async def test_a_caller_that_goes_away_leaves_the_window_open() -> None:
    never = asyncio.Event()

    async def stuck(_: httpx.Request) -> httpx.Response:
        fetches.append(1)
        if len(fetches) == 1:
            await never.wait()
        return httpx.Response(200, json=key_set(RSA))

    fetches: list[int] = []
    http = httpx.AsyncClient(transport=httpx.MockTransport(stuck))
    judge = Guard(ISSUER, SIGNING, clients().find, OutsideKeys(OUTSIDE, JWKS_URL, http))
    gone = asyncio.create_task(authenticate(judge, token()))
    await asyncio.sleep(0.01)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await authenticate(judge, token()) == "lrm-1"
