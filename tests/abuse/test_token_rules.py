"""The token endpoint tells guessers nothing by the work it does, and takes no assertion that RFC 7523 would not."""

from typing import Any

import httpx
import pytest

from gateway.oauth2 import Guard
from tests.abuse.effort import instructions
from tests.oauth2_samples import (
    CLIENT_KEYS,
    EC256,
    EC384,
    ISSUER,
    NOW,
    RSA,
    SECRET,
    SIGNING,
    STRANGER,
    TOKEN_URL,
    Clients,
    access_token,
    assertion,
    assertion_form,
    browser,
    clients,
    publisher,
    service,
)
from tests.test_oauth2_token import check_error, post

GRANT = {"grant_type": "client_credentials"}


async def effort(of: Any, **request: Any) -> int:
    """Of a refused token request, once everything was done before."""
    async with browser(of) as http:

        async def refused() -> None:
            assert (await http.post("/oauth2/token", **request)).status_code in (400, 401)

        await refused()
        return await instructions(refused)


@pytest.mark.parametrize(("key", "alg"), [(EC256, "ES256"), (EC384, "ES384"), (RSA, "RS256"), (RSA, "PS256")])
async def test_a_client_that_nobody_has_is_as_much_work_by_assertion(key: Any, alg: str) -> None:
    """A signature is verified for it too: without that, the answer came in two thirds of the time."""
    forger = type(key).generate_key(
        2_048 if alg[1] == "S" and key is RSA else key.curve_name, {"kid": key.kid}
    )
    told = {
        name: await effort(
            service(), data=assertion_form(assertion(forger, alg, iss=name, sub=name, jti="j"))
        )
        for name in ("lrm-1", "lrm-x")
    }
    assert told["lrm-x"] == pytest.approx(told["lrm-1"], rel=0.03)


async def test_a_client_that_nobody_has_is_as_much_work_by_secret() -> None:
    suspended = service(find_client=Clients().add(publisher(status="suspended")).find)
    without = service(find_client=Clients().add(publisher(secret_sha256="")).find)
    told = [await effort(of, data=GRANT, auth=("lrm-1", "wrong")) for of in (service(), suspended, without)]
    told.append(await effort(service(), data=GRANT, auth=("lrm-x", "wrong")))
    assert told == pytest.approx([told[0]] * 4, rel=0.03)


async def test_revoked_tokens_cost_a_new_one_nothing() -> None:
    async def new_token(revoked: int) -> int:
        judge = Guard(ISSUER, SIGNING, clients().find)
        judge.revoke_all((f"gone-{number}", NOW + 600) for number in range(revoked))
        await judge.authenticate(f"Bearer {access_token()}", NOW, "")
        header = f"Bearer {access_token()}"
        return await instructions(lambda: judge.authenticate(header, NOW, ""))

    assert await new_token(20_000) == pytest.approx(await new_token(1), rel=0.05)


async def test_revoked_tokens_are_forgotten_when_they_have_expired() -> None:
    judge = Guard(ISSUER, SIGNING, clients().find)
    for _ in range(3):  # replicas tell the same again and again
        judge.revoke_all((f"gone-{number}", NOW + number) for number in range(1_000))
    await judge.authenticate(f"Bearer {access_token()}", NOW + 499, "")
    assert len(judge._revoked) == len(judge._revoked_until) == 500


@pytest.mark.parametrize("aud", [[ISSUER], [TOKEN_URL, ISSUER], TOKEN_URL])
async def test_an_audience_of_ours_alone_is_taken(aud: Any) -> None:
    assert (await post(data=assertion_form(assertion(aud=aud)))).status_code == 200


@pytest.mark.parametrize(
    "aud",
    [
        [ISSUER, "https://other.example"],
        ["https://other.example", TOKEN_URL],
        [ISSUER, 7],
        [ISSUER, [ISSUER]],
    ],
)
async def test_an_audience_with_a_foreign_member_is_refused(aud: Any) -> None:
    refused = await post(data=assertion_form(assertion(aud=aud)))
    check_error(refused, "invalid_client")
    assert "aud must name this server and no other" in refused.text


@pytest.mark.parametrize(
    ("ago", "status"), [(0, 200), (300, 200), (360, 200), (361, 400), (11 * 86_400, 400)]
)
async def test_an_assertion_that_was_issued_long_ago_is_refused(ago: int, status: int) -> None:
    assert (await post(data=assertion_form(assertion(iat=NOW - ago)))).status_code == status


@pytest.mark.parametrize("more", [{"client_secret": SECRET}, {"client_secret": SECRET, "client_id": "lrm-1"}])
async def test_a_secret_beside_an_assertion_is_refused(more: dict[str, str]) -> None:
    """RFC 6749, section 2.3: one way of authentication a request."""
    check_error(await post(data=assertion_form(assertion(), **more)), "invalid_request")


async def test_a_secret_in_the_form_gets_a_token() -> None:
    form = {**GRANT, "client_id": "lrm-1", "client_secret": SECRET}
    assert (await post(data=form)).status_code == 200
    check_error(await post(data={**form, "client_secret": "wrong"}), "invalid_client", 401)
    check_error(await post(data={**form, "client_id": "nobody"}), "invalid_client", 401)
    check_error(await post(data={**GRANT, "client_secret": SECRET}), "invalid_client", 401)
    check_error(await post(data={**form, "client_secret": ""}), "invalid_client", 401)
    check_error(await post(data=form, auth=("lrm-1", SECRET)), "invalid_request")
    keys_only = service(find_client=Clients().add(publisher(secret_sha256="", jwks=CLIENT_KEYS)).find)
    check_error(await post(keys_only, data=form), "invalid_client", 401)
    async with browser(service()) as http:
        revoked = await http.post(
            "/oauth2/revoke", data={"token": access_token(), "client_id": "lrm-1", "client_secret": SECRET}
        )
    assert revoked.status_code == 200


async def test_the_metadata_says_so() -> None:
    async with browser(service()) as http:
        for path in ("/.well-known/oauth-authorization-server", "/.well-known/smart-configuration"):
            told: httpx.Response = await http.get(path)
            for endpoint in ("token", "revocation"):
                assert "client_secret_post" in told.json()[f"{endpoint}_endpoint_auth_methods_supported"]


async def test_an_empty_secret_opens_nothing_whatever_is_registered() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    of = service(find_client=Clients().add(publisher(secret_sha256=empty)).find)
    check_error(await post(of, data=GRANT, auth=("lrm-1", "")), "invalid_client", 401)


def test_a_stranger_is_really_one() -> None:
    assert STRANGER.kid == EC256.kid and STRANGER.as_dict(private=False) != EC256.as_dict(private=False)
