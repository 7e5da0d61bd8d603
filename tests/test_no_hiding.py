"""Nothing hides: changing one leaf of a message changes its own element, and what the table derives from it, and no more."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from gateway import translation
from gateway.model import JsonObject
from gateway.translation import residue
from gateway.translation.paths import EACH, ONE, Path, Steps, leaf_of
from gateway.translation.plan import Kind, Plan, values
from gateway.translation.rows import Derived, Row
from gateway.translation.tables import Translator, translator
from schemas.fields import table as fields
from tests.strategies import ODD_TEXTS, enveloped, seeded
from tests.test_translation import MESSAGE, SERVED, at, message
from tests.test_translation_rows import _other, _other_header

DOCUMENTS = 4
LEAVES = 80  # of one document, drawn by seed

Place = tuple[str, str]  # resource kind, element names without indexes


@dataclass(frozen=True, slots=True)
class Reach:
    """What may change with a leaf: its own element in each of its homes, and what is derived from it."""

    own: frozenset[Place]
    further: frozenset[Place]
    shared: int  # how many derived values stand at a place of its own
    homes: int


@pytest.mark.parametrize(("message_type", "version"), SERVED)
def test_one_leaf_changes_its_element_and_what_is_derived(message_type: str, version: str) -> None:
    table = translator(message_type, version)
    assert table is not None
    tried = 0
    for document in regular(table):
        before = placed(table, translation.to_fhir(message(document, version)))
        for holder, key, leaf in drawn(table, document):
            old = holder[key]
            holder[key] = another(old, table.plan.shape.at(leaf))
            if holder[key] == old or not table.fits(document):
                holder[key] = old
                continue  # a list of one code, or a value that FHIR cannot hold
            after = placed(table, translation.to_fhir(message(document, version)))
            holder[key] = old
            changed = [p for p in before.keys() | after.keys() if before.get(p) != after.get(p)]
            assert faults(reach(table.plan, leaf), changed) == [], (leaf, changed)
            tried += 1
    assert tried > DOCUMENTS


INSTANTS: Place = ("header", "extension[instants].valueString")  # the list of all instants as they were sent


def faults(allowed: Reach, changed: list[tuple[Place, str]]) -> list[str]:
    """What changed beyond what may, or that nothing of the leaf's own did."""
    own = {where for place, where in changed if place in allowed.own}
    # a Quantity is one element
    own |= {where.partition(".valueQuantity")[0] for place, where in changed if _inside(place, allowed.own)}
    told = [
        f"{place} changed too"
        for place, _ in changed
        if place not in allowed.own | allowed.further | {INSTANTS} and not _inside(place, allowed.own)
    ]
    most = 1 + allowed.shared if allowed.homes == 1 else 2 * allowed.homes + allowed.shared
    return told if 1 <= len(own) <= most else [*told, f"{len(own)} elements of its own changed"]


def _inside(place: Place, own: frozenset[Place]) -> bool:
    kind, names = place
    return names.startswith("valueQuantity.") and (kind, "valueQuantity") in own


def regular(table: Translator) -> Iterator[JsonObject]:
    """Generated documents that need no marks, every free text another one, every other with a header of its own."""
    rng = random.Random(f"no hiding {table.message_type} {table.version}")
    root = fields(table.message_type, table.version).root
    made = 0
    for number in range(400):
        body = seeded(root, rng, chance=rng.choice((0.5, 0.8, 1)))
        document = held(enveloped(root.name, body), table.sieve, iter(range(1, 10_000)))
        if number % 2:
            document = _other_header(document)
        kept = residue.take_out(document, table.sieve, [])
        if kept is not residue.GONE and table.fits(kept):
            yield kept
            made += 1
            if made == DOCUMENTS:
                return
    assert made, "no generated message can be held by FHIR"


def held(value: Any, sieve: residue.Sieve, numbers: Iterator[int]) -> Any:
    """The value with every leaf that FHIR cannot hold, and every odd text, put right."""
    if isinstance(value, dict) and sieve.fields is not None:
        return {key: held(child, sieve.fields[key], numbers) for key, child in value.items()}
    if isinstance(value, list) and sieve.item is not None:
        return [held(child, sieve.item, numbers) for child in value]
    if sieve.fits(value) and value not in ODD_TEXTS:
        return value
    n = next(numbers)
    right = (
        f"texte {n}",
        f"https://exemple.example/{n}",
        f"19{n % 90 + 10}-01-31",
        "2026-01-31T10:04:34+01:00",
        n,
    )
    return next(each for each in right if sieve.fits(each))


def test_what_hides_is_found() -> None:
    allowed = Reach(frozenset({("case", "status")}), frozenset({("case", "period.start")}), 0, 1)
    own, further = (("case", "status"), "1.status"), (("case", "period.start"), "1.period.start")
    assert faults(allowed, [own, further]) == []
    assert faults(allowed, [further]) == ["0 elements of its own changed"]
    assert faults(allowed, [own, (("case", "status"), "2.status")]) == ["2 elements of its own changed"]
    assert faults(allowed, [own, (("case", "text.div"), "1.text.div")]) == [
        "('case', 'text.div') changed too"
    ]


