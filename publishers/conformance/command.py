"""The command line: `gateway conformance …`."""

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from publishers.conformance import options as given
from publishers.conformance import report, server, software
from publishers.conformance.grant import NotGranted, granted
from publishers.conformance.options import FOLDER, KEY
from publishers.conformance.report import signature
from publishers.conformance.requirements import page, requirements
from publishers.conformance.running import (
    Output,
    checked_by,
    client_of,
    of_sandbox,
    reachable,
    run_and_report,
)
from publishers.conformance.server.wire import Target
from publishers.conformance.software.environment import NotStarted
from publishers.conformance.software.subject import SubjectFailed
from publishers.conformance.trial import Trial, Way

cli = typer.Typer(add_completion=False, invoke_without_command=True)


@cli.callback()
def gateway_under_test(
    context: typer.Context,
    target: given.TargetUrl = "",
    client_id: given.ClientId = "",
    client_secret_env: given.SecretVariable = "",
    private_key: given.PrivateKey = None,
    sender: given.Sender = "fr.health.samu440",
    recipient: given.Recipient = "fr.health.samu330",
    other_client_id: given.OtherClientId = "",
    other_client_secret_env: given.OtherSecretVariable = "",
    sandbox: given.Sandbox = None,
    max_body: given.MaxBody = 1_048_576,
    core: given.Core = "",
    folder: given.Folder = FOLDER,
    signing_key: given.SigningKey = KEY,
    as_json: given.AsJson = False,
) -> None:
    """Certify a gateway (with --target or --sandbox), or a publisher's software (`gateway conformance software`)."""
    if context.invoked_subcommand is not None:
        return
    if sandbox is not None:
        wanted = of_sandbox(sandbox, sender, recipient)
    elif target and client_id and client_secret_env:
        client = client_of(client_id, client_secret_env, private_key)
        other = client_of(other_client_id, other_client_secret_env) if other_client_id else None
        url = target.rstrip("/")
        wanted = Target(url, client, sender, recipient, other, core.rstrip("/"), max_body=max_body)
    else:
        raise typer.BadParameter("--target, --client-id and --client-secret-env are needed, or --sandbox")
    output = Output(folder, signing_key, as_json)
    reachable(wanted.url)
    run_and_report("server", wanted.about(), lambda tell: server.certify(wanted, tell), server.ROLES, output)


@cli.command(name="software")
def software_under_test(
    command: given.Command = "",
    webhook: given.Webhook = "",
    guided: given.Guided = False,
    name: given.Name = "software under test",
    form: given.Format = "json",
    model_version: given.ModelVersion = "v3",
    scripts: given.Scripts = None,
    samples: given.Samples = None,
    role: given.Roles = None,
    only: given.Only = None,
    port: given.Port = 0,
    folder: given.Folder = FOLDER,
    signing_key: given.SigningKey = KEY,
    as_json: given.AsJson = False,
) -> None:
    """Certify a publisher's software against a private gateway behind a hostile network. See docs/how-to/certify.md."""
    way = Way.of(command, webhook, guided=guided)
    trial = Trial.of(way, software.Wish(form, model_version, port), role, only, scripts, samples)
    console, output = Console(stderr=as_json), Output(folder, signing_key, as_json)
    try:
        run_and_report(
            "software", trial.about(name), lambda tell: trial.run(console, tell), trial.roles, output
        )
    except (NotStarted, SubjectFailed) as error:
        typer.echo(f"gateway: {error}", err=True)
        raise typer.Exit(1) from None


@cli.command()
def verify(
    path: Annotated[Path, typer.Argument(metavar="REPORT", help="A report's folder, or its report.json.")],
    key: Annotated[Path | None, typer.Option(help="Public JWK that must have signed.")] = None,
) -> None:
    """Say whether a report is what was signed, byte for byte, and by whom."""
    try:
        found = report.verify(path, signature.read_key(key) if key else None)
    except (report.NotIntact, ValueError) as error:
        typer.echo(f"gateway: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(
        f"intact; signed by the key {found.thumbprint}"
        + ("" if key else " (compare it, or name it with --key)")
    )
    typer.echo(
        f"{found.report.kind} {found.report.verdict}, {found.report.ended_at}, suite {found.report.version}"
    )


@cli.command()
def grant(
    path: Annotated[Path, typer.Argument(metavar="REPORT", help="A report's folder, or its report.json.")],
    key: Annotated[Path, typer.Option(help="Public JWK that must have signed.")],
    days: Annotated[int, typer.Option(min=1, help="Days that it holds, from the end of the run.")] = 365,
) -> None:
    """Print the lines of a registration that certify a software, from a passed and signed report."""
    try:
        typer.echo(granted(path, signature.read_key(key), days), nl=False)
    except (report.NotIntact, NotGranted, ValueError) as error:
        typer.echo(f"gateway: {error}", err=True)
        raise typer.Exit(1) from None


@cli.command(name="requirements")
def show_requirements(
    markdown: Annotated[bool, typer.Option("--markdown", help="As docs/reference/requirements.md.")] = False,
    as_json: given.AsJson = False,
) -> None:
    """List every requirement with its source and the checks that verify it."""
    checked = checked_by()
    if markdown:
        typer.echo(page(checked), nl=False)
        return
    rows = [
        {"id": row.id, "source": row.source, "text": row.text, "checks": checked.get(row.id, ())}
        for row in requirements().values()
    ]
    if as_json:
        typer.echo(orjson.dumps(rows).decode())
        return
    for row in rows:
        typer.echo(f"{row['id']:<28} {row['text']} ({row['source']})")
