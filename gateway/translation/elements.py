"""The FHIR side of the generated writer: an element tree as Python expressions, statements where a part may be absent."""

from gateway.translation.codecs import same
from gateway.translation.derivations import derive
from gateway.translation.lines import condition, safe
from gateway.translation.notation import Derived, Fixed, Row
from gateway.translation.paths import Path
from gateway.translation.plan import Element, Items, Slice, Value, values
from gateway.translation.variables import ALWAYS, Variables, read_item

ABSENT = "{'extension': [{'url': 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', 'valueCode': 'unknown'}]}"


def element(to: Variables, content: Element, known: set[str], head: list[str]) -> str:
    """The expression of an element, after the statements that it needs.

    `known` are variables that are not None here; `head` are `key: value` pairs to begin with.
    """
    fixed, later = list(head), []
    for name, child in content.fields.items():
        if isinstance(child, Items) and not child.slices:
            continue  # filled by other resources
        found = _presence(to, child)
        if ALWAYS in found or found & known:
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


def _more(known: set[str], found: set[str]) -> set[str]:
    """What is known inside `if condition(found)`."""
    return known | found if len(found) == 1 else known


def _build(to: Variables, content: Element | Items | Value, known: set[str]) -> str:
    match content:
        case Element():
            return element(to, content, known, [])
        case Items():
            return _items(to, content, known)
        case Fixed():
            return repr(content.value)
        case Row():
            variable, codec = to.variable[content.leaf], to.plan.codecs[content.leaf]
            return variable if codec.to is same else f"C_{safe(content.codec)}({variable})"
        case Derived():
            return to.derived[id(content)][0]


def _presence(to: Variables, content: Element | Items | Value) -> set[str]:
    """The variables of which one must not be None for the content to be there."""
    if isinstance(content, Items):
        return {name for part in content.slices for name in _slice_presence(to, part)} or {ALWAYS}
    found: set[str] = set()
    for value in values(content):
        if isinstance(value, Row):
            found.add(ALWAYS if value.required and value is not content else _row_presence(to, value.leaf))
        elif isinstance(value, Derived):
            found.add(to.derived[id(value)][1] if id(value) in to.derived else ALWAYS)
        elif value.always:
            found.add(ALWAYS)
    return found or {ALWAYS}


def _row_presence(to: Variables, leaf: Path) -> str:
    """Of the leaf, or of the list that repeats below this element: it is there as soon as the list is."""
    known = [at for at in range(1, len(leaf) + 1) if leaf[:at] in to.present]
    return to.present[leaf[: known[-1]]]


def _slice_presence(to: Variables, part: Slice) -> set[str]:
    return {to.present[part.source[:-1]]} if part.source else _presence(to, part.content)


def _certain(to: Variables, part: Slice, known: set[str]) -> bool:
    found = _slice_presence(to, part)
    return ALWAYS in found or bool(found & known)


def _items(to: Variables, items: Items, known: set[str]) -> str:
    first: list[str] = []
    rest = list(items.slices)
    while rest and rest[0].source is None and _certain(to, rest[0], known):
        first.append(_build(to, rest.pop(0).content, known))
    if not rest:
        return f"[{', '.join(first)}]"
    own = to.out.name("l")
    to.out.add(f"{own} = [{', '.join(first)}]")
    for part in rest:
        _add(to, part, own, known)
    return own


def _add(to: Variables, part: Slice, own: str, known: set[str]) -> None:
    """Statements that add the items of one slice to the list."""
    if part.source is not None:
        _repeat(to, part, part.source, own)
    elif _certain(to, part, known):
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
        to.out.add(f"{own}.append({_build(to, part.content, set())})")
