"""Mutation run on the mapping tables: `python -m bench.mutations [--seconds 180] [--json]`.

Every row of every table below schemas/ is taken away, and changed, one at a time; then the translation tests' own checks
are asked: does the table still compile (every leaf said once), do the whole messages of tests/cases still become the
Bundles beside them and come back, do seeded messages of every kind fit the profile and come back? A mutant that none of
them sees survives: a row that no test watches. Exits 1 where fewer than nine of ten are seen.
"""

import argparse
import json
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import orjson

import schemas
from gateway import edxl
from gateway.errors import ConfigurationError
from gateway.model import JsonObject
from gateway.translation import canonical, identifiers, placing, residue, tables
from schemas.fields import table
from tests.code_maps import PINNED, code_maps
from tests.strategies import enveloped, seeded
from tests.test_translation import version_of

CASES = schemas.ROOT.parent / "tests" / "cases"
SEEDED = 12  # generated messages of each type
TARGET = 0.9
PASSED = ("#", "block ", "end", "include ", "like ", "rename ", "at ", "resource ")  # what frames the rows
Users = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed line of one table; "" = taken away."""

    file: str
    line: int
    operator: str
    text: str
    changed: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`seen`: "table", "code map", "case", "round trip", or "" for a survivor; `alive`: a survivor that changes some Bundle."""

    mutant: Mutant
    seen: str
    alive: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """A message, the Bundle that it becomes, and whether that Bundle is written down in tests/cases."""

    document: JsonObject
    bundle: bytes
    is_case: bool


def mutants(file: str) -> Iterator[Mutant]:
    """Every row of a table taken away and changed."""
    for number, whole in enumerate((schemas.ROOT / file).read_text(encoding="utf-8").splitlines(), 1):
        text = whole.strip()
        if not text or text.startswith(PASSED):
            continue
        yield Mutant(file, number, "removed", text, "")
        for operator, changed in changes(text):
            if changed != text:
                yield Mutant(file, number, operator, text, changed)


def changes(text: str) -> Iterator[tuple[str, str]]:
    """A row changed in each way that its kind knows."""
    words = text.split()
    if words[0] == "map":
        for pair in words[2:]:
            yield f"without {pair}", " ".join(word for word in words if word != pair)
            yield f"{pair} differs", text.replace(f" {pair}", f" {pair}x", 1)
    elif words[0] == "let":
        yield "another URL", f"{text}x"
    elif words[0] in {"=", "=!"}:
        yield "another constant", re.sub(r'([\w:/#.-]+)(\s+".*")?$', r"\1x\2", text)
    elif words[0] in {">", "+"}:
        yield "another element", _other_element(text, words[1])
    elif words[0] != "use" and len(words) > 1:
        yield "another element", _other_element(text, words[1])
        yield from ((f"without {mark}", text.partition(f" {mark} ")[0]) for mark in MARKS if mark in words)
        if len(words) > 2 and words[2] not in MARKS:
            yield "without codec", text.replace(words[2], "", 1)


MARKS = ("required", "else", "unless", "only")


def _other_element(text: str, element: str) -> str:
    """The row with the last name of its element changed, in every place that a brace lists."""
    names = re.findall(r"[A-Za-z]\w*", element)
    changed = f"{names[-1]}X".join(element.rsplit(names[-1], 1))
    return text.replace(element, changed, 1)


@cache
def users(file: str) -> Users:
    """The types whose tables hold the file, quickest to compile first."""
    found = [
        (kind, version)
        for version in schemas.VERSIONS
        for kind in schemas.message_types(version)
        if file in included(f"{kind}/{version}.mapping")
    ]
    return tuple(sorted(found, key=lambda user: len(included(f"{user[0]}/{user[1]}.mapping"))))


@cache
def included(file: str) -> frozenset[str]:
    """A table, and all that it includes."""
    text = (schemas.ROOT / file).read_text(encoding="utf-8")
    below = [line.split()[1] for line in text.splitlines() if line.startswith(("include ", "like "))]
    return frozenset({file, *(name for inner in below for name in included(inner))})


def bundle_of(made: tables.Translator, document: JsonObject) -> JsonObject:
    """The Bundle of a document, written by this table."""
    stem = identifiers.stem(document["distributionID"])
    if made.fits(document):
        return made.write(document, _inner(document), stem, False)
    marks: list[residue.Mark] = []
    kept = residue.take_out(document, made.sieve, marks)
    bundle = made.write_any(kept, _inner(kept), stem, False)
    bundle["entry"][0]["resource"].setdefault("extension", []).extend(residue.extensions(marks, made.names))
    return bundle


def _inner(document: Any) -> JsonObject:
    """The message of a document from which odd values may have been taken out, whole levels of it included."""
    inner = document
    for name in ("content", 0, "jsonContent", "embeddedJsonContent", "message"):
        inner = (inner or [{}])[0] if name == 0 else (inner or {}).get(name)
    return inner or {}


def document_of(made: tables.Translator, bundle: JsonObject) -> JsonObject:
    """The document that a Bundle says, read by this table."""
    document = made.read(placing.slots(bundle, made.layout, made.names["sd"] + "source-path"))
    message = document.pop("message", {})
    whole = {**document, "content": [{"jsonContent": {"embeddedJsonContent": {"message": message}}}]}
    found = bundle["entry"][0]["resource"].get("extension", [])
    return residue.put_back(whole, residue.read_marks(found, made.names))


