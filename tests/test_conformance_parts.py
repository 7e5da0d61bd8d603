"""The parts of the conformance suite by themselves: the hostile network, the protocol, the comparison, the scripts, the person."""

import asyncio
import base64
import shlex
import sys
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from publishers.conformance import messages
from publishers.conformance.software import faults
from publishers.conformance.software.bench import differences
from publishers.conformance.software.environment import Registration, free_ports, new_key
from publishers.conformance.software.guided import GuidedSubject
from publishers.conformance.software.proxy import Answer, Proxy, Seen, assertion_part, served
from publishers.conformance.software.scripts import Step, WrongScripts, checks, with_id
from publishers.conformance.software.subject import (
    Access,
    CommandSubject,
    SubjectFailed,
    WebhookSubject,
    understood,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda one: st.lists(one) | st.dictionaries(st.text(st.characters(categories=["L"]), min_size=1), one),
    max_leaves=12,
)


def upstream(request: httpx.Request) -> httpx.Response:
    told = {"path": request.url.raw_path.decode(), "method": request.method, "body": request.content.decode()}
    return httpx.Response(202, json=told, headers={"X-Request-Id": request.headers.get("x-request-id", "")})


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(httpx.AsyncClient(transport=httpx.MockTransport(upstream)), "http://gateway")


def through(proxy: Proxy) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=proxy), base_url="http://proxy")


async def test_the_proxy_passes_on_what_it_is_not_told_to_break(proxy: Proxy) -> None:
    async with through(proxy) as http:
        answer = await http.post("/v1/messages/$validate?a=%20b", content="œ", headers={"X-Request-Id": "r1"})
    assert answer.status_code == 202 and answer.headers["x-request-id"] == "r1"
    assert answer.json() == {"path": "/v1/messages/$validate?a=%20b", "method": "POST", "body": "œ"}
    seen = proxy.seen[0]
    assert (seen.method, seen.path, seen.query, seen.status, seen.fault) == (
        "POST", "/v1/messages/$validate", "a=%20b", 202, "",
    )  # fmt: skip


async def test_a_fault_hits_what_it_matches_so_many_times(proxy: Proxy) -> None:
    fault = faults.refuse(faults.sending("marked"), 429, "quota-exceeded", "after", times=1, retry_after="7")
    async with through(proxy) as http:
        with proxy.failing(fault):
            other = await http.post("/v1/messages", content="plain")
            first = await http.post("/v1/messages", content="marked")
            second = await http.post("/v1/messages", content="marked")
        assert [a.status_code for a in (other, first, second)] == [202, 429, 202]
        assert first.headers["retry-after"] == "7"
        assert first.json()["issue"][0]["extension"][0]["valueCode"] == "after"
    assert [seen.fault for seen in proxy.seen] == ["", "429", ""]
    assert proxy.faults == []


async def test_a_lost_answer_reached_the_gateway_and_not_the_client(proxy: Proxy) -> None:
    port = free_ports(1)[0]
    async with (
        served(proxy, port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):
        with proxy.failing(faults.lost_answer(lambda seen: seen.method == "POST")):
            with pytest.raises(httpx.RemoteProtocolError):
                await http.post("/v1/messages", content="x")
            assert (await http.post("/v1/messages", content="x")).status_code == 202
    assert [seen.status for seen in proxy.seen] == [None, 202]


def test_answers_grow_without_losing_anything() -> None:
    body = orjson.dumps({"items": [{"id": "1"}], "cursor": "2"})
    assert orjson.loads(faults.grow(body)) == {
        "items": [{"id": "1", **faults.FUTURE}],
        "cursor": "2",
        **faults.FUTURE,
    }
    for other in (b"", b"<a/>", b"[1]"):
        assert faults.grow(other) == other


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"senderID": "a", "distributionID": "one", "x": {"distributionID": "two"}}', "one"),
        (b"<edxlDistribution><distributionID> one </distributionID></edxlDistribution>", "one"),
        (b"<e:edxl><e:distributionID>one</e:distributionID></e:edxl>", "one"),
        (b"\xff", ""),
    ],
)
def test_the_distribution_id_is_found_on_the_wire(body: bytes, found: str) -> None:
    assert Seen(0, "POST", "/v1/messages", "", {}, body).distribution_id == found


