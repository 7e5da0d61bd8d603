"""The command line: `gateway COMMAND`, the same as `python -m gateway COMMAND`.

Exit codes: 0 success, 1 a finding, 2 wrong use. Errors go to standard error, without a traceback.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from gateway import __version__, service, settings
from gateway.checks import check_all
from gateway.errors import ConfigurationError
from publishers import sandbox as the_sandbox

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
AsJson = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]


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
    """Serve in production. Settings come from GATEWAY_* environment variables; `gateway settings` lists them."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(service.serve(settings.load(os.environ)))


@cli.command()
def sandbox(
    port: Annotated[
        int, typer.Option(min=1, max=65_534, help="The gateway's port; the core takes the next one.")
    ] = 8400,
    data: Annotated[Path, typer.Option(help="Folder for the sandbox's data; made afresh.")] = Path(
        ".sandbox"
    ),
    once: Annotated[bool, typer.Option("--once", help="Leave after the demonstration.")] = False,
) -> None:
    """Run gateway, simulated core and demo publishers, and show one case going from one SAMU to another."""
    raise typer.Exit(the_sandbox.run(port, data, once))


@cli.command()
def check(as_json: AsJson = False) -> None:
    """Check the configuration, every schema, every mapping table and every registration."""
    findings = check_all(os.environ)
    if as_json:
        typer.echo(orjson.dumps({"findings": findings}))
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
        typer.echo(orjson.dumps(rows))
        return
    table = Table("variable", "value", "default", "meaning")
    for row in rows:
        table.add_row(row["variable"], row["value"], row["default"], row["help"])
    Console().print(table)


def main() -> None:
    """Run a command; what is wrong with the configuration is said in one line."""
    try:
        cli()
    except ConfigurationError as error:
        sys.stderr.write(f"gateway: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
