"""The stopwatch: from a fresh clone to the first accepted message, as a newcomer goes, each step with its time.

`python -m bench.first_message` plays it twice: cold, with empty caches of pip and uv in a home of its own, and warm, with the caches
that the cold run left. What is cloned is the last commit. Needs git, make and python3, and the network for packages.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

ROOT = Path(__file__).parents[1]
PATIENCE = 120.0  # seconds until a step counts as failed
EXAMPLE = Path("docs") / "examples" / "rs-eda.json"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One step and its seconds."""

    name: str
    seconds: float


class Watch:
    """Times steps, and says each as it ends."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.steps: list[Step] = []
        self._say = say

    def time(self, name: str, work: Callable[[], T]) -> T:
        """What the work gives."""
        started = time.perf_counter()
        result = work()
        self.steps.append(Step(name, time.perf_counter() - started))
        self._say(f"  {self.steps[-1].seconds:8.2f} s  {name}")
        return result


def play(clone: Path, environ: dict[str, str], watch: Watch) -> None:
    """Everything from `git clone` to the ack. Raises CalledProcessError, HTTPError or TimeoutError."""

    def run(*command: str, inside: Path | None = clone) -> None:
        subprocess.run(command, cwd=inside, env=environ, check=True, capture_output=True)

    port, python = free_port(), f"PYTHON={base_python()}"
    watch.time("git clone", lambda: run("git", "clone", "--quiet", str(ROOT), str(clone), inside=None))
    watch.time("make install (virtual environment, locked packages)", lambda: run("make", "install", python))
    with sandbox(clone, environ, port, python) as process:
        url = f"http://127.0.0.1:{port}"
        watch.time("make sandbox until /health/ready", lambda: ready(url, process))
        told = json.loads((clone / ".sandbox" / "sandbox.json").read_bytes())["publishers"]
        with httpx.Client(base_url=url, timeout=40, trust_env=False) as http:
            sender = watch.time("token", lambda: token(http, told[0]))
            body = stamped((clone / EXAMPLE).read_text(encoding="utf-8"))
            receipt = watch.time("first message accepted (202)", lambda: send(http, sender, body))
            recipient = token(http, told[1])
            watch.time("it lies in the recipient's inbox", lambda: arrived(http, recipient, receipt))


@contextmanager
def sandbox(
    clone: Path, environ: dict[str, str], port: int, python: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """`make sandbox` as a process group of its own, interrupted at the end."""
    command = ["make", "sandbox", f"PORT={port}", python]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=clone, env=environ, stdout=quiet, stderr=quiet, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGINT)


def ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Return once the gateway is ready. Raises TimeoutError where it does not get so."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise TimeoutError("the sandbox did not get ready")


def token(http: httpx.Client, publisher: dict[str, Any]) -> dict[str, str]:
    """The header that a publisher is known by."""
    grant, client = {"grant_type": "client_credentials"}, (publisher["client_id"], publisher["client_secret"])
    answer = http.post("/oauth2/token", data=grant, auth=client).raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def stamped(example: str) -> bytes:
    """The example with an id and times of now."""
    envelope, now = json.loads(example), datetime.now(UTC)
    fresh = {
        "distributionID": f"{envelope['senderID']}_{time.time_ns()}",
        "dateTimeSent": now.isoformat(timespec="seconds"),
        "dateTimeExpires": (now + timedelta(days=1)).isoformat(timespec="seconds"),
    }
    for member, value in fresh.items():  # in the header, too, which says the same
        example = example.replace(envelope[member], value)
    return example.encode()


def send(http: httpx.Client, sender: dict[str, str], body: bytes) -> dict[str, Any]:
    """The receipt."""
    answer = http.post(
        "/v1/messages", content=body, headers={**sender, "Content-Type": "application/json"}
    ).raise_for_status()
    receipt: dict[str, Any] = answer.json()
    return receipt


def arrived(http: httpx.Client, recipient: dict[str, str], receipt: dict[str, Any]) -> None:
    """Return once the message lies in the inbox. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        items = http.get("/v1/inbox?wait=5", headers=recipient).raise_for_status().json()["items"]
        if any(item["distributionID"] == receipt["distributionID"] for item in items):
            return
        time.sleep(0.02)
    raise TimeoutError("the message did not come")


def free_port() -> int:
    """A free port whose two successors are free as well."""
    while True:
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                two.bind(("127.0.0.1", port + 1))
                three.bind(("127.0.0.1", port + 2))
            except (OSError, OverflowError):
                continue
            return port


def base_python() -> str:
    """The interpreter below this virtual environment: a newcomer's python3."""
    return str(Path(sys.base_prefix) / "bin" / "python3")


def caches(home: Path) -> dict[str, str]:
    """The environment of a newcomer: a home of its own, and in it every cache."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "GATEWAY_"))
    }
    places = {"HOME": home, "XDG_CACHE_HOME": home / "cache", "UV_CACHE_DIR": home / "cache" / "uv"}
    places |= {"PIP_CACHE_DIR": home / "cache" / "pip"}
    return kept | {name: str(place) for name, place in places.items()}


def main() -> int:
    """Play it cold and warm."""
    parser = argparse.ArgumentParser(prog="python -m bench.first_message", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    wanted = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="first-message-") as folder:
        environ = caches(Path(folder) / "home")
        Path(environ["HOME"]).mkdir()
        for name in ("cold", "warm"):
            watch = Watch((lambda _line: None) if wanted.json else print)
            if not wanted.json:
                print(f"{name}:")
            try:
                play(Path(folder) / name, environ, watch)
            except httpx.HTTPStatusError as error:
                sys.stderr.write(f"first_message: {error}\n{error.response.text}\n")
                return 1
            except (subprocess.CalledProcessError, httpx.HTTPError, TimeoutError) as error:
                sys.stderr.write(f"first_message: {error}\n")
                return 1
            figures[name] = {step.name: round(step.seconds, 3) for step in watch.steps}
            if not wanted.json:
                print(f"  {sum(figures[name].values()):8.2f} s  in all")
    if wanted.json:
        print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
