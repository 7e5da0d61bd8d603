"""The token endpoint: who gets a token, and what every wrong request is told."""

import asyncio
import base64
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OctKey, RSAKey

from gateway.errors import ErrorKind, Issue, Unavailable
from gateway.oauth2 import jose, load_signing_keys, tokens
from gateway.oauth2.endpoints import read_form
from gateway.oauth2.server import TokenForm, TokenServer, answer
from tests.oauth2_samples import (
    CLIENT_KEYS,
    CORE_KEY,
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
    JtiStore,
    assertion,
    assertion_form,
    browser,
    clients,
    key_set,
    publisher,
    service,
    signed,
    unsigned,
)

GRANT = {"grant_type": "client_credentials"}
BASIC = ("lrm-1", SECRET)
DEEP = b'{"a":' * 1_500 + b"1" + b"}" * 1_500
FORM = {"content-type": "application/x-www-form-urlencoded"}


def basic(credentials: str | bytes) -> str:
    raw = credentials.encode() if isinstance(credentials, str) else credentials
    return "Basic " + base64.b64encode(raw).decode()


async def post(of: Any = None, **request: Any) -> httpx.Response:
    async with browser(of or service()) as http:
        return await http.post("/oauth2/token", **request)


def check_error(response: httpx.Response, error: str, status: int = 400) -> None:
    assert (response.status_code, response.json()["error"]) == (status, error), response.text
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/json"
    assert ("www-authenticate" in response.headers) == (status == 401)
    description = response.json()["error_description"]
    assert description and all(
        " " <= c <= "~" and c not in '"\\' for c in description
    )  # RFC 6749, section 5.2


async def test_a_secret_gets_a_token_of_rfc_9068() -> None:
    response = await post(data=GRANT, auth=BASIC)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 600
    assert body["scope"] == "message.send message.read inbox.read"
    token = jose.parse(body["access_token"])
    key = jose.find_key(token, jose.public_keys(SIGNING.public()))
    assert key is not None and key.kid == SIGNING.keys[0].kid
    jose.verify(token, key)
    assert (token.type, token.algorithm) == ("at+jwt", "ES256")
    jti = token.claims.pop("jti")
    assert len(jti) >= 16
    assert token.claims == {
        "iss": ISSUER,
        "sub": "lrm-1",
        "aud": ISSUER,
        "exp": NOW + 600,
        "iat": NOW,
        "client_id": "lrm-1",
        "scope": body["scope"],
    }


async def test_every_token_has_its_own_jti() -> None:
    first, second = [await post(data=GRANT, auth=BASIC) for _ in range(2)]
    assert first.json()["access_token"] != second.json()["access_token"]


async def test_the_lifetime_is_a_setting() -> None:
    body = (await post(service(token_seconds=60), data=GRANT, auth=BASIC)).json()
    assert body["expires_in"] == 60
    assert jose.parse(body["access_token"]).claims["exp"] == NOW + 60


@pytest.mark.parametrize(
    ("key", "alg"),
    [(EC256, "ES256"), (EC384, "ES384"), (RSA, "RS256"), (RSA, "RS384"), (RSA, "PS256")],
    ids=["ES256", "ES384", "RS256", "RS384", "PS256"],
)
async def test_an_assertion_gets_a_token(key: jose.Key, alg: str) -> None:
    response = await post(data=assertion_form(assertion(key, alg)))
    assert response.status_code == 200, response.text
    assert response.json()["scope"] == "message.send message.read inbox.read"


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ISSUER},
        {"aud": [TOKEN_URL, ISSUER]},
        {"exp": NOW + 300},
        {"exp": NOW + 359},  # 300 s and a leeway of 60 s
        {"exp": NOW - 59},
        {"iat": NOW + 59},
        {"nbf": NOW + 59},
        {"iat": None},
        {"header": {"typ": "client-authentication+jwt"}},
        {"header": {"x-own": "ignored"}},
    ],
    ids=str,
)
async def test_an_assertion_may_vary(changed: dict[str, Any]) -> None:
    response = await post(data=assertion_form(assertion(**changed)))
    assert response.status_code == 200, response.text


