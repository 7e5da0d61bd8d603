"""A trial: one software, driven in one way, through the checks chosen for it."""

from collections.abc import Coroutine
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

import schemas
from publishers.conformance import software
from publishers.conformance.checks import Check, Progress
from publishers.conformance.results import Result
from publishers.conformance.software import scripts as official
from publishers.conformance.software.bench import SoftwareBench
from publishers.conformance.software.guided import GuidedSubject, ask_in
from publishers.conformance.software.subject import Access, CommandSubject, Subject, WebhookSubject

JsonObject = dict[str, Any]
PACKAGE = "regulation-gateway"


@dataclass(frozen=True, slots=True)
class Way:
    """How the software is driven: `kind` is command, webhook or guided, `told` the command or URL."""

    kind: str
    told: str

    @classmethod
    def of(cls, command: str, webhook: str, *, guided: bool) -> "Way":
        """The one way that the options name. Raises typer.BadParameter for none or several."""
        if (bool(command), bool(webhook), guided).count(True) != 1:
            raise typer.BadParameter("one of --command, --webhook and --guided is needed")
        if guided:
            return cls("guided", "by hand")
        return cls("command", command) if command else cls("webhook", webhook)

    def subject(self, access: Access, console: Console) -> Subject:
        """The software, driven in this way."""
        if self.kind == "command":
            return CommandSubject(self.told, access)
        if self.kind == "webhook":
            return WebhookSubject(self.told, access)
        return GuidedSubject(access, console, ask_in(console))


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried: the way, the registration wished for, the roles, the checks, and whether official scripts are among them."""

    way: Way
    wish: software.Wish
    roles: tuple[str, ...]
    checks: tuple[Check[SoftwareBench], ...]
    scripted: bool

    @classmethod
    def of(
        cls,
        way: Way,
        wish: software.Wish,
        role: list[str] | None,
        only: list[str] | None,
        scripts: Path | None,
        samples: Path | None,
    ) -> "Trial":
        """The trial that the options name. Raises typer.BadParameter where they are wrong."""
        if wish.format not in {"json", "xml"} or wish.model_version not in schemas.VERSIONS:
            raise typer.BadParameter("--format takes json or xml, --model-version v1, v2 or v3")
        roles = tuple(role or software.ROLES)
        if not set(roles) <= set(software.ROLES):
            raise typer.BadParameter("--role takes sender or receiver")
        checks = (*software.CHECKS, *_scripted(scripts, samples))
        chosen = tuple(
            check
            for check in checks
            if check.requirements[0].startswith(roles) and check.id.startswith(tuple(only or ("",)))
        )
        return cls(way, wish, roles, chosen, scripts is not None)

    def about(self, name: str) -> JsonObject:
        """The subject of the report."""
        return {
            "software": name,
            self.way.kind: self.way.told,
            "format": self.wish.format,
            "modelVersion": self.wish.model_version,
            "roles": ", ".join(self.roles),
            "scripts": self.scripted,
            "gateway": f"{PACKAGE} {metadata.version(PACKAGE)}",
            "registration": software.SOFTWARE_ID,
        }

    def run(self, console: Console, tell: Progress) -> Coroutine[Any, Any, tuple[Result, ...]]:
        """Run the checks; a person, where one operates the software, is asked in the console."""
        return software.certify(
            lambda access: self.way.subject(access, console), self.wish, self.checks, tell
        )


def _scripted(scripts: Path | None, samples: Path | None) -> tuple[Check[SoftwareBench], ...]:
    if bool(scripts) != bool(samples):
        raise typer.BadParameter("--scripts and --samples go together")
    if scripts is None or samples is None:
        return ()
    try:
        return official.checks(scripts, samples)
    except official.WrongScripts as error:
        raise typer.BadParameter(str(error)) from None
