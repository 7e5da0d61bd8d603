"""Reads a mapping table: text in, resources with their rows out. It knows the notation, not the standard.

One line is one statement; indentation is for the eye only; `#` starts a comment line.

    let NAME = URL                      a name, or a prefix for `NAME:rest`, of the vocabulary
    map NAME a=b c=d [*=e]              a code map; `*` is what a derived row says for anything else
    block NAME $p ...  /  end           lines to be used again; `use NAME value ...` puts them here
    include FILE                        another table, relative to the tables' root; its paths start at the document
    like FILE                           another version's table: its rows hold here too, save those of leaves that this version
                                        lacks, that this table has a row for, or in a resource that it declares anew (`for`, `when`)
    rename PATH PATH                    what `like` calls the one is called the other here, with all below it; stands before it
    at PATH                             where this table's message paths start
    resource NAME TYPE [for LIST[]] [when PATH|PATH...]
                                        one FHIR resource, or one for each item of the list; `when` = only if a PATH is there
      PATH   ELEMENT [CODEC] [required | else VALUE | unless PATH] [only [TEST PATH ...]]
                                        a two-way row; where the message is silent, `required` writes a data-absent-reason
                                        and `else` a value that is read as silence; `unless` leaves out what equals the
                                        other path; `only`: the leaf is said here if the codec can hold
                                        it and the test holds, else by its next row; the test is a function,
                                        or a code map that must have the path's code
      =  ELEMENT  VALUE ["display"]     a constant beside what else its element holds; `SYSTEM#code` is a whole Coding
      =! ELEMENT  VALUE ["display"]     a constant that is there even where its element holds nothing else
      >  ELEMENT  FUNCTION ARGS [withdrawn VALUE] [was VALUE]
                                        derived: written, never read; `withdrawn` stands in a message of the kind
                                        Cancel; `was` is what Bundles of before say, and is accepted still
      +  NAME.ELEMENT  k=v ...          derived: this resource is listed in another one; `@self` its URL, `@n` its index;
                                        `NAME.ELEMENT[k=v,...].ELEMENT`: in a list of that one's list item

Paths are relative to `at`, inside a resource that is `for` a list to its item; a leading `/` starts at the document.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.errors import ConfigurationError
from gateway.translation.borrowing import renamed
from gateway.translation.paths import (
    NotationError,
    Path,
    element_path,
    expand,
    message_path,
    resolve,
)
from gateway.translation.rows import NAMES_OF, Derived, Fixed, Listing, Resource, Row, Table


@dataclass(frozen=True, slots=True)
class _Context:
    table: Table
    load: Callable[[str], str]
    at: Path = ()
    resource: Resource | None = None
    place: str = ""
    borrows: int = 0  # how many `like` stand between the table and this file


def parse(file: str, load: Callable[[str], str], names: dict[str, str]) -> Table:
    """The table in `file`; `load` gives a file's text. Raises ConfigurationError with file and line."""
    table = Table(file, dict(names))
    _file(file, _Context(table, load))
    return table


def _file(file: str, context: _Context) -> None:
    lines = [(f"{file}:{n}", line.strip()) for n, line in enumerate(context.load(file).splitlines(), 1)]
    _lines(lines, replace(context, at=(), resource=None))


def _lines(lines: list[tuple[str, str]], context: _Context) -> _Context:
    waiting = iter(lines)
    for place, line in waiting:
        if not line or line.startswith("#"):
            continue
        try:
            if line.startswith("block "):
                _, name, *parameters = line.split()
                body: list[tuple[str, str]] = []
                for inner in waiting:
                    if inner[1] == "end":
                        break
                    body.append(inner)
                context.table.blocks[name] = (parameters, body)
            else:
                context = _statement(line, replace(context, place=place))
        except (NotationError, ValueError, KeyError, IndexError, StopIteration) as error:
            raise ConfigurationError(f"{place}: {error}") from error
    return context


def _statement(line: str, context: _Context) -> _Context:
    words = shlex.split(line)
    table = context.table
    match words:
        case ["let", name, "=", value]:
            table.names[name] = resolve(value, table.names)
        case ["map", name, *pairs]:
            table.maps[name] = {key: resolve(value, table.names) for key, value in map(_pair, pairs)}
        case ["include", file]:
            _file(file, context)
        case ["use", name, *values]:
            return _use(name, values, context)
        case ["like", file]:
            _file(file, replace(context, borrows=context.borrows + 1))
        case ["rename", old, new]:
            table.renamed.append(
                (context.borrows, context.at + message_path(old), context.at + message_path(new))
            )
        case ["at", path]:
            return replace(context, at=message_path(path))
        case ["resource", name, kind, *options]:
            return replace(context, resource=_resource(name, kind, options, context))
        case _ if context.resource is None:
            raise NotationError(f"{words[0]!r} stands outside of a resource")
        case _:
            _add(words, context, context.resource)
    return context


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise NotationError(f"{text!r} is not of the form a=b")
    return key, value