async def test_an_assertion_without_kid_is_fine_where_one_key_fits() -> None:
    token = signed(EC256, {"alg": "ES256"}, jose.parse(assertion()).claims)
    assert (await post(data=assertion_form(token))).status_code == 200
    twice = Clients().add(publisher(jwks=key_set(EC256, CORE_KEY, tokens.generate_signing_keys().keys[0])))
    check_error(await post(service(find_client=twice.find), data=assertion_form(token)), "invalid_client")


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://other.example"},
        {"aud": [ISSUER + "/"]},
        {"aud": []},
        {"aud": {ISSUER: 1}},
        {"aud": None},
        {"exp": NOW + 86_400},
        {"exp": NOW + 361},
        {"exp": NOW - 60},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1e300},
        {"iat": NOW + 61},
        {"iat": True},
        {"nbf": NOW + 61},
        {"nbf": "x"},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "j" * 257},
        {"iss": "lrm-2"},
        {"sub": "lrm-2"},
        {"sub": None},
        {"iss": None},
        {"sub": ["lrm-1"], "iss": ["lrm-1"]},
        {"sub": "", "iss": ""},
        {"sub": "nobody", "iss": "nobody"},
        {"key": STRANGER},
        {"header": {"kid": "unknown"}},
        {"header": {"typ": "at+jwt"}},
    ],
    ids=str,
)
async def test_a_wrong_assertion_is_refused(changed: dict[str, Any]) -> None:
    check_error(await post(data=assertion_form(assertion(**changed))), "invalid_client")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"kid": 7}, "kid and typ must be strings"),
        ({"typ": 7}, "kid and typ must be strings"),
        ({"crit": ["exp"]}, "critical header parameters are not understood"),
        ({"b64": False}, "critical header parameters are not understood"),
        ({"long": "x" * 500}, "the header is too long"),
        ({"alg": "none"}, "the algorithm is not accepted"),
    ],
    ids=str,
)
async def test_a_wrong_header_is_refused(header: dict[str, Any], reason: str) -> None:
    response = await post(data=assertion_form(unsigned({"alg": "ES256", **header})))
    check_error(response, "invalid_client")
    assert reason in response.text


@pytest.mark.parametrize("signature", ["", "AAAA"])
async def test_alg_none_is_refused(signature: str) -> None:
    head, body, _ = unsigned(
        {"alg": "none", "typ": "JWT"}, orjson.dumps(jose.parse(assertion()).claims)
    ).split(".")
    check_error(await post(data=assertion_form(f"{head}.{body}.{signature}")), "invalid_client")


async def test_the_public_key_is_no_hmac_secret() -> None:
    claims = jose.parse(assertion()).claims
    for secret in (RSA.as_pem(private=False), EC256.as_pem(private=False), SECRET.encode()):
        token = signed(
            OctKey.import_key(secret.replace(b"-----", b"")), {"alg": "HS256", "kid": RSA.kid}, claims
        )
        check_error(await post(data=assertion_form(token)), "invalid_client")


@pytest.mark.parametrize("alg", ["ES512", "RS512", "PS384", "EdDSA", "ES256K", "", None, ["ES256"]])
def test_other_algorithms_are_refused(alg: object) -> None:
    with pytest.raises(jose.InvalidTokenError, match="the algorithm is not accepted"):
        jose.parse(unsigned({"alg": alg}))


async def test_a_key_is_used_with_its_own_algorithm_only() -> None:
    pinned = RSAKey.import_key({**RSA.as_dict(private=True), "alg": "RS384"})
    known = Clients().add(publisher(jwks=key_set(pinned)))
    refused = await post(service(find_client=known.find), data=assertion_form(assertion(RSA, "RS256")))
    check_error(refused, "invalid_client")
    taken = await post(service(find_client=known.find), data=assertion_form(assertion(RSA, "RS384")))
    assert taken.status_code == 200


@pytest.mark.parametrize(
    "jwks",
    [
        None,
        {},
        {"keys": []},
        {"keys": "x"},
        {
            "keys": [
                None,
                7,
                {"kty": ["EC"]},
                {"kty": "oct", "k": "c2VjcmV0"},
                {"kty": "EC"},
                {"kty": "RSA", "n": "€"},
            ]
        },
        {"keys": [{**EC256.as_dict(private=False), "use": "enc"}]},
        {"keys": [{**EC256.as_dict(private=False), "crv": "P-1"}]},
        {"keys": [{**EC256.as_dict(private=False), "x": "AAAA"}]},
    ],
    ids=str,
)
async def test_a_registration_without_usable_keys_authenticates_nobody(jwks: Any) -> None:
    known = Clients().add(publisher(jwks=jwks))
    check_error(
        await post(service(find_client=known.find), data=assertion_form(assertion())), "invalid_client"
    )


