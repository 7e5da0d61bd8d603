"""Checks of the authorization server and of the guard before the protected routes: what must pass, and what must not."""

import base64
import time
from typing import Any

import httpx
import orjson
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from publishers.conformance.checks import Check, Failed, Skipped, expect
from publishers.conformance.messages import fresh_name
from publishers.conformance.server.bench import ServerBench, read, seen

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
GRANT = {"grant_type": "client_credentials"}
PROTECTED = "/v1/quota"


async def secret(bench: ServerBench) -> None:
    """client_secret_basic gets a Bearer token that serves, and the answer is not to be stored."""
    answer = await ask(bench, GRANT)
    expect(answer.status_code == 200, f"the right secret got {seen(answer)}; 200 is expected")
    told = read(answer)
    expect(str(told.get("token_type")).lower() == "bearer", "token_type is not Bearer")
    expect(
        isinstance(told.get("expires_in"), int) and told["expires_in"] > 0,
        "expires_in is no number of seconds",
    )
    expect("core.deliver" not in str(told.get("scope")), "a publisher's token has the scope core.deliver")
    expect("no-store" in answer.headers.get("cache-control", ""), "Cache-Control is not no-store")
    used = await bench.wire.call("GET", PROTECTED, headers=bearer(told["access_token"]))
    expect(used.status_code == 200, f"the new token got {seen(used)} at {PROTECTED}; 200 is expected")


async def wrong_secret(bench: ServerBench) -> None:
    """A wrong secret and an unknown client are told alike: 401 invalid_client, with WWW-Authenticate."""
    for auth in ((bench.me.client_id, "not-the-secret"), (f"nobody-{fresh_name()}", "x")):
        answer = await ask(bench, GRANT, auth=auth)
        told(answer, 401, "invalid_client")
        expect(answer.headers.get("www-authenticate"), "a 401 of the token endpoint has no WWW-Authenticate")


async def grants(bench: ServerBench) -> None:
    """An unknown grant type is refused, and so is a request without one."""
    told(
        await ask(bench, {"grant_type": "password", "username": "a", "password": "b"}),
        400,
        "unsupported_grant_type",
    )
    told(await ask(bench, {}), 400, "invalid_request")


async def scopes(bench: ServerBench) -> None:
    """A token has the scope asked for; what the client does not have, `core.deliver` first, is refused."""
    answer = await ask(bench, {**GRANT, "scope": "message.read"})
    expect(
        read(answer).get("scope") == "message.read",
        f"scope=message.read got {seen(answer)} with another scope",
    )
    for scope in ("core.deliver", "no.such.scope"):
        told(await ask(bench, {**GRANT, "scope": scope}), 400, "invalid_scope")


async def missing_scope(bench: ServerBench) -> None:
    """A token without the needed scope gets 403 at every protected route."""
    narrow = read(await ask(bench, {**GRANT, "scope": "message.read"})).get("access_token", "")
    broad = read(await ask(bench, {**GRANT, "scope": "inbox.read"})).get("access_token", "")
    for token, method, path in (
        (narrow, "POST", "/v1/messages"),
        (narrow, "POST", "/v1/messages/$validate"),
        (narrow, "GET", "/v1/inbox"),
        (broad, "GET", "/v1/messages"),
        (broad, "POST", "/core/$process-message"),
    ):
        headers = {**bearer(token), "Content-Type": "application/json"}
        answer = await bench.wire.call(
            method, path, headers=headers, content=b"{}" if method == "POST" else None
        )
        expect(
            answer.status_code == 403,
            f"{method} {path} without the scope got {seen(answer)}; 403 is expected",
        )


