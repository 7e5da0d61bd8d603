"""An outside issuer's tokens: those of RFC 9068 alone, never a person's, and what is revoked stays so."""

from typing import Any

import httpx
import pytest

from gateway.errors import NotAuthenticated
from gateway.oauth2 import Guard, OutsideKeys, tokens
from gateway.oauth2.jose import parse
from tests.oauth2_samples import (
    ISSUER,
    NOW,
    RSA,
    SECRET,
    SIGNING,
    STRANGER,
    Revoked,
    access_token,
    browser,
    clients,
    service,
    signed,
)
from tests.test_oauth2_outside import JWKS_URL, OUTSIDE, Certs, authenticate, away, guard, token


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"client_id": None, "sub": "lrm-1"}, "the claim client_id is missing"),
        ({"client_id": None, "azp": "lrm-1"}, "the claim client_id is missing"),
        ({"client_id": ""}, "the claim client_id is missing"),
        ({"sub": None}, "the claim sub is missing"),
        ({"jti": None}, "the claim jti is missing"),
        ({"iat": None}, "iat and exp are needed"),
        ({"header": {"typ": ""}}, "not an access token of typ at[+]jwt"),
        ({"header": {"typ": "JWT"}}, "not an access token of typ at[+]jwt"),
        ({"header": {"typ": "JWT"}, "nonce": "n", "aud": ISSUER}, "not an access token of typ at[+]jwt"),
        ({"header": {"typ": "id_token"}}, "not an access token of typ at[+]jwt"),
        ({"exp": NOW + 3_661}, "lives longer than 3600 seconds"),
        ({"exp": NOW + 86_400 * 365}, "lives longer than 3600 seconds"),
        ({"iat": NOW - 86_400}, "lives longer than 3600 seconds"),
    ],
    ids=str,
)
async def test_what_is_no_access_token_of_rfc_9068_is_refused(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        await authenticate(guard(Certs(RSA)), token(**changed))
    assert refused.match("unauthenticated")
    text = refused.value.issues[0].diagnostics
    assert reason.replace("[+]", "+") in text


async def test_a_token_without_type_is_refused() -> None:
    bare = signed(RSA, {"alg": "RS256", "kid": RSA.kid}, parse(token()).claims)
    with pytest.raises(NotAuthenticated):
        await authenticate(guard(Certs(RSA)), bare)


async def revoke(certs: Certs, raw: str, kept: Revoked, client_id: str = "lrm-1") -> httpx.Response:
    http = httpx.AsyncClient(transport=httpx.MockTransport(certs))
    of = service(outside=OutsideKeys(OUTSIDE, JWKS_URL, http), revoke=kept.revoke)
    async with browser(of) as client:
        return await client.post("/oauth2/revoke", data={"token": raw}, auth=(client_id, SECRET))


async def test_revoking_it_works() -> None:
    kept, judge, raw, other = Revoked(), guard(Certs(RSA)), token(), token(jti="another")
    await authenticate(judge, raw)
    answer = await revoke(Certs(RSA), raw, kept)
    assert (answer.status_code, answer.content) == (200, b"")
    judge.revoke_all(kept.kept.items())
    with pytest.raises(NotAuthenticated):
        await authenticate(judge, raw)
    await authenticate(judge, other)
    fresh = guard(Certs(RSA))
    fresh.revoke_all(kept.kept.items())  # a replica that has never seen it
    with pytest.raises(NotAuthenticated):
        await authenticate(fresh, raw)


async def test_it_is_revoked_by_its_own_client_alone() -> None:
    kept = Revoked()
    answer = await revoke(Certs(RSA), token(), kept, "lrm-2")
    assert (answer.status_code, answer.json()["error"], kept.kept) == (400, "invalid_grant", {})


async def test_while_its_issuer_cannot_be_reached_the_answer_says_that_it_is_still_good() -> None:
    certs, kept = Certs(RSA), Revoked()
    certs.answer = away
    answer = await revoke(certs, token(), kept)
    assert (answer.status_code, answer.json()["error"], kept.kept) == (503, "temporarily_unavailable", {})
    assert "still good" in answer.json()["error_description"] and answer.headers["Retry-After"]


@pytest.mark.parametrize(
    "changed", [{"key": STRANGER, "alg": "ES256"}, {"header": {"typ": "JWT"}}, {"exp": NOW}]
)
async def test_what_is_no_good_token_is_200(changed: dict[str, Any]) -> None:
    kept = Revoked()
    answer = await revoke(Certs(RSA), token(**changed), kept)
    assert (answer.status_code, kept.kept) == (200, {})


async def test_its_jti_revokes_no_token_of_the_gateways_own() -> None:
    kept, own = Revoked(), access_token(jti="same")
    await revoke(Certs(RSA), token(jti="same"), kept)
    judge = Guard(ISSUER, SIGNING, clients().find)
    judge.revoke_all(kept.kept.items())
    assert await authenticate(judge, own) == "lrm-1"
    assert tokens.revocation_key(parse(own), ISSUER) == "same"
