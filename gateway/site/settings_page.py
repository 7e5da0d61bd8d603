"""The settings table -> docs/reference/settings.md. Made by `python -m gateway.site`, never edited."""

from pathlib import Path

from gateway import settings
from gateway.site.content import ROOT

PAGE = ROOT / "docs" / "reference" / "settings.md"
HEAD = """\
# Settings

Made from `gateway/settings.py` by `python -m gateway.site`.

All settings of `gateway serve` are environment variables. `gateway settings` shows them with the values of the environment,
passwords masked; `gateway check` judges them. A `GATEWAY_*` variable that is not listed here is refused, an empty one counts
as not set, and a relative file name is relative to the working directory.

| variable | default | meaning |
|---|---|---|
"""


def text() -> str:
    """The whole page."""
    return HEAD + "".join(
        f'| <a id="{row["variable"]}"></a>`{row["variable"]}` | {_code(row["default"])} | {_cell(row["help"])} |\n'
        for row in settings.rows({})
    )


def write(page: Path = PAGE) -> None:
    """Make the page anew."""
    page.write_text(text(), encoding="utf-8")


def _code(value: str) -> str:
    return f"`{_cell(value)}`" if value else ""


def _cell(value: str) -> str:
    return value.replace("|", "\\|")
