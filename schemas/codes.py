"""Code lists: code -> official French label, read once from terminology/*.csv (`code;label`, UTF-8)."""

import csv
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "terminology"


def names() -> tuple[str, ...]:
    """The names of all code lists."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.csv")))


def exists(name: str) -> bool:
    """Whether there is a code list of that name."""
    return name in names()


@cache
def labels(name: str) -> dict[str, str]:
    """The codes of a list, in official order, each with its label. Raises FileNotFoundError, ValueError."""
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    if not rows or rows[0] != ["code", "label"]:
        raise ValueError(f"schemas/terminology/{name}.csv:1: expected the header code;label")
    found: dict[str, str] = {}
    for number, row in enumerate(rows[1:], 2):
        if len(row) != 2 or not row[0] or row[0] in found:
            raise ValueError(f"schemas/terminology/{name}.csv:{number}: expected a new code and its label")
        found[row[0]] = row[1]
    return found
