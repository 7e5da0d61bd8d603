"""The server checks of the conformance suite: our sandbox passes, and each breach of the contract is named by its own check."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import orjson
import pytest

from publishers.conformance import server
from publishers.conformance.checks import run_checks
from publishers.conformance.requirements import coverage
from publishers.conformance.results import Outcome, Report, Result
from publishers.conformance.running import of_sandbox
from publishers.conformance.server import quota, refusals, sweeps
from publishers.conformance.server.bench import ServerBench
from publishers.conformance.server.wire import Client, Target, Wire
from publishers.conformance.software.environment import WIDE, Registration, running

Breach = Callable[[httpx.Request, httpx.Response], httpx.Response]
pytestmark = pytest.mark.slow
# what a sandbox cannot show: its registry has an inbox for every id, and its quotas are wide
NOT_JUDGED_HERE = {"recipient", "quota-exceeded"}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A sandbox as a newcomer starts it."""
    data, port = tmp_path_factory.mktemp("sandbox") / "data", free_port()
    command = [sys.executable, "-m", "gateway", "sandbox", "--port", str(port), "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/health/ready", process)
            yield of_sandbox(data / "sandbox.json", "fr.health.samu440", "fr.health.samu330")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


class Broken(httpx.AsyncBaseTransport):
    """The way to the gateway, with one breach of the contract on it."""

    def __init__(self, breach: Breach) -> None:
        self._way = httpx.AsyncHTTPTransport()
        self._breach = breach

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._way.handle_async_request(request)
        if request.url.path == "/v1/inbox/stream" and answer.status_code == 200:
            return answer
        await answer.aread()
        headers = {
            n: v for n, v in answer.headers.items() if n not in {"content-length", "transfer-encoding"}
        }
        whole = httpx.Response(answer.status_code, headers=headers, content=answer.content)
        return self._breach(request, whole)

    async def aclose(self) -> None:
        await self._way.aclose()


def without(*names: str) -> Breach:
    def breach(_: httpx.Request, answer: httpx.Response) -> httpx.Response:
        for name in names:
            answer.headers.pop(name, None)
        return answer

    return breach


def conflict_is_taken(_: httpx.Request, answer: httpx.Response) -> httpx.Response:
    answer.status_code = 200 if answer.status_code == 409 else answer.status_code
    return answer


def plain_text(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    if request.url.path != "/v1/no-such-path":
        return answer
    headers = {n: v for n, v in answer.headers.items() if not n.startswith("content-")}
    return httpx.Response(answer.status_code, headers=headers, text="Not Found")


def wrong_location(_: httpx.Request, answer: httpx.Response) -> httpx.Response:
    if "location" in answer.headers:
        answer.headers["location"] = "/v1/messages"
    return answer


def swapped_verb(_: httpx.Request, answer: httpx.Response) -> httpx.Response:
    if answer.status_code != 409:
        return answer
    return httpx.Response(
        409, headers=bare(answer), content=answer.content.replace(b'"new-id"', b'"same-id"')
    )


def other_request_id(_: httpx.Request, answer: httpx.Response) -> httpx.Response:
    answer.headers["x-request-id"] = "the-proxy's-own"
    return answer


def undescribed(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    if request.url.path != "/v1/quota" or answer.status_code != 200:
        return answer
    told = orjson.loads(answer.content)
    told["limits"][0]["window"] = str(told["limits"][0]["window"])
    return httpx.Response(200, headers=bare(answer), content=orjson.dumps(told))


def refusal_as_ack(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    shown = answer.content.replace(b'"status":"refused"', b'"status":"acknowledged"')
    if not request.url.path.startswith("/v1/messages/") or shown == answer.content:
        return answer
    return httpx.Response(200, headers=bare(answer), content=shown)


def bare(answer: httpx.Response) -> dict[str, str]:
    return {n: v for n, v in answer.headers.items() if n != "content-length"}


BREACHES: dict[str, tuple[Breach, set[str]]] = {
    "no RateLimit": (without("ratelimit", "ratelimit-policy"), {"ratelimit"}),
    "200 instead of 409": (conflict_is_taken, {"conflict"}),
    "an error in plain text": (plain_text, {"outcome"}),
    "a wrong Location": (wrong_location, {"location"}),
    "another retry verb": (swapped_verb, {"retry-verb"}),
    "no Idempotent-Replayed": (without("idempotent-replayed"), {"replay"}),
    "another X-Request-Id": (other_request_id, {"request-id"}),
    "a refusal shown as an acknowledgement": (refusal_as_ack, {"ack-refused"}),
    "an answer that the contract does not describe": (undescribed, {"as-described"}),
}


async def test_the_sandbox_passes(target: Target) -> None:
    results = await certify(target)
    assert failures(results) == {}
    assert {r.check for r in results if r.outcome is Outcome.SKIPPED} == NOT_JUDGED_HERE
    rows = coverage(results, server.ROLES)
    assert Report("", "", "server", {}, "", "", results, rows).verdict == "passed"
    assert {row.id for row in rows if row.outcome is Outcome.SKIPPED} == {
        "server.recipient",
        "server.quota-exceeded",
    }


@pytest.mark.parametrize("name", BREACHES)
async def test_a_breach_fails_at_its_own_check_and_at_no_other(target: Target, name: str) -> None:
    breach, checks = BREACHES[name]
    results = await certify(target, Broken(breach))
    assert set(failures(results)) == checks, failures(results)


@pytest.fixture
async def narrow(tmp_path: Path) -> AsyncIterator[Target]:
    """A production server whose registry knows one publisher, of a narrow quota."""
    mine = Registration(
        "narrow",
        ("fr.health.samu440",),
        ("fr.health.samu440",),
        limits={**WIDE, "per_second": 10, "in_flight": 200},
    )
    async with running(tmp_path / "gateway", (mine,)) as started:
        client = Client(mine.client_id, mine.client_secret, mine.keys[0])
        yield Target(started.gateway, client, "fr.health.samu440", "fr.health.samu440", core=started.core)


async def test_what_a_sandbox_cannot_show_is_judged_elsewhere(narrow: Target) -> None:
    async with httpx.AsyncClient(base_url=narrow.url, timeout=30, trust_env=False) as http:
        bench = ServerBench(Wire(http), narrow)
        checks = (*quota.CHECKS, *(c for c in refusals.CHECKS if c.id == "recipient"), *sweeps.CHECKS)
        results = await run_checks(checks, bench, lambda _: None)
    assert {r.check: (r.outcome, r.detail) for r in results if r.outcome is not Outcome.PASSED} == {}


async def certify(target: Target, transport: httpx.AsyncBaseTransport | None = None) -> tuple[Result, ...]:
    return await server.certify(target, lambda _: None, transport)


def failures(results: tuple[Result, ...]) -> dict[str, str]:
    return {r.check: r.detail for r in results if r.outcome in {Outcome.FAILED, Outcome.ERROR}}


def free_port() -> int:
    """A free port whose two successors are free as well."""
    while True:
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
                three.bind(("127.0.0.1", port + 2))
            except (OSError, OverflowError):
                continue
            return port


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    pytest.fail("the sandbox did not become ready")
