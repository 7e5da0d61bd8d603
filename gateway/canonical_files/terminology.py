"""The gateway's own code systems and their value sets: codes are what the tables write, labels the official ones."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.canonical_files.artefact import head, last
from gateway.canonical_files.official import closed, field_of, told_codes
from gateway.canonical_files.official import title as official_title
from gateway.canonical_files.tree import Forest, Node, Told
from gateway.model import JsonObject
from gateway.translation.tables import BASE
from schemas import codes

SYSTEMS = f"{BASE}/CodeSystem/"
MESSAGE_TYPES = f"{SYSTEMS}message-type"


@dataclass(slots=True)
class CodeList:
    """One code system. Not `complete`: some place takes codes that no list names."""

    url: str
    codes: dict[str, str] = field(default_factory=dict)
    labels: dict[str, set[str]] = field(
        default_factory=dict
    )  # every official label of a code: two lists of one field may differ
    complete: bool = True
    official: bool = False  # its labels are the Hub Santé's
    names: set[str] = field(default_factory=set)  # of the lists in the field tables
    sent: set[str] = field(
        default_factory=set
    )  # the codes that messages hold; the others are the tables' own

    @property
    def value_set(self) -> str:
        """The URL of the value set of all its codes."""
        return f"{BASE}/ValueSet/{last(self.url)}"

    def add(self, rows: list[Told]) -> None:
        """Adds what the fields of these rows may hold."""
        for row in rows:
            source = field_of(row)
            found = told_codes(source)
            self.names.add(source.list or source.codes or source.name)
            self.official = self.official or any(found.values())
            self.complete = self.complete and closed(source)
            self.sent |= found.keys()
            for code, label in found.items():
                self.codes[code] = self.codes.get(code) or label
                self.labels.setdefault(code, set()).update({label} - {""})


def code_lists(forest: Forest) -> dict[str, CodeList]:
    """Every code system that the tables name or need, by URL."""
    found: dict[str, CodeList] = {}
    for node in forest.nodes():
        for constant in node.constants:
            if isinstance(constant, dict) and constant.get("system", "").startswith(SYSTEMS):
                _list(found, constant["system"]).codes[constant["code"]] = constant.get("display", "")
        system = own_system(node)
        if system and "code" in node.children:
            code = node.children["code"]
            _list(found, system).add(code.rows)
            _list(found, system).codes |= {str(c): "" for c in code.constants}
            _list(found, system).complete &= not code.computed or bool(code.rows)
        elif system and "display" in node.children:
            _list(found, system).complete = False  # words in place of codes
        for row in node.rows:
            if row.row.codec in row.table.plan.maps:
                _list(found, SYSTEMS + row.row.codec).add([row])
    for name, node in plain_codes(forest):
        _list(found, SYSTEMS + name).add(node.rows)
        _list(found, SYSTEMS + name).codes |= {str(c): "" for c in node.constants}
    return found


def own_system(node: Node) -> str:
    """The own code system that a Coding or a Quantity of this node always has, "" where it is another's."""
    system = node.children.get("system")
    constants = system.constants if system and not system.rows and not system.computed else []
    return str(constants[0]) if len(constants) == 1 and str(constants[0]).startswith(SYSTEMS) else ""


def plain_codes(forest: Forest) -> Iterator[tuple[str, Node]]:
    """The extension values of type code, each with the name of its own list, such as `contact-type`."""
    for url, extension in forest.extensions.items():
        if url.startswith(BASE):
            yield from _plain(last(url), extension)


def _plain(name: str, node: Node) -> Iterator[tuple[str, Node]]:
    if "valueCode" in node.children:
        yield name, node.children["valueCode"]
    for part, inner in node.parts.items():
        yield from _plain(f"{name}-{kebab(part)}", inner)


def kebab(text: str) -> str:
    """`heightRole` as `height-role`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text).replace(".", "-").lower()


def _list(found: dict[str, CodeList], url: str) -> CodeList:
    return found.setdefault(url, CodeList(url))


def code_systems(lists: dict[str, CodeList]) -> Iterator[JsonObject]:
    """A CodeSystem for each list."""
    for found in lists.values():
        name = last(found.url)
        concepts = [_concept(found, code, said) for code, said in found.codes.items()]
        yield head(
            "CodeSystem",
            name,
            f"Codes: {name}",
            _description(found),
            language="fr" if found.official else "en",
            caseSensitive=True,
            valueSet=found.value_set,
            content=("complete" if found.complete else "fragment") if concepts else "not-present",
            **({"count": len(concepts)} if found.complete and concepts else {}),
            **({"concept": concepts} if concepts else {}),
        )


def _description(found: CodeList) -> str:
    if not found.official:
        return "Codes of the canonical Bundle."
    partly = sorted(name for name in found.names if not codes.complete(name))
    more = (
        f" Of {' and '.join(partly)} only a part is known: there a code may have another label than here. The sender's label "
        "is the display of a Bundle."
        if partly
        else ""
    )
    return f"Official codes and labels of the Hub Santé's messages.{more}"


def _concept(found: CodeList, code: str, said: str) -> JsonObject:
    """A code with its label, with all of them where the lists do not agree: none of them is the right one for both."""
    labels = sorted(found.labels.get(code, ()))
    if len(labels) > 1:
        return {"code": code, "designation": [{"value": label} for label in labels]}
    return {"code": code, "display": _label(found, code, said)}


def _label(found: CodeList, code: str, said: str) -> str:
    if said or code in found.sent:
        return said or code
    return official_title(code) if found.url == MESSAGE_TYPES else kebab(code).replace("-", " ")


def value_sets(lists: dict[str, CodeList]) -> Iterator[JsonObject]:
    """A ValueSet of all codes of each list."""
    for found in lists.values():
        name = last(found.url)
        include = [{"system": found.url}]
        yield head(
            "ValueSet", name, f"All codes: {name}", f"All codes of {found.url}.", compose={"include": include}
        )
