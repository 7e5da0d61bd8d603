"""The revocation endpoint (RFC 7009)."""

from typing import Any

import httpx
import pytest

from gateway.oauth2 import AuthorizationService
from gateway.oauth2.server import AUTHENTICATION_METHODS
from gateway.store.batches import unavailable
from tests.oauth2_samples import (
    CORE_KEY,
    ISSUER,
    NOW,
    SECRET,
    STRANGER,
    Clients,
    JtiStore,
    Revoked,
    access_token,
    assertion,
    assertion_form,
    browser,
    publisher,
    service,
)

BASIC = ("lrm-1", SECRET)


async def revoke(
    of: AuthorizationService, token: str, auth: tuple[str, str] | None = BASIC, **form: Any
) -> httpx.Response:
    """Hand a token back."""
    data = {"token": token, **form}
    async with browser(of) as client:
        return await client.post("/oauth2/revoke", data=data, auth=auth)  # type: ignore[arg-type] # httpx knows no None


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


@pytest.fixture
def kept() -> Revoked:
    return Revoked()


async def test_an_own_token_is_revoked_until_it_expires(kept: Revoked) -> None:
    answer = await revoke(service(revoke=kept.revoke), access_token(jti="gone"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    assert kept.kept == {"gone": NOW + 600}


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "made_up"])
async def test_a_hint_changes_nothing(kept: Revoked, hint: str) -> None:
    token = access_token(jti="gone")
    answer = await revoke(service(revoke=kept.revoke), token, token_type_hint=hint)
    assert answer.status_code == 200 and kept.kept == {"gone": NOW + 600}


async def test_a_client_with_a_key_revokes_by_assertion_which_is_used_up(kept: Revoked) -> None:
    store = JtiStore()
    of = service(revoke=kept.revoke, remember=store.remember)
    form = assertion_form(assertion())
    del form["grant_type"]
    answer = await revoke(of, access_token(jti="gone"), None, **form)
    assert answer.status_code == 200 and kept.kept == {"gone": NOW + 600}
    assert len(store.kept) == 1
    assert error(await revoke(of, access_token(jti="other"), None, **form)) == (400, "invalid_client")
    assert list(kept.kept) == ["gone"]


async def test_the_core_revokes_its_own(kept: Revoked) -> None:
    form = assertion_form(assertion(CORE_KEY, "ES384", iss="national-core", sub="national-core"))
    del form["grant_type"]
    token = access_token(client_id="national-core", sub="national-core", jti="cores")
    assert (await revoke(service(revoke=kept.revoke), token, None, **form)).status_code == 200
    assert list(kept.kept) == ["cores"]


async def test_another_clients_token_is_refused_and_stays_good(kept: Revoked) -> None:
    token = access_token(client_id="lrm-2", sub="lrm-2")
    assert error(await revoke(service(revoke=kept.revoke), token)) == (400, "invalid_grant")
    assert kept.kept == {}


@pytest.mark.parametrize(
    "token",
    [
        "made up",
        "a.b.c",
        "é",
        access_token(exp=NOW),
        access_token(header={"typ": "JWT"}),
        assertion(),
        assertion(STRANGER),
        access_token()[:-8] + "AAAAAAAA",
    ],
)
async def test_what_is_no_good_token_is_200(kept: Revoked, token: str) -> None:
    answer = await revoke(service(revoke=kept.revoke), token)
    assert answer.status_code == 200 and kept.kept == {}


@pytest.mark.parametrize("auth", [None, ("lrm-1", "wrong"), ("nobody", SECRET)])
async def test_who_does_not_authenticate_revokes_nothing(kept: Revoked, auth: tuple[str, str] | None) -> None:
    answer = await revoke(service(revoke=kept.revoke), access_token(), auth)
    assert error(answer) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert kept.kept == {}


async def test_a_suspended_client_revokes_nothing(kept: Revoked) -> None:
    known = Clients().add(publisher(status="suspended"))
    of = service(revoke=kept.revoke, find_client=known.find)
    assert error(await revoke(of, access_token())) == (401, "invalid_client")


@pytest.mark.parametrize("form", [{"token_type_hint": "access_token"}, {"token": ""}])
async def test_a_request_without_token_is_invalid(form: dict[str, str]) -> None:
    async with browser(service()) as client:
        answer = await client.post("/oauth2/revoke", data=form, auth=BASIC)
    assert error(answer) == (400, "invalid_request")
    assert "token" in answer.json()["error_description"]


async def test_where_it_cannot_be_recorded_it_is_said_and_the_token_is_good() -> None:
    async def cannot(_jti: str, _expires: float) -> None:
        raise unavailable("The disk is full.")

    answer = await revoke(service(revoke=cannot), access_token())
    assert error(answer) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize("path", ["oauth-authorization-server", "smart-configuration"])
async def test_the_metadata_name_it(path: str) -> None:
    async with browser(service()) as client:
        told: dict[str, Any] = (await client.get(f"/.well-known/{path}")).json()
    assert told["revocation_endpoint"] == f"{ISSUER}/oauth2/revoke"
    assert told["revocation_endpoint_auth_methods_supported"] == list(AUTHENTICATION_METHODS)