def test_the_client_of_a_token_request_is_found() -> None:
    basic = {"authorization": "Basic " + base64.b64encode(b"me:secret").decode()}
    assert Seen(0, "POST", "/oauth2/token", "", basic, b"").client == "me"
    claims = base64.urlsafe_b64encode(b'{"sub": "me"}').rstrip(b"=").decode()
    form = f"grant_type=client_credentials&client_assertion=e30.{claims}.x".encode()
    assert Seen(0, "POST", "/oauth2/token", "", {}, form).client == "me"
    for wrong in (b"", b"client_assertion=x", b"client_assertion=a.b.c", b"\xff"):
        assert assertion_part(wrong, 1) == {}


@given(JSON)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert differences(value, orjson.loads(orjson.dumps(value)) if _fits(value) else value, frozenset()) == []


def _fits(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


@pytest.mark.parametrize(
    ("wanted", "got", "found"),
    [
        ({"a": 1}, {"a": 2}, ["$.a"]),
        ({"a": 1}, {"a": True}, ["$.a"]),
        ({"a": 1}, {}, ["$.a"]),
        ({}, {"a": 1}, ["$.a"]),
        ({"a": [1, 2]}, {"a": [1]}, ["$.a"]),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, ["$.a[1].b"]),
        ({"a": "e\u0301"}, {"a": "\u00e9"}, ["$.a"]),
        ({"own": 1, "a": {"own": 2}}, {"a": {}}, []),
        ({"a": [{"path": 1}]}, {"a": [{"path": 2}]}, []),
    ],
)
def test_differences_are_named_by_their_path(wanted: Any, got: Any, found: list[str]) -> None:
    assert differences(wanted, got, frozenset({"own", "$.a[0].path"})) == found


def test_scripts_are_read_as_checks(tmp_path: Path) -> None:
    step = {"id": "01", "type": "send", "label": "Send", "file": "one.json", "ignoredProperties": ["$.a.b"]}
    cases = [
        {"categoryLabel": "x", "testCases": [{"label": "Case", "steps": [step, {**step, "type": "receive"}]}]}
    ]
    (tmp_path / "one.json").write_text('{"a": {"b": 1}}')
    (tmp_path / "cases.json").write_bytes(orjson.dumps(cases))
    found = checks(tmp_path / "cases.json", tmp_path)
    assert [(c.id, c.title, c.requirements) for c in found] == [
        ("script-1/01", "Case: Send", ("sender.official-scripts",)),
        ("script-1/01", "Case: Send", ("receiver.official-scripts",)),
    ]


@pytest.mark.parametrize("text", ["", "{", "{}", "[1]", '[{"testCases": [{"label": "x", "steps": [{}]}]}]'])
def test_wrong_scripts_are_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "cases.json").write_text(text)
    if text == "{}":
        assert checks(tmp_path / "cases.json", tmp_path) == ()
        return
    with pytest.raises(WrongScripts):
        checks(tmp_path / "cases.json", tmp_path)


def test_a_script_puts_the_senders_id_where_it_says() -> None:
    step = Step("1", "", "sender", "", {"a": [{"owner": "x"}]}, frozenset(), ("$.a[0].owner",))
    assert with_id(step, "me") == {"a": [{"owner": "me"}]}
    assert step.content == {"a": [{"owner": "x"}]}


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access("http://gateway", "me", "secret", new_key(), "fr.health.samu440", "json", "v3", tmp_path)


ECHO = """import json, os, sys
for line in sys.stdin:
    told = json.loads(line)
    if told["do"] == "end": sys.exit(0)
    if told["do"] == "babble": print("hello", flush=True)
    else: print(json.dumps({"n": told["n"], "sender": os.environ["CONFORMANCE_SENDER_ID"], "œ": told["x"]}), flush=True)
"""


async def test_a_command_is_driven_line_by_line_killed_and_started_again(access: Access) -> None:
    subject = CommandSubject(shlex.join([sys.executable, "-c", ECHO]), access)
    await subject.start()
    try:
        assert await subject.do("say", x="é") == {"n": 1, "sender": "fr.health.samu440", "œ": "é"}
        with pytest.raises(SubjectFailed, match="no JSON"):
            await subject.do("babble", x="")
        await subject.crash()
        with pytest.raises(SubjectFailed, match="ended instead"):
            await subject.do("say", x="")
        await subject.start()
        assert (await subject.do("say", x="again"))["œ"] == "again"
        with pytest.raises(SubjectFailed, match="ended instead"):
            await subject.do("end", x="")
    finally:
        await subject.stop()


