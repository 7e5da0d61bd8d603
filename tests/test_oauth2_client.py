"""The gateway's own assertions and tokens towards the core."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from gateway.errors import ConfigurationError, CoreOutage
from gateway.oauth2 import TokenSource, client_assertion, generate_signing_keys, jose, load_private_key
from gateway.oauth2.tokens import load_signing_keys
from tests.oauth2_samples import (
    CORE_KEY,
    EC256,
    EC384,
    ISSUER,
    NOW,
    RSA,
    SIGNING,
    TOKEN_URL,
    browser,
    key_set,
    service,
)
from tests.patience import GIVE_UP


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (EC256, "ES256"),
        (EC384, "ES384"),
        (RSA, "RS256"),
        (RSAKey.import_key({**RSA.as_dict(private=True), "alg": "PS256"}), "PS256"),
    ],
    ids=["P-256", "P-384", "RSA", "RSA with alg"],
)
def test_an_assertion_is_what_rfc_7523_wants(key: jose.Key, alg: str) -> None:
    token = jose.parse(client_assertion(key, "gateway", TOKEN_URL, NOW + 0.9))
    found = jose.find_key(token, jose.public_keys(key_set(key)))
    assert found is not None
    jose.verify(token, found)
    assert (token.algorithm, token.key_id) == (alg, key.kid)
    assert len(token.claims.pop("jti")) >= 32
    assert token.claims == {
        "iss": "gateway",
        "sub": "gateway",
        "aud": TOKEN_URL,
        "exp": NOW + 120,
        "iat": NOW,
    }


def test_no_two_assertions_are_alike() -> None:
    made = {jose.parse(client_assertion(EC256, "g", TOKEN_URL, NOW)).claims["jti"] for _ in range(100)}
    assert len(made) == 100


class Clock:
    """A clock that tests turn."""

    now = NOW

    def __call__(self) -> float:
        return self.now


class Issuer:
    """The core's token endpoint; `answer` may be changed."""

    def __init__(self, **facts: Any) -> None:
        self.asked: list[httpx.Request] = []
        self.answer: Callable[[], httpx.Response] = lambda: self.give(**facts)

    def give(self, **facts: Any) -> httpx.Response:
        body = {
            "access_token": f"token-{len(self.asked)}",
            "token_type": "Bearer",
            "expires_in": 600,
            **facts,
        }
        return httpx.Response(200, json={name: value for name, value in body.items() if value is not None})

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        await asyncio.sleep(0)
        return self.answer()


def source(issuer: Issuer, clock: Clock, scope: str = "") -> TokenSource:
    http = httpx.AsyncClient(transport=httpx.MockTransport(issuer))
    return TokenSource(http, TOKEN_URL, EC256, "gateway", scope, clock)


async def test_the_token_endpoint_of_this_house_is_content_with_it() -> None:
    async with browser(service()) as http:
        get = TokenSource(http, TOKEN_URL, CORE_KEY, "national-core", "core.deliver", lambda: NOW)
        claims = jose.parse(await get()).claims
    assert (claims["iss"], claims["client_id"], claims["scope"]) == (ISSUER, "national-core", "core.deliver")


async def test_one_token_serves_all_until_a_minute_before_its_end() -> None:
    issuer, clock = Issuer(), Clock()
    get = source(issuer, clock)
    assert set(await asyncio.gather(*(get() for _ in range(20)))) == {"token-1"}
    clock.now = NOW + 539.9
    assert await get() == "token-1"
    clock.now = NOW + 540
    assert set(await asyncio.gather(*(get() for _ in range(20)))) <= {"token-1", "token-2"}
    assert await get() == "token-2"
    assert len(issuer.asked) == 2
    forms = [dict(httpx.QueryParams(request.content.decode())) for request in issuer.asked]
    assert forms[0]["grant_type"] == "client_credentials"
    assert "scope" not in forms[0]
    assert forms[0]["client_assertion"] != forms[1]["client_assertion"]


async def test_the_old_token_serves_while_a_new_one_is_fetched() -> None:
    released = asyncio.Event()

    async def slow(_: httpx.Request) -> httpx.Response:
        fetches.append(1)
        if len(fetches) > 1:
            await released.wait()
        body = {"access_token": f"token-{len(fetches)}", "token_type": "Bearer", "expires_in": 600}
        return httpx.Response(200, json=body)

    fetches: list[int] = []
    clock = Clock()
    http = httpx.AsyncClient(transport=httpx.MockTransport(slow))
    get = TokenSource(http, TOKEN_URL, EC256, "gateway", "", clock)
    await get()
    clock.now = NOW + 550
    renewing = asyncio.create_task(get())
    await asyncio.sleep(0.01)
    assert await asyncio.wait_for(get(), GIVE_UP) == "token-1"
    released.set()
    assert await renewing == "token-2"


async def test_a_short_token_is_renewed_at_half_its_life() -> None:
    issuer, clock = Issuer(expires_in=60), Clock()
    get = source(issuer, clock)
    await get()
    clock.now = NOW + 29.9
    assert await get() == "token-1"
    clock.now = NOW + 30
    assert await get() == "token-2"


