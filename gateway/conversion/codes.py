"""Which code of one model version's list says what a code of another version's list says, and how nearly. Pure.

The lines are in `schemas/conversion/*.codes` (notation: `code_sections`), judged by the official labels of both lists.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from gateway.conversion.code_sections import Correspondence, Leg, List, Lists, Section, lists, sections
from gateway.errors import ConfigurationError
from schemas import codes as terminology

__all__ = ["Correspondence", "check", "climbed", "correspondences", "otherwise"]


def correspondences(
    source: List, target: List, source_codes: frozenset[str], target_codes: frozenset[str]
) -> Mapping[str, Correspondence]:
    """For each of the source codes, the target code that says it; a code without an equivalent is no key.

    Source and target are (model version, list name). For a list behind a pattern, give the terminology's codes, and with
    them any other code that is to be looked for: its ancestors may be known. Codes are not the same because they look
    the same (v1 renumbered some of `fait`), so ask for every code of lists of two versions, not for unknown ones only.
    v1 and v3 are joined over v2 where no section joins them; there, a code that both have and no line names stays.
    A target list that is known in part only may have any code: a code that no line names stays.
    A section's `else` is where the other codes go, those that no list has among them: ask for each by itself.
    Raises ConfigurationError.
    """
    return join(sections(), lists(), source, target, source_codes, target_codes)


def join(
    known: tuple[Section, ...],
    code_lists: Lists,
    source: List,
    target: List,
    source_codes: frozenset[str],
    target_codes: frozenset[str],
) -> dict[str, Correspondence]:
    """As `correspondences`, by these sections; `code_lists` has the codes of the lists between the two."""
    direct = _leg(known, source, target)
    middle = None if direct else _middle(known, source, target)
    if middle is None:
        return _apply(direct or Leg(), source_codes, _taken(target, target_codes, source_codes))
    first, second = (_leg(known, *ends) or Leg() for ends in pairwise((source, middle, target)))
    near = _apply(first, source_codes, code_lists.get(middle, frozenset()))
    between = frozenset(to.code for to in near.values())
    target_codes = _taken(target, target_codes, source_codes | between)
    far = _apply(second, between, target_codes)
    found = {
        code: Correspondence(far[to.code].code, _then(to.equivalence, far[to.code].equivalence))
        for code, to in near.items()
        if to.code in far
    }
    # what v2 alone lacks is not lost between two versions that both have it
    unchanged = (source_codes & target_codes) - first.fates.keys() - second.fates.keys()
    return found | {code: Correspondence(code, "equivalent") for code in unchanged}


def _taken(target: List, target_codes: frozenset[str], coming: frozenset[str]) -> frozenset[str]:
    """The codes that the target may have: its own, and where it is known in part only whatever comes."""
    return target_codes if terminology.complete(target[1]) else target_codes | coming


def _then(first: str, second: str) -> str:
    if "equivalent" in (first, second):
        return second if first == "equivalent" else first
    return first if first == second else "inexact"


def _apply(leg: Leg, source_codes: frozenset[str], target_codes: frozenset[str]) -> dict[str, Correspondence]:
    rest = _otherwise(leg, target_codes)
    found = {
        code: _fate(leg, code, target_codes) or (None if code in leg.fates else rest) for code in source_codes
    }
    return {code: to for code, to in found.items() if to is not None}


def _fate(leg: Leg, code: str, target_codes: frozenset[str]) -> Correspondence | None:
    own = _own(leg, code, target_codes)
    if own is not None or code in leg.fates or not leg.parents:
        return own
    for ancestor in _ancestors(code):
        to = _own(leg, ancestor, target_codes)
        if to is not None and to.equivalence in ("equivalent", "wider"):
            return Correspondence(to.code, "wider")
    return None


def _otherwise(leg: Leg, target_codes: frozenset[str]) -> Correspondence | None:
    to = leg.otherwise.to if leg.otherwise else None
    return to if to is not None and to.code in target_codes else None


def _own(leg: Leg, code: str, target_codes: frozenset[str]) -> Correspondence | None:
    if code in leg.fates:
        to = leg.fates[code].to
        return to if to is not None and to.code in target_codes else None
    return Correspondence(code, "equivalent") if code in target_codes else None


def climbed(code: str, to: str) -> bool:
    """Whether a code is an ancestor of another one."""
    return to in _ancestors(code)


def otherwise(source: List, target: List, target_codes: frozenset[str]) -> Correspondence | None:
    """Where a code goes that says nothing to the target: the `else` of the section that leads there."""
    middle = _middle(sections(), source, target)
    leg = _leg(sections(), source, middle or target)
    return _otherwise(leg, target_codes) if leg else None


def _ancestors(code: str) -> Iterator[str]:
    """The codes above, nearest first: without its last parts, or with zeros in their place."""
    parts = code.split(".")
    for kept in range(len(parts) - 1, 0, -1):
        zeros = ["0" * len(part) for part in parts[kept:]]
        yield from (
            above for above in (".".join(parts[:kept]), ".".join(parts[:kept] + zeros)) if above != code
        )


def _leg(known: tuple[Section, ...], source: List, target: List) -> Leg | None:
    for section in known:
        if (section.left, section.right) == (source, target):
            return section.forward
        if (section.right, section.left) == (source, target):
            return section.backward
    return None


def _middle(known: tuple[Section, ...], source: List, target: List) -> List | None:
    """The list of v2 over which a list of v1 and one of v3 are joined: on each side by a section, or by its name."""
    if {source[0], target[0]} != {"v1", "v3"}:
        return None
    names = sorted({end[1] for section in known for end in (section.left, section.right) if end[0] == "v2"})
    for middle in (("v2", name) for name in names):
        legs = [_leg(known, source, middle), _leg(known, middle, target)]
        same = [source[1] == middle[1], middle[1] == target[1]]
        if all(leg or alike for leg, alike in zip(legs, same, strict=True)):
            return middle
    return None


def check() -> list[str]:
    """What is wrong in the files, each with file and line: codes that their list lacks, codes without a fate or with two."""
    try:
        return findings(sections(), lists())
    except ConfigurationError as error:
        return [str(error)]


def findings(known: tuple[Section, ...], code_lists: Lists) -> list[str]:
    """As `check`, of these sections and lists. A list that differs between neighbour versions must have a section."""
    found = list(_without_section(known, code_lists))
    pairs: dict[frozenset[List], str] = {}
    for section in known:
        ends = frozenset((section.left, section.right))
        if ends in pairs:
            found.append(f"{section.where}: the two lists have a section at {pairs[ends]} already")
        pairs.setdefault(ends, section.where)
        if missing := [end for end in (section.left, section.right) if end not in code_lists]:
            found += [f"{section.where}: {version} has no code list {name}" for version, name in missing]
            continue
        left, right = code_lists[section.left], code_lists[section.right]
        found += _wrong(section.forward, left, _taken(section.right, right, left))
        found += _wrong(section.backward, right, _taken(section.left, left, right))
        # of a list that is known in part no map can name every code: what has no line and no ancestor there is lost
        if terminology.complete(section.left[1]):
            found += _without_fate(section.where, section.forward, left, _taken(section.right, right, left))
        if terminology.complete(section.right[1]):
            found += _without_fate(section.where, section.backward, right, _taken(section.left, left, right))
    return found


def _without_section(known: tuple[Section, ...], code_lists: Lists) -> Iterator[str]:
    for older, newer in (("v1", "v2"), ("v2", "v3")):
        for version, name in sorted(code_lists):
            other = code_lists.get((newer, name))
            alike = other is None or other == code_lists[version, name]
            if version == older and not alike and _leg(known, (older, name), (newer, name)) is None:
                yield f"schemas/conversion/{name}.codes: expected a section `{older} {name} | {newer} {name}`, the codes differ"


def _wrong(leg: Leg, source: frozenset[str], target: frozenset[str]) -> Iterator[str]:
    """What is wrong in one direction of a section."""
    rest = leg.otherwise.to if leg.otherwise else None
    if leg.otherwise and rest and rest.code not in target:
        yield f"{leg.otherwise.where}: {rest.code!r} is no code of the other list"
    for code, between in leg.choices.items():
        if unknown := [one for one in between if one not in target]:
            yield f"{leg.fates[code].where}: {unknown[0]!r} is no code of the other list"
    for code, fate in leg.fates.items():
        to = fate.to
        if code not in source:
            yield f"{fate.where}: {code!r} is no code of its list"
        if to is not None and to.code not in target:
            yield f"{fate.where}: {to.code!r} is no code of the other list"
        elif to is not None and to.equivalence == "equivalent" and to.code in source - leg.fates.keys():
            yield f"{fate.where}: `=` is not one to one: without a line, {to.code!r} of this list goes there too"


def _without_fate(where: str, leg: Leg, source: frozenset[str], target: frozenset[str]) -> Iterator[str]:
    """The codes of a list that one direction of a section leads nowhere; `else` is for codes that no list has."""
    for code in sorted(source - leg.fates.keys()):
        if _fate(leg, code, target) is None:
            yield f"{where}: {code!r} has no fate: it needs a line, `!` where it has no equivalent"