def said(value: Any) -> bytes:
    """A JSON value, comparable."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


@cache
def samples(message_type: str, version: str) -> tuple[Sample, ...]:
    """The cases of a type, then seeded messages with many members and few."""
    made = tables.compile_table(message_type, version)
    rng = random.Random(f"{message_type} {version}")  # the same ones every time
    root = table(message_type, version).root
    documents = [orjson.loads(path.read_bytes()) for path in case_files(message_type, version)]
    count = len(documents)
    chances = [rng.choice((0.4, 0.7, 1)) for _ in range(SEEDED)]
    documents += [enveloped(root.name, seeded(root, rng, chance=chance)) for chance in chances]
    return tuple(
        Sample(document, said(bundle_of(made, document)), number < count)
        for number, document in enumerate(documents)
    )


@cache
def pinned() -> dict[str, dict[str, str]]:
    """The code maps as tests/cases/code-maps.json has them."""
    loaded: dict[str, dict[str, str]] = orjson.loads(PINNED.read_bytes())
    return loaded


def case_files(message_type: str, version: str) -> list[Path]:
    """The whole messages of a type in tests/cases; a name that ends in -v1 or -v2 is of that version."""
    found = sorted((CASES / message_type).glob("*/in.json"))
    return [path for path in found if version_of(path) == version]


def judge(deadline: float, mutant: Mutant) -> Verdict | None:
    """Whether the tests' checks see a mutant; None where the time is over."""
    if time.time() > deadline:
        return None
    lines = (schemas.ROOT / mutant.file).read_text(encoding="utf-8").splitlines()
    lines[mutant.line - 1] = mutant.changed
    changed = "\n".join(lines)

    def load(name: str) -> str:
        return changed if name == mutant.file else (schemas.ROOT / name).read_text(encoding="utf-8")

    alive, is_map = False, mutant.text.startswith("map ")
    for message_type, version in users(mutant.file):
        try:
            if is_map and not code_maps(message_type, version, load).items() <= pinned().items():
                return Verdict(mutant, "code map")
            made = tables.compile_table(message_type, version, load)
        except ConfigurationError:
            return Verdict(mutant, "table")
        for sample in samples(message_type, version):
            try:
                seen, differs = look(made, sample)
            except Exception:  # noqa: BLE001 - the generated code breaks: the tests would see that
                return Verdict(mutant, "round trip")
            alive |= differs
            if seen:
                return Verdict(mutant, seen)
    return Verdict(mutant, "", alive)


def look(made: tables.Translator, sample: Sample) -> tuple[str, bool]:
    """What sees the mutant in one sample, "" = nothing; and whether its Bundle differs."""
    bundle = bundle_of(made, sample.document)
    differs = said(bundle) != sample.bundle
    if differs and sample.is_case:
        return "case", True
    received = orjson.loads(orjson.dumps(bundle))
    fits = not canonical.issues(received, made.court)
    comes_back = said(document_of(made, received)) == said(edxl.message(sample.document, "").document)
    return "" if fits and comes_back else "round trip", differs


def run(seconds: float) -> tuple[list[Verdict], int]:
    """Judge all mutants within the time; the verdicts, and how many there was no time for."""
    files = sorted(path.relative_to(schemas.ROOT).as_posix() for path in schemas.ROOT.glob("*/*.mapping"))
    found = [mutant for file in files for mutant in mutants(file)]
    random.Random(0).shuffle(found)  # where time runs out, what was judged is a fair sample
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        told = list(pool.map(partial(judge, time.time() + seconds), found, chunksize=8))
    verdicts = [verdict for verdict in told if verdict is not None]
    return verdicts, len(told) - len(verdicts)


def report(verdicts: list[Verdict], unjudged: int) -> str:
    """Counts, then every survivor with its place."""
    seen = Counter(verdict.seen or "survived" for verdict in verdicts)
    killed = len(verdicts) - seen["survived"]
    lines = [
        f"{len(verdicts)} mutants, {killed} seen ({killed / max(len(verdicts), 1):.1%}), {unjudged} not judged in time"
    ]
    lines += [f"  {what:12} {count}" for what, count in seen.most_common()]
    for verdict in sorted((v for v in verdicts if not v.seen), key=lambda v: (v.mutant.file, v.mutant.line)):
        mutant = verdict.mutant
        why = "changes Bundles that no case holds" if verdict.alive else "changes no Bundle"
        lines.append(f"{mutant.file}:{mutant.line}: {mutant.operator}: {why}: {mutant.text}")
    return "\n".join(lines)


def main() -> int:
    """Run, print, and say by the exit code whether the target was met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=180, help="the time there is")
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    wanted = parser.parse_args()
    verdicts, unjudged = run(wanted.seconds)
    print(json.dumps([asdict(v) for v in verdicts]) if wanted.json else report(verdicts, unjudged))
    killed = sum(bool(verdict.seen) for verdict in verdicts)
    return 0 if verdicts and killed / len(verdicts) >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
