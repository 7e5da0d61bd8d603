"""The pages of docs/mappings/ say every row, in words, and their links lead somewhere."""

import re
from functools import cache

import pytest

from gateway import canonical_files
from gateway.canonical_files import wording
from gateway.canonical_files.official import field_at, spoken
from gateway.translation.codecs import CODECS, DERIVATIONS
from gateway.translation.plan import values
from gateway.translation.rows import Derived, Row
from gateway.translation.tables import translator
from tests.test_translation import SERVED

FOLDER = canonical_files.FOLDERS["mappings"]


@cache
def pages() -> dict[str, str]:
    return canonical_files.texts()["mappings"]


def body(message_type: str, version: str) -> str:
    """A page, or the one that it says it is like."""
    page = pages()[f"{message_type}-{version}.md"]
    like = re.search(r"^Every row is as in \[(v\d)\]", page, re.MULTILINE)
    return body(message_type, like[1]) if like else page


@pytest.mark.parametrize(("message_type", "version"), SERVED)
def test_a_page_has_every_row_and_every_derived_value(message_type: str, version: str) -> None:
    table = translator(message_type, version)
    assert table is not None
    page = body(message_type, version)
    for kind in table.plan.kinds:
        for value in values(kind.element):
            if isinstance(value, Row):
                title = field_at(table, value.leaf).title.replace("|", "\\|")
                row = f"| `{spoken(table, value.leaf)}` | {title} | {kind.name} | `"
                assert row in page
                assert f"`{wording.place(kind, value.element)}` | " in page
            elif isinstance(value, Derived) and value.function != "source-path":
                assert f"| {kind.name} | `{wording.place(kind, value.element)}` | " in page
        assert f"| {kind.name} | {kind.type} | " in page


@pytest.mark.parametrize(("message_type", "version"), SERVED)
def test_a_page_has_the_code_maps_in_their_directions(message_type: str, version: str) -> None:
    table = translator(message_type, version)
    assert table is not None
    page = body(message_type, version)
    both = {
        v.codec
        for kind in table.plan.kinds
        for v in values(kind.element)
        if isinstance(v, Row) and v.codec in table.plan.maps
    }
    for name in re.findall(r"\(#code-map-([\w-]+)\)", page):
        assert f"### Code map {name}\n" in page
    for name in both:
        for code, target in table.plan.maps[name].items():
            assert f"| `{code}` | ↔ | `{target}` |" in page or code == "*"


def test_a_version_that_says_the_same_says_so() -> None:
    assert "Every row is as in [v3](EMSI-v3.md)." in pages()["EMSI-v1.md"]
    assert "Every row is as in" not in pages()["RS-EDA-v1.md"]
    assert "sex-v1" in pages()["RS-EDA-v1.md"]


def test_every_codec_and_function_has_its_words() -> None:
    tests_only = {"in-order"}  # the test of a row, told by its name
    assert wording.CODECS.keys() == CODECS.keys()
    assert wording.FUNCTIONS.keys() == DERIVATIONS.keys() - tests_only


def test_links_lead_somewhere() -> None:
    for name, text in pages().items():
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert (FOLDER / target).exists(), f"{name}: {target}"