def test_a_short_rsa_key_is_passed_over() -> None:
    jwk = {
        "kty": "RSA",
        "e": "AQAB",
        "n": base64.urlsafe_b64encode(b"\0" * 200 + b"\xff" * 128).decode().rstrip("="),
    }
    assert jose.public_keys({"keys": [jwk, EC256.as_dict(private=False)]}) == jose.public_keys(key_set(EC256))
    with pytest.raises(ValueError, match="2048 bits"):
        jose.import_key(jwk)


async def test_a_key_for_encryption_is_no_rival_of_a_key_for_signatures() -> None:
    other = {**key_set(STRANGER)["keys"][0], "kid": "enc", "use": "enc"}
    known = Clients().add(publisher(jwks={"keys": [other, *key_set(EC256)["keys"]]}))
    token = signed(EC256, {"alg": "ES256"}, jose.parse(assertion()).claims)
    response = await post(service(find_client=known.find), data=assertion_form(token))
    assert response.status_code == 200


async def test_keys_follow_the_registration() -> None:
    known = clients()
    of = service(find_client=known.find)
    async with browser(of) as http:
        assert (await http.post("/oauth2/token", data=assertion_form(assertion()))).status_code == 200
        known.add(publisher(jwks=key_set(RSA)))
        check_error(await http.post("/oauth2/token", data=assertion_form(assertion())), "invalid_client")
        known.add(publisher(jwks=CLIENT_KEYS))
        assert (await http.post("/oauth2/token", data=assertion_form(assertion()))).status_code == 200


async def test_a_jti_is_accepted_once() -> None:
    async with browser(service()) as http:
        form = assertion_form(assertion(jti="once"))
        assert (await http.post("/oauth2/token", data=form)).status_code == 200
        check_error(await http.post("/oauth2/token", data=form), "invalid_client")
        again = assertion_form(assertion(jti="once", exp=NOW + 60))
        check_error(await http.post("/oauth2/token", data=again), "invalid_client")
        other = assertion_form(assertion(jti="once", iss="lrm-2", sub="lrm-2"))
        assert (await http.post("/oauth2/token", data=other)).status_code == 200


async def test_of_fifty_equal_assertions_at_once_one_is_accepted() -> None:
    class Slow(JtiStore):
        async def remember(self, key: str, keep_until: float) -> bool:
            await asyncio.sleep(0)
            return await super().remember(key, keep_until)

    async with browser(service(remember=Slow().remember)) as http:
        form = assertion_form(assertion())
        answers = await asyncio.gather(*(http.post("/oauth2/token", data=form) for _ in range(50)))
    assert sorted(response.status_code for response in answers) == [200] + [400] * 49


async def test_a_jti_is_kept_as_long_as_its_assertion_is_accepted() -> None:
    store = JtiStore()
    form = assertion_form(assertion(exp=NOW + 100, jti="a" * 256))
    assert (await post(service(remember=store.remember), data=form)).status_code == 200
    ((key, keep_until),) = store.kept.items()
    assert len(key) == 64
    late = service(remember=JtiStore().remember, now=lambda: keep_until - 0.001)
    assert (await post(late, data=form)).status_code == 200
    check_error(await post(service(now=lambda: keep_until), data=form), "invalid_client")


async def test_an_assertion_is_used_up_even_where_the_scope_is_refused() -> None:
    async with browser(service()) as http:
        form = assertion_form(assertion())
        check_error(await http.post("/oauth2/token", data={**form, "scope": "core.deliver"}), "invalid_scope")
        check_error(await http.post("/oauth2/token", data=form), "invalid_client")


async def test_a_refused_assertion_is_not_remembered() -> None:
    store = JtiStore()
    check_error(
        await post(service(remember=store.remember), data=assertion_form(assertion(STRANGER))),
        "invalid_client",
    )
    assert store.kept == {}