async def no_token(bench: ServerBench) -> None:
    """No token, another scheme, or a token in the URL: 401 with WWW-Authenticate: Bearer."""
    token = await bench.wire.token(bench.me)
    basic = base64.b64encode(f"{bench.me.client_id}:{bench.me.client_secret}".encode()).decode()
    for headers, query in (
        ({}, ""),
        ({"Authorization": f"Basic {basic}"}, ""),
        ({}, f"?access_token={token}"),
    ):
        answer = await bench.wire.call("GET", PROTECTED + query, headers=headers)
        expect(answer.status_code == 401, f"no Bearer token got {seen(answer)}; 401 is expected")
        expect(
            "bearer" in answer.headers.get("www-authenticate", "").lower(),
            "a 401 has no WWW-Authenticate: Bearer",
        )


async def forged(bench: ServerBench) -> None:
    """Tokens that this gateway did not sign, or that were changed afterwards, get 401: seven of them."""
    token = await bench.wire.token(bench.me)
    keys = read(await bench.wire.call("GET", "/oauth2/jwks"))["keys"]
    for name, bad in forgeries(token, keys[0]).items():
        answer = await bench.wire.call("GET", PROTECTED, headers=bearer(bad))
        expect(answer.status_code == 401, f"a forged token ({name}) got {seen(answer)}; 401 is expected")


async def private_key(bench: ServerBench) -> None:
    """private_key_jwt gets a token."""
    answer = await assert_(bench, {})
    expect(answer.status_code == 200, f"a good assertion got {seen(answer)}; 200 is expected")


async def bad_assertions(bench: ServerBench) -> None:
    """An assertion that is expired, too long-lived, for somebody else, changed, unsigned or used before is refused."""
    now = int(time.time())
    wrong: dict[str, dict[str, Any]] = {
        "expired": {"exp": now - 600, "iat": now - 900},
        "an hour of life": {"exp": now + 3_600},
        "another audience": {"aud": "https://elsewhere.example/token"},
        "another subject": {"sub": "somebody-else"},
        "no exp": {"exp": None},
        "no jti": {"jti": None},
    }
    for name, claims in wrong.items():
        expect_client_refused(await assert_(bench, claims), name)
    for name, (algorithm, key) in {
        "alg none": ("none", None),
        "another key": ("ES256", ECKey.generate_key("P-256")),
        "HS256 with the secret": ("HS256", OctKey.import_key((bench.me.client_secret or "x" * 32).encode())),
    }.items():
        expect_client_refused(await assert_(bench, {}, algorithm, key), name)


async def replayed_assertion(bench: ServerBench) -> None:
    """An assertion serves once (RFC 7523, section 3, 7)."""
    form = await assertion_form(bench, {})
    first = await ask(bench, form, auth=None)
    expect(first.status_code == 200, f"a good assertion got {seen(first)}; 200 is expected")
    expect_client_refused(await ask(bench, form, auth=None), "used before")


async def ask(
    bench: ServerBench, form: dict[str, str], auth: tuple[str, str] | str | None = "own"
) -> httpx.Response:
    """One token request, with the target's secret unless told otherwise."""
    known = (bench.me.client_id, bench.me.client_secret) if isinstance(auth, str) else auth
    if known is None:
        return await bench.wire.call("POST", "/oauth2/token", data=form)
    return await bench.wire.call("POST", "/oauth2/token", data=form, auth=known)


async def assert_(
    bench: ServerBench, claims: dict[str, Any], algorithm: str = "", key: Any = None
) -> httpx.Response:
    """One token request by private_key_jwt whose assertion has these claims changed (None = left out)."""
    return await ask(bench, await assertion_form(bench, claims, algorithm, key), auth=None)


async def assertion_form(
    bench: ServerBench, changed: dict[str, Any], algorithm: str = "", key: Any = None
) -> dict[str, str]:
    """The form of such a request. Raises Skipped where the target's client has no key."""
    own = bench.me.private_key
    if own is None:
        raise Skipped("no private key of the client was given (--private-key)")
    issuer = read(await bench.wire.call("GET", "/.well-known/oauth-authorization-server"))["issuer"]
    now, me = int(time.time()), bench.me.client_id
    claims = {
        "iss": me,
        "sub": me,
        "aud": issuer,
        "iat": now,
        "exp": now + 120,
        "jti": fresh_name() + fresh_name(),
    }
    claims = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    if algorithm == "none":
        signed = f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."
    else:
        used = RSAKey.import_key(own) if own["kty"] == "RSA" else ECKey.import_key(own)
        known = algorithm or own.get("alg") or ("RS256" if own["kty"] == "RSA" else "ES256")
        header = {"alg": known, "typ": "JWT", **({"kid": own["kid"]} if "kid" in own else {})}
        signed = jwt.encode(header, claims, key or used, algorithms=[known])
    return {**GRANT, "client_assertion_type": ASSERTION, "client_assertion": signed}


