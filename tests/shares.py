"""How much of each message is said in FHIR's own elements: `python -m tests.shares`.

A field is *standard* where its element is R4's own, *published* where an extension of HL7, fr-core or the ANS holds it, *own*
where an extension of the gateway does, or where it travels as sent because FHIR cannot hold it. A code or a number that
stands in a note, a text, a Binary, Basic or Parameters counts as own; words that the sender wrote freely do not.
Counted three times: each leaf of the use case once, by the tables; each value, and each element of the Bundles (the envelope
and the places of origin, which are extensions, with it), in the official samples where they are there, else in the cases
and in generated messages.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

import schemas
from gateway import edxl
from gateway.canonical_files.official import field_at
from gateway.model import JsonObject
from gateway.translation import residue, to_fhir
from gateway.translation.paths import EACH, ONE
from gateway.translation.paths import Path as Leaf
from gateway.translation.plan import Kind, values
from gateway.translation.rows import Row
from gateway.translation.tables import BASE, Translator, translator
from tests.strategies import enveloped
from tests.test_translation import CASES, MESSAGE, at, seeded_documents, version_of

SAMPLES = Path(__file__).parents[1].parent / "shared" / "hubsante" / "samples"
CLASSES = ("standard", "published", "own")
FREE = frozenset({"text", "contentString", "valueString", "div"})
# standard, published, own leaves of v3 that the mapping aims at
AIM = {
    "RS-EDA": (77, 5, 31),
    "RS-EDA-MAJ": (51, 0, 10),
    "RC-EDA": (116, 15, 78),
    "RS-RI": (17, 1, 1),
    "RC-RI": (20, 1, 3),
    "RS-SR": (5, 0, 0),
    "RS-DR": (8, 0, 0),
    "RS-RR": (6, 0, 0),
    "RS-ER": (6, 0, 0),
    "RS-URL": (4, 0, 1),
    "RS-BPV": (24, 0, 1),
    "RS-SAS-RDV": (17, 2, 1),
    "RC-REF": (0, 1, 3),
    "RS-ERROR": (4, 1, 0),
    "GEO-POS": (12, 0, 0),
    "GEO-REQ": (1, 0, 0),
    "GEO-RES": (8, 0, 1),
    "RS-RPIS": (40, 2, 0),
    "EMSI": (71, 0, 36),
}


@dataclass(frozen=True, slots=True)
class Share:
    """The counts of one type and version: leaves of its table, values in messages, elements of Bundles."""

    leaves: Counter[str]
    told: Counter[str]
    elements: Counter[str]


def classes(table: Translator) -> dict[Leaf, str]:
    """The class of each leaf of the use case, by its first home."""
    return {plain(row.leaf): class_of(table, kind, row) for kind, row in rows(table) if row.home == 0}


def rows(table: Translator) -> Iterator[tuple[Kind, Row]]:
    """The rows of the use case, each with its resource."""
    for kind in table.plan.kinds:
        for row in values(kind.element):
            if isinstance(row, Row) and row.leaf[:2] == ("message", table.root_key):
                yield kind, row


def refuges(table: Translator) -> set[str]:
    """The URLs of the extensions that hold what a leaf's first home cannot."""
    return {
        step.fixed[0][1]
        for _, row in rows(table)
        for step in row.element
        if row.home and step.name == "extension"
    }


def class_of(table: Translator, kind: Kind, row: Row) -> str:
    """The class of a row."""
    urls = [step.fixed[0][1] for step in row.element if step.name == "extension" and step.fixed]
    if any(url.startswith(BASE) for url in urls):
        return "own"
    if urls:
        return "published"
    shape = table.plan.shape.at(row.leaf)
    field = field_at(table, row.leaf)
    free = shape is not None and (
        shape.type == "open" or (shape.type == "string" and not (shape.leaf or field.codes))
    )
    hidden = kind.type in {"Basic", "Parameters", "Binary"} or row.element[-1].name in FREE
    return "own" if hidden and not free else "standard"


def plain(leaf: Leaf) -> Leaf:
    """A leaf with every list item alike."""
    return tuple(EACH if name == ONE else name for name in leaf)


