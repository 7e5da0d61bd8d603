"""Code lists: code -> official French label, read once from terminology/*.csv (`code;label`, UTF-8).

A list that terminology/incomplete.txt names is known in part only: there are codes that it does not show.
"""

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
def incomplete() -> frozenset[str]:
    """The names of the lists that are known in part only. Raises ValueError, with file and line, for a name of no list."""
    return read_incomplete((FOLDER / "incomplete.txt").read_text(encoding="utf-8"))


def read_incomplete(text: str) -> frozenset[str]:
    """The names in a text like that of incomplete.txt. Raises ValueError as `incomplete`."""
    found: set[str] = set()
    for number, raw in enumerate(text.splitlines(), 1):
        name = raw.partition("#")[0].strip()
        if not name:
            continue
        if name in found or not exists(name):
            raise ValueError(
                f"schemas/terminology/incomplete.txt:{number}: expected a new name of a code list"
            )
        found.add(name)
    return frozenset(found)


def complete(name: str) -> bool:
    """Whether all codes of a list are known. A list of a field table's own is complete, whatever its name."""
    return name not in incomplete()


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
