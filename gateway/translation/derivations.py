"""The derived values of the generated writer: references, code maps, lookups and named functions of leaves."""

from gateway.translation.codecs import ALWAYS_SAID
from gateway.translation.lines import safe
from gateway.translation.paths import EACH, NOTHING, spell
from gateway.translation.plan import Element, Items, Kind, Plan, Value, values
from gateway.translation.rows import KIND, WITHDRAWN, Derived
from gateway.translation.variables import ALWAYS, Variables


def all_derived(element: Element) -> list[Derived]:
    """Every derived value of a resource."""
    return [value for value in values(element) if isinstance(value, Derived)]


def lookups(plan: Plan) -> list[tuple[str, str]]:
    """The (resource, key) pairs by which other resources look for a resource."""
    found = {
        (value.names[0], value.names[1])
        for kind in plan.kinds
        for value in all_derived(kind.element)
        if value.function in {"find", "find-or"}
    }
    return sorted(found)


def lookup(kind: str, key: str) -> str:
    """The variable of the dictionary from key to URL; the URL is None for a key that several resources have."""
    return f"by_{safe(kind)}_{safe(key)}"


def derive(to: Variables, content: Element | Items | Value) -> None:
    """Adds the statements for the derived values below, those of repeating items left out."""
    if isinstance(content, Derived):
        _derived(to, content)
    elif isinstance(content, Element):
        for child in content.fields.values():
            derive(to, child)
    elif isinstance(content, Items):
        for part in content.slices:
            if part.source is None:
                derive(to, part.content)


def _derived(to: Variables, value: Derived) -> None:
    if value.function == "ref":
        to.derived[id(value)] = to.urls[value.names[0]]
        return
    expression, always = _expression(to, value)
    variable = to.out.name("d")
    to.out.add(f"{variable} = {expression}")
    to.derived[id(value)] = (variable, ALWAYS if always else variable)


def _expression(to: Variables, value: Derived) -> tuple[str, bool]:
    """The value's expression, and whether it is never None."""
    expression, always = _plain(to, value)
    if value.withdrawn:
        expression = f"{value.withdrawn!r} if {to.variable[KIND]} == {WITHDRAWN!r} else {expression}"
    return expression, always


def _plain(to: Variables, value: Derived) -> tuple[str, bool]:
    """The same of a message that does not withdraw what it says."""
    arguments = [to.variable[path] if path != NOTHING else "None" for path in value.paths]
    match value.function:
        case "source-path":
            return _source_path(to, to.plan.kind(value.place)), True
        case "always":
            return repr(value.names[0]), True
        case "map-newest":
            other = to.plan.maps[value.names[0]]["*"]
            return f"M_{safe(value.names[0])}.get(F_newest_status({arguments[0]}), {other!r})", True
        case "map":
            default = to.plan.maps[value.names[0]].get("*")
            found = f"M_{safe(value.names[0])}.get({arguments[0]}, {default!r})"
            if len(arguments) > 1:
                return f"{found} if {arguments[1]} is not None else None", False
            return found, default is not None
        case "if":
            there = " or ".join(f"{name} is not None" for name in arguments)
            return f"{value.names[0]!r} if {there} else None", False
        case "unless":
            absent = " and ".join(f"{name} is None" for name in arguments)
            return f"{value.names[0]!r} if {absent} else None", False
        case "find":
            return f"{lookup(*value.names)}.get({arguments[0]})", False
        case "find-or":
            other, present = to.urls[value.names[2]]
            assert present == ALWAYS
            found = f"{lookup(*value.names[:2])}.get({arguments[0]})"
            return f"{other} if {arguments[0]} is None else {found}", False
        case name:
            return f"F_{safe(name)}({', '.join(arguments)})", name in ALWAYS_SAID


def _source_path(to: Variables, kind: Kind) -> str:
    """The expression of a resource's path in its use case, such as `patient[1].detail.age`."""
    path = kind.place
    text = spell(path[2:])
    for at, name in enumerate(path):
        if name == EACH:
            text = text.replace("[]", f"[{{{to.indexes[path[: at + 1]]}}}]", 1)
    return f"f{text!r}"
