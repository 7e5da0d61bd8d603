"""The guard: which access tokens open which door, and what every other token is told."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OctKey

from gateway.errors import ErrorKind, NotAuthenticated, Refused
from gateway.oauth2 import CoreClient, Guard, Principal, SigningKeys, generate_signing_keys, tokens
from tests.oauth2_samples import (
    EC256,
    ISSUER,
    NOW,
    SIGNING,
    Clients,
    access_token,
    clients,
    publisher,
    signed,
    unsigned,
)

SCOPE = "message.send"


def guard(known: Clients | None = None, keys: SigningKeys = SIGNING, **more: Any) -> Guard:
    return Guard(ISSUER, keys, (known or clients()).find, **more)


async def refusal(judge: Guard, header: str | None, now: float = NOW, scope: str = SCOPE) -> NotAuthenticated:
    with pytest.raises(NotAuthenticated) as caught:
        await judge.authenticate(header, now, scope)
    assert [issue.kind for issue in caught.value.issues] == [ErrorKind.UNAUTHENTICATED]
    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"].startswith("Bearer ")
    return caught.value


async def is_invalid(judge: Guard, token: str, reason: str, now: float = NOW) -> None:
    error = await refusal(judge, f"Bearer {token}", now)
    assert 'error="invalid_token"' in error.headers["WWW-Authenticate"]
    assert f'error_description="{reason}' in error.headers["WWW-Authenticate"]
    assert error.headers["WWW-Authenticate"].isascii()
    assert token not in str(error)
    assert token not in error.issues[0].diagnostics


async def test_a_valid_token_gives_the_publisher() -> None:
    principal = await guard().authenticate(f"Bearer {access_token()}", NOW, SCOPE)
    assert principal == Principal(
        publisher(), "lrm-1", frozenset({"message.send", "message.read", "inbox.read"}), is_core=False
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        principal.is_core = True  # type: ignore[misc]


async def test_what_the_token_endpoint_issues_is_accepted() -> None:
    token = tokens.access_token(
        SIGNING, issuer=ISSUER, audience=ISSUER, client_id="lrm-2", scope="inbox.read", now=NOW, lifetime=600
    )
    principal = await guard().authenticate(f"Bearer {token}", NOW, "inbox.read")
    assert principal.client_id == "lrm-2"
    assert principal.scopes == {"inbox.read"}


async def test_the_core_is_told_apart() -> None:
    token = access_token(client_id="national-core", sub="national-core", scope="core.deliver")
    principal = await guard().authenticate(f"bearer  {token}", NOW, "core.deliver")
    assert (principal.is_core, principal.publisher, principal.client_id) == (True, None, "national-core")


async def test_a_token_is_verified_once_and_the_client_looked_up_each_time() -> None:
    known, looked_up = clients(), []

    def find(client_id: str) -> Any:
        looked_up.append(client_id)
        return known.find(client_id)

    judge = Guard(ISSUER, SIGNING, find)
    header = f"Bearer {access_token()}"
    first = await judge.authenticate(header, NOW, SCOPE)
    assert await judge.authenticate(header, NOW + 1, SCOPE) is first
    assert len(looked_up) == 3


@pytest.mark.parametrize("header", [None, "", "Basic bHJtLTE6eA==", "Bear x", "é"])
async def test_without_a_token_no_error_code_is_given(header: str | None) -> None:
    error = await refusal(guard(), header)
    assert error.headers["WWW-Authenticate"] == 'Bearer realm="gateway"'


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", "....", "é.é.é", "\ud800", "\0", "A" * 50_000, "e30.e30.e30", "a b", "[" * 9_000],
)
async def test_what_is_no_jwt_is_refused(token: str) -> None:
    error = await refusal(guard(), f"Bearer {token}")
    assert 'error="invalid_token"' in error.headers["WWW-Authenticate"]


@given(st.text(max_size=200))
async def test_no_header_is_too_strange(text: str) -> None:
    await refusal(guard(), text)
    await refusal(guard(), f"Bearer {text}")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://other.example"}, "the issuer is not known"),
        ({"iss": None}, "the issuer is not known"),
        ({"iss": [ISSUER]}, "the issuer is not known"),
        ({"aud": "https://other.example"}, "the claim aud"),
        ({"aud": None}, "the claim aud"),
        ({"exp": NOW}, "the token has expired"),
        ({"exp": NOW - 1}, "the token has expired"),
        ({"exp": None}, "the claim exp is missing"),
        ({"exp": "x"}, "the claim exp is not a number"),
        ({"iat": NOW + 61}, "the claim iat is in the future"),
        ({"nbf": NOW + 61}, "the claim nbf is in the future"),
        ({"client_id": None}, "the client is unknown"),
        ({"client_id": "nobody"}, "the client is unknown"),
        ({"client_id": ["lrm-1"]}, "the claim client_id is not a string"),
        ({"scope": ["message.send"]}, "the claim scope is not a string"),
        ({"jti": 7}, "the claim jti is not a string"),
        ({"header": {"typ": "JWT"}}, "not an access token of typ at+jwt"),
        ({"header": {"typ": ""}}, "not an access token of typ at+jwt"),
        ({"header": {"kid": "unknown"}}, "no key of the issuer"),
        ({"keys": generate_signing_keys()}, "no key of the issuer"),
    ],
    ids=str,
)
async def test_a_wrong_token_is_refused(changed: dict[str, Any], reason: str) -> None:
    await is_invalid(guard(), access_token(**changed), reason)


@pytest.mark.parametrize(
    "changed", [{"nbf": NOW + 59, "iat": NOW + 59}, {"aud": ["x", ISSUER]}, {"iat": None}]
)
async def test_a_token_may_vary(changed: dict[str, Any]) -> None:
    await guard().authenticate(f"Bearer {access_token(**changed)}", NOW, SCOPE)


async def test_typ_may_be_a_whole_media_type() -> None:
    token = access_token(header={"typ": "application/AT+JWT"})
    await guard().authenticate(f"Bearer {token}", NOW, SCOPE)


async def test_a_forged_signature_is_refused() -> None:
    kid = SIGNING.keys[0].kid
    forger = SigningKeys((type(EC256).generate_key("P-256", {"kid": kid or ""}),))
    await is_invalid(guard(), access_token(forger), "the signature is not valid")
    head, body, _ = access_token().split(".")
    await is_invalid(
        guard(), ".".join((head, body, access_token().split(".")[2])), "the signature is not valid"
    )


async def test_other_algorithms_are_refused() -> None:
    claims = {"iss": ISSUER, "aud": ISSUER, "exp": NOW + 60, "client_id": "lrm-1", "scope": SCOPE}
    kid = SIGNING.keys[0].kid
    pem = SIGNING.keys[0].as_pem(private=False).replace(b"-----", b"")
    hmac = signed(OctKey.import_key(pem), {"alg": "HS256", "kid": kid, "typ": "at+jwt"}, claims)
    await is_invalid(guard(), hmac, "the algorithm is not accepted")
    await is_invalid(guard(), unsigned({"alg": "none", "typ": "at+jwt"}), "the algorithm is not accepted")
    rsa = unsigned({"alg": "RS256", "kid": kid, "typ": "at+jwt"}, b'{"iss":"https://gateway.example"}')
    await is_invalid(guard(), rsa, "not an access token")


async def test_a_client_assertion_is_no_access_token() -> None:
    claims = {"iss": ISSUER, "aud": ISSUER, "exp": NOW + 60, "client_id": "lrm-1", "scope": SCOPE}
    token = signed(SIGNING.keys[0], {"alg": "ES256", "kid": SIGNING.keys[0].kid, "typ": "JWT"}, claims)
    await is_invalid(guard(), token, "not an access token")


async def test_a_known_token_expires() -> None:
    judge, token = guard(), access_token(exp=NOW + 10)
    await judge.authenticate(f"Bearer {token}", NOW + 9.9, SCOPE)
    await is_invalid(judge, token, "the token has expired", NOW + 10)


async def test_a_scope_that_is_missing_is_forbidden() -> None:
    judge, header = guard(), f"Bearer {access_token(scope='inbox.read')}"
    for _ in range(2):  # a token not seen before, and the same again
        with pytest.raises(Refused) as caught:
            await judge.authenticate(header, NOW, SCOPE)
        assert caught.value.status == 403
        assert not isinstance(caught.value, NotAuthenticated)
        challenge = caught.value.headers["WWW-Authenticate"]
        assert challenge == 'Bearer realm="gateway", error="insufficient_scope", scope="message.send"'
    assert (await judge.authenticate(header, NOW, "")).scopes == {"inbox.read"}


async def test_a_publisher_never_delivers_for_the_core() -> None:
    known = Clients().add(publisher(scopes=("core.deliver", "inbox.read")))
    token = access_token(scope="core.deliver inbox.read")
    with pytest.raises(Refused):
        await guard(known).authenticate(f"Bearer {token}", NOW, "core.deliver")
    core = access_token(client_id="national-core", scope="message.send core.deliver")
    with pytest.raises(Refused):
        await guard().authenticate(f"Bearer {core}", NOW, "message.send")


async def test_suspending_takes_effect_at_once() -> None:
    known = clients()
    judge, token = guard(known), access_token()
    await judge.authenticate(f"Bearer {token}", NOW, SCOPE)
    known.add(publisher(status="suspended"))
    await is_invalid(judge, token, "the client is unknown or suspended")
    await is_invalid(judge, token, "the client is unknown or suspended")
    await is_invalid(judge, access_token(), "the client is unknown or suspended")
    known.add(publisher())
    await judge.authenticate(f"Bearer {token}", NOW, SCOPE)
    del known.known["lrm-1"]
    await is_invalid(judge, token, "the client is unknown or suspended")


async def test_a_scope_that_is_taken_away_is_gone_at_once() -> None:
    known = clients()
    judge, header = guard(known), f"Bearer {access_token()}"
    await judge.authenticate(header, NOW, SCOPE)
    changed = publisher(scopes=("inbox.read",))
    known.add(changed)
    with pytest.raises(Refused):
        await judge.authenticate(header, NOW, SCOPE)
    assert (await judge.authenticate(header, NOW, "inbox.read")).publisher is changed
    known.add(publisher())
    await judge.authenticate(header, NOW, SCOPE)


async def test_a_publishers_token_is_not_the_cores_after_a_change_of_registration() -> None:
    known = clients()
    judge, token = guard(known), access_token(scope="core.deliver message.send")
    await judge.authenticate(f"Bearer {token}", NOW, SCOPE)
    known.add(CoreClient("lrm-1", {}))
    await is_invalid(judge, token, "the client is unknown or suspended")


async def test_a_revoked_token_is_refused_until_it_expires() -> None:
    judge = guard()
    token, other = access_token(jti="leaked", exp=NOW + 100), access_token()
    await judge.authenticate(f"Bearer {token}", NOW, SCOPE)
    judge.revoke("leaked", NOW + 100)
    await is_invalid(judge, token, "the token was revoked")
    await judge.authenticate(f"Bearer {other}", NOW, SCOPE)
    await is_invalid(judge, token, "the token was revoked", NOW + 99)
    later = access_token(exp=NOW + 900)
    await judge.authenticate(f"Bearer {later}", NOW + 100, SCOPE)
    assert judge._revoked == {}
    await is_invalid(judge, token, "the token has expired", NOW + 100)


async def test_a_token_may_be_revoked_before_it_was_seen() -> None:
    judge = guard()
    judge.revoke("leaked", NOW + 100)
    await is_invalid(judge, access_token(jti="leaked"), "the token was revoked")


async def test_the_cache_is_bounded_and_the_oldest_goes() -> None:
    judge = guard(cache_size=3)
    headers = [f"Bearer {access_token()}" for _ in range(5)]
    principals = [await judge.authenticate(header, NOW, SCOPE) for header in headers]
    assert len(judge._cache) == 3
    again = [await judge.authenticate(header, NOW, SCOPE) for header in reversed(headers)]
    assert [new is old for new, old in zip(reversed(again), principals, strict=True)] == [
        False,
        False,
        True,
        True,
        True,
    ]


async def test_refused_tokens_fill_no_cache() -> None:
    judge = guard()
    for _ in range(5):
        await is_invalid(judge, access_token(aud="x"), "the claim aud")
    assert judge._cache == {}


async def test_keys_rotate() -> None:
    old = SIGNING.keys[1:]
    new = generate_signing_keys()
    token = access_token(SigningKeys(old))
    await guard(keys=SigningKeys((*new.keys, *old))).authenticate(f"Bearer {token}", NOW, SCOPE)
    await is_invalid(guard(keys=new), token, "no key of the issuer")
