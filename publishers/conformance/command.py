"""The command line: `gateway conformance …`."""

from importlib import metadata
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

import schemas
from publishers.conformance import report, server, software
from publishers.conformance.report import signature
from publishers.conformance.requirements import page, requirements
from publishers.conformance.running import checked_by, of_sandbox, reachable, run_and_report, secret_in
from publishers.conformance.server.wire import Client, Target
from publishers.conformance.software import scripts as official
from publishers.conformance.software.environment import NotStarted
from publishers.conformance.software.guided import GuidedSubject, ask_in
from publishers.conformance.software.subject import (
    Access,
    CommandSubject,
    Subject,
    SubjectFailed,
    WebhookSubject,
)

cli = typer.Typer(add_completion=False, invoke_without_command=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Folder = Annotated[Path, typer.Option("--report", help="Folder for the report's files.")]
SigningKey = Annotated[
    Path, typer.Option("--signing-key", help="Private JWK (EC P-256) that signs; made where there is none.")
]
PACKAGE = "regulation-gateway"
FOLDER, KEY = Path(".conformance/report"), Path(".conformance/signing-key.json")


@cli.callback()
def gateway_under_test(
    context: typer.Context,
    target: Annotated[str, typer.Option(help="URL of the gateway under test.")] = "",
    client_id: Annotated[str, typer.Option(help="OAuth2 client to play with.")] = "",
    client_secret_env: Annotated[str, typer.Option(help="Environment variable that holds its secret.")] = "",
    private_key: Annotated[
        Path | None, typer.Option(help="File with its private JWK, for private_key_jwt.")
    ] = None,
    sender: Annotated[str, typer.Option(help="An id the client sends for.")] = "fr.health.samu440",
    recipient: Annotated[str, typer.Option(help="An id whose inbox the client owns.")] = "fr.health.samu330",
    other_client_id: Annotated[
        str, typer.Option(help="A second publisher's client, to see that each has its own.")
    ] = "",
    other_client_secret_env: Annotated[
        str, typer.Option(help="Environment variable with that client's secret.")
    ] = "",
    sandbox: Annotated[
        Path | None, typer.Option(help="sandbox.json of a running sandbox: fills in all of these.")
    ] = None,
    max_body: Annotated[int, typer.Option(help="The gateway's limit for a body, bytes.")] = 1_048_576,
    core: Annotated[
        str, typer.Option(help="URL of a simulated core behind the gateway, to see outages.")
    ] = "",
    folder: Folder = FOLDER,
    signing_key: SigningKey = KEY,
    as_json: AsJson = False,
) -> None:
    """Certify a gateway (with --target or --sandbox), or a publisher's software (`gateway conformance software`)."""
    if context.invoked_subcommand is not None:
        return
    if sandbox is not None:
        wanted = of_sandbox(sandbox, sender, recipient)
    elif target and client_id and client_secret_env:
        other = Client(other_client_id, secret_in(other_client_secret_env)) if other_client_id else None
        key = signature.read_key(private_key) if private_key else None
        client = Client(client_id, secret_in(client_secret_env), key)
        wanted = Target(
            target.rstrip("/"), client, sender, recipient, other, core.rstrip("/"), max_body=max_body
        )
    else:
        raise typer.BadParameter("--target, --client-id and --client-secret-env are needed, or --sandbox")
    about = {
        "gateway": wanted.url,
        "client": wanted.client.client_id,
        "sender": sender,
        "recipient": recipient,
    }
    reachable(wanted.url)
    run_and_report(
        "server",
        about,
        lambda tell: server.certify(wanted, tell),
        server.ROLES,
        folder,
        signing_key,
        as_json=as_json,
    )


@cli.command(name="software")
def software_under_test(
    command: Annotated[
        str, typer.Option(help="Command that starts the software and takes instructions.")
    ] = "",
    webhook: Annotated[str, typer.Option(help="URL at which it takes instructions.")] = "",
    guided: Annotated[
        bool, typer.Option("--guided", help="A person operates it, and is told what to do.")
    ] = False,
    name: Annotated[
        str, typer.Option(help="Name and version of the software, for the report.")
    ] = "software under test",
    form: Annotated[str, typer.Option("--format", help="json or xml: in which it receives.")] = "json",
    model_version: Annotated[str, typer.Option(help="v1, v2 or v3: in which it sends and receives.")] = "v3",
    scripts: Annotated[
        Path | None, typer.Option(help="Official scripts (test_cases.json) to play too.")
    ] = None,
    samples: Annotated[Path | None, typer.Option(help="Folder with the samples that they name.")] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="sender or receiver, if it is only one of them.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Only checks whose id begins so; may be repeated.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port where the software finds the gateway; 0: any.")
    ] = 0,
    folder: Folder = FOLDER,
    signing_key: SigningKey = KEY,
    as_json: AsJson = False,
) -> None:
    """Certify a publisher's software against a private gateway behind a hostile network. See docs/how-to/certify.md."""
    if (bool(command), bool(webhook), guided).count(True) != 1:
        raise typer.BadParameter("one of --command, --webhook and --guided is needed")
    if form not in {"json", "xml"} or model_version not in schemas.VERSIONS or bool(scripts) != bool(samples):
        raise typer.BadParameter(
            "--format takes json or xml, --model-version v1, v2 or v3; --scripts and --samples go together"
        )
    console = Console(stderr=as_json)
    checks = software.CHECKS
    if scripts is not None and samples is not None:
        try:
            checks += official.checks(scripts, samples)
        except official.WrongScripts as error:
            raise typer.BadParameter(str(error)) from None
    roles = tuple(role or software.ROLES)
    if not set(roles) <= set(software.ROLES):
        raise typer.BadParameter("--role takes sender or receiver")
    checks = tuple(check for check in checks if check.requirements[0].startswith(roles))
    if only:
        checks = tuple(check for check in checks if check.id.startswith(tuple(only)))
    way = ("command", command) if command else ("webhook", webhook) if webhook else ("guided", "by hand")
    wish = software.Wish(form, model_version, port)
    about = {
        "software": name,
        way[0]: way[1],
        "format": form,
        "modelVersion": model_version,
        "roles": ", ".join(roles),
        "scripts": bool(scripts),
    }
    about |= {"gateway": f"{PACKAGE} {metadata.version(PACKAGE)}", "registration": software.SOFTWARE_ID}

    def make(access: Access) -> Subject:
        if command:
            return CommandSubject(command, access)
        return WebhookSubject(webhook, access) if webhook else GuidedSubject(access, console, ask_in(console))

    try:
        run_and_report(
            "software",
            about,
            lambda tell: software.certify(make, wish, checks, tell),
            roles,
            folder,
            signing_key,
            as_json=as_json,
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


@cli.command(name="requirements")
def show_requirements(
    markdown: Annotated[bool, typer.Option("--markdown", help="As docs/reference/requirements.md.")] = False,
    as_json: AsJson = False,
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
