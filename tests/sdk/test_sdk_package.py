"""The SDK as a package: its types, its documentation, and that it installs on its own."""

import doctest
import importlib
import json
import pkgutil
import re
import shutil
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import regulation_sdk
from joserfc.jwk import ECKey
from regulation_sdk import Client, ClientSecret
from regulation_sdk.messages.v3 import rc_ref, rs_error
from regulation_sdk.testing import FakeGateway
from regulation_sdk.testing.outcomes import CATALOGUE

import schemas
from gateway.errors import ErrorKind
from publishers.sdk.generate import FOLDER, modules

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "publishers" / "sdk"
CASES = sorted((ROOT / "tests" / "cases").glob("*/*/in.json"))


def test_the_types_are_those_of_the_field_tables() -> None:
    there = {str(p.relative_to(FOLDER)): p.read_text(encoding="utf-8") for p in FOLDER.rglob("*.py")}
    assert there == modules(), "run `python -m publishers.sdk.generate`"


def unknown(value: Any, hint: Any, place: str) -> Iterator[str]:
    """What of a message its type does not have, and what it lacks."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        assert isinstance(value, list), place
        for number, one in enumerate(value):
            yield from unknown(one, arguments[0], f"{place}[{number}]")
    elif typing.is_typeddict(hint):
        hints = typing.get_type_hints(hint)
        yield from (f"{place}.{name} is unknown" for name in value.keys() - hints.keys())
        yield from (f"{place}.{name} is missing" for name in hint.__required_keys__ - value.keys())
        for name in value.keys() & hints.keys():
            yield from unknown(value[name], hints[name], f"{place}.{name}")
    elif origin is typing.Literal:
        if value not in arguments:
            yield f"{place}: {value!r} is no code"
    elif not isinstance(value, (int, float) if hint is float else origin or hint):
        yield f"{place}: {value!r} is no {hint}"


def in_type(document: dict[str, Any], version: str) -> list[str]:
    message = document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    key = next(key for key in message if key in schemas.ALL_ROOT_KEYS[version])
    name = schemas.ALL_ROOT_KEYS[version][key].lower().replace("-", "_")
    module = importlib.import_module(f"regulation_sdk.messages.{version}.{name}")
    hint = typing.get_type_hints(module.message)["use_case"]
    return list(unknown(message[key], hint, key))


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parts[-3]}/{p.parts[-2]}")
def test_every_case_is_of_its_type(path: Path) -> None:
    version = path.parent.name[-2:] if path.parent.name.endswith(("-v1", "-v2")) else "v3"
    assert in_type(json.loads(path.read_text(encoding="utf-8")), version) == []


def test_the_types_see_what_is_wrong() -> None:
    case = next(p for p in CASES if p.parts[-3] == "RS-EDA" and not p.parent.name.endswith(("-v1", "-v2")))
    document = json.loads(case.read_text(encoding="utf-8"))
    use_case = document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["createCaseHealth"]
    use_case["perimeter"], use_case["colour"] = "XYZ", "red"
    del use_case["caseId"]
    assert len(in_type(document, "v3")) == 3


def test_builders_know_what_kind_of_message_they_make() -> None:
    ack = rc_ref.message({"distributionID": "a_1"}, sender="a.b.c", recipient="d.e.f")
    assert ack["distributionKind"] == "Ack"
    error: rs_error.Error = {
        "errorCode": {"statusCode": 300, "statusString": "INVALID_MESSAGE"},
        "errorCause": "x",
        "referencedDistributionID": "a_1",
    }
    made = rs_error.message(error, sender="a.b.c", recipient="d.e.f")
    assert made["distributionKind"] == "Error"
    assert list(made["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]) == ["error"]


def test_the_fake_gateway_errs_as_the_catalogue_says() -> None:
    ours = {
        kind.value.code: (kind.value.status, kind.value.issue_type, kind.value.retry) for kind in ErrorKind
    }
    assert CATALOGUE.items() <= ours.items()


MODULES = [m.name for m in pkgutil.walk_packages(regulation_sdk.__path__, "regulation_sdk.")]


@pytest.mark.parametrize("name", [m for m in MODULES if ".messages." not in m])
def test_examples_in_docstrings_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples_in_docstrings() -> None:
    assert sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES) > 10


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ECKey.generate_key("P-256")
    (tmp_path / "private-key.pem").write_bytes(key.as_pem(private=True))
    monkeypatch.chdir(tmp_path)
    gateway = FakeGateway()
    gateway.deliver({"distributionID": "fr.health.samu750_1"})
    stored: list[str] = []
    space: dict[str, Any] = {
        "gateway": gateway,
        "message": {"distributionID": "fr.health.samu440_1"},
        "store": lambda kind, content: stored.append(kind),
        "private_jwk": key.as_dict(private=True),
        "body": b"{}",
        "headers": {},
        "jwks": {"keys": []},
    }
    blocks = re.findall(
        r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    for block in blocks:
        code = block.replace('"my-secret")) as', '"my-secret"), transport=gateway) as')
        code = code.replace("client.inbox()", "client.inbox(follow=False)")
        if "except InvalidMessage" in code:
            space["client"] = Client("https://gateway.test", ClientSecret("me", "secret"), transport=gateway)
            gateway.refuse("Found 'H'.", "content[0].sex")
        exec(compile(code, "README.md", "exec"), space)
    assert len(blocks) == 6 and stored == ["RS-EDA"] and gateway.waiting() == []
    assert space["status"] == 400


def test_nothing_of_the_gateway_is_imported() -> None:
    files = list((PACKAGE / "src").rglob("*.py"))
    assert files
    for path in files:
        assert not re.search(
            r"^\s*(from|import) (gateway|schemas|publishers)\b",
            path.read_text(encoding="utf-8"),
            re.MULTILINE,
        )


TRIAL = """
import sys
from regulation_sdk import Client, ClientSecret
from regulation_sdk.messages.v3 import rc_ref
from regulation_sdk.testing import FakeGateway
with Client("https://gateway.test", ClientSecret("a", "b"), transport=FakeGateway()) as client:
    print(client.send(rc_ref.message({"distributionID": "a_1"}, sender="a.b.c", recipient="d.e.f")).status)
"""


@pytest.mark.slow
def test_it_installs_alone_into_a_fresh_environment(tmp_path: Path) -> None:
    source = shutil.copytree(
        PACKAGE, tmp_path / "sdk", ignore=shutil.ignore_patterns("__pycache__", ".*_cache")
    )
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        str(source),
    ]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode and re.search(
        "NewConnectionError|Name or service not known|No matching distribution", done.stderr
    ):
        pytest.skip("pip cannot reach a package index")
    assert done.returncode == 0, done.stderr
    tried = subprocess.run(
        [python, "-I", "-c", TRIAL], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (tried.stdout, tried.stderr) == ("received\n", "")
    typed = list((tmp_path / "venv").rglob("regulation_sdk/py.typed"))
    assert len(typed) == 1