def forgeries(token: str, key: dict[str, Any]) -> dict[str, str]:
    """Forged tokens by name, made from a good one and the gateway's public key."""
    head, body, signature = token.split(".")
    header, claims = unpart(head), unpart(body)
    later = {**claims, "exp": claims["exp"] + 86_400, "scope": "message.send core.deliver"}
    stranger = ECKey.generate_key("P-256")
    public = OctKey.import_key(orjson.dumps(key))
    flipped = ("B" if signature[0] != "B" else "C") + signature[1:]
    return {
        "changed signature": f"{head}.{body}.{flipped}",
        "no signature": f"{head}.{body}.",
        "changed claims": f"{head}.{part(later)}.{signature}",
        "expired, its old signature": f"{head}.{part({**claims, 'exp': claims['exp'] - 86_400})}.{signature}",
        "alg none": f"{part({**header, 'alg': 'none'})}.{body}.",
        "HS256 with the public key": jwt.encode(
            {**header, "alg": "HS256"}, later, public, algorithms=["HS256"]
        ),
        "another key under the same kid": jwt.encode(
            {**header, "alg": "ES256"}, later, stranger, algorithms=["ES256"]
        ),
    }


def told(answer: httpx.Response, status: int, error: str) -> None:
    """Raises Failed unless the answer is this OAuth2 error (RFC 6749, section 5.2)."""
    expect(answer.status_code == status, f"got {seen(answer)}; {status} {error} is expected")
    found = read(answer).get("error")
    expect(found == error, f"the error is {found!r}; {error} is expected")


def expect_client_refused(answer: httpx.Response, what: str) -> None:
    """Raises Failed unless the answer refuses the client's assertion."""
    expect(
        answer.status_code in {400, 401}, f"an assertion ({what}) got {seen(answer)}; 400 or 401 is expected"
    )
    found = read(answer).get("error")
    if found not in {"invalid_client", "invalid_grant", "invalid_request"}:
        raise Failed(f"an assertion ({what}) got the error {found!r}; invalid_client is expected")


def bearer(token: str) -> dict[str, str]:
    """The Authorization header of an access token."""
    return {"Authorization": f"Bearer {token}"}


def part(value: dict[str, Any]) -> str:
    """A part of a compact JWS."""
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


def unpart(text: str) -> dict[str, Any]:
    """The object in a part of a compact JWS."""
    value: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return value


CHECKS: tuple[Check[ServerBench], ...] = (
    Check("token-secret", "A client gets a token with its secret", ("server.token-secret",), secret),
    Check("token-wrong-secret", "A wrong secret gets none", ("server.token-invalid-client",), wrong_secret),
    Check("token-grants", "Only client credentials are granted", ("server.token-grants",), grants),
    Check("token-scopes", "A token has no more scope than its client", ("server.token-scopes",), scopes),
    Check(
        "token-private-key", "A client gets a token with its key", ("server.token-private-key",), private_key
    ),
    Check("token-bad-assertions", "Bad assertions get none", ("server.token-assertions",), bad_assertions),
    Check("token-replay", "An assertion serves once", ("server.token-replay",), replayed_assertion),
    Check("no-token", "Without a token nothing is shown", ("server.unauthenticated",), no_token),
    Check("forged-token", "Forged tokens are refused", ("server.forged-token",), forged),
    Check("missing-scope", "A token without the scope is refused", ("server.missing-scope",), missing_scope),
)
