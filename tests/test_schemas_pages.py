import re
from pathlib import Path

import pytest

import schemas
from gateway.edxl import json_codec
from gateway.validation import judge, structure
from schemas import examples, json_schema, reference_pages
from schemas.fields import parse, table
from tests.strategies import enveloped

PAGES = reference_pages.pages()
CATALOGUE = [(t, version) for version, roots in schemas.ALL_ROOT_KEYS.items() for t in sorted(roots.values())]

OLD = """table RS-SR v2
x        1     object   -                Dossier
  a      1     string   pattern date     A
  b      0..1  object   -                B
    c    1     string   -                C
  d      0..*  string   one of X | Y     D
  e      1     integer  -                E
"""
NEW = """table RS-SR v3
x        1     object   -                Dossier
  a      0..1  string   pattern phone    A
  d      0..*  string   one of Y | Z     D
  e      1     number   -                E
  f      0..1  object   -                F
    g    1     string   -                G | g
"""


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_pages_are_up_to_date(name: str) -> None:
    path = reference_pages.FOLDER / name
    assert path.exists() and path.read_text(encoding="utf-8") == PAGES[name], "run python -m schemas"


def test_no_page_is_left_over_and_every_link_leads_somewhere() -> None:
    assert {path.name for path in reference_pages.FOLDER.iterdir()} == PAGES.keys()
    for text in PAGES.values():
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert (reference_pages.FOLDER / target).exists(), target


@pytest.mark.parametrize(("message_type", "version"), CATALOGUE)
def test_a_page_names_every_field_of_its_table(message_type: str, version: str) -> None:
    page = PAGES[f"{message_type}-{version}.md"]
    schema = json_schema.plain(table(message_type, version).root)
    for name in schema["properties"]:
        assert re.search(rf"^\| <a id=[^>]*></a>`{name}(\[\])?` \|", page, re.MULTILINE), name


def test_a_page_tells_what_changed() -> None:
    old, new = parse(OLD, "old"), parse(NEW, "new")
    assert reference_pages.changes(old, new) == [
        "- gone: `b`",
        "- new: `f` (0..1)",
        "- `a`: 1 → 0..1; pattern date → pattern phone",
        "- `d[]`: codes without `X` and with `Z`",
        "- `e`: integer → number",
    ]
    assert reference_pages.changes(new, new) == []


@pytest.mark.parametrize(("message_type", "version"), CATALOGUE)
def test_an_example_is_a_message_without_fault(message_type: str, version: str) -> None:
    root = table(message_type, version).root
    for body in (examples.full(root), examples.minimal(root)):
        document = enveloped(root.name, body)
        assert structure.whole_document(message_type, version).is_valid(document)
        if root.name in schemas.ROOT_KEYS[version]:
            assert judge(json_codec.message(document, version), strict_codes=True) == ()


def test_an_example_holds_every_field() -> None:
    source = parse(NEW, "new")
    assert examples.full(source.root) == {
        "a": "+33240000000",
        "d": ["Y"],
        "e": 1.5,
        "f": {"g": "G | g"},
    }
    assert examples.minimal(source.root) == {"e": 1.5}


def test_writing_makes_and_removes(tmp_path: Path) -> None:
    (tmp_path / "RS-GONE-v1.md").write_text("old", encoding="utf-8")
    made = reference_pages.write(tmp_path)
    assert set(made) == {"RS-GONE-v1.md", *PAGES}
    assert {path.name for path in tmp_path.iterdir()} == PAGES.keys()
    assert reference_pages.write(tmp_path) == []
