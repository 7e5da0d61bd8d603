"""A TypeScript client made from openapi/gateway.yaml: it compiles strictly, and takes a case through the sandbox."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_sandbox import command, free_port, wait_for

FOLDER = Path(__file__).parent.parent / "publishers" / "typescript"


def npm(*arguments: str, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["npm", "--silent", *arguments],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="module")
def built() -> None:
    """The example, compiled against the types made from the contract of now."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not here")
    if not (FOLDER / "node_modules" / "openapi-typescript").is_dir():
        installed = npm("ci")
        if installed.returncode and any(
            word in installed.stderr for word in ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED")
        ):
            pytest.skip("npm cannot reach its registry")
        assert installed.returncode == 0, installed.stderr
    shutil.rmtree(FOLDER / "generated", ignore_errors=True)
    for script in ("generate", "build"):
        done = npm("run", script)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The `sandbox.json` of a running sandbox."""
    port, data = free_port(), tmp_path_factory.mktemp("sandbox") / "data"
    with subprocess.Popen(command(port, data), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/health/ready", process)
            yield data / "sandbox.json"
        finally:
            process.terminate()


@pytest.mark.slow
def test_the_example_takes_a_case_through_the_sandbox(built: None, sandbox: Path) -> None:
    done = npm("run", "example", "--", str(sandbox), timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.split("\n")
    assert lines[0].startswith("received fr.health.samu440_")
    assert lines[1:4] == ["RS-EDA v3 application/xml", "RC-REF v3 application/json", "acknowledged"]


@pytest.mark.slow
def test_the_compiler_sees_a_wrong_call(built: None, tmp_path: Path) -> None:
    wrong = (
        (FOLDER / "example.ts")
        .read_text()
        .replace('"INTEGRE"', '"INTEGER"')
        .replace("wait: 30", 'wait: "30"')
    )
    # in the folder, so that its node_modules and generated types are found
    path = FOLDER / "generated" / "wrong.ts"
    path.write_text(wrong.replace("./generated/gateway.js", "./gateway.js"))
    compiler = FOLDER / "node_modules" / ".bin" / "tsc"
    options = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--skipLibCheck"]
    done = subprocess.run(
        [compiler, *options, str(path)], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    path.unlink()
    assert done.returncode != 0
    assert '"INTEGER"' in done.stdout and done.stdout.count("error TS") == 2, done.stdout
