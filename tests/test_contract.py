"""The server against its contract: what is served and documented, and what every answer carries."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from starlette.requests import Request

from gateway import oauth2, stream
from gateway.app import ROUTES
from gateway.settings import DeprecatedVersion
from tests.house import NOW, House, case, house, publisher
from tests.oauth2_samples import service
from tests.openapi_documents import document, documented, operations

PAGE_PARTS = {("GET", "/docs/start.js")}  # files of the page at /docs
TRACE = "0af7651916cd43dd8448eb211c80319c"
EVERYONE = publisher("lrm", ("fr.health.*",), ("fr.health.*",))


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as running:
        yield running


def served() -> set[tuple[str, str]]:
    ours = {(method, path) for method, path, _ in ROUTES}
    theirs = {
        (method, route.path)
        for route in oauth2.routes(service())
        for method in (route.methods or set()) - {"HEAD"}
    }
    return (ours | theirs) - PAGE_PARTS


def test_served_and_documented_are_the_same() -> None:
    assert served() == documented("gateway.yaml")


def shown(name: str) -> Any:
    return document("gateway.yaml")["components"]["examples"][name]["value"]


def url(path: str) -> str:
    return path.replace("{id}", "01936a3c9b2e7f0f8d4e5a6b7c8d9e0f")


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
PATHS = sorted({path for _, path in documented("gateway.yaml")})
PROTECTED = sorted(
    (method.upper(), path)
    for method, path, operation in operations("gateway.yaml")
    if operation.value.get("security", [{"oauth2": []}])[:1] not in ([], [{"clientSecretBasic": []}])
)


def known_methods(path: str) -> set[str]:
    known = {method for method, documented_path in documented("gateway.yaml") if documented_path == path}
    return known | ({"HEAD"} if "GET" in known else set())


@pytest.mark.parametrize("path", PATHS)
async def test_every_other_method_gives_405_with_the_methods_that_serve(gateway: House, path: str) -> None:
    for method in set(METHODS) - known_methods(path):
        answer = await gateway.client.request(method, url(path))
        assert answer.status_code == 405, (method, answer.text)
        assert set(answer.headers["allow"].split(", ")) == known_methods(path)


@pytest.mark.parametrize(("method", "path"), PROTECTED)
async def test_no_token_no_access(gateway: House, method: str, path: str) -> None:
    answer = await gateway.client.request(method, url(path))
    assert (answer.status_code, "ratelimit" in answer.headers) == (401, False)
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/messages", 200),
        ("HEAD", "/v1/messages", 200),
        ("GET", "/v1/messages?limit=0", 400),
        ("POST", "/core/$process-message", 403),
        ("GET", "/v1/messages/nothing", 404),
        ("GET", "/v1/nowhere", 404),
        ("GET", "/v1/messages/$validate", 405),
        ("DELETE", "/v1/messages", 405),
        ("OPTIONS", "/v1/inbox", 405),
        ("POST", "/v1/messages", 415),
    ],
)
async def test_every_answer_to_an_authenticated_call_shows_its_quota_and_ids(
    gateway: House, method: str, path: str, status: int
) -> None:
    ids = {"X-Request-Id": "mine", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    answer = await gateway.client.request(method, path, headers={**ids, **await gateway.token()})
    assert answer.status_code == status, answer.text
    assert answer.headers["ratelimit-policy"].startswith('"burst";q=50;w=1')
    assert answer.headers["ratelimit"].startswith('"burst";r=50;t=')
    assert answer.headers["x-request-id"] == "mine"
    assert answer.headers["traceparent"].startswith(f"00-{TRACE}-")


@pytest.mark.parametrize("path", ["/v1/nowhere", "/docs"])
async def test_a_token_that_is_not_good_changes_no_404_and_no_405(gateway: House, path: str) -> None:
    headers = {"Authorization": "Bearer forged"}
    answer = await gateway.client.delete(path, headers=headers)
    assert answer.status_code in {404, 405} and "ratelimit" not in answer.headers


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [("*/*", "application/fhir+json"), ("application/problem+json", "application/problem+json")],
)
async def test_every_error_has_the_form_that_is_asked_for(
    gateway: House, accept: str, content_type: str
) -> None:
    for method, path in (("GET", "/nowhere"), ("PUT", "/v1/messages"), ("GET", "/v1/quota")):
        answer = await gateway.client.request(method, path, headers={"Accept": accept})
        assert answer.headers["content-type"] == content_type
        assert ("retry" in answer.json()) == ("problem" in content_type)


async def test_messages_are_found_by_status_type_and_case(tmp_path: Path) -> None:
    async with house(tmp_path, (EVERYONE,)) as gateway:
        for number in (1, 2, 3):
            case_id = f"fr.health.samu440.DRFR1544026328000{number:02}"
            assert (await gateway.send(case(number, caseId=case_id))).status_code == 202
        headers = await gateway.token()

        async def found(query: str) -> list[str]:
            answer = await gateway.client.get(f"/v1/messages{query}", headers=headers)
            assert answer.status_code == 200, answer.text
            return [item["distributionID"][-1] for item in answer.json()["items"]]

        assert await found("") == ["3", "2", "1"]
        assert await found("?case=fr.health.samu440.DRFR154402632800002") == ["2"]
        assert await found("?type=RS-EDA&limit=2") == ["3", "2"]
        assert (
            await found("?type=RS-RI")
            == await found("?status=acknowledged")
            == await found("?case=none")
            == []
        )
        page = (await gateway.client.get("/v1/messages?limit=2", headers=headers)).json()
        assert await found(f"?cursor={page['cursor']}") == ["1"]


@pytest.mark.parametrize(
    "query", ["status=lost", "type=RS", "case=", f"case={'0' * 257}", "limit=1001", "cursor=x", "cursor="]
)
async def test_a_filter_out_of_bounds_is_refused(gateway: House, query: str) -> None:
    answer = await gateway.client.get(f"/v1/messages?{query}", headers=await gateway.token())
    assert answer.status_code == 400, answer.text


async def test_a_version_that_goes_is_announced(tmp_path: Path) -> None:
    going = DeprecatedVersion("v3", NOW, NOW + 86_400)
    async with house(tmp_path, (EVERYONE,), deprecated_versions=(going,)) as gateway:
        headers = {"Content-Type": "application/json", **await gateway.token()}
        for path in ("/v1/messages", "/v1/messages", "/v1/messages/$validate", "/v1/messages/$translate"):
            answer = await gateway.client.post(path, content=orjson.dumps(case(1)), headers=headers)
            assert answer.status_code in {200, 202}, answer.text
            assert answer.headers["deprecation"] == f"@{NOW:.0f}"
            assert answer.headers["sunset"] == "Wed, 25 Nov 2026 10:00:00 GMT"
        listed = await gateway.client.get("/v1/messages", headers=headers)
        assert "deprecation" not in listed.headers


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("EnvelopeCase", "application/json"),
        ("EnvelopeReference", "application/json"),
        ("XmlReference", "application/xml"),
        ("BundleReference", "application/fhir+json"),
    ],
)
async def test_the_contracts_messages_are_accepted(tmp_path: Path, name: str, media_type: str) -> None:
    example = shown(name)
    body = example.encode() if isinstance(example, str) else orjson.dumps(example)
    async with house(tmp_path, (EVERYONE,)) as gateway:
        headers = {"Content-Type": media_type, **await gateway.token()}
        for path, status in (("/v1/messages/$validate", 200), ("/v1/messages", 202)):
            answer = await gateway.client.post(path, content=body, headers=headers)
            assert answer.status_code == status, answer.text
            assert '"severity":"error"' not in answer.text


def stream_request(method: str, query: bytes, headers: dict[str, str]) -> Request:
    given = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "headers": given, "query_string": query}

    async def silent() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    return Request(scope, silent)


@pytest.mark.parametrize(
    ("query", "last", "cursor"),
    [(b"", None, 0), (b"cursor=7", None, 7), (b"cursor=7", "9", 9), (b"", "9", 9)],
)
def test_where_a_stream_starts(query: bytes, last: str | None, cursor: int) -> None:
    headers = {} if last is None else {"Last-Event-ID": last}
    assert stream.start(stream_request("GET", query, headers)) == cursor


async def test_the_stream_refuses_an_id_that_is_none(gateway: House) -> None:
    headers = {"Last-Event-ID": "-1", **await gateway.token()}
    answer = await gateway.client.get("/v1/inbox/stream", headers=headers)
    assert answer.status_code == 400 and "Header Last-Event-ID" in answer.text


async def test_head_of_the_stream_ends(gateway: House) -> None:
    answer: httpx.Response = await gateway.client.head("/v1/inbox/stream", headers=await gateway.token())
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