def drawn(table: Translator, document: JsonObject) -> list[tuple[Any, Any, Path]]:
    """Some leaves of a document with their holders. The distributionID is in every URL and left out."""
    known = {tuple(EACH if n == ONE else n for n in row.leaf): row.leaf for row in table.plan.rows.values()}
    tree = {**{k: v for k, v in document.items() if k != "content"}, "message": at(document, MESSAGE)}
    found = [
        (document if holder is tree else holder, key, known[path])
        for holder, key, path in _places(tree)
        if path in known and path != ("distributionID",)
    ]
    rng = random.Random(len(found))
    return found if len(found) <= LEAVES else rng.sample(found, LEAVES)


def _places(value: Any, path: Path = ()) -> Iterator[tuple[Any, Any, Path]]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in items:
        here = (*path, EACH if isinstance(value, list) else key)
        if isinstance(child, dict | list):
            yield from _places(child, here)
        else:
            yield value, key, here


def placed(table: Translator, bundle: JsonObject) -> dict[tuple[Place, str], Any]:
    """Every leaf element of a Bundle, by resource kind and element names, and by its exact path; without the label that an
    exercise has on every resource.
    """
    kinds = {kind.profile: kind.name for kind in table.plan.kinds}
    resources = [*(entry["resource"] for entry in bundle["entry"]), {**bundle, "entry": []}]
    return {
        ((kinds[resource["meta"]["profile"][0]], _names(path)), f"{number}{path}"): value
        for number, resource in enumerate(resources)
        for path, value in _flat(resource).items()
        if not path.startswith(".meta.security")
    }


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """The leaves of a resource by path; an extension by its URL, so that another one before it does not move it."""
    if isinstance(value, dict):
        return {k: v for name, child in value.items() for k, v in _flat(child, f"{path}.{name}").items()}
    if isinstance(value, list):
        found: dict[str, Any] = {}
        seen: Counter[str] = Counter()
        for child in value:
            key = child["url"].rpartition("/")[2] if path.endswith(".extension") else ""
            found |= _flat(child, f"{path}[{key}]#{seen[key]}")
            seen[key] += 1
        return found
    return {path: value}


def _names(path: str) -> str:
    """A path without the numbers of list items."""
    return re.sub(r"\[\]|#\d+|(?<=\.)_", "", path).removeprefix(".")


def reach(plan: Plan, leaf: Path) -> Reach:
    """What may change with a leaf, by the table."""
    rows = [(kind, row) for kind in plan.kinds for row in values(kind.element) if isinstance(row, Row)]
    homes = [(kind, row) for kind, row in rows if row.leaf == leaf]
    own = {(kind.name, spelled(row.element)) for kind, row in homes}
    further: set[Place] = set()
    shared = 0
    for kind, row in rows:
        if row.unless is not None and leaf in {row.unless, row.leaf}:
            further |= with_constants(kind, row.element)
        if row.only and (leaf in row.only[1] or row.leaf == leaf):
            further |= with_constants(kind, row.element)  # the homes of a leaf appear and go
            homes += [(kind, row)] * (row.leaf != leaf)
            further |= {p for k, r in rows if r.leaf == row.leaf for p in with_constants(k, r.element)}
    for kind, value in _derived(plan):
        if _depends(plan, value, leaf):
            shared += (kind.name, spelled(value.element)) in own
            further |= with_constants(kind, value.element)
    return Reach(
        frozenset(own), frozenset(further), shared * 8 if _listed(plan, leaf) else shared, len(homes)
    )


def _derived(plan: Plan) -> Iterator[tuple[Kind, Derived]]:
    for kind in plan.kinds:
        for value in values(kind.element):
            if isinstance(value, Derived) and value.function not in {"ref", "source-path"}:
                yield kind, value


def _depends(plan: Plan, value: Derived, leaf: Path) -> bool:
    """Whether a derived value may change with a leaf: it, or a list that holds it, is an argument; or it is the key by
    which a resource is looked up.
    """
    if any(leaf[: len(leaf_of(path))] == leaf_of(path) for path in value.paths):
        return True
    if value.function not in {"find", "find-or"}:
        return False
    return (*plan.kind(value.names[0]).anchor, value.names[1]) == leaf


def _listed(plan: Plan, leaf: Path) -> bool:
    """Whether something is derived from the leaf for each item of another list."""
    return any(_depends(plan, value, leaf) and value.element[0].each for _, value in _derived(plan))


def spelled(steps: Steps) -> str:
    """The names of an element path, extensions with the end of their URL."""
    told = []
    for step in steps:
        key = f"[{step.fixed[0][1].rpartition('/')[2]}]" if step.name == "extension" and step.fixed else ""
        told.append(f"{step.name.removeprefix('_')}{key}")
    return ".".join(told)


def another(old: Any, shape: Any) -> Any:
    """Another value of a leaf."""
    if isinstance(old, str) and re.match(r"\d{4}-\d\d-\d\dT", old):
        return f"{int(old[:4]) - 1}{old[4:]}"
    return _other(old, shape)


def with_constants(kind: Kind, steps: Steps) -> set[Place]:
    """An element, and the constants that come and go with it."""
    found = {(kind.name, spelled(steps))}
    for at_step, step in enumerate(steps):
        above = spelled(steps[: at_step + 1])
        found |= {(kind.name, f"{above}.{spelled(inner)}") for inner, _ in step.fixed}
        for inner, _ in step.fixed:
            found |= {(kind.name, f"{above}.{place}") for _, place in with_constants(kind, inner)}
    return found
