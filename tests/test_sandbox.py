"""The sandbox as a newcomer starts it, and the demo publishers that it makes."""

import json
import signal
import socket
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import edxl, validation
from gateway.registry import load
from publishers.sandbox import MARKER, make_afresh, messages
from publishers.sandbox.demonstration import abbreviated
from publishers.sandbox.publishers import describe, generate_keys, generate_publishers, registration, write


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


def command(port: int, data: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "gateway", "sandbox", "--port", str(port), "--data", str(data), *more]


@pytest.mark.slow
def test_once_shows_a_case_and_its_ack(tmp_path: Path) -> None:
    done = subprocess.run(
        command(free_port(), tmp_path / "data", "--once"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for shown in ("POST /v1/messages", "-> 202", "GET /v1/inbox", "RC-REF", "acknowledged", "GET /v1/quota"):
        assert shown in done.stdout


@pytest.mark.slow
def test_it_serves_until_interrupted_and_sandbox_json_is_there_when_it_is_ready(tmp_path: Path) -> None:
    port, data = free_port(), tmp_path / "data"
    with subprocess.Popen(command(port, data), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        wait_for(f"http://127.0.0.1:{port}/health/ready", process)
        told = json.loads((data / "sandbox.json").read_text())
        assert (
            told["gateway"] == f"http://127.0.0.1:{port}" and told["core"] == f"http://127.0.0.1:{port + 1}"
        )
        for publisher in told["publishers"]:
            answer = httpx.post(
                f"{told['gateway']}/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(publisher["client_id"], publisher["client_secret"]),
                trust_env=False,
            )
            assert answer.json()["scope"] == "message.send message.read inbox.read"
        other = subprocess.run(
            command(port, tmp_path / "other", "--once"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (other.returncode, other.stdout) == (1, "")
        assert f"port {port} cannot be used" in other.stderr and "Traceback" not in other.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr is not None and process.stderr.read() == b""


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail(f"{url} does not answer")


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="other things"):
        make_afresh(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_earlier_sandbox_is_made_afresh(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    make_afresh(data)
    (data / "gateway.db").touch()
    make_afresh(data)
    assert [path.name for path in data.iterdir()] == [MARKER]


def test_the_registry_reads_what_the_sandbox_writes(tmp_path: Path) -> None:
    demos = generate_publishers()
    write(tmp_path, demos, generate_keys())
    registry = load(tmp_path / "registry", exclusive_senders=False)
    first, second, third = (registry.by_id(one.id) for one in demos)
    assert first and second and third
    for sender in ("fr.health.samu440", "fr.health.samu131", "fr.health.ptfsas"):
        assert registry.sender_allowed(first, sender)
    assert registry.sender_allowed(second, "fr.health.samu440")
    assert not registry.sender_allowed(third, "fr.health.samu440")
    assert registry.sender_allowed(third, "fr.fire.nexsis.sdisZ")
    owners = {
        "fr.health.samu440": first,
        "fr.health.samu131": first,
        "fr.fire.nexsis.sdis13": first,
        "fr.health.samu750": second,
        "fr.fire.nexsis.sdisZ": third,
    }
    assert {name: registry.recipient_publisher(name) for name in owners} == owners
    assert [one.limits.per_second for one in (first, second, third)] == [1_000] * 3


def test_what_is_written_for_the_gateway_holds_no_secret_of_a_publisher(tmp_path: Path) -> None:
    demos, keys = generate_publishers(), generate_keys()
    write(tmp_path, demos, keys)
    for one in demos:
        text = (tmp_path / "registry" / f"{one.id}.toml").read_text()
        assert tomllib.loads(text)["sends_for"] == list(one.sender_ids)
        assert one.client_secret not in text and one.private_key_jwk["d"] not in text
        assert len(one.client_secret) >= 43
    assert registration(demos[0]) != registration(generate_publishers()[0])  # fresh credentials every time
    for private in ("signing", "gateway", "core"):
        assert (tmp_path / "keys" / f"{private}.json").stat().st_mode & 0o077 == 0
    for public in ("gateway-jwks", "core-jwks"):
        assert '"d"' not in (tmp_path / "keys" / f"{public}.json").read_text()


def test_sandbox_json_has_the_contracts_members() -> None:
    told = describe("http://g", "http://c", generate_publishers(), "http://o")
    assert told.keys() == {"gateway", "core", "operations", "publishers"}
    members = "id client_id client_secret private_key_jwk sender_ids inbox_ids model_version format"
    assert [publisher.keys() for publisher in told["publishers"]] == [set(members.split())] * 3
    first, second, third = told["publishers"]
    assert "fr.health.ptfsas" in first["sender_ids"] and first["format"] == "json"
    assert second["inbox_ids"] == ("fr.health.samu750",) and second["format"] == "xml"
    assert third["sender_ids"] == third["inbox_ids"] == ("fr.fire.nexsis.sdisZ",)


def test_the_demonstrations_case_is_valid_with_every_code_known() -> None:
    case = messages.case("fr.health.samu440", "fr.health.samu750", datetime.now(UTC))
    decoded = edxl.decode(json.dumps(case).encode(), "application/json", "v3")
    assert validation.judge(decoded, strict_codes=True) == ()


def test_what_is_long_or_deep_is_not_shown() -> None:
    deep: Any = {"a": {"b": {"c": {"d": {"e": 1}}}}, "text": "x" * 100, "list": [1, []]}
    assert abbreviated(deep) == {"a": {"b": {"c": {"d": "…"}}}, "text": "x" * 64 + "…", "list": [1, []]}
