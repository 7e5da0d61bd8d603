"""Judges a canonical Bundle: the profile's JSON Schemas, and what no FHIR validator checks.

That nothing is said twice which can be said once is found by reading (`reading.Misplaced`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs

from gateway.model import JsonObject
from gateway.translation import profile
from gateway.translation.codecs import LINEAR
from gateway.translation.faults import Fault, faults
from gateway.translation.lines import Lines
from gateway.translation.plan import Element, Items, Kind, Plan, Value
from gateway.translation.rows import Derived, Fixed

LONGEST = 100
MOST = 50  # issues told of one Bundle
Place = tuple[tuple[str, bool], ...]  # element names, and whether each is a list
Reference = tuple[Place, frozenset[str]]  # where, and the kinds that it may point to


@dataclass(frozen=True, slots=True)
class Judge:
    """What one kind of resource must be."""

    kind: str
    schema: JsonObject
    validator: jsonschema_rs.Draft7Validator
    fits: Callable[[Any], bool]
    references: Callable[[JsonObject, Mapping[str, str], list[str]], None]
    targets: Mapping[str, frozenset[str]]  # what a reference, by its path, may point to


@dataclass(frozen=True, slots=True)
class Court:
    """The judges of one message type: of the Bundle, and of its resources by profile."""

    bundle: Judge
    resources: Mapping[str, Judge]


def court(plan: Plan, base: str) -> Court:
    """Compiles the profile of a plan; `base` is the URL of own StructureDefinitions."""
    judges = {kind.profile: _judge(plan, kind, base) for kind in plan.kinds}
    top = next(kind for kind in plan.kinds if kind.type == "Bundle")
    return Court(judges.pop(top.profile), judges)


def _judge(plan: Plan, kind: Kind, base: str) -> Judge:
    schema = profile.resource(plan, kind, base)
    validator = jsonschema_rs.Draft7Validator(schema, pattern_options=LINEAR)
    found: list[Reference] = []
    _references(kind.element, (), found)
    for other in plan.kinds:
        for target, steps, item in other.items:
            if target == kind.name:
                _listed(item, tuple((step.name, True) for step in steps), other.name, found)
    merged: dict[Place, frozenset[str]] = {}
    for path, kinds in found:
        merged[path] = merged.get(path, frozenset()) | kinds
    targets = {".".join(name for name, _ in path): kinds for path, kinds in merged.items()}
    return Judge(kind.name, schema, validator, validator.is_valid, _checker(merged), targets)


def _references(content: Element | Items | Value, path: Place, found: list[Reference]) -> None:
    match content:
        case Element():
            for name, child in content.fields.items():
                _references(child, (*path, (name, isinstance(child, Items))), found)
        case Items():
            for part in content.slices:
                _references(part.content, path, found)
        case Derived(function="ref" | "find"):
            found.append((path, frozenset(content.names[:1])))
        case Derived(function="find-or"):
            found.append((path, frozenset({content.names[0], content.names[2]})))


def _listed(content: Element | Items | Value, path: Place, name: str, found: list[Reference]) -> None:
    if isinstance(content, Element):
        for child_name, child in content.fields.items():
            _listed(child, (*path, (child_name, False)), name, found)
    elif isinstance(content, Fixed) and content.value == "@self":
        found.append((path, frozenset({name})))


def _checker(
    merged: Mapping[Place, frozenset[str]],
) -> Callable[[JsonObject, Mapping[str, str], list[str]], None]:
    """A function that adds the path of each reference of a resource that points to no resource of the right kind."""
    out = Lines()
    space: dict[str, Any] = {}
    out.add("pass")
    for number, (path, kinds) in enumerate(merged.items()):
        space[f"K{number}"] = kinds
        depth, variable = out.depth, "r"
        for name, listed in path:
            here = out.name("v")
            out.add(f"{here} = {variable}.get({name!r})")
            out.add(f"if {here} is not None:")
            out.depth += 1
            variable = here
            if listed:
                variable = out.name("v")
                out.add(f"for {variable} in {here}:")
                out.depth += 1
        spelled = ".".join(name for name, _ in path)
        out.add(f"if urls.get({variable}) not in K{number}: bad.append({spelled!r})")
        out.depth = depth
    exec("\n".join(["def check(r, urls, bad):", *out.text]), space)  # noqa: S102 made from our own tables
    check: Callable[[JsonObject, Mapping[str, str], list[str]], None] = space["check"]
    return check


def accepts(bundle: JsonObject, court: Court) -> bool:
    """Whether `issues` would find nothing, without a look for what is wrong."""
    if not court.bundle.fits(bundle):
        return False
    entries = bundle["entry"]
    judges = _judges(entries, court)
    return len(judges) == len(entries) and not _between(entries, judges)


def issues(bundle: JsonObject, court: Court) -> tuple[Fault, ...]:
    """All that is wrong with a Bundle, at most MOST; no values of it. () = canonical."""
    if not court.bundle.fits(bundle):
        return _faults(court.bundle, bundle, "")
    entries = bundle["entry"]
    judges = _judges(entries, court)
    if len(judges) < len(entries):
        return _malformed(entries, court)[:MOST]
    return tuple(_between(entries, judges)[:MOST])


def _between(entries: list[JsonObject], judges: list[Judge]) -> list[Fault]:
    """What is wrong between resources that are each well."""
    urls = {entry["fullUrl"]: judge.kind for entry, judge in zip(entries, judges, strict=True)}
    bad = _headers(judges)
    if len(urls) < len(entries):
        bad += _repeated_urls(entries)
    for at, (judge, entry) in enumerate(zip(judges, entries, strict=True)):
        found: list[str] = []
        judge.references(entry["resource"], urls, found)
        if found:
            bad += [_dangling(judge, at, path) for path in found]
    return bad


def _dangling(judge: Judge, at: int, path: str) -> Fault:
    kinds = " or ".join(f"hub-{kind}" for kind in sorted(judge.targets[path]))
    return Fault(f"entry[{at}].resource.{path}", f"the fullUrl of an entry whose profile is {kinds}")


def _judges(entries: list[JsonObject], court: Court) -> list[Judge]:
    """The judge of each resource, up to the first that none accepts."""
    judges: list[Judge] = []
    try:
        for entry in entries:
            resource = entry["resource"]
            judge = court.resources[resource["meta"]["profile"][0]]
            if not judge.fits(resource):
                break
            judges.append(judge)
    except (KeyError, IndexError, TypeError):
        pass  # no profile, or not one of this message type's: `_malformed` says which
    return judges


def _headers(judges: list[Judge]) -> list[Fault]:
    """A message Bundle has one MessageHeader, the first entry."""
    first = [] if judges[0].kind == "header" else [Fault("entry[0].resource", "the MessageHeader")]
    return first + [
        Fault(f"entry[{at}].resource", "no second MessageHeader")
        for at, judge in enumerate(judges)
        if at and judge.kind == "header"
    ]


def _repeated_urls(entries: list[JsonObject]) -> list[Fault]:
    seen: set[str] = set()
    bad = []
    for at, entry in enumerate(entries):
        if entry["fullUrl"] in seen:
            bad.append(Fault(f"entry[{at}].fullUrl", "a URL that no other entry has"))
        seen.add(entry["fullUrl"])
    return bad


def _malformed(entries: list[JsonObject], court: Court) -> tuple[Fault, ...]:
    bad: list[Fault] = []
    for at, entry in enumerate(entries):
        judge = _judge_of(entry["resource"], court)
        if judge is None:
            expected = f"one of {', '.join(url.rpartition('/')[2] for url in court.resources)}"
            bad.append(Fault(f"entry[{at}].resource.meta.profile", expected))
        elif not judge.fits(entry["resource"]):
            bad += _faults(judge, entry["resource"], f"entry[{at}].resource")
        if len(bad) >= MOST:
            break
    return tuple(bad)


def _judge_of(resource: JsonObject, court: Court) -> Judge | None:
    try:
        return court.resources.get(resource["meta"]["profile"][0])
    except (KeyError, IndexError, TypeError):
        return None


def _faults(judge: Judge, value: JsonObject, prefix: str) -> tuple[Fault, ...]:
    """What breaks a resource's schema; `prefix` alone where that stands behind the part that is looked at."""
    found: dict[str, Fault] = {}
    for fault in islice(faults(judge.schema, judge.validator, _shortened(value), prefix), MOST):
        path = fault.path.removeprefix(".") or "Bundle"
        found.setdefault(path, Fault(path, fault.expected))
    return tuple(found.values()) or (Fault(prefix or "Bundle"),)


def _shortened(value: Any) -> Any:
    """A value with no more than LONGEST items and members at any place: the validator finds all errors before it tells
    the first, at half a millisecond each, and a hostile Bundle may have tens of thousands.
    """
    if isinstance(value, list):
        return [_shortened(item) for item in value[:LONGEST]]
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in islice(value.items(), LONGEST)}
    return value
