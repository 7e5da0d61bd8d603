"""Field tables -> the pages of docs/reference/messages/. Made by `python -m schemas`, never edited."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas import ALL_ROOT_KEYS, HEADERLESS, VERSIONS, codes, examples
from schemas.fields import Field, Table, table

FOLDER = Path(__file__).parent.parent / "docs" / "reference" / "messages"
SHOWN = 12  # codes that a table's cell holds; longer lists stand below
TERMINOLOGY = "../../../schemas/terminology"
FRAMES = {
    "EDXL-DE": "Around every message: the envelope that names sender, recipient and times. A member that is not listed may "
    "stand only in an object that allows further members.",
    "RC-DE": "Beside the use case in `message`: the header that every message has but RS-ERROR and RS-INFO. It repeats what "
    "the envelope says, and must agree with it.",
}
TYPES = {
    "datetime": "date and time, `YYYY-MM-DDThh:mm:ss+hh:mm`",
    "rfc3339": "date and time of RFC 3339",
    "open object": "object, further members allowed",
}


def pages() -> dict[str, str]:
    """The text of every page, by file name: one a table (message types, envelope, header) and README.md, the index.

    Each field has an anchor: its path from the root of its table, without list indexes ("createCaseHealth.patient.sex").
    """
    made = {
        f"{t}-{version}.md": _page(t, version) for version in VERSIONS for t in (*FRAMES, *_types(version))
    }
    return made | {"README.md": _index()}


def write(folder: Path = FOLDER) -> list[str]:
    """Make every page anew; the names of those that changed or are gone. Raises TableError."""
    made = pages()
    folder.mkdir(parents=True, exist_ok=True)
    old = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    for name in old.keys() - made.keys():
        (folder / name).unlink()
    for name, text in made.items():
        if old.get(name) != text:
            (folder / name).write_text(text, encoding="utf-8")
    return sorted(name for name in old.keys() | made.keys() if old.get(name) != made.get(name))


def _types(version: str) -> list[str]:
    return sorted(ALL_ROOT_KEYS[version].values())


def _index() -> str:
    lines = [
        "# Message types",
        "",
        "Made from `schemas/<TYPE>/<version>.fields` by `python -m schemas`. Each page has every field with its place,",
        "what changed since the version before, the code lists, the patterns and an example.",
        "",
        f"| type | key in `message` | title | {' | '.join(VERSIONS)} |",
        f"|---|---|---|{'---|' * len(VERSIONS)}",
    ]
    for name in FRAMES:
        root, links = table(name, VERSIONS[-1]).root, [f"[{v}]({name}-{v}.md)" for v in VERSIONS]
        lines.append(f"| {name} | - | {_cell(root.title)} | {' | '.join(links)} |")
    for name in sorted({kind for version in VERSIONS for kind in _types(version)}):
        there = [version for version in VERSIONS if name in _types(version)]
        root = table(name, there[-1]).root
        links = [f"[{v}]({name}-{v}.md)" if v in there else "-" for v in VERSIONS]
        lines.append(f"| {name} | `{root.name}` | {_cell(root.title)} | {' | '.join(links)} |")
    return "\n".join(lines) + "\n"


def _page(message_type: str, version: str) -> str:
    source = table(message_type, version)
    example: Any = examples.full(source.root)
    parts = [
        f"# {message_type} {version}: {source.root.title}",
        f"Made from `schemas/{message_type}/{version}.fields` by `python -m schemas`.",
        f'<a id="{source.root.name}"></a>{_place(source)}',
        *_fields(source),
        *_changes(source),
        *_lists(source),
        *_patterns(source),
        "## Example",
        "Every field once; a free text says what it stands for.",
        f"```json\n{json.dumps(example if message_type in FRAMES else {source.root.name: example}, ensure_ascii=False, indent=2)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _place(source: Table) -> str:
    if source.message_type in FRAMES:
        return FRAMES[source.message_type]
    header = f"[RC-DE header](RC-DE-{source.version}.md)"
    beside = f"without an {header}" if source.message_type in HEADERLESS else f"beside the {header}"
    order = "" if source.version == "v1" else " The fields stand in the order of the XML elements."
    return f"The use case is the member `{source.root.name}` of `message`, {beside}.{order}"


def _fields(source: Table) -> Iterator[str]:
    rows = [
        f'| <a id="{source.root.name}.{path.replace("[]", "")}"></a>`{path}` | {field.cardinality} | {TYPES.get(field.type, field.type)} | {_allowed(field)} | '
        f"{_cell(field.title)} |"
        for path, field in _flat(source)
    ]
    yield "## Fields"
    yield "\n".join(["| field | how often | type | allowed | title |", "|---|---|---|---|---|", *rows])


def _flat(source: Table) -> list[tuple[str, Field]]:
    return list(_below(source.root, ""))


def _below(field: Field, path: str) -> Iterator[tuple[str, Field]]:
    for member in field.fields:
        place = f"{path}{member.name}{'[]' if member.repeats else ''}"
        yield place, member
        yield from _below(member, f"{place}.")


def _allowed(field: Field) -> str:
    coded = ""
    if field.codes:
        others = "others warn" if codes.complete(field.codes) else "known in part: others pass"
        coded = f"codes of {field.codes}, {others}"
    if field.pattern:
        return "; ".join(filter(None, (f"pattern {field.pattern.name}", coded)))
    if coded:
        return coded
    if field.list:
        return f"list {field.list} ({len(field.values)})"
    return ", ".join(f"`{_cell(value)}`" for value in field.values)


def changes(before: Table, after: Table) -> list[str]:
    """What is gone, new and changed from one version to the next, a line each."""
    old, new = dict(_flat(before)), dict(_flat(after))
    changed = [
        f"- `{path}`: {'; '.join(told)}"
        for path, field in new.items()
        if path in old and (told := list(_differences(old[path], field)))
    ]
    gone = [f"- gone: `{path}`" for path in _tops(old, new)]
    return gone + [f"- new: `{path}` ({new[path].cardinality})" for path in _tops(new, old)] + changed


def _changes(source: Table) -> Iterator[str]:
    older = VERSIONS[VERSIONS.index(source.version) - 1] if source.version != VERSIONS[0] else ""
    if older and source.message_type in (*FRAMES, *_types(older)):
        yield f"## Changes from {older}"
        yield "\n".join(changes(table(source.message_type, older), source)) or "None."


def _tops(there: dict[str, Field], not_there: dict[str, Field]) -> list[str]:
    paths = [path for path in there if path not in not_there]
    return [path for path in paths if path.rpartition(".")[0] not in paths]


def _differences(before: Field, after: Field) -> Iterator[str]:
    if before.cardinality != after.cardinality:
        yield f"{before.cardinality} → {after.cardinality}"
    if before.type != after.type:
        yield f"{before.type} → {after.type}"
    if (before.pattern and before.pattern.regex) != (after.pattern and after.pattern.regex):
        yield f"{_name(before)} → {_name(after)}"
    elif set(before.values) != set(after.values):
        yield _code_changes(before, after)


def _name(field: Field) -> str:
    return _allowed(field) or "any text"


def _code_changes(before: Field, after: Field) -> str:
    if not before.values or not after.values:
        return f"{_name(before)} → {_name(after)}"
    gone = [f"`{value}`" for value in before.values if value not in after.values]
    new = [f"`{value}`" for value in after.values if value not in before.values]
    told = [
        f"{word} {', '.join(v[:SHOWN])}{' …' * (len(v) > SHOWN)}"
        for word, v in (("without", gone), ("with", new))
        if v
    ]
    return f"codes {' and '.join(told)}"


def _lists(source: Table) -> Iterator[str]:
    used = {field.list or field.codes: field for _, field in _flat(source) if field.list or field.codes}
    if used:
        yield "## Code lists"
    for name, field in sorted(used.items()):
        official = tuple(codes.labels(name)) if codes.exists(name) else ()
        link = f"[terminology/{name}.csv]({TERMINOLOGY}/{name}.csv)"
        if not field.values or field.values == official:
            part = "" if codes.complete(name) else " known of a longer list"
            yield f"**{name}**: {len(official)} codes{part}, {link}"
        else:
            own = ", ".join(f"`{value}`" for value in field.values)
            yield f"**{name}**, {len(field.values)} codes of this version: {own}"


def _patterns(source: Table) -> Iterator[str]:
    used = {field.pattern.name: field.pattern for _, field in _flat(source) if field.pattern}
    if used:
        rows = [
            f"| {name} | {_cell(pattern.meaning)} | `{_cell(pattern.example)}` | `{_cell(pattern.regex)}` |"
            for name, pattern in sorted(used.items())
        ]
        yield "## Patterns"
        yield "\n".join(["| pattern | meaning | example | regular expression |", "|---|---|---|---|", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
