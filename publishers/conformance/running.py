"""What every command that runs checks does: find the target and the secrets, run, show, write and sign."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import typer
from rich.console import Console

from publishers.conformance import NAME, VERSION, report, server, software
from publishers.conformance.report import console as shown
from publishers.conformance.report import signature
from publishers.conformance.requirements import coverage
from publishers.conformance.results import Report, Result
from publishers.conformance.server.wire import Client, Target

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Output:
    """Where a run's report goes: its folder, the key that signs it, and whether standard output gets it as JSON too."""

    folder: Path
    signing_key: Path
    as_json: bool


def checked_by() -> dict[str, tuple[str, ...]]:
    """The checks of each requirement."""
    found: dict[str, tuple[str, ...]] = {}
    rows = [(check.id, check.requirements) for check in server.CHECKS]
    rows += [(check.id, check.requirements) for check in software.CHECKS]
    rows.append(("script-*", ("sender.official-scripts", "receiver.official-scripts")))
    for check_id, required in rows:
        for requirement in required:
            found[requirement] = (*found.get(requirement, ()), check_id)
    return found


def of_sandbox(path: Path, sender: str, recipient: str) -> Target:
    """The target that a sandbox's `sandbox.json` describes. Raises typer.BadParameter and OSError."""
    try:
        told = orjson.loads(path.read_bytes())
        mine, other = told["publishers"][:2]
        client = Client(mine["client_id"], mine["client_secret"], mine["private_key_jwk"])
        return Target(
            told["gateway"],
            client,
            sender,
            recipient,
            Client(other["client_id"], other["client_secret"]),
            told["core"],
        )
    except (ValueError, KeyError, TypeError):
        raise typer.BadParameter(f"{path} is no sandbox.json") from None


def client_of(client_id: str, secret_variable: str, private_key: Path | None = None) -> Client:
    """A client of the gateway under test. Raises typer.BadParameter, ValueError and OSError."""
    key = signature.read_key(private_key) if private_key else None
    return Client(client_id, secret_in(secret_variable), key)


def secret_in(variable: str) -> str:
    """The secret in an environment variable: never an argument, which every user of the machine could read."""
    found = os.environ.get(variable, "")
    if not found:
        raise typer.BadParameter(f"the environment variable {variable!r} is not set")
    return found


def reachable(url: str) -> None:
    """Leave with 1 where nothing answers at the URL, instead of failing every check."""
    try:
        httpx.get(f"{url}/health/live", timeout=10, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        typer.echo(f"gateway: nothing answers at {url} ({type(error).__name__})", err=True)
        raise typer.Exit(1) from None


def run_and_report(
    kind: str,
    subject: JsonObject,
    run: Callable[[Callable[[Result], None]], Coroutine[Any, Any, tuple[Result, ...]]],
    roles: tuple[str, ...],
    output: Output,
) -> None:
    """Run, show, write and sign; leaves with 0 where the verdict is passed, else 1."""
    try:
        key = signature.key_at(output.signing_key)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    console = Console(stderr=output.as_json)
    begun = instant()
    results = asyncio.run(run(lambda result: shown.show_result(console, result)))
    made = Report(NAME, VERSION, kind, subject, begun, instant(), results, coverage(results, roles))
    report.write(output.folder, made, key)
    if output.as_json:
        sys.stdout.write(report.rendered(made)[report.REPORT].decode())
    shown.show_verdict(console, made)
    console.print(
        f"Report: {output.folder / report.HTML}, signed by the key {signature.thumbprint(key)}",
        highlight=False,
    )
    raise typer.Exit(0 if made.verdict == "passed" else 1)


def instant() -> str:
    """Now, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