def documents(message_type: str, version: str) -> Iterator[JsonObject]:
    """The official samples of a type, else its cases and generated messages."""
    folder = next((old for old, new in schemas.ALIASES.items() if new == message_type), message_type)
    root = schemas.root_key(message_type, version)
    paths = [*(SAMPLES / version / message_type).glob("*.json"), *(SAMPLES / version / folder).glob("*.json")]
    for path in sorted(set(paths)):
        loaded = orjson.loads(path.read_bytes())
        yield enveloped(root, loaded.get(root, loaded))
    if not paths:
        for path in CASES:
            if (path.parts[-3], version_of(path)) == (message_type, version):
                yield orjson.loads(path.read_bytes())
        yield from seeded_documents(message_type, version, 20)


def share(message_type: str, version: str) -> Share:
    """The counts of a type and version."""
    table = translator(message_type, version)
    assert table is not None
    known = classes(table)
    told: Counter[str] = Counter()
    elements: Counter[str] = Counter()
    for document in documents(message_type, version):
        bundle = to_fhir(edxl.message(document, version))
        for entry in bundle["entry"]:
            elements.update(element_classes(entry["resource"]))
        marks: list[residue.Mark] = []
        kept = residue.take_out(document, table.sieve, marks)
        told["own"] += len(marks)
        if kept is residue.GONE or "content" not in kept:
            continue  # all of it travels as sent
        body = at(kept, MESSAGE).get(table.root_key, {})
        for leaf in leaves(body, ("message", table.root_key), known):
            told[known[leaf]] += 1
        text = orjson.dumps(bundle).decode()
        moved = sum(text.count(f'"{url}"') for url in refuges(table))
        told.subtract({"standard": moved})
        told["own"] += moved
    return Share(Counter(known.values()), told, elements)


def element_classes(value: object, inside: str = "standard") -> Iterator[str]:
    """The class of each leaf element of a resource."""
    if isinstance(value, dict):
        if value.get("resourceType") in {"Basic", "Parameters"}:
            inside = "own"
        for name, child in value.items():
            if name != "extension" or inside != "standard":
                yield from element_classes(child, inside)
                continue
            for extension in child:
                yield from element_classes(
                    extension, "own" if extension["url"].startswith(BASE) else "published"
                )
    elif isinstance(value, list):
        for child in value:
            yield from element_classes(child, inside)
    else:
        yield inside


def leaves(value: object, path: Leaf, known: dict[Leaf, str]) -> Iterator[Leaf]:
    """The leaves of a value that the table knows."""
    if path in known:
        yield path
    elif isinstance(value, dict):
        for name, child in value.items():
            yield from leaves(child, (*path, name), known)
    elif isinstance(value, list):
        for child in value:
            yield from leaves(child, (*path, EACH), known)


def _line(message_type: str, version: str) -> str:
    found = share(message_type, version)
    numbers = "/".join(str(found.leaves[name]) for name in CLASSES)
    aim = "/".join(map(str, AIM[message_type])) if version == "v3" and message_type in AIM else "-"
    values_, elements = (_percent(counted) for counted in (found.told, found.elements))
    return f"{message_type:<12} {version}  {numbers:>11}  {aim:>11}  {values_}  {elements}"


def _percent(counted: Counter[str]) -> str:
    total = counted.total()
    return f"{total:>7}  " + "  ".join(f"{100 * counted[name] / (total or 1):5.1f}" for name in CLASSES)


def main(arguments: list[str]) -> None:
    """The table on the screen; with `own`, the leaves that are no standard element too."""
    sys.stdout.write(
        f"{'type':<12} v   {'leaves':>11}  {'aim':>11}   values  stand  publ.    own  elements stand  publ.    own %\n"
    )
    for version in reversed(schemas.VERSIONS):
        for message_type in schemas.message_types(version):
            sys.stdout.write(_line(message_type, version) + "\n")
            if "own" in arguments:
                table = translator(message_type, version)
                assert table is not None
                for leaf, name in classes(table).items():
                    if name != "standard":
                        sys.stdout.write(f"    {name:<9} {'.'.join(leaf[2:])}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
