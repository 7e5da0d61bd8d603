"""Checks of what a gateway says about itself: its contract, its authorization server, its health."""

import re
from typing import Any

import httpx
import yaml
from jsonschema import Draft202012Validator, SchemaError

from publishers.conformance.checks import Check, Failed, expect
from publishers.conformance.server.bench import ServerBench, read, seen

PATHS = {
    "/oauth2/token": ("post",),
    "/oauth2/jwks": ("get",),
    "/.well-known/oauth-authorization-server": ("get",),
    "/.well-known/smart-configuration": ("get",),
    "/v1/messages": ("post", "get"),
    "/v1/messages/$validate": ("post",),
    "/v1/messages/$translate": ("post",),
    "/v1/messages/{id}": ("get",),
    "/v1/inbox": ("get",),
    "/v1/inbox/stream": ("get",),
    "/v1/inbox/{id}/ack": ("post",),
    "/v1/quota": ("get",),
    "/core/$process-message": ("post",),
}
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}  # RFC 7518: what a public JWK must not hold


async def openapi(bench: ServerBench) -> None:
    """`/openapi.yaml` and `/openapi.json` are one valid OpenAPI 3.1 document."""
    document = await served_openapi(bench)
    as_yaml = await bench.wire.call("GET", "/openapi.yaml")
    expect(as_yaml.status_code == 200, f"/openapi.yaml: {seen(as_yaml)}; 200 is expected")
    expect(yaml.safe_load(as_yaml.text) == document, "/openapi.yaml and /openapi.json say different things")
    expect(str(document.get("openapi", "")).startswith("3.1"), "`openapi` is not 3.1")
    expect({"title", "version"} <= set(document.get("info", {})), "`info` lacks title or version")
    broken = [ref for ref in references(document) if not resolves(document, ref)]
    expect(not broken, f"references that lead nowhere: {', '.join(broken[:5])}")
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise Failed(f"the schema {name} is no JSON Schema: {error.message}") from None
    for path, operations in document.get("paths", {}).items():
        for method, operation in operations.items():
            if method in {"get", "post", "put", "delete", "patch"}:
                expect(operation.get("responses"), f"{method.upper()} {path} describes no response")


async def paths(bench: ServerBench) -> None:
    """The served document has every operation of the contract."""
    told = (await served_openapi(bench)).get("paths", {})
    missing = [
        f"{m.upper()} {path}"
        for path, methods in PATHS.items()
        for m in methods
        if m not in told.get(path, {})
    ]
    expect(not missing, f"the served document lacks {', '.join(missing)}")


async def docs(bench: ServerBench) -> None:
    """`/docs` is a page that loads nothing from another host."""
    answer = await bench.wire.call("GET", "/docs")
    expect(answer.status_code == 200, f"/docs: {seen(answer)}; 200 is expected")
    expect(
        "text/html" in answer.headers.get("content-type", ""), f"/docs: {seen(answer)}; text/html is expected"
    )
    elsewhere = re.findall(r"""(?:src|href|action)\s*=\s*["']?((?:https?:)?//[^"'\s>]+)""", answer.text)
    expect(not elsewhere, f"/docs loads from other hosts: {', '.join(elsewhere[:3])}")


async def health(bench: ServerBench) -> None:
    """`/health/live` and `/health/ready` answer 200 without a token, and `/metrics` 404: it is the operator's."""
    for path, status in (("/health/live", 200), ("/health/ready", 200), ("/metrics", 404)):
        answer = await bench.wire.call("GET", path)
        expect(answer.status_code == status, f"{path}: {seen(answer)}; {status} is expected")


async def authorization_server(bench: ServerBench) -> None:
    """RFC 8414 metadata, and the same for SMART Backend Services clients."""
    told = read(await bench.wire.call("GET", "/.well-known/oauth-authorization-server"))
    needed = {
        "issuer",
        "token_endpoint",
        "jwks_uri",
        "grant_types_supported",
        "token_endpoint_auth_methods_supported",
    }
    expect(needed <= set(told), f"the metadata lacks {', '.join(sorted(needed - set(told)))}")
    expect(
        str(told["token_endpoint"]).startswith(str(told["issuer"])), "token_endpoint is not below the issuer"
    )
    expect("client_credentials" in told["grant_types_supported"], "client_credentials is no grant type")
    methods = set(told["token_endpoint_auth_methods_supported"])
    lacking = {"client_secret_basic", "private_key_jwt"} - methods
    expect(not lacking, f"token_endpoint_auth_methods_supported lacks {', '.join(sorted(lacking))}")
    smart = read(await bench.wire.call("GET", "/.well-known/smart-configuration"))
    for name in ("token_endpoint", "grant_types_supported", "capabilities"):
        expect(name in smart, f"the SMART configuration lacks {name}")
    expect(
        smart["token_endpoint"] == told["token_endpoint"], "the two documents name different token endpoints"
    )


async def keys(bench: ServerBench) -> None:
    """The JWK Set shows public keys only, each with a `kid`."""
    told = read(await bench.wire.call("GET", "/oauth2/jwks"))
    expect(told.get("keys"), "the JWK Set is empty")
    for key in told["keys"]:
        expect(not PRIVATE & set(key), "the JWK Set shows private key material: rotate the keys at once")
        expect(
            key.get("kid") and key.get("kty") in {"EC", "RSA", "OKP"}, "a key has no kid, or is no public key"
        )


async def served_openapi(bench: ServerBench) -> dict[str, Any]:
    """The document at `/openapi.json`. Raises Failed."""
    answer: httpx.Response = await bench.wire.call("GET", "/openapi.json")
    expect(answer.status_code == 200, f"/openapi.json: {seen(answer)}; 200 is expected")
    return read(answer)


def references(value: Any) -> list[str]:
    """Every `$ref` in a document, examples left out."""
    if isinstance(value, list):
        return [ref for one in value for ref in references(one)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [
        ref for name, one in value.items() if name not in {"example", "value"} for ref in references(one)
    ]


def resolves(document: Any, reference: str) -> bool:
    """Whether a reference inside the document leads to something."""
    place = document
    for step in reference.removeprefix("#/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(place, dict) or name not in place:
            return False
        place = place[name]
    return True


CHECKS: tuple[Check[ServerBench], ...] = (
    Check("openapi", "The contract is served and valid", ("server.openapi",), openapi),
    Check("openapi-paths", "Every operation of the contract is served", ("server.openapi-paths",), paths),
    Check("docs", "The documentation loads nothing from elsewhere", ("server.docs",), docs),
    Check("health", "Health and metrics answer", ("server.health",), health),
    Check(
        "oauth-metadata",
        "The authorization server describes itself",
        ("server.oauth-metadata",),
        authorization_server,
    ),
    Check("jwks", "Public keys only", ("server.jwks",), keys),
)
