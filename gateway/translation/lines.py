"""Python source under construction, and the names that it uses. Shared by both generators."""

import keyword
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count


@dataclass(slots=True)
class Lines:
    """Lines of source; `block` indents what is added inside it."""

    text: list[str] = field(default_factory=list)
    depth: int = 1
    numbers: Iterator[int] = field(default_factory=count)

    def add(self, line: str) -> None:
        self.text.append("    " * self.depth + line)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """`head:` and an indented block; `pass` where nothing is added."""
        self.add(f"{head}:")
        before = len(self.text)
        self.depth += 1
        yield
        if len(self.text) == before:
            self.add("pass")
        self.depth -= 1

    def name(self, hint: str) -> str:
        """A fresh variable."""
        return f"{safe(hint)}_{next(self.numbers)}"


def safe(text: str) -> str:
    """The text as part of a Python name."""
    name = re.sub(r"\W", "_", text)
    return f"_{name}" if keyword.iskeyword(name) or not name else name


def condition(presence: set[str]) -> str:
    """The test that one of the variables is there."""
    return " or ".join(f"{name} is not None" for name in sorted(presence))
