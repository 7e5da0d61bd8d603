"""What is required of a gateway, a sender and a receiver, read from `requirements.toml`."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from publishers.conformance.results import Coverage, Result, worst

FILE = Path(__file__).parent / "requirements.toml"
ROLES = {"server": "The gateway", "sender": "Software that sends", "receiver": "Software that receives"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement. Its id begins with the role it binds: `server`, `sender` or `receiver`.

    A run may pass without having judged an `optional` one: not every deployment or software lets it be judged.
    """

    id: str
    source: str
    text: str
    optional: bool

    @property
    def role(self) -> str:
        """Whom it binds."""
        return self.id.partition(".")[0]


@cache
def requirements() -> dict[str, Requirement]:
    """All requirements by id, in the order of the file."""
    rows = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {
        f"{role}.{name}": Requirement(
            f"{role}.{name}", row["source"], row["text"], row.get("optional", False)
        )
        for role in ROLES
        for name, row in rows[role].items()
    }


def coverage(results: Iterable[Result], roles: Iterable[str]) -> tuple[Coverage, ...]:
    """Every requirement of the roles with what the results say about it; one that nothing judged is `skipped`."""
    found, wanted = list(results), set(roles)
    rows = []
    for row in requirements().values():
        if row.role in wanted:
            judging = [result for result in found if row.id in result.requirements]
            outcome = worst(result.outcome for result in judging)
            rows.append(
                Coverage(
                    row.id,
                    row.role,
                    row.source,
                    row.text,
                    row.optional,
                    tuple(r.check for r in judging),
                    outcome,
                )
            )
    return tuple(rows)


def page(checked_by: dict[str, tuple[str, ...]]) -> str:
    """`docs/reference/requirements.md`. `checked_by` names the checks of each requirement."""
    lines = [
        "# Requirements of the conformance suite",
        "",
        "Made by `gateway conformance requirements --markdown`; `publishers/conformance/requirements.toml` is the source.",
        "How to run the suite: [certify](../how-to/certify.md). A run that cannot judge an optional requirement may still pass.",
    ]
    for role, title in ROLES.items():
        lines += ["", f"## {title}", "", "| id | requirement | source | checked by |", "|---|---|---|---|"]
        for row in requirements().values():
            if row.role == role:
                optional = " (optional)" if row.optional else ""
                checks = ", ".join(f"`{check}`" for check in checked_by.get(row.id, ())) or "-"
                lines.append(f"| `{row.id}` | {_cell(row.text)}{optional} | {_cell(row.source)} | {checks} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
