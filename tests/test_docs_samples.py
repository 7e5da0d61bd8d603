"""The code samples of docs/: each page's shell and Python blocks run in order against one sandbox, as they stand."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import GIVE_UP
from tests.test_readme import PORT, ROOT, free_port, sandbox_process, wait_ready

DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FIRST = ["tutorial.md", "how-to/get-a-token.md"]  # the other pages use the tokens that these get
LATER = ["tutoriel.md", *sorted(f"how-to/{path.name}" for path in (DOCS / "how-to").glob("*.md"))]
LAST = ["how-to/sandbox.md"]  # it moves the sandbox's clock
PAGES = [*FIRST, *(name for name in LATER if name not in FIRST + LAST), *LAST]
SDK = ROOT / "publishers" / "sdk" / "src"


def script(page: str) -> str:
    """The page's blocks as one shell script, Python blocks in one interpreter's file each after the other."""
    lines = ["set -euo pipefail"]
    for language, code in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        if language == "sh":
            lines.append(code)
        elif language == "python":  # later blocks of a page see what the earlier ones made
            lines.append(f"cat >> page.py <<'END OF BLOCK'\n{code}END OF BLOCK\npython3 page.py")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A folder that looks like the repository's, with a sandbox running in it."""
    made, port = tmp_path_factory.mktemp("repository"), free_port()
    (made / "docs").symlink_to(DOCS)
    process = sandbox_process(made, port)
    try:
        wait_ready(port, process)
        yield made, port
    finally:
        process.terminate()
        process.communicate(timeout=GIVE_UP)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_every_sample_runs_as_it_stands(folder: tuple[Path, int]) -> None:
    made, port = folder
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "PYTHONPATH": f"{ROOT}:{SDK}", "PYTHONWARNINGS": "error"}
    failed = []
    for page in PAGES:
        (made / "page.py").unlink(missing_ok=True)
        text = script(page).replace(f"localhost:{PORT}", f"127.0.0.1:{port}")
        text = text.replace(f"localhost:{int(PORT) + 1}", f"127.0.0.1:{port + 1}")
        done = subprocess.run(
            ["bash"], input=text.encode(), cwd=made, env=environ, capture_output=True, timeout=60, check=False
        )
        if done.returncode:
            failed.append(f"{page}: {done.stderr.decode()[-2000:]}\n{done.stdout.decode()[-1000:]}")
    assert failed == []


def test_both_tutorials_have_the_same_samples() -> None:
    english, french = (BLOCK.findall((DOCS / f"{name}.md").read_text()) for name in ("tutorial", "tutoriel"))
    assert len(english) >= 8 and english == french


@pytest.mark.parametrize("page", sorted(str(p.relative_to(DOCS)) for p in DOCS.rglob("*.md")))
def test_every_block_says_what_it_is(page: str) -> None:
    languages = re.findall(r"^```(.*)$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE)[::2]
    assert set(languages) <= {"sh", "python", "json", "console", "text", "xml", "toml", "yaml", "bash"}
