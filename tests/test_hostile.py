"""What somebody who means harm may try: each of these once got further than it should."""

import asyncio
import logging
import signal
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from starlette.types import Message, Scope

from gateway import forward
from gateway.app import create_app
from gateway.intake import FHIR_JSON
from gateway.model import Outgoing
from gateway.observability import LibraryLine
from gateway.receive import Posted
from tests.house import NOW, House, case, house
from tests.store_samples import submission
from tests.strategies import enveloped
from tests.test_conversion_cisu import FIRE, FIRE_CASE
from tests.test_readme import wait_ready
from tests.test_service import Served, served, start

__all__ = ["served"]  # a fixture
AT_NOW = datetime.fromtimestamp(NOW, UTC)


async def bundle_of(gateway: House, document: dict[str, Any]) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", **await gateway.token()}
    answer = await gateway.client.post("/v1/messages/$translate?to=fhir", json=document, headers=headers)
    assert answer.status_code == 200, answer.text
    bundle: dict[str, Any] = answer.json()["content"]
    return bundle


# Bundles as bodies


@pytest.mark.parametrize("depth", [64, 260, 480])
async def test_a_bundle_that_nests_deep_is_refused_as_unreadable(tmp_path: Path, depth: int) -> None:
    async with house(tmp_path) as gateway:
        bundle = await bundle_of(gateway, case())
        body = orjson.dumps(bundle).removesuffix(b"}")
        body += b',"extension":' + b'[{"url":"x","extension":' * depth + b"[]" + b"}]" * depth + b"}"
        for path in ("/v1/messages", "/v1/messages/$validate", "/v1/messages/$translate?to=fhir"):
            headers = {"Content-Type": FHIR_JSON, **await gateway.token()}
            answer = await gateway.client.post(path, content=body, headers=headers)
            assert answer.status_code == 400, answer.text


async def test_a_bundles_second_reading_does_not_reach_the_core(tmp_path: Path) -> None:
    """JSON lets a member stand twice, and readers differ on which one counts."""
    async with house(tmp_path) as gateway:
        bundle = orjson.dumps(await bundle_of(gateway, case()))
    body = bundle.replace(b'"identifier":', b'"identifier":{"system":"x","value":"forged"},"identifier":', 1)
    assert b"forged" in body
    job = Outgoing("1", submission(body=body, media_type=FHIR_JSON), 0)
    sent = forward.to_bundle(job)
    assert b"forged" not in sent
    assert orjson.loads(sent) == orjson.loads(bundle)


# ids, expiry and quota


@pytest.mark.parametrize("year", ["0000-02-29", "0000-12-31", "0001-01-01"])
async def test_the_first_years_are_past(tmp_path: Path, year: str) -> None:
    async with house(tmp_path) as gateway:
        document = {**case(), "dateTimeExpires": f"{year}T00:00:00+00:00"}
        answer = await gateway.send(document)
        codes = [issue["code"] for issue in answer.json()["issue"]]
        assert answer.status_code in {400, 410}  # 400: before dateTimeSent
        assert "expired" in codes


async def test_nobody_takes_an_id_that_begins_with_another_actors(tmp_path: Path) -> None:
    """The core deduplicates on the distributionID: the SAMU's own message would be taken for a repeat of this one."""
    async with house(tmp_path) as gateway:
        mine = enveloped("createCase", FIRE_CASE, sender=FIRE, recipient="fr.health.samu750", sent=AT_NOW)
        document = orjson.loads(orjson.dumps(mine).replace(f"{FIRE}_".encode(), b"fr.health.samu440_"))
        assert document["distributionID"].startswith("fr.health.samu440_")
        answer = await gateway.send(document, "fire")
        assert answer.status_code == 400
        assert [issue["expression"] for issue in answer.json()["issue"]] == [["distributionID"]]
        assert (await gateway.send(mine, "fire")).status_code == 202


