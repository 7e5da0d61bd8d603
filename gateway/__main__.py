"""The command line: `gateway COMMAND`, the same as `python -m gateway COMMAND`.

Exit codes: 0 success, 1 a finding, 2 wrong use. Errors go to standard error, without a traceback.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
import uvloop
from rich.console import Console
from rich.progress import track
from rich.table import Table

import schemas
from gateway import __version__, dry_run, edxl, files, operator, service, settings
from gateway.checks import check_all
from gateway.errors import ConfigurationError, GatewayError
from publishers import sandbox as the_sandbox
from publishers.conformance import command as conformance

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
cli.add_typer(conformance.cli, name="conformance")
AsJson = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]
ModelVersion = Annotated[
    str, typer.Option("--model-version", help="v1, v2 or v3: the model of EDXL-DE files.")
]


def show_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@cli.callback()
def options(
    _version: Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True)] = False,
) -> None:
    """Open interoperability API gateway between SAMU regulation software and the national platform."""


@cli.command()
def serve() -> None:
    """Serve in production. Settings come from GATEWAY_* environment variables; `gateway settings` lists them.

    Everything that `gateway check` looks at is looked at first, and compiled on the way: a fault refuses to start.
    """
    if findings := check_all(os.environ):
        raise ConfigurationError("\n".join(findings))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(service.serve(settings.load(os.environ)))


@cli.command()
def sandbox(
    port: Annotated[
        int,
        typer.Option(min=1, max=65_533, help="The gateway's port; core and operations have the next two."),
    ] = 8400,
    data: Annotated[Path, typer.Option(help="Folder for the sandbox's data; made afresh.")] = Path(
        ".sandbox"
    ),
    once: Annotated[bool, typer.Option("--once", help="Leave after the demonstration.")] = False,
) -> None:
    """Run gateway, simulated core and demo publishers, and show one case going from one SAMU to another."""
    raise typer.Exit(the_sandbox.run(port, data, once))


@cli.command()
def check(
    as_json: AsJson = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Where the server's keys and addresses are not: leave them out.")
    ] = False,
) -> None:
    """Check the configuration, every schema, every mapping table and every registration, as `gateway serve` does at its start."""
    findings = check_all(os.environ, partial=partial)
    if as_json:
        show_json({"findings": findings})
    for finding in [] if as_json else findings:
        typer.echo(finding, err=True)
    if not findings and not as_json:
        typer.echo("All is well.")
    raise typer.Exit(1 if findings else 0)


@cli.command(name="settings")
def show_settings(as_json: AsJson = False) -> None:
    """List every setting with its value, default and meaning. Secrets are masked."""
    rows = settings.rows(os.environ)
    if as_json:
        show_json(rows)
        return
    table = Table()
    table.add_column("variable", overflow="fold", no_wrap=True)
    for name in ("value", "default", "meaning"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(row["variable"], row["value"], row["default"], row["help"])
    Console().print(table)


@cli.command()
def validate(
    paths: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="Files, folders, or - for standard input.")
    ],
    strict: Annotated[bool, typer.Option("--strict", help="A code that its list lacks is an error.")] = False,
    model_version: ModelVersion = "v3",
    as_json: AsJson = False,
) -> None:
    """Say of each message file whether it is valid, and everything that is wrong with it."""
    require_version(model_version)
    names = list(files.found(paths))
    shown = track(names, "Validating", console=Console(stderr=True), transient=True, disable=len(names) < 2)
    verdicts = [files.judge(name, model_version, strict=strict) for name in shown]
    if as_json:
        show_json([verdict_json(verdict) for verdict in verdicts])
    else:
        for verdict in verdicts:
            show_verdict(verdict)
        valid = sum(verdict.valid for verdict in verdicts)
        typer.echo(f"{valid} valid, {len(verdicts) - valid} invalid")
    raise typer.Exit(0 if verdicts and all(verdict.valid for verdict in verdicts) else 1)


@cli.command()
def translate(
    path: Annotated[str, typer.Argument(metavar="FILE", help="A message file, or - for standard input.")],
    to: Annotated[str, typer.Option(help="fhir, or a message type: RS-EDA, RS-EDA@v2.")],
    form: Annotated[str, typer.Option("--format", help="json or xml.")] = "json",
    model_version: ModelVersion = "v3",
) -> None:
    """Translate a message, and report what the wanted form cannot say."""
    require_version(model_version)
    wanted_type, _, version = to.partition("@")
    if form not in edxl.FORMATS or (version and version not in schemas.VERSIONS):
        raise typer.BadParameter("--to takes fhir or TYPE[@v1|v2|v3], --format json or xml")
    target = dry_run.Target(schemas.ALIASES.get(wanted_type, wanted_type), version or model_version, form)
    message = files.read(path, model_version)
    told = dry_run.translated(message, target)
    show_json({**told[0], "further": told[1:]}, indent=True)


@cli.command(name="dead-letters")
def dead_letters(
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the messages that were given up and can be put back."""
    letters = asyncio.run(operator.dead_letters(settings.load(os.environ), limit))
    if as_json:
        show_json(letters)
        return
    table = Table("id", "distributionID", "type", "recipient", "died at", "cause")
    for letter in letters:
        table.add_row(
            *(
                str(letter[name])
                for name in ("id", "distributionID", "messageType", "recipient", "diedAt", "cause")
            )
        )
    Console().print(table)


