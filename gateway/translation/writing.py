"""Generates the Python source that writes a Bundle, message -> FHIR, from a plan."""

from dataclasses import replace

from gateway.translation.derivations import all_derived, derive, lookup, lookups
from gateway.translation.elements import Facts, element
from gateway.translation.lines import condition, safe
from gateway.translation.paths import EACH, Path, Steps
from gateway.translation.plan import Element, Items, Kind, Plan
from gateway.translation.variables import ALWAYS, Variables, read_item, read_object, settle

HTEST = "{'system': 'http://terminology.hl7.org/CodeSystem/v3-ActReason', 'code': 'HTEST', 'display': 'test health data'}"


def source(plan: Plan, *, strict: bool) -> str:
    """The source of `write(e, m, b, x)`: envelope, message, stem of the URLs, exercise -> Bundle.

    The `strict` variant is for messages that have all that the schema requires.
    """
    to = Variables(plan, strict, _used(plan), lookups=tuple(lookups(plan)))
    to.out.add("entry = []")
    to.out.add("add = entry.append")
    top = plan.shape
    envelope = replace(top, fields={name: child for name, child in top.fields.items() if name != "message"})
    read_object(to, (), envelope, "e", ALWAYS)
    read_object(to, ("message",), top.fields["message"], "m", ALWAYS)
    settle(to, ())
    for kind_name, key in to.lookups:
        to.out.add(f"{lookup(kind_name, key)} = {{}}")
    for kind in plan.kinds:
        if kind.anchor.count(EACH) > 1:
            to.out.add(f"{_counter(kind)} = -1")
    _scope(to, ())
    to.out.add("return bundle")
    return "\n".join(["def write(e, m, b, x):", *to.out.text])


def _used(plan: Plan) -> frozenset[Path]:
    paths = [path for row in plan.rows.values() for path in (row.leaf, *(row.only[1] if row.only else ()))]
    for kind in plan.kinds:
        paths += [kind.anchor, *kind.when, *(p for d in all_derived(kind.element) for p in d.leaves)]
    return frozenset(path[:at] for path in paths for at in range(1, len(path) + 1))


def _scope(to: Variables, scope: Path) -> None:
    """All resources of one anchor (() = the document), and those of the anchors below it, in the order of the table."""
    kinds = [kind for kind in to.plan.kinds if kind.anchor == scope]
    for kind in kinds:
        _url(to, kind)
    own = _own_lists(to, kinds)
    pending = list(to.plan.anchors(scope))
    for kind in to.plan.kinds:
        if kind.anchor == scope:
            _resource(to, kind)
        elif kind.anchor in pending:
            pending.remove(kind.anchor)
            _anchored(to, kind.anchor)
    for name, steps in own:
        variable = to.lists[name, steps]
        with to.out.block(f"if {variable}"):
            _fill(to, name, steps, variable)


def _fill(to: Variables, name: str, steps: Steps, variable: str) -> None:
    """Puts a list that other resources made where it belongs."""
    resource, last = f"r_{safe(name)}", steps[-1].name
    if len(steps) == 1:
        to.out.add(f"{resource}[{last!r}] = {variable}")
        return
    items = to.plan.kind(name).element.fields[steps[0].name]
    assert isinstance(items, Items)
    item = next(part.content for part in items.listed if part.step == steps[0])
    assert isinstance(item, Element)
    made = element(to, item, frozenset(), [])
    to.out.add(f"{resource}.setdefault({steps[0].name!r}, []).append({{**{made}, {last!r}: {variable}}})")


def _anchored(to: Variables, anchor: Path) -> None:
    index, item = to.out.name("i"), to.out.name(anchor[-2])
    with to.out.block(f"for {index}, {item} in enumerate({to.variable[anchor[:-1]]} or ())"):
        to.indexes[anchor] = index
        read_item(to, anchor, item)
        _scope(to, anchor)


def _own_lists(to: Variables, kinds: list[Kind]) -> list[tuple[str, Steps]]:
    """Empty lists for what other resources will add to these kinds."""
    names = {kind.name for kind in kinds}
    wanted = dict.fromkeys((target, steps) for kind in to.plan.kinds for target, steps, _ in kind.items)
    own = [pair for pair in wanted if pair[0] in names]
    for pair in own:
        to.lists[pair] = to.out.name(pair[1][-1].name)
        to.out.add(f"{to.lists[pair]} = []")
    return own


def _url(to: Variables, kind: Kind) -> None:
    variable = to.out.name(f"u_{kind.name}")
    depth = kind.anchor.count(EACH)
    if depth == 0:
        url = f"b + '{kind.number:03x}{0:09x}'"
    elif depth == 1:
        url = f"f'{{b}}{kind.number:03x}{{{to.indexes[kind.anchor]}:09x}}'"
    else:
        to.out.add(f"{_counter(kind)} += 1")
        url = f"f'{{b}}{kind.number:03x}{{{_counter(kind)}:09x}}'"
    present = {to.present[path] for path in kind.when} or {ALWAYS}
    if ALWAYS not in present:
        url += f" if {condition(present)} else None"
    to.urls[kind.name] = (variable, ALWAYS if ALWAYS in present else variable)
    to.out.add(f"{variable} = {url}")


def _resource(to: Variables, kind: Kind) -> None:
    url, present = to.urls[kind.name]
    if present == ALWAYS:
        _emit(to, kind, url, frozenset())
    else:
        with to.out.block(f"if {url} is not None"):
            _emit(
                to,
                kind,
                url,
                frozenset({frozenset({url}), frozenset(to.present[path] for path in kind.when)}),
            )


def _emit(to: Variables, kind: Kind, url: str, known: Facts) -> None:
    derive(to, kind.element)
    for name, key in to.lookups:
        if name == kind.name:
            value, table = to.variable[(*kind.anchor, key)], lookup(name, key)
            to.out.add(f"{table}[{value}] = None if {value} in {table} else {url}")
    profile = f"'profile': [{kind.profile!r}]"
    meta = element(to, kind.meta, known, [profile])
    exercise = element(to, kind.meta, known, [profile, f"'security': [{HTEST}]"])
    head = [f"'resourceType': {kind.type!r}", f"'meta': {exercise} if x else {meta}"]
    body = element(to, kind.element, known, head)
    if kind.type == "Bundle":
        to.out.add(f"bundle = {body}")
        to.out.add("bundle['entry'] = entry")
        return
    if any(name == kind.name for name, _ in to.lists):
        to.out.add(f"r_{safe(kind.name)} = {body}")
        body = f"r_{safe(kind.name)}"
    to.out.add(f"add({{'fullUrl': {url}, 'resource': {body}}})")
    for target, steps, item in kind.items:
        to.out.add(f"{to.lists[target, steps]}.append({_listed(to, item, kind, url)})")


def _listed(to: Variables, item: Element, kind: Kind, url: str) -> str:
    """The item that a resource adds to another one's list."""
    index = to.indexes.get(kind.anchor, "0")
    text = element(to, item, frozenset(), [])
    return text.replace("'@self'", url).replace("'@n'", index).replace("'@n+2'", f"{index} + 2")


def _counter(kind: Kind) -> str:
    return f"n_{safe(kind.name)}"
