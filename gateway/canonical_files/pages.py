"""The pages of docs/mappings/: where every field of a message is in its Bundle."""

from collections.abc import Iterator, Sequence

from gateway.canonical_files.artefact import last, slug
from gateway.canonical_files.official import field_at, spoken, title
from gateway.canonical_files.wording import code_map, derived, how, place
from gateway.translation.paths import EACH, ONE, Path, leaf_of, spell
from gateway.translation.plan import Kind, values
from gateway.translation.rows import MAPPING, Derived, Row
from gateway.translation.tables import Translator

FHIR = "../../schemas/canonical/fhir"
REFERENCE = "../reference/messages"
_COMMAND = "`python -m gateway.canonical_files`"


def pages(tables: Sequence[Translator]) -> dict[str, str]:
    """The text of every page, by file name: one a message type and version, and README.md, the index."""
    bodies = {(table.message_type, table.version): _body(table) for table in tables}
    made = {}
    for table in tables:
        own = bodies[table.message_type, table.version]
        newer = sorted(v for kind, v in bodies if kind == table.message_type and v > table.version)
        same = next((v for v in reversed(newer) if bodies[table.message_type, v] == own), "")
        made[_file(table.message_type, table.version)] = _page(table, own, same)
    return made | {"README.md": _index(bodies)}


def _file(message_type: str, version: str) -> str:
    return f"{message_type}-{version}.md"


def _index(bodies: dict[tuple[str, str], str]) -> str:
    versions = sorted({version for _, version in bodies})
    rows = []
    for kind in sorted({kind for kind, _ in bodies}):
        links = [f"[{v}]({_file(kind, v)})" if (kind, v) in bodies else "-" for v in versions]
        rows.append(f"| {kind} | {_cell(title(kind))} | {' | '.join(links)} |")
    return "\n".join(
        [
            "# From message to FHIR and back",
            "",
            f"Made from `schemas/<TYPE>/<version>.mapping` by {_COMMAND}. Each page has every field of a message with its",
            "FHIR element, what is derived, the resources with their profiles, and the code maps. The rows are read in both",
            "directions; derived elements are written for FHIR readers and never read. What FHIR cannot hold (empty texts and",
            f"lists, impossible dates) travels in the extensions [empty]({FHIR}/StructureDefinition-empty.json) and",
            f"[raw]({FHIR}/StructureDefinition-raw.json) of the MessageHeader; its extension",
            f"[instants]({FHIR}/StructureDefinition-instants.json) has all instants as they were sent.",
            "",
            f"The same as files for FHIR tools: [schemas/canonical/fhir/]({FHIR}/).",
            "",
            f"| type | title | {' | '.join(versions)} |",
            f"|---|---|{'---|' * len(versions)}",
            *rows,
            "",
        ]
    )


def _page(table: Translator, body: str, same: str) -> str:
    kind, version = table.message_type, table.version
    definition = f"{FHIR}/MessageDefinition-{slug(f'{kind}-{version[1:]}.0')}.json"
    message, header = f"{REFERENCE}/{_file(kind, version)}", f"[its MessageDefinition]({definition})"
    parts = [
        f"# {kind} {version} in FHIR: {title(kind)}",
        f"Made from `schemas/{kind}/{version}.mapping` by {_COMMAND}. [The message]({message}), {header}.",
        f"Every row is as in [{same}]({_file(kind, same)})." if same else body,
    ]
    return "\n\n".join(parts) + "\n"


def _body(table: Translator) -> str:
    return "\n\n".join([*_fields(table), *_derived(table), *_resources(table), *_maps(table)])


def _rows(table: Translator) -> Iterator[tuple[Kind, Row]]:
    """All rows in the order of the message, the envelope last."""
    order = {leaf: at for at, leaf in enumerate(table.plan.shape.leaves())}
    found = [(k, v) for k in table.plan.kinds for v in values(k.element) if isinstance(v, Row)]
    own = ("message", table.root_key)
    yield from sorted(
        found, key=lambda r: (_plain(r[1].leaf)[:2] != own, order[_plain(r[1].leaf)], r[1].home)
    )


def _plain(path: Path) -> Path:
    return tuple(EACH if name == ONE else name for name in leaf_of(path))


def _fields(table: Translator) -> Iterator[str]:
    yield "## Fields"
    yield "`/` before a field: it is the envelope's or the header's. `*` after an element: it repeats with the field."
    rows = [
        f"| `{spoken(table, row.leaf)}` | {_cell(field_at(table, row.leaf).title)} | {kind.name} | "
        f"`{place(kind, row.element)}` | {_cell(how(table, row))} |"
        for kind, row in _rows(table)
    ]
    yield "\n".join(["| field | title | resource | element | how |", "|---|---|---|---|---|", *rows])


def _derived(table: Translator) -> Iterator[str]:
    found = [
        f"| {kind.name} | `{place(kind, value.element)}` | {_cell(derived(table, value))} |"
        for kind in table.plan.kinds
        for value in values(kind.element)
        if isinstance(value, Derived) and value.function != "source-path"
    ]
    found += [
        f"| {target} | `{place(table.plan.kind(target), steps)}*` | refers to {kind.name} |"
        for kind in table.plan.kinds
        for target, steps, _ in kind.items
    ]
    if found:
        yield "## Derived elements"
        yield "Written for FHIR readers, never read back."
        yield "\n".join(["| resource | element | says |", "|---|---|---|", *found])


def _resources(table: Translator) -> Iterator[str]:
    yield "## Resources"
    rows = [
        f"| {kind.name} | {kind.type} | {_there(table, kind)} | "
        f"[{last(kind.profile)}]({FHIR}/StructureDefinition-{last(kind.profile)}.json) |"
        for kind in table.plan.kinds
    ]
    yield "\n".join(["| resource | type | there | profile |", "|---|---|---|---|", *rows])


def _there(table: Translator, kind: Kind) -> str:
    inner = len(table.root_key) + len("message.") + 1
    when = " or ".join(f"`{spell(path)[inner:].lstrip('.')}`" for path in kind.when)
    if kind.anchor:
        each = f"for each `{spell(kind.anchor)[inner:].lstrip('.')}`"
        return f"{each} with {when}" if when else each
    return f"with {when}" if when else "always"


def _maps(table: Translator) -> Iterator[str]:
    found = [v for k in table.plan.kinds for v in values(k.element)]
    both = {v.codec for v in found if isinstance(v, Row)}
    tests = {v.only[0] for v in found if isinstance(v, Row) and v.only}
    used = {v.names[0] for v in found if isinstance(v, Derived) and v.function in MAPPING} | both | tests
    told = [
        code_map(n, pairs, both_ways=n in both) for n, pairs in sorted(table.plan.maps.items()) if n in used
    ]
    if told:
        yield "## Code maps"
        yield "`↔` is read in both directions, `→` is written for FHIR readers only."
        yield from told


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
