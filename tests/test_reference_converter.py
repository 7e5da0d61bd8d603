"""docs/conversion.md against the official converter's own cases: what it calls equal is equal, and the rest differs."""

import re
from pathlib import Path

import pytest

from tests.converter_cases import CASES, compared

pytestmark = pytest.mark.skipif(not CASES.exists(), reason="the official converter's cases are not here")

PAGE = Path(__file__).parent.parent / "docs" / "conversion.md"
LINE = re.compile(r"\| (\d\d) [^|]*\| (equal|differs) \| ([^|]*)\|")


def test_the_page_has_a_true_line_for_each_case() -> None:
    said = {
        match[1]: (match[2], match[3].strip()) for match in LINE.finditer(PAGE.read_text(encoding="utf-8"))
    }
    found = {one.name[:2]: one for one in compared()}
    assert said.keys() == found.keys()
    for number, one in found.items():
        verdict, reason = said[number]
        assert (verdict == "equal") is one.equal, (one.name, one.missing, one.other, one.refused)
        assert one.equal or "rule" in reason or reason.startswith("As "), one.name


def test_a_source_that_its_own_schema_refuses_is_named_as_such() -> None:
    said = {match[1]: match[3] for match in LINE.finditer(PAGE.read_text(encoding="utf-8"))}
    assert all(one.source_valid or one.equal or "invalid" in said[one.name[:2]] for one in compared())
