"""The two columns of a mapping row: message paths and FHIR element paths.

Message path: `location.externalInfo[].uri`; `[]` is "each item", `[1]` the item of a list that has one (a longer list
travels as it is, see `residue`). `{a,b}` in the columns writes several rows at once.

Element path, step by step:
    `name`            an element that occurs once
    `name<k=v,...>`   the same, with fixed siblings; `<v>` is short for `<system=v>`
    `name[0]`         a list of one
    `name[k=v,...]`   the list item told by k, a path below the item
    `name[v]`         short form: by url for extensions, by system for codings, identifiers; for any other list the
                      CodeableConcept with a Coding of that system, and the path goes on inside this Coding
    `name...*`        the item repeats, one for each `[]` of the message path
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

Path = tuple[str, ...]
EACH = "[]"
ONE = "[1]"
NOTHING: Path = ()  # the path of a derived value's argument that the version does not have
_SEGMENT = re.compile(r"^(\w+)(?:\[(.*)\]|<(.*)>)?(\*?)$", re.DOTALL)
_BY_SYSTEM = frozenset({"coding", "identifier", "telecom"})


class NotationError(ValueError):
    """A table line that cannot be understood; the text says why, the caller adds file and line."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an element path. `fixed` are constants below it; for a list item they are what tells it apart."""

    name: str
    listed: bool = False
    each: bool = False
    fixed: "tuple[tuple[tuple[Step, ...], str], ...]" = ()


Steps = tuple[Step, ...]


def message_path(text: str) -> Path:
    """`a.b[].c` as `("a", "b", "[]", "c")`; `.` is the anchor itself; `c#0` the leaf where it is said in its first home."""
    if text == ".":
        return ()
    text, hash_, home = text.partition("#")
    if hash_:
        return (*message_path(text), f"#{int(home)}")
    path: list[str] = []
    for part in text.split("."):
        name = part.removesuffix(EACH).removesuffix(ONE)
        if not re.fullmatch(r"\w+", name):
            raise NotationError(f"{text!r} is not a message path")
        path += [name] if part == name else [name, part[len(name) :]]
    return tuple(path)


def leaf_of(path: Path) -> Path:
    """The leaf of a path that may name one of its homes."""
    return path[:-1] if path and path[-1].startswith("#") else path


def spell(path: Path) -> str:
    """A message path as it is written in a table."""
    return ".".join(path).replace(f".{EACH}", EACH).replace(f".{ONE}", ONE)


def split(text: str, separator: str) -> list[str]:
    """Splits at the separator outside of brackets."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in "[<{") - (char in "]>}")
        if char == separator and not depth:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def expand(columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The rows that `{a,b}` stands for, taken in step from every column that has braces."""
    found = [re.search(r"\{([^{}]*)\}", column) for column in columns]
    sizes = {len(match[1].split(",")) for match in found if match}
    if not sizes:
        return [columns]
    if len(sizes) > 1:
        raise NotationError("the braces do not list the same number of names")
    return [
        tuple(
            column[: match.start()] + match[1].split(",")[at] + column[match.end() :] if match else column
            for column, match in zip(columns, found, strict=True)
        )
        for at in range(sizes.pop())
    ]


def resolve(token: str, names: Mapping[str, str]) -> str:
    """A name or `prefix:rest` of the vocabulary as the URL that it stands for; any other token as it is."""
    if token in names:
        return names[token]
    prefix, colon, rest = token.partition(":")
    return names[prefix] + rest if colon and prefix in names else token


def element_path(text: str, names: Mapping[str, str]) -> Steps:
    """The steps of an element path; raises NotationError."""
    steps: list[Step] = []
    for part in split(text, "."):
        nested = bool(steps) and steps[-1].name == "extension"
        steps += _steps(part, names, nested=nested)
    return tuple(steps)


def _steps(part: str, names: Mapping[str, str], *, nested: bool) -> list[Step]:
    match = _SEGMENT.match(part)
    if not match:
        raise NotationError(f"{part!r} is not a step of an element path")
    name, inside, beside, star = match.groups()
    each = bool(star)
    if beside is not None:
        return [Step(name, fixed=tuple(_fixed(item, "system", names) for item in split(beside, ",")))]
    if inside is None:
        return [Step(name, listed=each, each=each)]
    if inside == "0":
        return [Step(name, listed=True)]
    if "=" in inside:
        return [Step(name, True, each, tuple(_fixed(item, "system", names) for item in split(inside, ",")))]
    if name == "extension":
        named = inside if nested or ":" in inside else f"sd:{inside}"
        url = resolve(named, names) if ":" in named else named  # `id` inside an extension is no prefix
        return [Step(name, True, each, (((Step("url"),), url),))]
    if name in _BY_SYSTEM:
        return [Step(name, True, each, (((Step("system"),), resolve(inside, names)),))]
    coding = Step("coding", listed=True)
    return [Step(name, True, each, (((coding, Step("system")), resolve(inside, names)),)), coding]


def _fixed(text: str, default: str, names: Mapping[str, str]) -> tuple[Steps, str]:
    parts = split(text, "=")
    key, value = (default, parts[0]) if len(parts) == 1 else (parts[0], "=".join(parts[1:]))
    return element_path(key, names), resolve(value, names)