async def test_a_token_of_unknown_life_counts_as_good_for_five_minutes() -> None:
    issuer, clock = Issuer(expires_in=None), Clock()
    get = source(issuer, clock)
    await get()
    clock.now = NOW + 239
    assert await get() == "token-1"
    clock.now = NOW + 240
    assert await get() == "token-2"


async def test_a_forgotten_token_is_asked_for_again() -> None:
    issuer = Issuer()
    get = source(issuer, Clock())
    await get()
    get.forget()
    assert await get() == "token-2"


async def test_the_old_token_serves_while_the_renewal_fails() -> None:
    issuer, clock = Issuer(), Clock()
    get = source(issuer, clock)
    await get()
    issuer.answer = lambda: httpx.Response(503)
    clock.now = NOW + 550
    assert [await get() for _ in range(5)] == ["token-1"] * 5
    assert len(issuer.asked) == 2  # not at every call
    clock.now = NOW + 555
    assert await get() == "token-1"
    assert len(issuer.asked) == 3
    clock.now = NOW + 600
    with pytest.raises(CoreOutage):
        await get()
    issuer.answer = issuer.give
    assert await get() == "token-5"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, json={"error": "invalid_client"}),
        httpx.Response(500),
        httpx.Response(302, headers={"location": "/"}),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"access_token": "x"}),
        httpx.Response(200, json={"access_token": 7, "token_type": "Bearer"}),
        httpx.Response(200, json={"access_token": "é", "token_type": "Bearer"}),
        httpx.Response(200, json={"access_token": "x", "token_type": "mac"}),
        httpx.Response(200, json={"access_token": "x", "token_type": None}),
        httpx.Response(200, json={"access_token": "x", "token_type": "Bearer", "expires_in": "soon"}),
        httpx.Response(200, json={"access_token": "x", "token_type": "Bearer", "expires_in": -1}),
    ],
    ids=lambda answer: f"{answer.status_code} {answer.text}",
)
async def test_any_other_answer_is_an_outage(answer: httpx.Response) -> None:
    issuer = Issuer()
    issuer.answer = lambda: answer
    with pytest.raises(CoreOutage, match="token endpoint"):
        await source(issuer, Clock())()


async def test_no_answer_is_an_outage() -> None:
    def away() -> httpx.Response:
        raise httpx.ConnectTimeout("away")

    issuer = Issuer()
    issuer.answer = away
    with pytest.raises(CoreOutage, match="ConnectTimeout"):
        await source(issuer, Clock())()


@pytest.mark.parametrize(
    ("asked", "wait"), [("17", 17), ("9" * 400, 3_600), ("soon", None)], ids=["17", "long", "soon"]
)
async def test_the_endpoint_says_when_to_come_back(asked: str, wait: float | None) -> None:
    issuer = Issuer()
    issuer.answer = lambda: httpx.Response(503, headers={"Retry-After": asked})
    with pytest.raises(CoreOutage) as caught:
        await source(issuer, Clock())()
    assert caught.value.retry_after == wait


def test_a_private_key_is_loaded_from_json() -> None:
    for jwk in (EC384, RSA):
        whole = dict(jwk.as_dict(private=True))
        for document in (whole, [whole], {"keys": [whole]}):
            assert load_private_key(orjson.dumps(document)).kid == jwk.kid


def test_keys_without_kid_get_their_thumbprint() -> None:
    bare = {name: value for name, value in EC256.as_dict(private=True).items() if name != "kid"}
    assert load_private_key(orjson.dumps(bare)).kid == EC256.thumbprint()


PRIVATE = dict(EC256.as_dict(private=True))


@pytest.mark.parametrize(
    "document",
    [
        "",
        "not json",
        "7",
        "[]",
        "[7]",
        '{"keys": []}',
        '{"keys": 7}',
        orjson.dumps(key_set(EC256)),
        orjson.dumps(dict(OctKey.generate_key(256).as_dict(private=True))),
        orjson.dumps(dict(ECKey.generate_key("P-521").as_dict(private=True))),
        orjson.dumps({**PRIVATE, "d": "not a number"}),
        orjson.dumps({**PRIVATE, "d": None}),
        orjson.dumps({**PRIVATE, "x": PRIVATE["y"]}),
    ],
    ids=str,
)
@pytest.mark.parametrize("load", [load_private_key, load_signing_keys])
def test_a_wrong_key_document_is_a_configuration_error(
    load: Callable[[Any], Any], document: str | bytes
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(document)
    assert str(PRIVATE["d"]) not in str(caught.value)


def test_signing_keys_are_on_p_256_and_told_apart() -> None:
    twice = [dict(SIGNING.keys[0].as_dict(private=True))] * 2
    with pytest.raises(ConfigurationError, match="same kid"):
        load_signing_keys(orjson.dumps(twice))
    for other in (EC384, RSA):
        with pytest.raises(ConfigurationError, match="key 2: a private EC key on P-256"):
            load_signing_keys(orjson.dumps([twice[0], dict(other.as_dict(private=True))]))
    assert len(generate_signing_keys(3).keys) == 3


def test_no_private_key_shows_in_a_repr() -> None:
    assert "keys" not in repr(SIGNING)
