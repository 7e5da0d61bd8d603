"""Every row of the tables counts: one leaf, one element; a line taken away is noticed."""

from collections.abc import Iterator
from typing import Any

import pytest

import schemas
from gateway import translation
from gateway.errors import ConfigurationError
from gateway.model import JsonObject
from gateway.translation import tables
from gateway.translation.paths import Path
from gateway.translation.plan import Plan, values
from gateway.translation.rows import Derived
from tests.test_translation import MESSAGE, SERVED, at, cases_of, message


@pytest.mark.parametrize(("message_type", "version"), SERVED)
def test_changing_one_leaf_changes_one_element(message_type: str, version: str) -> None:
    table = tables.translator(message_type, version)
    assert table is not None
    for document in _regular(message_type, version):
        before = _flat(translation.to_fhir(message(document, version)))
        body = at(document, MESSAGE)[table.root_key]
        for holder, key, path in list(_places(body)):
            full = ("message", table.root_key, *path)
            shape = table.plan.shape.at(full)
            if shape is None or not table.plan.codecs[full].domain:
                continue  # below an object of any content
            old = holder[key]
            holder[key] = _other(old, shape)
            after = _flat(translation.to_fhir(message(document, version)))
            holder[key] = old
            changed = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
            direct = {place for place in changed if not place.endswith(".reference")}
            assert 1 <= len(direct) <= 1 + _further(table.plan, full), (path, changed)


def _regular(message_type: str, version: str) -> list[JsonObject]:
    """The cases of a type that need no marks."""
    table = tables.translator(message_type, version)
    assert table is not None
    return [document for document in cases_of(message_type, version) if table.fits(document)]


def _further(plan: Plan, leaf: Path) -> int:
    """How many elements may change beside a leaf's own: what is derived from it, and its other homes."""
    deriveds = [d for kind in plan.kinds for d in values(kind.element) if isinstance(d, Derived)]
    derived = sum(any(leaf[: len(path)] == path for path in d.paths) for d in deriveds)
    homes = sum(row.leaf == leaf for row in plan.rows.values())
    return 2 * derived + 3 * (homes - 1)  # a derived Coding has a system too


def _other(old: Any, shape: Any) -> Any:
    if isinstance(old, bool):
        return not old
    if isinstance(old, int | float):
        return old + 1
    if "enum" in shape.leaf:
        return next(code for code in shape.leaf["enum"] if code not in {old, "NIR"})
    digit = next((n for n in range(len(old) - 1, -1, -1) if old[n].isdecimal()), None)
    if digit is None or "pattern" not in shape.leaf:
        return f"{old}x"
    if ":" in old:
        return old.replace("2026", "2025")
    return "P77Y" if old.startswith("P7") else f"{old[:digit]}{(int(old[digit]) - 1) % 10}{old[digit + 1 :]}"


def _places(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any, tuple[str, ...]]]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in items:
        here = (*path, "[]" if isinstance(value, list) else key)
        if isinstance(child, dict | list):
            yield from _places(child, here)
        else:
            yield value, key, here


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for name, child in value.items() for k, v in _flat(child, f"{path}.{name}").items()}
    if isinstance(value, list):
        return {k: v for n, child in enumerate(value) for k, v in _flat(child, f"{path}[{n}]").items()}
    return {path: value}


def _statements(file: str) -> list[int]:
    """The lines of a table that say something about elements."""
    passed = ("#", "let ", "map ", "block ", "end", "include ", "at ", "resource ")
    lines = (schemas.ROOT / file).read_text(encoding="utf-8").splitlines()
    return [n for n, line in enumerate(lines) if line.strip() and not line.strip().startswith(passed)]


FILES = sorted(
    path.relative_to(schemas.ROOT).as_posix()
    for path in schemas.ROOT.glob("*/*.mapping")
    if path.name != "vocabulary.mapping"
)


def _users(file: str) -> list[tuple[str, str]]:
    """The types whose tables hold the file."""
    return [(kind, version) for kind, version in SERVED if file in _included(f"{kind}/{version}.mapping")]


def _included(file: str) -> set[str]:
    text = (schemas.ROOT / file).read_text(encoding="utf-8")
    below = [line.split()[1] for line in text.splitlines() if line.startswith("include ")]
    return {file, *(name for inner in below for name in _included(inner))}


@pytest.mark.parametrize("file", FILES)
def test_no_line_of_a_table_is_idle(file: str) -> None:
    text = (schemas.ROOT / file).read_text(encoding="utf-8").splitlines()
    left = set(_statements(file))
    for message_type, version in sorted(_users(file), key=lambda user: user != ("RS-EDA", "v3")):
        documents = [_other_header(document) for document in _regular(message_type, version)]
        before = [translation.to_fhir(message(document, version)) for document in documents]
        for number in sorted(left):
            without = "\n".join([*text[:number], "", *text[number + 1 :]])
            try:
                made = tables.compile_table(message_type, version, _Files({file: without}).__getitem__)
            except ConfigurationError:
                left.remove(number)  # a leaf without a row
                continue
            for document, bundle in zip(documents, before, strict=True):
                inner = at(document, MESSAGE)
                if not _same_apart_from_urls(made.write_any(document, inner, "urn:uuid:", False), bundle):
                    left.remove(number)
                    break
    assert [f"{file}:{number + 1}: {text[number]}" for number in sorted(left)] == []


def _other_header(document: JsonObject) -> JsonObject:
    """The document with a header that differs from its envelope."""
    inner = at(document, MESSAGE)
    if "sender" in inner:
        sent = "2026-06-14T09:12:01+02:00"
        inner |= {"messageId": "other", "sentAt": sent, "kind": "Update", "status": "System"}
    return document


class _Files(dict[str, str]):
    """The tables' texts, some of them changed."""

    def __missing__(self, name: str) -> str:
        return (schemas.ROOT / name).read_text(encoding="utf-8")


def _same_apart_from_urls(made: JsonObject, before: JsonObject) -> bool:
    def bare(bundle: Any) -> list[Any]:
        return sorted(
            (k, str(v)[-12:] if str(v).startswith("urn:uuid:") else v) for k, v in _flat(bundle).items()
        )

    return bare(made) == bare(before)


def test_the_tables_are_sound() -> None:
    assert translation.check() == []