async def test_without_the_jti_store_no_assertion_is_accepted() -> None:
    async def down(_key: str, _keep_until: float) -> bool:
        raise Unavailable(Issue(ErrorKind.OVERLOADED, "no store"), headers={"Retry-After": "7"})

    response = await post(service(remember=down), data=assertion_form(assertion()))
    check_error(response, "temporarily_unavailable", 503)
    assert response.headers["retry-after"] == "7"
    assert (await post(service(remember=down), data=GRANT, auth=BASIC)).status_code == 200


@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        ("", "message.send message.read inbox.read"),
        ("inbox.read", "inbox.read"),
        ("inbox.read message.send", "message.send inbox.read"),
        ("inbox.read  inbox.read ", "inbox.read"),
    ],
)
async def test_a_part_of_the_scopes_may_be_asked_for(scope: str, granted: str) -> None:
    response = await post(data={**GRANT, "scope": scope}, auth=BASIC)
    assert response.json()["scope"] == granted
    assert jose.parse(response.json()["access_token"]).claims["scope"] == granted


@pytest.mark.parametrize("scope", ["core.deliver", "message.send core.deliver", "admin", "é", '"', " ", "*"])
async def test_no_other_scope_is_granted(scope: str) -> None:
    check_error(await post(data={**GRANT, "scope": scope}, auth=BASIC), "invalid_scope")


async def test_core_deliver_is_no_publishers_even_where_registered() -> None:
    known = Clients().add(publisher(scopes=("core.deliver", "inbox.read")))
    of = service(find_client=known.find)
    assert (await post(of, data=GRANT, auth=BASIC)).json()["scope"] == "inbox.read"
    check_error(await post(of, data={**GRANT, "scope": "core.deliver"}, auth=BASIC), "invalid_scope")


async def test_a_client_without_scopes_gets_no_token() -> None:
    known = Clients().add(publisher(scopes=()))
    check_error(await post(service(find_client=known.find), data=GRANT, auth=BASIC), "invalid_scope")


async def test_the_core_gets_its_scope_by_key_alone() -> None:
    claims: Any = {"iss": "national-core", "sub": "national-core"}
    response = await post(data=assertion_form(assertion(CORE_KEY, "ES384", **claims)))
    assert response.json()["scope"] == "core.deliver"
    refused = await post(data=assertion_form(assertion(CORE_KEY, "ES384", **claims), scope="message.send"))
    check_error(refused, "invalid_scope")
    for secret in ("x", "%20"):
        check_error(await post(data=GRANT, auth=("national-core", secret)), "invalid_client", 401)


async def test_a_suspended_publisher_is_an_invalid_client() -> None:
    known = Clients().add(publisher(status="suspended"))
    of = service(find_client=known.find)
    check_error(await post(of, data=GRANT, auth=BASIC), "invalid_client", 401)
    check_error(await post(of, data=assertion_form(assertion())), "invalid_client")


async def test_unknown_suspended_and_wrong_are_told_the_same() -> None:
    suspended = service(find_client=Clients().add(publisher(status="suspended")).find)
    answers = [
        await post(data=GRANT, auth=("nobody", SECRET)),
        await post(data=GRANT, auth=("lrm-1", "wrong")),
        await post(suspended, data=GRANT, auth=BASIC),
    ]
    assert len({response.text for response in answers}) == 1
    by_key = [
        await post(data=assertion_form(assertion(iss="nobody", sub="nobody"))),
        await post(data=assertion_form(assertion(STRANGER))),
        await post(suspended, data=assertion_form(assertion())),
    ]
    assert len({response.text for response in by_key}) == 1


@pytest.mark.parametrize("secret_sha256", ["", "not a digest", "é"])
async def test_a_publisher_without_a_secret_has_none(secret_sha256: str) -> None:
    known = Clients().add(publisher(secret_sha256=secret_sha256))
    for secret in (SECRET, secret_sha256 or "x"):
        response = await post(
            service(find_client=known.find), data=GRANT, headers={"authorization": basic(f"lrm-1:{secret}")}
        )
        check_error(response, "invalid_client", 401)


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YQ",
        "Basic " + "€".encode().decode("latin-1"),
        basic(b"\xff\xfe:\x00"),
        basic("lrm-1"),
        basic("lrm-1:"),
        basic(":" + SECRET),
        basic("\0:\0"),
        basic("lrm-1\0:" + SECRET),
        basic("lrm-1:" + SECRET + " "),
        basic("%ff%fe:%00"),
        basic("lrm-1:" + SECRET).replace("Basic", "Bearer"),
        basic("lrm-1:" + SECRET).replace("Basic ", "Basic !"),
        "Digest username=lrm-1",
        basic("lrm-1:" + "x" * 20_000),
    ],
    ids=lambda value: value[:30],
)
async def test_wrong_basic_credentials_are_refused_with_a_challenge(authorization: str) -> None:
    response = await post(data=GRANT, headers={"authorization": authorization.encode("latin-1")})
    check_error(response, "invalid_client", 401)
    assert response.headers["www-authenticate"].startswith("Basic ")