def _use(name: str, values: list[str], context: _Context) -> _Context:
    if name not in context.table.blocks:
        raise NotationError(f"no block is called {name!r}")
    parameters, body = context.table.blocks[name]
    if len(parameters) != len(values):
        raise NotationError(f"block {name} takes {len(parameters)} values, not {len(values)}")
    lines = []
    given = sorted(zip(parameters, values, strict=True), reverse=True)  # $ab before $a
    for place, text in body:
        line = text
        for parameter, value in given:
            line = line.replace(parameter, value)
        lines.append((f"{context.place} ({place})", line))
    return replace(_lines(lines, context), place=context.place)


def _resource(name: str, kind: str, options: list[str], context: _Context) -> Resource:
    known = context.table.resources.get(name)
    if known is not None and known.type != kind:
        raise NotationError(f"{name} is a {known.type} already")
    if known is None or (options and known.borrowed > context.borrows):
        known = context.table.resources[name] = Resource(name, kind, borrowed=context.borrows)
    told = dict(zip(options[::2], options[1::2], strict=True))
    if "for" in told:
        known.anchor = _here(context.at + message_path(told.pop("for")), context)
    if "when" in told:
        known.when = tuple(_absolute(path, context, known) for path in told.pop("when").split("|"))
    if told:
        raise NotationError(f"unknown option {next(iter(told))!r}")
    return known


def _absolute(text: str, context: _Context, resource: Resource) -> Path:
    if text.startswith("/"):
        return _here(message_path(text[1:]), context)
    return _here((resource.anchor or context.at) + message_path(text), context)


def _here(path: Path, context: _Context) -> Path:
    """A path that may be another version's."""
    return renamed(path, context.table.renamed, context.borrows)


def _add(words: list[str], context: _Context, resource: Resource) -> None:
    names = context.table.names
    match words:
        case ["=" | "=!" as sign, element, value, *display]:
            said = constant(value, display, names)
            steps = element_path(element, names)
            resource.values.append(Fixed(context.place, steps, said, sign == "=!", context.borrows))
        case [">", element, function, *arguments]:
            resource.values.append(_derived(element, function, arguments, context, resource))
        case ["+", target, *pairs]:
            name, _, element = target.partition(".")
            steps = element_path(element, names)
            if len(steps) > 2 or (len(steps) == 2 and not steps[0].listed):
                raise NotationError(
                    f"{target!r} is not a list of a resource, nor a list in an item of such a list"
                )
            items = tuple(
                (element_path(key, names), int(value) if value.isdecimal() else constant(value, [], names))
                for key, value in map(_pair, pairs)
            )
            resource.listings.append(Listing(context.place, name, steps, items))
        case [left, right, *options]:
            for path, element, *rest in expand((left, right, *options)):
                resource.values.append(_row(path, element, rest, context, resource))
        case _:
            raise NotationError("a row has a message path and an element path")


def _row(path: str, element: str, options: list[str], context: _Context, resource: Resource) -> Row:
    leaf = _absolute(path, context, resource)
    row = Row(context.place, leaf, element_path(element, context.table.names), borrowed=context.borrows)
    words = iter(options)
    for word in words:
        match word:
            case "required":
                row = replace(row, required=True)
            case "unless":
                row = replace(row, unless=_absolute(next(words), context, resource))
            case "else":
                row = replace(row, otherwise=next(words))
            case "only":
                test = next(words, "")
                row = replace(row, only=(test, tuple(_absolute(text, context, resource) for text in words)))
            case _ if row.codec:
                raise NotationError(f"{word!r} is one word too many")
            case _:
                row = replace(row, codec=word)
    return row if row.codec else replace(row, codec="text")


def _derived(
    element: str, function: str, arguments: list[str], context: _Context, resource: Resource
) -> Derived:
    steps = element_path(element, context.table.names)
    further: dict[str, str] = {}
    while len(arguments) > 1 and arguments[-2] in {"withdrawn", "was"}:
        *arguments, option, value = arguments
        further[option] = value
    count = NAMES_OF.get(function, 0)
    paths = tuple(_absolute(text, context, resource) for text in arguments[count:])
    told = arguments[:count]
    if function in {"find", "find-or"}:
        told[1] = _here((*context.table.resources[told[0]].anchor, told[1]), context)[-1]
    return Derived(context.place, steps, function, tuple(told), paths, context.borrows, **further)


def constant(text: str, display: list[str], names: dict[str, str]) -> object:
    """A constant as JSON: `true`, `false`, `SYSTEM#code`, a name of the vocabulary or the text itself."""
    if text in {"true", "false"}:
        return text == "true"
    system, hash_, code = text.rpartition("#")
    if hash_ and system:
        coding = {"system": resolve(system, names), "code": code}
        return coding | {"display": display[0]} if display else coding
    return resolve(text, names)
