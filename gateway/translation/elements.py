"""The FHIR side of the generated writer: an element tree as Python expressions, statements where a part may be absent."""

from gateway.translation.codecs import same
from gateway.translation.derivations import derive
from gateway.translation.lines import condition, safe
from gateway.translation.paths import Path
from gateway.translation.plan import Element, Items, Slice, Value, values
from gateway.translation.rows import Derived, Fixed, Row
from gateway.translation.variables import ALWAYS, Variables, read_item

Facts = frozenset[frozenset[str]]  # of each set of variables, one is not None
ABSENT = "{'extension': [{'url': 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', 'valueCode': 'unknown'}]}"


def element(to: Variables, content: Element, known: Facts, head: list[str]) -> str:
    """The expression of an element, after the statements that it needs.

    `known` is what earlier conditions say; `head` are `key: value` pairs to begin with.
    """
    fixed, later = list(head), []
    for name, child in content.fields.items():
        if isinstance(child, Items) and not child.slices:
            continue  # filled by other resources
        found = _presence(to, child)
        if _holds(found, known):
            fixed.append(f"{name!r}: {_build(to, child, known)}")
        else:
            later.append((name, child, found))
    if not later:
        return f"{{{', '.join(fixed)}}}"
    own = to.out.name("t")
    to.out.add(f"{own} = {{{', '.join(fixed)}}}")
    for name, child, found in later:
        with to.out.block(f"if {condition(found)}"):
            to.out.add(f"{own}[{name!r}] = {_build(to, child, _more(known, found))}")
        if isinstance(child, Row) and child.required:
            with to.out.block("else"):
                to.out.add(f"{own}['_{name}'] = {ABSENT}")
    return own


def _more(known: Facts, found: set[str]) -> Facts:
    """What is known inside `if condition(found)`."""
    return known | {frozenset(found)}


def _holds(found: set[str], known: Facts) -> bool:
    """Whether a thing of this presence is surely there."""
    return ALWAYS in found or any(fact <= found for fact in known)


def _build(to: Variables, content: Element | Items | Value, known: Facts) -> str:
    match content:
        case Element():
            return element(to, content, known, [])
        case Items():
            return _items(to, content, known)
        case Fixed():
            return repr(content.value)
        case Row():
            return _row(to, content, known)
        case Derived():
            return to.derived[id(content)][0]


def _presence(to: Variables, content: Element | Items | Value) -> set[str]:
    """The variables of which one must not be None for the content to be there."""
    if isinstance(content, Items):
        return {name for part in content.slices for name in _slice_presence(to, part)} or {ALWAYS}
    found: set[str] = set()
    for value in values(content):
        if isinstance(value, Row):
            found.add(_row_presence(to, value, alone=value is content))
        elif isinstance(value, Derived):
            found.add(to.derived[id(value)][1] if id(value) in to.derived else ALWAYS)
        elif value.always:
            found.add(ALWAYS)
    return found or {ALWAYS}


def _row(to: Variables, row: Row, known: Facts) -> str:
    variable, codec = to.variable[row.key], to.plan.codecs[row.key]
    value = variable if codec.to is same else f"C_{safe(row.codec)}({variable})"
    if row.otherwise is None or _holds({to.present[row.key]}, known):
        return value
    return f"{value} if {variable} is not None else {row.otherwise!r}"


def _row_presence(to: Variables, row: Row, *, alone: bool) -> str:
    """Of the leaf, or of the list that repeats below this element: it is there as soon as the list is."""
    if row.otherwise is not None or (row.required and not alone):
        return ALWAYS
    known = [at for at in range(1, len(row.key) + 1) if row.key[:at] in to.present]
    return to.present[row.key[: known[-1]]]


def _slice_presence(to: Variables, part: Slice) -> set[str]:
    return {to.present[part.source[:-1]]} if part.source else _presence(to, part.content)


def _items(to: Variables, items: Items, known: Facts) -> str:
    first: list[str] = []
    rest = list(items.slices)
    while rest and rest[0].source is None and _holds(_slice_presence(to, rest[0]), known):
        first.append(_build(to, rest.pop(0).content, known))
    if not rest:
        return f"[{', '.join(first)}]"
    own = to.out.name("l")
    to.out.add(f"{own} = [{', '.join(first)}]")
    for part in rest:
        _add(to, part, own, known)
    return own


def _add(to: Variables, part: Slice, own: str, known: Facts) -> None:
    """Statements that add the items of one slice to the list."""
    if part.source is not None:
        _repeat(to, part, part.source, own)
    elif _holds(_slice_presence(to, part), known):
        to.out.add(f"{own}.append({_build(to, part.content, known)})")
    else:
        found = _slice_presence(to, part)
        with to.out.block(f"if {condition(found)}"):
            to.out.add(f"{own}.append({_build(to, part.content, _more(known, found))})")


def _repeat(to: Variables, part: Slice, source: Path, own: str) -> None:
    item = to.out.name(source[-2])
    with to.out.block(f"for {item} in {to.variable[source[:-1]]} or ()"):
        read_item(to, source, item)
        derive(to, part.content)
        to.out.add(f"{own}.append({_build(to, part.content, frozenset())})")
