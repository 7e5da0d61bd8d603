"""The official converter's own test messages beside what this gateway makes of them: `python -m tests.converter_cases`.

Two results are equal where each leaf of the use case is at the same place with the same value. Ids that the converter draws
from clock and chance are compared by being there; surrounding blanks of a text are not compared.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway import edxl, validation
from gateway.conversion import convert
from gateway.errors import Untranslatable
from gateway.model import Message
from tests.test_conversion import leaves

CASES = Path(__file__).parents[1].parent / "shared" / "hubsante" / "converter"
DRAWN = re.compile(r"(LOC|INAL)-\d{14}-\w{4}")


@dataclass(frozen=True, slots=True)
class Compared:
    """One case: `missing` has the converter's leaves that ours lacks, `other` ours that the converter's lacks; by path."""

    name: str
    missing: dict[str, Any]
    other: dict[str, Any]
    refused: str = ""
    source_valid: bool = True

    @property
    def equal(self) -> bool:
        """Whether both say the same."""
        return not self.missing and not self.other and not self.refused


def compared() -> Iterator[Compared]:
    """Every case, by its file's number."""
    for path in sorted(CASES.glob("*.json")):
        case = orjson.loads(path.read_bytes())
        source = edxl.message(case["given"], case["from"])
        official = _said(edxl.message(case["official"], case["to"]))
        try:
            made = convert(source, case["to"], case["toType"]).message
        except Untranslatable as error:
            yield Compared(path.stem, official, {}, error.reason, validation.is_valid(source))
            continue
        ours = _said(made)
        missing = {p: v for p, v in official.items() if ours.get(p) != v and not _is_drawn(v, ours.get(p))}
        other = {p: v for p, v in ours.items() if official.get(p) != v and not _is_drawn(official.get(p), v)}
        yield Compared(path.stem, missing, other, source_valid=validation.is_valid(source))


def _said(message: Message) -> dict[str, Any]:
    return {path: v.strip() if isinstance(v, str) else v for path, v in leaves(message.body)}


def _is_drawn(official: Any, ours: Any) -> bool:
    return (
        isinstance(official, str) and bool(DRAWN.fullmatch(official)) and isinstance(ours, str) and ours != ""
    )


def main() -> int:
    """The table; 1 where the cases are not there."""
    if not CASES.exists():
        sys.stderr.write(f"{CASES} is not there\n")
        return 1
    for one in compared():
        print(
            one.name,
            "equal" if one.equal else one.refused or "differs",
            "" if one.source_valid else "(its source is invalid)",
        )
        for sign, found in (("  converter", one.missing), ("  gateway  ", one.other)):
            for path, value in found.items():
                print(sign, path, "=", repr(value)[:100])
    return 0


if __name__ == "__main__":
    sys.exit(main())
