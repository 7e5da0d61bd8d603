"""The contract under fire: Schemathesis calls a running sandbox with what openapi/gateway.yaml allows and forbids."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from gateway.oauth2 import client_assertion
from publishers.sandbox.publishers import CORE_CLIENT
from tests.house import ASSERTION, CASE
from tests.patience import GIVE_UP
from tests.strategies import enveloped
from tests.test_readme import free_port, sandbox_process, wait_ready

ROOT = Path(__file__).parent.parent
SEED = "20261124"
WAITING = 20  # messages in the inbox when the calls begin


@dataclass(frozen=True, slots=True)
class Target:
    """A running sandbox, and the data folder that says who may call it."""

    gateway: str
    data: Path

    @property
    def publisher(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data / "sandbox.json").read_text())["publishers"][0]
        return found

    def token(self, **request: Any) -> str:
        form = {"grant_type": "client_credentials", **request.pop("data", {})}
        answer = httpx.post(f"{self.gateway}/oauth2/token", data=form, trust_env=False, **request)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def publisher_token(self) -> str:
        return self.token(auth=(self.publisher["client_id"], self.publisher["client_secret"]))

    def core_token(self) -> str:
        key = ECKey.import_key(json.loads((self.data / "keys" / "core.json").read_text()))
        assertion = client_assertion(key, CORE_CLIENT, self.gateway, time.time())
        return self.token(data={"client_assertion_type": ASSERTION, "client_assertion": assertion})


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder, port = tmp_path_factory.mktemp("schemathesis"), free_port()
    process = sandbox_process(folder, port)
    try:
        wait_ready(port, process)
        running = Target(f"http://127.0.0.1:{port}", folder / ".sandbox")
        fill_inbox(running)
        yield running
    finally:
        process.terminate()
        process.communicate(timeout=GIVE_UP)


def fill_inbox(target: Target) -> None:
    """Messages that the first publisher sends to itself, so that pages, links and acks have something to show."""
    headers = {"Authorization": f"Bearer {target.publisher_token()}"}
    with httpx.Client(base_url=target.gateway, headers=headers, trust_env=False) as client:
        for number in range(WAITING):
            case = {**CASE, "caseId": f"fr.health.samu440.DRFR15440260000000{number:02}"}
            document = enveloped(
                "createCaseHealth",
                case,
                recipient="fr.health.samu330",
                internal_id=f"fire-{number}",
                sent=datetime.now(UTC).replace(microsecond=0),
            )
            assert client.post("/v1/messages", json=document).status_code == 202
        for _ in range(300):
            if len(client.get("/v1/inbox").json()["items"]) >= WAITING:
                return
            time.sleep(0.1)
    raise AssertionError("the messages did not come back")


def schemathesis_run(target: Target, token: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """One bounded, seeded run of all checks."""
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(ROOT / "tests" / "schemathesis.toml"),
    ]
    command += ["run", str(ROOT / "openapi" / "gateway.yaml"), "--url", target.gateway, "--seed", SEED]
    variables = {
        "ACCESS_TOKEN": token,
        "CLIENT_ID": target.publisher["client_id"],
        "CLIENT_SECRET": target.publisher["client_secret"],
    }
    return subprocess.run(
        [*command, "--no-color", *options],
        cwd=target.data.parent,  # it leaves a folder of its own behind
        env={**os.environ, **variables, "NO_PROXY": "127.0.0.1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def require_clean(done: "subprocess.CompletedProcess[str]", operations: int) -> None:
    """No finding, and so many operations were tested indeed."""
    assert done.returncode == 0, f"\n{done.stdout}\n{done.stderr}"
    assert f"Tested: {operations}\n" in done.stdout, done.stdout


@pytest.mark.slow
def test_publishers_operations_keep_the_contract(target: Target) -> None:
    token = target.publisher_token()
    require_clean(schemathesis_run(target, token, "--exclude-operation-id", "processMessage"), 19)


@pytest.mark.slow
def test_errors_as_problem_details_keep_the_contract(target: Target) -> None:
    done = schemathesis_run(
        target,
        target.publisher_token(),
        *("-H", "Accept: application/problem+json"),
        *("--phases", "coverage", "--mode", "negative", "--include-path-regex", "^/v1/"),
    )
    require_clean(done, 8)


@pytest.mark.slow
def test_the_cores_operation_keeps_the_contract(target: Target) -> None:
    done = schemathesis_run(
        target,
        target.core_token(),
        "--include-operation-id",
        "processMessage",
        "--phases",
        "examples,coverage,fuzzing",
    )
    require_clean(done, 1)
