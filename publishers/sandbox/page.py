"""The state as a page: plain HTML and a style sheet of its own; nothing is loaded from another host, and no script runs."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from publishers.sandbox.scenarios import SCENARIOS

FOLDER = Path(__file__).parent / "pages"


def html(state: dict[str, Any]) -> str:
    """The page of a state; see `state.state`."""
    return _environment().get_template("state.html").render(state=state, scenarios=SCENARIOS)


def style() -> str:
    """Its style sheet."""
    return (FOLDER / "style.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
