"""`python -m publishers.sdk.generate`: make the SDK's message types anew from the field tables of `schemas/`.

One module a message type and version, `regulation_sdk/messages/<version>/<type>.py`: TypedDicts with the wire's own names, and
`message()`, which puts a use case into its envelope. Code lists that a schema refuses become Literals in `codes*.py`.
"""

import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import schemas
from schemas.fields import Field, table

FOLDER = Path(__file__).parent / "src" / "regulation_sdk" / "messages"
SCALARS = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "datetime": "str",
    "rfc3339": "str",
}
KINDS = {"RC-REF": "Ack", "RS-ERROR": "Error"}  # what the envelope of these is, unless told otherwise
WIDTH = 108
LINES = 240  # of a module of code lists


@dataclass
class _Module:
    """What is collected for one message type: classes by name, innermost first, and the code lists they use."""

    codes: "_Codes"
    classes: dict[str, str] = field(default_factory=dict)
    made_of: dict[str, tuple[Field, ...]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)


@dataclass
class _Codes:
    """The code lists of one version. A list that differs from another of its name gets a number."""

    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def alias(self, name: str, values: tuple[str, ...]) -> str:
        base = _camel(name)
        for alias in (base, *(f"{base}{number}" for number in range(2, 20))):
            if self.lists.setdefault(alias, values) == values:
                return alias
        raise ValueError(f"too many lists named {name}")


def modules() -> dict[str, str]:
    """The text of every generated file, by its path below `messages/`."""
    made = {"__init__.py": '"""Message types by model version, made from the field tables."""\n'}
    for version in schemas.VERSIONS:
        codes = _Codes()
        types = sorted(schemas.message_types(version))
        collected = {kind: _collect(kind, version, codes) for kind in types}
        places, texts = _code_modules(codes, version)
        made |= {f"{version}/{name}": text for name, text in texts.items()}
        made |= {f"{version}/{_snake(t)}.py": _text(t, version, m, places) for t, m in collected.items()}
        made[f"{version}/__init__.py"] = f'"""The message types of model {version}, a module each."""\n'
    return made


def write(folder: Path = FOLDER) -> list[str]:
    """Make every file anew; the names of those that changed or are gone."""
    made = modules()
    old = {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*.py")}
    for name in old.keys() - made.keys():
        (folder / name).unlink()
    for name, text in made.items():
        if old.get(name) != text:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    return sorted(name for name in old.keys() | made.keys() if old.get(name) != made.get(name))


def _collect(message_type: str, version: str, codes: _Codes) -> _Module:
    module = _Module(codes)
    _class(table(message_type, version).root, "", module)
    return module


def _class(one: Field, parent: str, module: _Module) -> str:
    """The name of an object's class, which is added where it is not there yet."""
    wanted = _camel(one.block or one.name)
    taken = module.made_of.get(wanted, one.fields) != one.fields
    name = f"{parent}{wanted}" if taken else wanted
    if name in module.made_of:
        return name
    module.made_of[name] = one.fields
    lines = [f"class {name}(TypedDict):", f'    """{one.title}"""']
    lines += [_member(child, name, module) for child in one.fields]
    module.classes[name] = "\n".join(lines) + "\n"
    return name


def _member(child: Field, owner: str, module: _Module) -> str:
    if child.fields:
        kind = _class(child, owner, module)
    elif child.type in SCALARS:
        kind = SCALARS[child.type]
        if child.values:
            kind = module.codes.alias(child.list or f"{owner}-{child.name}", child.values)
            module.used.add(kind)
    else:
        kind = "dict[str, Any]"
    kind = f"list[{kind}]" if child.repeats else kind
    return f"    {child.name}: {kind if child.required else f'NotRequired[{kind}]'}  # {child.title}"


def _code_modules(codes: _Codes, version: str) -> tuple[dict[str, str], dict[str, str]]:
    """Where each list stands, and the modules: as many as keep each short."""
    places: dict[str, str] = {}
    bodies: list[list[str]] = [[]]
    for alias, values in sorted(codes.lists.items()):
        text = ", ".join(_quoted(value) for value in values)
        wrapped = textwrap.wrap(text, WIDTH - 4, break_long_words=False, break_on_hyphens=False)
        lines = [f"{alias} = Literal[", *(f"    {line}" for line in wrapped), "]"]
        if bodies[-1] and len(bodies[-1]) + len(lines) > LINES:
            bodies.append([])
        bodies[-1] += lines
        places[alias] = _codes_name(len(bodies))
    texts = {}
    for number, body in enumerate(bodies, 1):
        head = f'"""Code lists of model {version} that the schemas hold a message to."""'
        lines = [head, _MADE, "", "from typing import Literal", "", *body]
        texts[f"{_codes_name(number)}.py"] = "\n".join(lines) + "\n"
    return places, texts


_MADE = "# Made by `python -m publishers.sdk.generate`, never edited.\n# fmt: off\n# isort: skip_file"


def _codes_name(number: int) -> str:
    return "codes" if number == 1 else f"codes{number}"


def _text(message_type: str, version: str, module: _Module, places: dict[str, str]) -> str:
    classes = list(module.classes)
    text = "\n".join([*module.classes.values(), _builder(message_type, version, classes[-1])])
    imports = [
        f"from typing import {'Any, ' if 'Any]' in text else ''}TypedDict",
        "",
        "from regulation_sdk.envelopes import Envelope, Options, envelope",
    ]
    by_place: dict[str, list[str]] = {}
    for alias in sorted(module.used):
        by_place.setdefault(places[alias], []).append(alias)
    for place, aliases in sorted(by_place.items()):
        imports.append(f"from regulation_sdk.messages.{version}.{place} import {', '.join(aliases)}")
    optional = "NotRequired, " if "NotRequired[" in text else ""
    imports.append(f"from regulation_sdk.typing import {optional}Unpack")
    head = [f'"""{message_type}, model {version}."""', _MADE, "", *imports, "", ""]
    return "\n".join(head) + "\n" + text


def _builder(message_type: str, version: str, root: str) -> str:
    key = schemas.root_key(message_type, version)
    kind = KINDS.get(message_type, "Report")
    lines = [
        f"def message(use_case: {root}, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:",
        f'    """The {message_type} in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""',
    ]
    given = "options"
    if kind != "Report":
        lines.append(f'    wishes: Options = {{"kind": "{kind}", **options}}')
        given = "wishes"
    header = ", header=False" if message_type in schemas.HEADERLESS else ""
    lines.append(
        f'    return envelope("{key}", use_case, sender=sender, recipient=recipient{header}, **{given})'
    )
    return "\n".join(lines) + "\n"


def _camel(name: str) -> str:
    parts = "".join(c if c.isalnum() else " " for c in name).split()
    return "".join(part[0].upper() + part[1:] for part in parts)


def _snake(message_type: str) -> str:
    return message_type.lower().replace("-", "_")


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    for changed in write():
        sys.stdout.write(f"made regulation_sdk/messages/{changed}\n")
