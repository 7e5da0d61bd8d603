"""The whole conversation with software that is not ours: the JDK's client, curl with HTTP/2, .NET's habits, HAProxy, nginx."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway import intake
from gateway.app import create_app
from tests.abuse.neighbours import program, proxied, run
from tests.abuse.wire import HOST, listening, read_answer, talk
from tests.house import House, case, house, secret
from tests.patience import GIVE_UP, until

BOM = b"\xef\xbb\xbf"
FRONTS = ["none", "haproxy", "nginx"]


async def bundle(gateway: House, number: int) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", **await gateway.token()}
    made = await gateway.client.post("/v1/messages/$translate?to=fhir", json=case(number), headers=headers)
    told: dict[str, Any] = made.json()["content"]
    return told


async def deliver(gateway: House, number: int) -> str:
    """Put a message into the inbox of `peer`; the item's id."""
    assert (await gateway.deliver(await bundle(gateway, number))).status_code == 200
    return str((await gateway.inbox("peer"))[-1]["id"])


def references(gateway: House) -> list[dict[str, Any]]:
    """The bodies of the RC-REF that went to the core."""
    sent = [intake.from_bundle(orjson.dumps(one)) for one in gateway.core.bundles]
    return [message.body for message in sent if message.message_type == "RC-REF"]


@pytest.mark.parametrize("front", FRONTS)
async def test_token_send_stream_poll_and_ack(tmp_path: Path, front: str) -> None:
    async with (
        house(tmp_path, long_poll_max=2) as gateway,
        listening(create_app(gateway.runtime)) as port,
        proxied(front, port, tmp_path) as public,
        httpx.AsyncClient(base_url=f"http://{HOST}:{public}", trust_env=False, timeout=GIVE_UP) as http,
    ):
        grant = {"grant_type": "client_credentials"}
        tokens = {}
        for client in ("lrm", "peer"):
            answer = await http.post("/oauth2/token", data=grant, auth=(client, secret(client)))
            tokens[client] = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        sent = await http.post("/v1/messages", json=case(1), headers=tokens["lrm"])
        assert sent.status_code == 202, sent.text
        async with http.stream("GET", "/v1/inbox/stream", headers=tokens["peer"]) as stream:
            lines = stream.aiter_lines()
            async with asyncio.timeout(20):
                assert await anext(lines) == ": waiting"
                item = await deliver(gateway, 2)
                events = [line async for line in _until(lines, "data: ")]
                assert orjson.loads(events[-1].removeprefix("data: "))["id"] == item
        refusal = {"step": "ERREUR", "refused": True}
        acked = await http.post(f"/v1/inbox/{item}/ack", json=refusal, headers=tokens["peer"])
        assert acked.status_code == 200, acked.text
        polled = await http.get("/v1/inbox?wait=60", headers=tokens["peer"])  # longer than the proxy waits
        assert (polled.status_code, polled.json()["items"]) == (200, [])
        await until(lambda: references(gateway))
        assert references(gateway)[0]["refused"] is True


async def _until(lines: Any, prefix: str) -> Any:
    async for line in lines:
        yield line
        if line.startswith(prefix):
            return


async def test_a_proxys_rule_on_authorization_is_not_passed_by(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as gateway,
        listening(create_app(gateway.runtime)) as port,
        proxied("haproxy", port, tmp_path) as public,
    ):
        token = (await gateway.token())["Authorization"].encode()
        for version, end in ((b"1.1", b""), (b"1.1", UPGRADE)):
            head = b"POST /v1/messages HTTP/%b\r\nHost: x\r\nConnection: close\r\n" % version
            head += end + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            for _ in range(25):
                answers = await talk(public, head + b"2\r\n{}\r\n0\r\nAuthorization: %b\r\n\r\n" % token)
                assert [answer.status for answer in answers] in ([401], [400])
        twice = (
            b"GET /v1/quota HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            + b"Authorization: %b\r\n" % token * 2
        )
        assert [answer.status for answer in await talk(public, twice + b"\r\n")] == [400]


