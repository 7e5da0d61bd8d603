"""`gateway check` finds what would harm others, and says what `gateway serve` would say."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from gateway import checks, error_reports, settings
from gateway.model import Publisher
from gateway.registry import Registry, load, reserved
from publishers.sandbox import environment
from publishers.sandbox import publishers as demo
from tests.test_cli import gateway
from tests.test_registry import SECRET, SMALLEST, publisher, refusal, toml, write

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
DIGITS = "9" * 400
LONG_RSA = {"kty": "RSA", "n": base64.urlsafe_b64encode(b"\xff" * 8_192).decode().rstrip("="), "e": "AQAB"}
TOO_LONG = 'id = "lrm"\nname = "L"\nclient_id = "lrm-client"\njwks_file = "keys.json"\n'


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('sends_for = ["fr.health.hub"]', "5: sends_for: 'fr.health.hub' is the Hub's own id"),
        ('inbox_for = ["fr.health.hub"]', "5: inbox_for: 'fr.health.hub' is the Hub's own id"),
        ('sends_for = ["*"]', "5: sends_for: '*' covers everybody's ids"),
        ('sends_for = ["*.samu440"]', "5: sends_for: '*.samu440' covers everybody's ids"),
        ('sends_for = ["f*"]', "5: sends_for: 'f*' covers everybody's ids"),
        (
            f"limits.per_second = {DIGITS}",
            "5: limits.per_second: must be a whole number of 1 or more, and at",
        ),
        (
            f"limits.per_minute = {DIGITS}",
            "5: limits.per_minute: must be a whole number of 1 or more, and at",
        ),
        (f"limits.per_day = {DIGITS}", "5: limits.per_day: must be a whole number of 1 or more, and at"),
        (f"limits.in_flight = {DIGITS}", "5: limits.in_flight: must be a whole number of 1 or more, and at"),
        (f"limits.max_body = {DIGITS}", "5: limits.max_body: must be a whole number of 1 or more, and at"),
        (f"\n[limits]\nper_day = {'9' * 5_000}\n# the end", "7: a number has too many digits"),
        (toml(LONG_RSA), "6: jwks: keys[0] has 65536 bits; RSA keys may have 8192 at most"),
    ],
    ids=lambda text: text[:30],
)
def test_what_would_harm_others_is_found_with_its_line(tmp_path: Path, line: str, complaint: str) -> None:
    write(tmp_path, text=SMALLEST + line + "\n")
    assert refusal(tmp_path)[0].startswith(f"lrm.toml:{complaint}")


def test_the_stores_own_name_is_nobodys(tmp_path: Path) -> None:
    write(tmp_path, "gateway")
    assert refusal(tmp_path)[0].startswith("gateway.toml:1: id: 'gateway' is the gateway's own name")
    assert reserved.OWN_ID == error_reports.OWN


def test_the_digest_of_an_empty_secret_is_refused(tmp_path: Path) -> None:
    write(tmp_path, text=SMALLEST.replace(SECRET, EMPTY_SHA256))
    assert refusal(tmp_path)[0].startswith("lrm.toml:4: secret_sha256: is the SHA-256 of an empty secret")


def test_the_cores_client_id_is_the_cores(tmp_path: Path) -> None:
    write(tmp_path)
    complaint = "lrm.toml:3: client_id: 'lrm-client' is the core's (GATEWAY_CORE_CLIENT_ID)"
    assert refusal(tmp_path, core_client_id="lrm-client") == [complaint]
    found = checks.check_all(
        {"GATEWAY_REGISTRY_DIR": str(tmp_path), "GATEWAY_CORE_CLIENT_ID": "lrm-client"}, partial=True
    )
    assert found == [f"{tmp_path}/{complaint}"]


@pytest.mark.parametrize("pattern", ["fr.*", "fr.health.*", "fr.health.hub", "fr.health.h*"])
def test_no_pattern_lets_a_publisher_send_as_the_hub(pattern: str) -> None:
    wide = publisher("wide", sends=(pattern,))
    assert not Registry.of([wide]).sender_allowed(wide, "fr.health.hub")


def test_what_the_sandbox_registers_is_taken(tmp_path: Path) -> None:
    """Its first publisher owns the inbox of every id that nobody else owns."""
    demo.write(tmp_path, demo.generate_publishers(), demo.generate_keys())
    read = load(tmp_path / "registry", exclusive_senders=False, core_client_id=demo.CORE_CLIENT)
    owner: Publisher | None = read.recipient_publisher("fr.health.samu999")
    assert owner is not None and owner.id == "demo-lrm"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"[" * 100_000, "it is not JSON in UTF-8 (line 1)"),
        (b'{"keys":\n' + b'{"a":' * 50_000, "it is not JSON in UTF-8 (line 2)"),
        (b'{"keys":\n[,]}', "it is not JSON in UTF-8 (line 2)"),
        (b'{"keys": "\xff"}', "it is not JSON in UTF-8 (line 1)"),
        (b" " * 300_000, "it is over 262144 bytes"),
    ],
    ids=["arrays", "objects", "syntax", "not UTF-8", "too long"],
)
def test_a_key_file_that_no_parser_likes_is_a_finding(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "keys.json").write_bytes(content)
    write(tmp_path, text=TOO_LONG)
    assert refusal(tmp_path) == [f"lrm.toml:4: keys.json cannot be read: {complaint}"]


def complete(folder: Path) -> dict[str, str]:
    """The settings of a gateway that would serve, with one registration."""
    first = demo.generate_publishers()[0]
    demo.write(folder, (first,), demo.generate_keys())
    return environment("http://127.0.0.1:1", "http://127.0.0.1:2", folder)


def test_check_says_what_serve_says_of_settings_that_are_missing() -> None:
    checked, served = gateway("check"), gateway("serve")
    assert (checked.returncode, served.returncode) == (1, 1)
    said = [line.removeprefix("gateway: ") for line in served.stderr.decode().splitlines()]
    assert checked.stderr.decode().splitlines() == said
    needed = [row["variable"] for row in settings.rows({}) if "needed by" in row["help"]]
    assert [line.partition(" ")[0] for line in said] == needed
    assert b"All is well" not in checked.stdout


def test_check_finds_nothing_where_serve_would_start(tmp_path: Path) -> None:
    environ: dict[str, Any] = complete(tmp_path)
    done = gateway("check", **environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"All is well.\n", b"")


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("signing.json", {}, "signing keys, key 1"),
        ("gateway.json", {"keys": []}, "keys: a JWK Set"),
        ("core-jwks.json", {"keys": [LONG_RSA]}, "core-jwks.json:1: no public key of the core"),
        ("core-jwks.json", [], "core-jwks.json:1: no public key of the core"),
        ("webhooks.json", {}, ""),
    ],
)
def test_check_reads_the_servers_keys_as_serve_does(
    tmp_path: Path, file: str, content: Any, complaint: str
) -> None:
    environ = complete(tmp_path)
    (tmp_path / "keys" / file).write_text(json.dumps(content))
    found = checks.check_all(environ)
    assert len(found) == 1 and complaint in found[0]


@pytest.mark.parametrize("file", ["signing.json", "gateway.json", "core-jwks.json", "webhooks.json"])
@pytest.mark.parametrize("content", ["{\n\n,", "[\n\n" + "[" * 100_000], ids=["syntax", "depth"])
def test_a_key_file_of_the_server_that_is_no_json_is_named_with_its_line(
    tmp_path: Path, file: str, content: str
) -> None:
    environ = complete(tmp_path)
    (tmp_path / "keys" / file).write_text(content)
    assert checks.check_all(environ) == [f"{tmp_path / 'keys' / file}:3: not JSON"]


def test_without_the_servers_keys_the_rest_is_checked(tmp_path: Path) -> None:
    assert checks.check_all({}, partial=True) == []
    write(tmp_path, "gateway")
    found = checks.check_all({"GATEWAY_REGISTRY_DIR": str(tmp_path)})
    assert any("gateway.toml:1: id:" in line for line in found) and any(
        "is not set" in line for line in found
    )
