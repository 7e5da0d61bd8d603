"""What a sender's label decides: only which code is meant where the number alone does not say it. Pure.

Labels are compared without case, accents and punctuation, with the official ones.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from gateway.conversion.code_sections import List, sections
from schemas import codes as terminology

WORD, STEM = 4, 5  # letters of the shortest word that counts, and of a word by which it is compared
_OTHER_THAN_WORDS = re.compile(r"[\W_]+")


def plain(label: str) -> str:
    """A label as it is compared."""
    letters = unicodedata.normalize("NFKD", label.casefold())
    return _OTHER_THAN_WORDS.sub(
        " ", "".join(one for one in letters if not unicodedata.combining(one))
    ).strip()


@cache
def _by_label(name: str) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for code, label in terminology.labels(name).items() if terminology.exists(name) else ():
        found[plain(label)] = (*found.get(plain(label), ()), code)
    return found


@dataclass(frozen=True, slots=True)
class Choice:
    """What a code that its own list has twice may mean (`?` in a code map): codes of the neighbour version's list."""

    target: List
    between: tuple[str, ...]

    def meant(self, label: str) -> str:
        """The one that has this label officially, "" where none has."""
        named = [one for one in self.between if one in _by_label(self.target[1]).get(plain(label), ())]
        return named[0] if len(named) == 1 else ""


@cache
def choices(source: List) -> Mapping[str, Choice]:
    """The codes that a list has twice."""
    return {
        code: Choice(section.right, between)
        for section in sections()
        if section.left == source
        for code, between in section.forward.choices.items()
    }


def _stems(label: str) -> frozenset[str]:
    """The words of a label that say something, by how they begin: `thoracique` and `thorax` are near enough."""
    return frozenset(word[:STEM] for word in plain(label).split() if len(word) >= WORD)


@cache
def _branch(name: str, code: str) -> frozenset[str]:
    branch = _branch_of(code)
    labels = terminology.labels(name) if terminology.exists(name) else {}
    return frozenset().union(
        *(_stems(label) for one, label in labels.items() if one == code or one.startswith(f"{branch}."))
    )


def _branch_of(code: str) -> str:
    return re.sub(r"(\.0+)+$", "", code)


def is_other(name: str, code: str, label: str) -> bool:
    """Whether a label says nothing of what a code of a list and those below it say officially. Not where either says nothing."""
    said, official = _stems(label), _branch(name, code)
    return bool(said and official) and not said & official


def contradicting(name: str, ancestor: str, label: str) -> tuple[str, ...]:
    """The codes of a list that have this label officially, where none of them is in an ancestor's branch."""
    named = _by_label(name).get(plain(label), ())
    branch = _branch_of(ancestor)
    inside = any(code == ancestor or code.startswith(f"{branch}.") for code in named)
    return () if inside else named