async def test_credentials_may_be_form_encoded() -> None:
    known = Clients().add(publisher("lrm:1 é"))
    response = await post(
        service(find_client=known.find),
        data=GRANT,
        headers={"authorization": basic("lrm%3A1%20%C3%A9:" + SECRET)},
    )
    assert response.status_code == 200


async def test_no_credentials_at_all_gets_a_challenge() -> None:
    check_error(await post(data=GRANT), "invalid_client", 401)
    check_error(await post(data={**GRANT, "client_id": "lrm-1"}), "invalid_client", 401)


async def test_a_client_id_besides_must_be_the_same() -> None:
    assert (await post(data={**GRANT, "client_id": "lrm-1"}, auth=BASIC)).status_code == 200
    check_error(await post(data={**GRANT, "client_id": "lrm-2"}, auth=BASIC), "invalid_client", 401)
    assert (await post(data=assertion_form(assertion(), client_id="lrm-1"))).status_code == 200
    check_error(await post(data=assertion_form(assertion(), client_id="lrm-2")), "invalid_client")


@pytest.mark.parametrize(
    "assertion_type", ["", "jwt", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"]
)
async def test_another_assertion_type_is_refused(assertion_type: str) -> None:
    form = {**assertion_form(assertion()), "client_assertion_type": assertion_type}
    check_error(await post(data=form), "invalid_client")


async def test_an_assertion_type_without_assertion_is_refused() -> None:
    check_error(await post(data=assertion_form("")), "invalid_client")


@pytest.mark.parametrize(
    "value", ["x", "a.b", "a.b.c", "....", "é.é.é", "[" * 2_000, "a." * 4_000, "e30.e30.e30"]
)
async def test_what_is_no_jwt_is_refused(value: str) -> None:
    check_error(await post(data=assertion_form(value)), "invalid_client")


@pytest.mark.parametrize(
    "payload", [b"[]", b"null", b"", b"\xff", b'{"exp":1e400}', b'{"sub":"\\ud800"}', DEEP]
)
async def test_a_payload_that_is_no_json_object_is_refused(payload: bytes) -> None:
    check_error(await post(data=assertion_form(unsigned({"alg": "ES256"}, payload))), "invalid_client")


@pytest.mark.parametrize("header", [["alg"], "alg", None, {}])
async def test_a_header_that_is_no_jws_header_is_refused(header: object) -> None:
    check_error(await post(data=assertion_form(unsigned(header))), "invalid_client")


@pytest.mark.parametrize(
    "grant", ["password", "authorization_code", "CLIENT_CREDENTIALS", 'x"é', "refresh_token"]
)
async def test_no_other_grant_is_served(grant: str) -> None:
    check_error(await post(data={"grant_type": grant}, auth=BASIC), "unsupported_grant_type")


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"grant_type=client_credentials", {"content-type": "application/json"}),
        (b"grant_type=client_credentials", {"content-type": "text/plain"}),
        (b"grant_type=client_credentials", {}),
        (b'{"grant_type":"client_credentials"}', FORM),
        (b"", FORM),
        (b"grant_type=", FORM),
        (b"scope=inbox.read", FORM),
        (b"grant_type=client_credentials&grant_type=client_credentials", FORM),
        (b"grant_type=client_credentials&scope=inbox.read&scope=inbox.read", FORM),
        (b"grant_type=client_credentials&scope=&scope=inbox.read", FORM),
        (b"grant_type=client_credentials&own=1&own=2", FORM),
        (b"grant_type=client_credentials&scope=%ff%fe", FORM),
        (b"grant_type=client_credentials&scope=\xff\xfe", FORM),
        (b"grant_type=client_credentials&scope=%00", FORM),
        (b"grant_type=client_credentials&client_id=a\0b", FORM),
        (b"grant_type=client_credentials&" + b"a=1&" * 40, FORM),
        (b"grant_type=client_credentials&scope=" + b"x" * 16_384, FORM),
        (b"\0" * 100, FORM),
    ],
)
async def test_what_is_no_token_request_is_invalid(content: bytes, headers: dict[str, str]) -> None:
    check_error(await post(content=content, headers=headers, auth=BASIC), "invalid_request")


