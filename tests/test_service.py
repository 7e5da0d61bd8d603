"""`gateway serve` as a process: signals, reload, restart."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from publishers.sandbox import environment
from publishers.sandbox import publishers as demo
from tests.house import case
from tests.patience import GIVE_UP
from tests.test_readme import free_port, wait_ready


@dataclass
class Served:
    """A production gateway without a core, and its first demo publisher."""

    process: "subprocess.Popen[bytes]"
    port: int
    folder: Path
    publisher: demo.DemoPublisher
    environ: dict[str, str]

    @property
    def operations(self) -> str:
        return f"http://127.0.0.1:{self.environ['GATEWAY_OPS_PORT']}"

    @property
    def registration(self) -> Path:
        return self.folder / "registry" / f"{self.publisher.id}.toml"

    def token(self) -> httpx.Response:
        return httpx.post(
            f"http://127.0.0.1:{self.port}/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(self.publisher.client_id, self.publisher.client_secret),
            trust_env=False,
        )

    def quota(self, token: str) -> int:
        url = f"http://127.0.0.1:{self.port}/v1/quota"
        return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False).status_code


def start(environ: dict[str, str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "gateway", "serve"]
    return subprocess.Popen(
        command, env={**os.environ, **environ}, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    publishers, port = demo.generate_publishers(), free_port()
    data = tmp_path / "data"
    data.mkdir()
    demo.write(data, publishers, demo.generate_keys())
    for other in publishers[1:]:  # in production no two publishers send for one id
        (data / "registry" / f"{other.id}.toml").unlink()
    environ = environment(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}", data)
    process = start(environ)
    try:
        wait_ready(port, process)
        running = Served(process, port, data, publishers[0], environ)
        yield running
        process = running.process
    finally:
        process.kill()
        process.communicate()


def test_suspending_by_sighup_takes_effect_and_a_faulty_file_changes_nothing(served: Served) -> None:
    token = served.token().json()["access_token"]
    assert served.quota(token) == 200
    text = served.registration.read_text()
    served.registration.write_text('status = "gone"\n' + text)
    served.process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert served.quota(token) == 200
    served.registration.write_text('status = "suspended"\n' + text)
    served.process.send_signal(signal.SIGHUP)
    for _ in range(100):
        if served.quota(token) == 401:
            break
        time.sleep(0.05)
    assert served.quota(token) == 401
    assert served.token().status_code == 401


def test_sigterm_ends_it_with_0(served: Served) -> None:
    served.process.terminate()
    _, logged = served.process.communicate(timeout=15)  # less than the grace: nothing is under way
    assert served.process.returncode == 0
    assert b"Traceback" not in logged


def test_a_request_just_after_sigterm_is_answered(served: Served) -> None:
    served.process.kill()
    served.process.communicate()
    served.environ["GATEWAY_STOP_GRACE"] = "200"  # a tenth of it is for connections without a request
    served.process = start(served.environ)
    wait_ready(served.port, served.process)
    ask = b"GET /health/%s HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=GIVE_UP) as kept:
        kept.sendall(ask % b"ready")
        assert kept.recv(65_536).startswith(b"HTTP/1.1 200 ")
        served.process.terminate()
        while True:
            try:
                socket.create_connection(("127.0.0.1", served.port), timeout=GIVE_UP).close()
            except ConnectionError:
                break
        kept.sendall(ask % b"live" + ask % b"ready")  # in one piece
        text = b""
        while more := kept.recv(65_536):  # a reset would raise
            text += more
    live, ready = (b"HTTP/1.1 " + one for one in text.split(b"HTTP/1.1 ")[1:])
    assert live.startswith(b"HTTP/1.1 200 ") and b"connection: close" not in live
    assert ready.startswith(b"HTTP/1.1 503 ") and b"connection: close" in ready
    served.process.communicate(timeout=30)
    assert served.process.returncode == 0


def test_what_has_a_receipt_survives_kill_9(served: Served) -> None:
    token = served.token().json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    url = f"http://127.0.0.1:{served.port}/v1/messages"
    document = {**case(1), "dateTimeExpires": "2099-01-01T00:00:00+00:00"}
    receipt = httpx.post(url, json=document, headers=headers, trust_env=False)
    assert receipt.status_code == 202, receipt.text
    served.process.kill()
    served.process.communicate()
    served.process = start(served.environ)
    wait_ready(served.port, served.process)
    told = httpx.get(url + "/" + receipt.json()["id"], headers=headers, trust_env=False)
    assert told.json()["status"] == "received"
    again = httpx.post(url, json=document, headers=headers, trust_env=False)
    assert (again.status_code, again.json()["id"]) == (200, receipt.json()["id"])


def test_a_second_process_on_the_same_store_is_refused(served: Served) -> None:
    environ = {**served.environ, "GATEWAY_PORT": str(free_port())}
    second = start(environ)
    _, errors = second.communicate(timeout=30)
    assert second.returncode == 1
    assert b"Traceback" not in errors


def test_orders_reach_it_while_it_runs(served: Served) -> None:
    command = [sys.executable, "-m", "gateway", "erase", "--case", "fr.health.samu440.none"]
    done = subprocess.run(command, env={**os.environ, **served.environ}, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"0 contents erased, 0 left\n"), done.stderr
    served.process.terminate()
    _, logged = served.process.communicate(timeout=15)  # less than the grace: nothing is under way
    assert b'"event":"operator_order"' in logged
    assert served.process.returncode == 0