async def test_a_command_that_is_not_there_is_told(access: Access) -> None:
    with pytest.raises(SubjectFailed, match="cannot be started"):
        await CommandSubject("/no/such/command", access).start()
    with pytest.raises(SubjectFailed, match="not running"):
        await CommandSubject("true", access).do("stored")


async def test_a_web_hook_that_does_not_listen_is_told(access: Access) -> None:
    with pytest.raises(SubjectFailed, match="did not answer"):
        await WebhookSubject(f"http://127.0.0.1:{free_ports(1)[0]}/hook", access).start()


async def test_a_web_hook_is_told_where_the_gateway_is_and_driven(access: Access) -> None:
    told: list[dict[str, Any]] = []

    def software(request: httpx.Request) -> httpx.Response:
        told.append(orjson.loads(request.content))
        return httpx.Response(200 if told[-1]["do"] != "fail" else 500, json={"received": []})

    port = free_ports(1)[0]
    hook = Proxy(httpx.AsyncClient(transport=httpx.MockTransport(software)), "http://software")
    async with served(hook, port):
        subject = WebhookSubject(f"http://127.0.0.1:{port}/hook", access)
        await subject.start()
        assert await subject.do("receive", count=2) == {"received": []}
        with pytest.raises(SubjectFailed, match="500"):
            await subject.do("fail")
    assert (told[0]["do"], told[0]["gateway_url"], told[0]["client_id"]) == (
        "configure",
        "http://gateway",
        "me",
    )
    assert told[1] == {"do": "receive", "count": 2}


@pytest.mark.parametrize("answer", [b"", b"no", b"[]", b"3"])
def test_an_answer_that_is_no_object_is_told(answer: bytes) -> None:
    with pytest.raises(SubjectFailed, match="stored"):
        understood(answer, "stored")


async def test_a_person_is_told_what_to_do_and_what_they_confirm_counts(access: Access) -> None:
    asked: list[str] = []

    def ask(question: str, *, yes: bool) -> bool:
        asked.append(question)
        return "accepted" not in question

    console = Console(record=True, width=120, force_terminal=False, file=None, quiet=False)
    subject = GuidedSubject(access, console, ask)
    document = messages.enveloped(
        messages.case("fr.health.samu750", "CASE", "look for this"), "fr.health.samu750", "fr.health.samu440"
    )
    await subject.start()
    order = {
        "recipient": "fr.health.samu750",
        "messageType": "RS-EDA",
        "content": messages.use_case(document),
    }
    assert await subject.do("send", messages=[order]) == {"results": [{"accepted": False}]}
    await subject.do("expect", documents=[document])
    received = (await subject.do("receive", count=1, seconds=1))["received"]
    assert [one["distributionID"] for one in received] == [document["distributionID"]]
    assert (await subject.do("stored"))["stored"] == received
    assert await subject.do("rotate-key") == {"unsupported": True}
    shown = console.export_text()
    assert (
        "http://gateway" in shown
        and "look for this" in shown
        and "Send this RS-EDA to fr.health.samu750" in shown
    )
    assert len(asked) == 4


def test_a_registration_is_one_that_the_gateway_reads(tmp_path: Path) -> None:
    from gateway.registry import load

    one = Registration("one", ("fr.health.samu440",), ("fr.health.samu440",), "xml", "v2")
    (tmp_path / "one.toml").write_text(one.toml())
    publisher = load(tmp_path).by_client_id(one.client_id)
    assert publisher is not None and (publisher.format, publisher.model_version) == ("xml", "v2")
    assert '"d"' not in one.toml() and one.client_secret not in one.toml()


async def test_what_happens_after_an_answer_was_given_up_happens_once(proxy: Proxy) -> None:
    happened: list[str] = []

    async def note() -> None:
        happened.append("power cut")

    fault = faults.then(faults.acking, note)

    async def forward() -> Answer:
        happened.append("forwarded")
        return Answer(200, [], b"")

    assert await fault.act(forward) is None
    assert happened == ["forwarded", "power cut"]
    assert faults.acking(Seen(0, "POST", "/v1/inbox/1/ack", "", {}, b"")) and not faults.acking(
        Seen(0, "GET", "/v1/inbox", "", {}, b"")
    )
    await asyncio.sleep(0)