UPGRADE = b"Upgrade: h2c\r\n"


async def test_the_jdks_default_client(tmp_path: Path) -> None:
    program("javac")  # java alone runs no source
    async with house(tmp_path) as gateway, listening(create_app(gateway.runtime)) as port:
        item = await deliver(gateway, 2)
        (tmp_path / "message.json").write_bytes(orjson.dumps(case(1)))
        source = Path(__file__).with_name("JavaClient.java")
        credentials = [part for name in ("lrm", "peer") for part in (name, secret(name))]
        told = await run(
            "java", str(source), f"http://{HOST}:{port}", *credentials, str(tmp_path / "message.json"), item
        )
        steps = {line.split(" HTTP_1_1 ")[0]: line.split(" HTTP_1_1 ")[1] for line in told.splitlines()}
        assert {name: text.split()[0] for name, text in steps.items()} == {
            "token": "200", "send": "202", "send again": "200", "poll": "200", "stream": "200", "ack": "200",
        }, told  # fmt: skip
        assert steps["stream"].startswith("200 id: ")
        await until(lambda: references(gateway))
        (reference,) = references(gateway)
        assert (reference["step"], reference["refused"]) == ("ERREUR", True)


@pytest.mark.parametrize("front", FRONTS)
async def test_curl_that_wants_http2(tmp_path: Path, front: str) -> None:
    async with (
        house(tmp_path) as gateway,
        listening(create_app(gateway.runtime)) as port,
        proxied(front, port, tmp_path) as public,
    ):
        url, item = f"http://{HOST}:{public}", await deliver(gateway, 2)
        (tmp_path / "message.json").write_bytes(orjson.dumps(case(1)))
        curl = ["curl", "-sS", "--http2", "--max-time", "60", "--noproxy", "*"]
        tokens = {
            name: orjson.loads(
                await run(*curl, f"{url}/oauth2/token", "-u", f"{name}:{secret(name)}", "-d", "grant_type=client_credentials")
            )["access_token"]
            for name in ("lrm", "peer")
        }  # fmt: skip
        as_json = ["-H", "Content-Type: application/json"]
        bearer = {name: ["-H", f"Authorization: Bearer {token}"] for name, token in tokens.items()}
        message = ["--data-binary", f"@{tmp_path}/message.json"]
        receipt = orjson.loads(await run(*curl, f"{url}/v1/messages", *as_json, *bearer["lrm"], *message))
        assert receipt["status"] == "received", receipt
        chunked = [*message, "-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue"]
        again = orjson.loads(await run(*curl, f"{url}/v1/messages", *as_json, *bearer["lrm"], *chunked))
        assert again["duplicate"] is True, again
        refusal = ["-d", '{"step":"ERREUR","refused":true}']
        await run(*curl, f"{url}/v1/inbox/{item}/ack", *as_json, *bearer["peer"], *refusal)
        await until(lambda: references(gateway))
        assert references(gateway)[0]["refused"] is True


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_dotnet_client_with_a_byte_order_mark_that_waits_for_100(
    tmp_path: Path, chunked: bool
) -> None:
    async with house(tmp_path) as gateway, listening(create_app(gateway.runtime)) as port:
        token = (await gateway.token())["Authorization"].encode()
        body = BOM + orjson.dumps(case(1))
        reader, writer = await asyncio.open_connection(HOST, port)
        head = b"POST /v1/messages HTTP/1.1\r\nHost: %b:%d\r\nAuthorization: %b\r\n" % (
            HOST.encode(),
            port,
            token,
        )
        head += b'Content-Type: application/json; charset="utf-8"\r\nExpect: 100-continue\r\n'
        end = b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: %d\r\n" % len(body)
        writer.write(head + end + b"\r\n")
        go_on = await read_answer(reader)
        assert go_on is not None and go_on.status == 100
        writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body)
        receipt = await read_answer(reader)
        assert receipt is not None and receipt.status == 202, receipt
        writer.close()
