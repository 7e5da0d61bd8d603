"""The way to the core: what rejects, what is an outage, and what is asked of it."""

import asyncio
import gzip
import io
from email.utils import formatdate

import httpx
import orjson
import pytest
from pytest_httpx import HTTPXMock

from gateway.core.fhir import FhirCore, clock_skew, http_client, retry_after
from gateway.errors import CoreOutage, CoreRejected
from gateway.observability import METRICS
from tests.patience import GIVE_UP

URL = "https://core.test/fhir"
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "invalid"}]}
NOW = 1_000_000.0


class Tokens:
    """Numbered tokens, a new one after each that was forgotten."""

    def __init__(self) -> None:
        self.number = 1

    async def __call__(self) -> str:
        return f"token-{self.number}"

    def forget(self) -> None:
        self.number += 1


@pytest.fixture
async def core() -> FhirCore:
    return FhirCore(httpx.AsyncClient(), URL, Tokens(), lambda: NOW)


async def test_a_refused_token_is_not_used_again(core: FhirCore, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(401)
    httpx_mock.add_response(200)
    with pytest.raises(CoreOutage):
        await core.send(b"{}")
    await core.send(b"{}")
    sent = [request.headers["authorization"] for request in httpx_mock.get_requests()]
    assert sent == ["Bearer token-1", "Bearer token-2"]


async def test_sends_the_bundle_with_its_token(core: FhirCore, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(200)
    await core.send(b'{"resourceType":"Bundle"}')
    request = httpx_mock.get_requests()[0]
    assert str(request.url) == URL + "/$process-message"
    assert request.headers["authorization"] == "Bearer token-1"
    assert request.headers["content-type"] == "application/fhir+json"
    assert request.content == b'{"resourceType":"Bundle"}'


@pytest.mark.parametrize("status", [400, 409, 410, 413, 415, 422])
async def test_a_rejecting_status_with_an_outcome_rejects(
    core: FhirCore, httpx_mock: HTTPXMock, status: int
) -> None:
    httpx_mock.add_response(status, json=OUTCOME)
    with pytest.raises(CoreRejected) as refusal:
        await core.send(b"{}")
    assert (refusal.value.status, refusal.value.outcome) == (status, OUTCOME)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 409, 422, 429, 500, 502, 503])
async def test_anything_else_is_an_outage(core: FhirCore, httpx_mock: HTTPXMock, status: int) -> None:
    body = {"json": OUTCOME} if status in {401, 403, 404, 405, 500, 503} else {"text": "<html>"}
    httpx_mock.add_response(status, **body)
    with pytest.raises(CoreOutage) as outage:
        await core.send(b"{}")
    assert outage.value.cause == f"HTTP {status}"


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")]
)
async def test_no_answer_is_an_outage(core: FhirCore, httpx_mock: HTTPXMock, error: httpx.HTTPError) -> None:
    httpx_mock.add_exception(error)
    with pytest.raises(CoreOutage):
        await core.send(b"{}")


@pytest.mark.parametrize(
    "outcome",
    [
        {**OUTCOME, "issue": []},
        {**OUTCOME, "issue": "x"},
        {**OUTCOME, "issue": ["x"]},
        {**OUTCOME, "issue": [{"details": "x"}]},
        {**OUTCOME, "issue": [{"details": {"coding": {}}}]},
        {**OUTCOME, "issue": [{"details": {"coding": ["x"]}}]},
        {**OUTCOME, "text": "x" * 2_000_000},
        ["OperationOutcome"],
    ],
)
async def test_what_is_no_outcome_rejects_nothing(
    core: FhirCore, httpx_mock: HTTPXMock, outcome: object
) -> None:
    httpx_mock.add_response(422, json=outcome)
    with pytest.raises(CoreOutage):
        await core.send(b"{}")


async def test_a_compressed_answer_is_not_unpacked(core: FhirCore, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(
        422, content=gzip.compress(orjson.dumps(OUTCOME)), headers={"Content-Encoding": "gzip"}
    )
    with pytest.raises(CoreOutage):
        await core.send(b"{}")
    assert httpx_mock.get_requests()[0].headers["accept-encoding"] == "identity"


async def test_retry_after_is_honoured(core: FhirCore, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(503, headers={"Retry-After": "17"})
    with pytest.raises(CoreOutage) as outage:
        await core.send(b"{}")
    assert outage.value.retry_after == 17.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("5", 5.0),
        ("999999", 3600.0),
        ("-1", None),
        ("soon", None),
        (formatdate(NOW + 30, usegmt=True), 30.0),
        (formatdate(NOW - 30, usegmt=True), 0.0),
        ("9" * 400, 3600.0),
    ],
)
def test_retry_after_header(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


async def test_clocks_that_part_are_shown_and_said_once(
    core: FhirCore, httpx_mock: HTTPXMock, lines: io.BytesIO
) -> None:
    for ahead, shown, warnings in [(2, 2.5, 0), (45, 45.5, 1), (50, 50.5, 1), (0, 0.5, 1), (-45, -44.5, 2)]:
        httpx_mock.add_response(200, headers={"Date": formatdate(NOW + ahead, usegmt=True)})
        await core.send(b"{}")
        assert METRICS.get_sample_value("gateway_clock_skew_seconds") == shown
        assert lines.getvalue().count(b'"event":"clock_skew"') == warnings
    httpx_mock.add_response(200, headers={"Date": "soon"})
    await core.send(b"{}")
    assert METRICS.get_sample_value("gateway_clock_skew_seconds") == -44.5


async def test_as_many_go_out_at_one_time_as_the_forwarder_sends() -> None:
    everyone = asyncio.Barrier(150)  # more than the HTTP client has connections by default

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        await everyone.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server, http_client(20.0) as client:
        port = server.sockets[0].getsockname()[1]
        core = FhirCore(client, f"http://127.0.0.1:{port}/fhir", Tokens(), lambda: NOW)
        async with asyncio.timeout(GIVE_UP):
            await asyncio.gather(*(core.send(b"{}") for _ in range(everyone.parties)))


@pytest.mark.parametrize("value", [None, "", "soon", "Thu, 99 Foo 2026 00:00:00 GMT", "9" * 400])
def test_a_date_that_is_none_says_nothing(value: str | None) -> None:
    assert clock_skew(value, NOW) is None
