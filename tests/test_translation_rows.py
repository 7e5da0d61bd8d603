"""Every row of the tables counts: one leaf, one element; a line taken away is noticed."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

import schemas
from gateway import translation
from gateway.errors import ConfigurationError
from gateway.model import JsonObject
from gateway.translation import residue, tables
from gateway.translation.notation import parse
from gateway.translation.paths import EACH, ONE, Path, leaf_of
from gateway.translation.plan import Plan, values
from gateway.translation.rows import Derived
from tests.test_translation import MESSAGE, SERVED, at, cases_of, message, said


@pytest.mark.parametrize(("message_type", "version"), SERVED)
def test_changing_one_leaf_changes_one_element(message_type: str, version: str) -> None:
    table = tables.translator(message_type, version)
    assert table is not None
    leaves = {tuple(EACH if n == ONE else n for n in row.leaf): row.leaf for row in table.plan.rows.values()}
    for document in _regular(message_type, version):
        before = _flat(_without_spellings(translation.to_fhir(message(document, version))))
        body = at(document, MESSAGE)[table.root_key]
        for holder, key, path in list(_places(body)):
            full = leaves.get(("message", table.root_key, *path))
            if full is None:
                continue  # below an object of any content
            shape = table.plan.shape.at(full)
            old = holder[key]
            holder[key] = _other(old, shape)
            if holder[key] == old:
                continue  # a list of one code
            after = _flat(_without_spellings(translation.to_fhir(message(document, version))))
            holder[key] = old
            changed = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
            direct = {place for place in changed if not place.endswith(".reference")}
            further = _further(table.plan, full)
            if further:  # derived for each item of a list
                direct = {re.sub(r"\[\d+\]", "[]", place) for place in direct}
            assert 1 <= len(direct) <= 1 + further, (path, changed)


def _without_spellings(bundle: JsonObject) -> JsonObject:
    """The Bundle without the list of its instants as they were sent."""
    header = bundle["entry"][0]["resource"]
    header["extension"] = [x for x in header["extension"] if not x["url"].endswith("/instants")]
    return bundle


def _regular(message_type: str, version: str) -> list[JsonObject]:
    """The cases of a type that need no marks."""
    table = tables.translator(message_type, version)
    assert table is not None
    return [document for document in cases_of(message_type, version) if table.fits(document)]


def _further(plan: Plan, leaf: Path) -> int:
    """How many elements may change beside a leaf's own: what is derived from it, and its other homes."""
    deriveds = [d for kind in plan.kinds for d in values(kind.element) if isinstance(d, Derived)]
    derived = sum(any(leaf[: len(leaf_of(path))] == leaf_of(path) for path in d.paths) for d in deriveds)
    homes = sum(row.leaf == leaf for row in plan.rows.values())
    decides = sum(leaf in row.only[1] for row in plan.rows.values() if row.only)
    return 2 * derived + 4 * (homes - 1) + 4 * decides  # a derived Coding has a system too


def _other(old: Any, shape: Any) -> Any:
    if isinstance(old, bool):
        return not old
    if isinstance(old, int | float):
        return old + 1
    if "enum" in shape.leaf:
        return next((code for code in shape.leaf["enum"] if code not in {old, "NIR"}), old)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", old):
        return f"{int(old[:4]) + 1}{old[4:]}" if old[5:] != "02-29" else "1999-01-01"
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
    passed = ("#", "let ", "map ", "block ", "end", "include ", "like ", "at ", "resource ")
    lines = (schemas.ROOT / file).read_text(encoding="utf-8").splitlines()
    return [n for n, line in enumerate(lines) if line.strip() and not line.strip().startswith(passed)]


FILES = sorted(
    path.relative_to(schemas.ROOT).as_posix()
    for path in schemas.ROOT.glob("*/*.mapping")
    if path.name != "vocabulary.mapping"
)


@pytest.mark.parametrize("file", FILES)
def test_no_line_of_a_table_is_idle(file: str) -> None:
    text = (schemas.ROOT / file).read_text(encoding="utf-8").splitlines()
    left = set(_statements(file))
    for message_type, version in sorted(SERVED, reverse=True):
        used = left & _lines_used(file, message_type, version)
        table = tables.translator(message_type, version)
        assert table is not None
        documents = [_other_header(document) for document in cases_of(message_type, version)] if used else []
        before = [_written(table, document) for document in documents]
        for number in sorted(used):
            without = "\n".join([*text[:number], "", *text[number + 1 :]])
            try:
                made = tables.compile_table(message_type, version, _Files({file: without}).__getitem__)
            except ConfigurationError:
                left.remove(number)  # a leaf without a row
                continue
            if any(_written(made, d) != bundle for d, bundle in zip(documents, before, strict=True)):
                left.remove(number)
    assert [f"{file}:{number + 1}: {text[number]}" for number in sorted(left)] == []


@cache
def _places_of(message_type: str, version: str) -> str:
    """Where everything in a table was read, one line each."""
    made = tables.translator(message_type, version)
    assert made is not None
    read = parse(f"{message_type}/{version}.mapping", _Files().__getitem__, dict(made.names))
    return "\n".join(v.place for r in read.resources.values() for v in (*r.values, *r.listings))


def _lines_used(file: str, message_type: str, version: str) -> set[int]:
    """The lines of a file, from 0, that a type's table puts in its resources."""
    found = re.findall(rf"{re.escape(file)}:(\d+)\b", _places_of(message_type, version))
    text = (schemas.ROOT / file).read_text(encoding="utf-8").splitlines()
    own = text if file == f"{message_type}/{version}.mapping" else []
    renamings = {number for number, line in enumerate(own) if line.startswith("rename ")}
    return {int(number) - 1 for number in found} | renamings


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


def _written(table: tables.Translator, document: JsonObject) -> bytes:
    """What a table writes of all that needs no mark."""
    kept = residue.take_out(document, table.sieve, [])
    return said(table.write_any(kept, at(kept, MESSAGE), "urn:uuid:", False))


def test_the_tables_are_sound() -> None:
    assert translation.check() == []