async def test_a_huge_body_is_read_away_within_bounds() -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 100_000_000:
            sent += 65_536
            yield b"x" * 65_536

    check_error(await post(content=endless(), headers=FORM, auth=BASIC), "invalid_request")
    assert sent <= 1_048_576 + 2 * 65_536


async def test_the_largest_form_is_read() -> None:
    content = b"grant_type=client_credentials&own="
    content += b"x" * (16_384 - len(content))
    assert (await post(content=content, headers=FORM, auth=BASIC)).status_code == 200
    check_error(await post(content=content + b"x", headers=FORM, auth=BASIC), "invalid_request")


async def test_two_ways_of_authentication_at_once_are_invalid() -> None:
    check_error(await post(data=assertion_form(assertion()), auth=BASIC), "invalid_request")
    check_error(await post(data={**GRANT, "client_secret": SECRET}, auth=BASIC), "invalid_request")
    check_error(await post(data={**GRANT, "client_assertion_type": "x"}, auth=BASIC), "invalid_request")
    twice = [("authorization", basic(":".join(BASIC))), ("authorization", basic("x:y"))]
    check_error(await post(data=GRANT, headers=twice), "invalid_request")


async def test_a_charset_may_be_named() -> None:
    headers = {"content-type": "Application/X-WWW-Form-Urlencoded; charset=UTF-8"}
    assert (
        await post(content=b"grant_type=client_credentials", headers=headers, auth=BASIC)
    ).status_code == 200


@given(st.binary(max_size=300), st.text(max_size=60))
def test_no_body_and_no_header_is_too_strange(body: bytes, header: str) -> None:
    server = TokenServer(service())
    try:
        form = read_form("application/x-www-form-urlencoded", [header] if header else [], body)
    except ValueError:
        form = TokenForm(header, {"grant_type": "client_credentials"})
    assert asyncio.run(answer(server, form, NOW)).status in (400, 401)


@given(
    st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", fullmatch=True)
)
def test_no_assertion_is_too_strange(text: str) -> None:
    form = TokenForm("", assertion_form(text))
    assert asyncio.run(answer(TokenServer(service()), form, NOW)).body["error"] == "invalid_client"


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_bit_goes_unnoticed(at: int, flip: int) -> None:
    head, body, signature = FIXED.split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[at % len(raw)] ^= flip
    token = ".".join((head, body, base64.urlsafe_b64encode(raw).rstrip(b"=").decode()))
    key = jose.public_keys(key_set(EC256))[0]
    with pytest.raises(jose.InvalidTokenError):
        jose.verify(jose.parse(token), key)


FIXED = assertion()


async def test_the_keys_and_the_metadata_can_be_read() -> None:
    async with browser(service()) as http:
        keys = await http.get("/oauth2/jwks")
        assert [key["kid"] for key in keys.json()["keys"]] == [key.kid for key in SIGNING.keys]
        assert all(set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"} for key in keys.json()["keys"])
        assert keys.headers["cache-control"] == "public, max-age=300"
        metadata = await http.get("/.well-known/oauth-authorization-server")
        assert metadata.json()["issuer"] == ISSUER
        assert metadata.json()["token_endpoint"] == TOKEN_URL
        assert metadata.json()["jwks_uri"] == f"{ISSUER}/oauth2/jwks"
        assert metadata.json()["grant_types_supported"] == ["client_credentials"]
        assert metadata.json()["token_endpoint_auth_methods_supported"] == [
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
        ]
        assert set(metadata.json()["token_endpoint_auth_signing_alg_values_supported"]) >= {"RS384", "ES384"}
        smart = (await http.get("/.well-known/smart-configuration")).json()
        assert smart.items() >= metadata.json().items()
        assert "client-confidential-asymmetric" in smart["capabilities"]
        assert (await http.get("/oauth2/token")).status_code == 405


def test_signing_keys_come_back_from_their_own_json() -> None:
    assert load_signing_keys(orjson.dumps(SIGNING.private())).public() == SIGNING.public()
