"""A mapping table's rows in words."""

from collections.abc import Mapping

from gateway.canonical_files.artefact import last
from gateway.canonical_files.official import spoken
from gateway.translation.paths import NOTHING, Step, Steps
from gateway.translation.plan import Kind
from gateway.translation.rows import Derived, Row
from gateway.translation.tables import Translator

CODECS = {
    "text": "text as sent",
    "code": "code as sent",
    "url": "URL as sent",
    "date": "date",
    "dateTime": "date and time, offset as sent",
    "number": "number",
    "boolean": "boolean",
    "integer": "whole number",
    "digits": "whole number ↔ its digits as text",
    "number-text": "number as text ↔ number",
    "icd-10": "a code of ICD-10",
    "age": "ISO 8601 duration of one unit ↔ Quantity in UCUM",
    "json": "object ↔ base64 of its JSON text",
}
FUNCTIONS = {
    "same": "the same value",
    "ack-code": "`fatal-error` where refused or in error, else `ok`",
    "endpoint": "scheme and id as a URL",
    "hubex": "the id as a `hubex:` URL",
    "addressed": "the addressed id, where the URI is its own",
    "contact-system": "the kind of contact: phone, fax, email, url, other",
    "newest-status": "the status of the newest state",
    "header-uuid": "the URL of the header that is answered, made from its distributionID",
    "either": "the first that is there",
    "only-latitude": "the latitude of a single point in WGS 84",
    "only-longitude": "the longitude of a single point in WGS 84",
    "only-altitude": "the altitude of a single point in WGS 84",
}


def place(kind: Kind, steps: Steps) -> str:
    """An element of a resource as people read it, such as `Encounter.identifier[case].value`."""
    return f"{kind.type}.{'.'.join(_step(step) for step in steps)}"


def _step(step: Step) -> str:
    name = step.name.removeprefix("_")
    told = [_short(value) for steps, value in step.fixed if steps[-1].name != "unit"]
    if step.listed and told:
        name = f"{name}[{', '.join(told)}]"
    elif told:
        name = f"{name}<{', '.join(told)}>"
    return f"{name}*" if step.each else name


def _short(value: str) -> str:
    return last(value) if "/" in value else value


def how(table: Translator, row: Row) -> str:
    """How a row's value is said, and what stands for silence."""
    code_map = row.codec in table.plan.maps
    parts = [f"code map [{row.codec}](#code-map-{row.codec})" if code_map else CODECS[row.codec]]
    if row.only is not None:
        parts.append(
            "if it is one; else the next row of this field" if not row.only[0] else _test(table, row.only)
        )
    if row.unless is not None:
        parts.append(f"only where it differs from `{spoken(table, row.unless)}`")
    if row.required:
        parts.append("where silent: data-absent-reason")
    if row.otherwise is not None:
        parts.append(f"where silent: `{row.otherwise}`")
    return "; ".join(parts)


def _test(table: Translator, only: tuple[str, tuple[tuple[str, ...], ...]]) -> str:
    test, paths = only
    leaves = ", ".join(f"`{spoken(table, path)}`" for path in paths)
    known = test in table.plan.maps
    said = (
        f"if code map [{test}](#code-map-{test}) has {leaves}"
        if known
        else f"if {leaves} are {test.replace('-', ' ')}"
    )
    return f"{said}; else the next row of this field"


def derived(table: Translator, value: Derived) -> str:
    """What a derived element says."""
    said = _said(table, value)
    return f"{said}; `{value.withdrawn}` where the message withdraws it" if value.withdrawn else said


def _said(table: Translator, value: Derived) -> str:
    leaves = [f"`{spoken(table, path)}`" for path in value.paths if path != NOTHING]
    match value.function:
        case "ref":
            return f"refers to {value.names[0]}"
        case "find":
            return f"refers to the {value.names[0]} whose {value.names[1]} is {leaves[0]}"
        case "find-or":
            return f"refers to the {value.names[0]} whose {value.names[1]} is {leaves[0]}; {value.names[2]} without one"
        case "map":
            return f"code map [{value.names[0]}](#code-map-{value.names[0]}) of {leaves[0]}"
        case "map-newest":
            return f"code map [{value.names[0]}](#code-map-{value.names[0]}) of the newest of {leaves[0]}"
        case "always":
            return f"`{value.names[0]}`"
        case "if":
            return f"`{value.names[0]}` where there is {' or '.join(leaves)}"
        case "unless":
            return f"`{value.names[0]}` without {' and '.join(leaves)}"
        case name:
            return f"{FUNCTIONS[name]}: {', '.join(leaves)}"


def code_map(name: str, pairs: Mapping[str, str], *, both_ways: bool) -> str:
    """A code map as a section."""
    sign = "↔" if both_ways else "→"
    rows = [
        f"| {'any other' if code == '*' else f'`{code}`'} | {sign} | `{to}` |" for code, to in pairs.items()
    ]
    return "\n".join([f"### Code map {name}", "", "| message | | FHIR |", "|---|---|---|", *rows])
