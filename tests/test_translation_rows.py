"""Every row of the tables counts: one leaf, one element; a line taken away is noticed."""

from collections.abc import Iterator
from typing import Any

import pytest

import schemas
from gateway import translation
from gateway.errors import ConfigurationError
from gateway.model import JsonObject
from gateway.translation import tables
from gateway.translation.plan import values
from gateway.translation.rows import Derived
from tests.test_translation import MESSAGE, at, case, message


def test_changing_one_leaf_changes_one_element() -> None:
    table = tables.translator("RS-EDA", "v3")
    assert table is not None
    deriveds = [d for kind in table.plan.kinds for d in values(kind.element) if isinstance(d, Derived)]
    document = case("RS-EDA/full")
    before = _flat(translation.to_fhir(message(document)))
    for holder, key, path in list(_places(at(document, MESSAGE)["createCaseHealth"])):
        old, full = holder[key], ("message", "createCaseHealth", *path)
        holder[key] = _other(old, table.plan.shape.at(full))
        after = _flat(translation.to_fhir(message(document)))
        changed = {place for place in before.keys() | after.keys() if before.get(place) != after.get(place)}
        derived = sum(full in d.paths for d in deriveds)
        direct = {place for place in changed if not place.endswith(".reference")}
        assert 1 <= len(direct) <= 1 + 2 * derived, (path, changed)  # a derived Coding has a system too
        holder[key] = old


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


@pytest.mark.parametrize(
    "file", ["RS-EDA/v3.mapping", "canonical/case.mapping", "RC-DE/v3.mapping", "EDXL-DE/v3.mapping"]
)
def test_no_line_of_a_table_is_idle(file: str) -> None:
    document = case("RS-EDA/full")
    inner = at(document, MESSAGE)
    inner |= {
        "messageId": "other",
        "sentAt": "2026-06-14T09:12:01+02:00",
        "kind": "Update",
        "status": "System",
    }
    before = translation.to_fhir(message(document))
    idle = []
    text = (schemas.ROOT / file).read_text(encoding="utf-8").splitlines()
    for number in _statements(file):
        without = "\n".join([*text[:number], "", *text[number + 1 :]])
        try:
            table = tables.compile_table("RS-EDA", "v3", _Files({file: without}).__getitem__)
        except ConfigurationError:
            continue  # a leaf without a row
        made = table.write_any(document, inner, "urn:uuid:", False)
        if _same_apart_from_urls(made, before):
            idle.append(f"{file}:{number + 1}: {text[number]}")
    assert idle == []


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
