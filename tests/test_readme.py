"""The README, followed to the letter: its shell blocks run in order against a sandbox, in a folder of their own."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.patience import GIVE_UP

ROOT = Path(__file__).parent.parent
PORT = "8400"


def free_port() -> int:
    """A port that is free, and the next one too."""
    while True:
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
                three.bind(("127.0.0.1", port + 2))
            except OSError:
                continue
            return port


def sandbox_process(folder: Path, port: int, *more: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "gateway", "sandbox", "--port", str(port), "--data", ".sandbox", *more]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()
    )


def environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}


def wait_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert process.poll() is None, process.stdout and process.stdout.read().decode()
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the sandbox did not become ready")


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    port = free_port()
    process = sandbox_process(tmp_path, port)
    try:
        wait_ready(port, process)
        yield tmp_path, port
    finally:
        process.terminate()
        process.communicate(timeout=GIVE_UP)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_the_readme_works_to_the_letter(sandbox: tuple[Path, int]) -> None:
    folder, port = sandbox
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 5
    script = "\n".join(blocks).replace(f"localhost:{PORT}", f"127.0.0.1:{port}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input=script.encode(),
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    answers = json.loads((folder / ".sandbox" / "answers.json").read_text())["items"]
    sent = json.loads((folder / ".sandbox" / "receipt.json").read_text())["distributionID"]
    referred = [
        item["content"]["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["reference"][
            "distributionID"
        ]
        for item in answers
        if item["messageType"] == "RC-REF"
    ]
    assert sent in referred
    assert re.search(r'"status": ?"acknowledged"', done.stdout.decode())


def test_sandbox_once_leaves_with_0(tmp_path: Path) -> None:
    process = sandbox_process(tmp_path, free_port(), "--once")
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0, printed.decode()
    assert "its ack came back" in printed.decode()


def test_a_taken_port_is_said_without_a_traceback(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        process = sandbox_process(tmp_path, holder.getsockname()[1], "--once")
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in printed.decode()