async def test_the_repeat_of_an_expired_message_costs_no_quota(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        document = case()
        assert (await gateway.send(document)).status_code == 202
        gateway.clock.now = NOW + 90 * 86_400
        answer = await gateway.send(document)
        assert (answer.status_code, answer.headers["idempotent-replayed"]) == (200, "true")
        assert '"minute";r=1000;' in answer.headers["ratelimit"]


def test_the_digest_is_over_media_type_and_body() -> None:
    same = Posted("application/json", b"{}")
    assert same.digest == Posted("application/json", b"{}").digest
    assert same.digest != Posted("application/xml", b"{}").digest
    assert same.digest != Posted("application/json", b"{ }").digest


# acknowledging


async def delivered_item(gateway: House) -> str:
    answer = await gateway.deliver(await bundle_of(gateway, case()))
    assert answer.status_code == 200, answer.text
    return str((await gateway.inbox("peer"))[0]["id"])


async def acknowledge(gateway: House, item: str, wish: dict[str, Any]) -> Any:
    path = f"/v1/inbox/{item}/ack"
    answer = await gateway.client.post(path, json=wish, headers=await gateway.token("peer"))
    assert answer.status_code == 200, answer.text
    return answer.json()["reference"]


async def test_a_repeated_ack_names_no_reference_that_was_never_sent(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        item = await delivered_item(gateway)
        assert await acknowledge(gateway, item, {"reference": False}) is None
        assert await acknowledge(gateway, item, {}) is None


async def test_a_repeated_ack_names_the_reference_that_was_sent(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        item = await delivered_item(gateway)
        sent = await acknowledge(gateway, item, {"step": "RECU"})
        assert sent.startswith("fr.health.samu750_")
        gateway.clock.now += 60
        assert await acknowledge(gateway, item, {"reference": False}) == sent
        assert await acknowledge(gateway, item, {"step": "RECU"}) == sent


# stopping


async def test_a_request_that_outlasts_the_grace_is_told_503(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        answers: list[Message] = []
        waiting = asyncio.Event()

        async def receive() -> Message:
            waiting.set()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            answers.append(message)

        headers = {"content-type": "application/json", **await gateway.token()}
        scope: Scope = {
            "type": "http", "method": "POST", "path": "/v1/messages", "query_string": b"", "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        asking = asyncio.ensure_future(create_app(gateway.runtime)(scope, receive, send))
        await waiting.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert answers[0]["status"] == 503
        assert (b"retry-after", b"5") in answers[0]["headers"]
        assert orjson.loads(answers[1]["body"])["resourceType"] == "OperationOutcome"


def test_a_stop_waits_for_no_long_poll_and_no_stream(served: Served) -> None:
    served.process.kill()
    served.process.communicate()
    # with a grace longer than the test may take: whoever waited for it would be seen
    served.environ["GATEWAY_STOP_GRACE"] = "600"
    served.process = start(served.environ)
    wait_ready(served.port, served.process)
    headers = {"Authorization": f"Bearer {served.token().json()['access_token']}"}
    base = f"http://127.0.0.1:{served.port}/v1/inbox"
    with (
        httpx.Client(trust_env=False, timeout=60, headers=headers) as client,
        client.stream("GET", base + "/stream") as stream,
    ):
        rest = stream.iter_raw()
        assert b"waiting" in next(rest)
        poll = socket.create_connection(("127.0.0.1", served.port), timeout=60)
        token = client.headers["authorization"]
        poll.sendall(f"GET /v1/inbox?wait=30 HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
        client.get(f"http://127.0.0.1:{served.port}/health/live")  # by now the poll was read, too
        served.process.send_signal(signal.SIGTERM)
        assert b"".join(rest) == b""
        with poll, poll.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
    _, logged = served.process.communicate(timeout=60)
    assert served.process.returncode == 0
    assert b"Traceback" not in logged


def test_a_head_that_never_ends_is_cut_off(served: Served) -> None:
    line = b"X-Filler: " + b"y" * 1_000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as client:
        client.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + line * 300)  # and no blank line
        assert client.recv(1_000).startswith(b"HTTP/1.1 431 ")


def test_a_large_body_is_no_large_head(served: Served) -> None:
    url = f"http://127.0.0.1:{served.port}"
    headers = {"Authorization": f"Bearer {served.token().json()['access_token']}"}
    with httpx.Client(trust_env=False, base_url=url, headers=headers) as client:
        for _ in range(3):  # on one connection
            answer = client.post(
                "/v1/messages", content=b" " * 500_000, headers={"Content-Type": "application/json"}
            )
            assert answer.headers["content-type"] == FHIR_JSON
            assert answer.status_code == 400


# logs


def test_a_librarys_log_line_has_neither_text_nor_traceback() -> None:
    with pytest.raises(ValueError, match="Zébulon") as caught:
        int("Zébulon")
    info = (caught.type, caught.value, caught.tb)
    record = logging.LogRecord("uvicorn.error", logging.ERROR, __file__, 1, "about Zébulon", (), info)
    line = LibraryLine().format(record)
    told = orjson.loads(line)
    assert (told["event"], told["logger"], told["exception"]) == ("library", "uvicorn.error", "ValueError")
    assert "Zébulon" not in line
