"""The command line as a user calls it: output, errors without a traceback, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.edxl import xml_writer
from tests.house import case


def gateway(*arguments: str, stdin: bytes = b"", **environ: str) -> subprocess.CompletedProcess[bytes]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(
        command, input=stdin, capture_output=True, env={**clean, **environ}, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def message(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("messages") / "case.json"
    path.write_text(json.dumps(case(1)))
    return path


def test_help_and_wrong_use() -> None:
    shown = gateway("--help")
    assert shown.returncode == 0
    for command in (
        "serve",
        "sandbox",
        "check",
        "settings",
        "validate",
        "translate",
        "dead-letters",
        "replay",
        "erase",
        "webhooks",
    ):
        assert command in shown.stdout.decode()
    assert gateway("unheard-of").returncode == 2
    assert gateway("validate").returncode == 2


def test_check_finds_nothing_as_shipped() -> None:
    done = gateway("check", "--partial", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"findings": []})


def test_check_names_a_wrong_registration_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('id = "x"\nname = "X"\nclient_id = 7\n')
    done = gateway("check", GATEWAY_REGISTRY_DIR=str(tmp_path))
    assert done.returncode == 1
    assert f"{tmp_path / 'x.toml'}:3:" in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_settings_lists_all() -> None:
    rows = json.loads(gateway("settings", "--json").stdout)
    assert {"GATEWAY_PORT", "GATEWAY_CORE_URL"} <= {row["variable"] for row in rows}


def test_serve_says_what_is_missing() -> None:
    done = gateway("serve")
    assert done.returncode == 1
    assert b"GATEWAY_SIGNING_KEYS_FILE" in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_unknown_setting_is_named() -> None:
    done = gateway("serve", GATEWAY_PROT="1")
    assert done.returncode == 1
    assert b"GATEWAY_PORT" in done.stderr


def test_validate_files_folders_and_standard_input(message: Path) -> None:
    (message.parent / "case.xml").write_bytes(xml_writer.encode(case(1), "v3").content)
    done = gateway("validate", str(message.parent))
    assert (done.returncode, done.stdout.decode().splitlines()[-1]) == (0, "2 valid, 0 invalid")
    piped = gateway("validate", "-", "--json", stdin=json.dumps(case(1, caseId=7)).encode())
    (verdict,) = json.loads(piped.stdout)
    assert (piped.returncode, verdict["valid"], verdict["issues"][0]["code"]) == (1, False, "invalid-message")


@pytest.mark.parametrize("body", [b"{", b"<a", b"[]", b"\xff"])
def test_validate_says_what_cannot_be_read(body: bytes) -> None:
    done = gateway("validate", "-", stdin=body)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_validate_a_missing_file() -> None:
    done = gateway("validate", "no-such-file.json")
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)


def test_translate_there_and_back(message: Path) -> None:
    there = gateway("translate", str(message), "--to", "fhir")
    told: dict[str, Any] = json.loads(there.stdout)
    assert (told["contentType"], told["loss"]) == ("application/fhir+json", [])
    back = gateway("translate", "-", "--to", "RS-EDA@v3", stdin=json.dumps(told["content"]).encode())
    assert json.loads(back.stdout)["content"] == case(1)
    xml = gateway("translate", str(message), "--to", "RS-EDA", "--format", "xml")
    assert json.loads(xml.stdout)["contentType"] == "application/xml"


def test_translate_wrong_use(message: Path) -> None:
    assert gateway("translate", str(message), "--to", "RS-EDA@v9").returncode == 2
    assert gateway("translate", str(message), "--to", "RC-REF").returncode == 1


def test_dead_letters_of_an_empty_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gateway.db"
    done = gateway("dead-letters", "--json", GATEWAY_DATABASE_URL=url)
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert gateway("replay", "unknown", GATEWAY_DATABASE_URL=url).returncode == 1


def test_erasing_a_case_that_nobody_knows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'gateway.db'}"
    done = gateway("erase", "--case", "fr.health.samu440.none", GATEWAY_DATABASE_URL=url)
    assert (done.returncode, done.stdout) == (0, b"0 contents erased, 0 left\n"), done.stderr
    assert gateway("erase", GATEWAY_DATABASE_URL=url).returncode == 2