@cli.command()
def replay(ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of dead letters.")]) -> None:
    """Put dead letters back at the end of their lane; they are translated again."""
    put_back = asyncio.run(operator.replay(settings.load(os.environ), ids))
    typer.echo(f"{put_back} of {len(ids)} put back")
    raise typer.Exit(0 if put_back == len(ids) else 1)


@cli.command()
def erase(
    case: Annotated[str, typer.Option(metavar="ID", help="The caseId.")],
    unread: Annotated[
        bool, typer.Option("--unread", help="Also inbox items that their publisher has not acknowledged.")
    ] = False,
) -> None:
    """Erase the content of a case, sent and received; receipts and timelines stay.

    Exit code 1 where content is left that somebody still waits for: run it again later.
    """
    done = asyncio.run(operator.erase_case(settings.load(os.environ), case, unread=unread))
    typer.echo(f"{done.erased} contents erased, {done.left} left")
    raise typer.Exit(1 if done.left else 0)


@cli.command()
def webhooks(
    enable: Annotated[
        str, typer.Option("--enable", metavar="PUBLISHER", help="Call its webhook again, which answered 410.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the publishers' webhooks: how many events wait, since when, and which answered 410 and are not called any more."""
    made = settings.load(os.environ)
    if enable:
        was_disabled = asyncio.run(operator.enable_webhook(made, enable))
        typer.echo(f"{enable} is enabled again" if was_disabled else f"{enable} was not disabled")
        raise typer.Exit(0 if was_disabled else 1)
    endpoints = asyncio.run(operator.webhooks(made))
    if as_json:
        show_json(endpoints)
        return
    table = Table("publisher", "url", "waiting", "oldest", "attempts", "disabled at")
    for one in endpoints:
        names = ("publisher", "url", "waiting", "oldest", "attempts", "disabledAt")
        table.add_row(*("" if one[name] is None else str(one[name]) for name in names))
    Console().print(table)


def require_version(model_version: str) -> None:
    """Wrong use where the model version does not exist."""
    if model_version not in schemas.VERSIONS:
        raise typer.BadParameter(f"--model-version takes one of {', '.join(schemas.VERSIONS)}")


def show_verdict(verdict: files.Verdict) -> None:
    """One line for the file, one for each issue."""
    what = f" ({verdict.message_type} {verdict.model_version})" if verdict.message_type else ""
    typer.echo(f"{'valid' if verdict.valid else 'INVALID'}  {verdict.file}{what}")
    for issue in verdict.issues:
        place = f"{issue.path}: " if issue.path else ""
        typer.echo(f"    {issue.severity}: {place}{issue.diagnostics}")


def verdict_json(verdict: files.Verdict) -> dict[str, Any]:
    """The same as data."""
    issues = [
        {
            "severity": i.severity,
            "code": i.kind.value.code,
            "path": i.path,
            "pointer": i.pointer,
            "diagnostics": i.diagnostics,
        }
        for i in verdict.issues
    ]
    about = {"file": verdict.file, "messageType": verdict.message_type, "modelVersion": verdict.model_version}
    return {**about, "valid": verdict.valid, "issues": issues}


def show_json(value: Any, *, indent: bool = False) -> None:
    """Print data."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else 0).decode())


def main() -> None:
    """Run a command; what is wrong is said in lines, not in a traceback."""
    try:
        cli()
    except ConfigurationError as error:
        sys.stderr.write("".join(f"gateway: {line}\n" for line in str(error).splitlines()))
        sys.exit(1)
    except GatewayError as error:
        for issue in error.issues:
            sys.stderr.write(f"gateway: {issue.path + ': ' if issue.path else ''}{issue.diagnostics}\n")
        sys.exit(1)
    except OSError as error:
        sys.stderr.write(f"gateway: {error.filename or ''}: {error.strerror}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
