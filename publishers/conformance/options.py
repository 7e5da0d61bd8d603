"""The options of `gateway conformance …`, as its help shows them."""

from pathlib import Path
from typing import Annotated

import typer

FOLDER, KEY = Path(".conformance/report"), Path(".conformance/signing-key.json")

# of every run
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Folder = Annotated[Path, typer.Option("--report", help="Folder for the report's files.")]
SigningKey = Annotated[
    Path, typer.Option("--signing-key", help="Private JWK (EC P-256) that signs; made where there is none.")
]

# of a gateway under test
TargetUrl = Annotated[str, typer.Option(help="URL of the gateway under test.")]
ClientId = Annotated[str, typer.Option(help="OAuth2 client to play with.")]
SecretVariable = Annotated[str, typer.Option(help="Environment variable that holds its secret.")]
PrivateKey = Annotated[Path | None, typer.Option(help="File with its private JWK, for private_key_jwt.")]
Sender = Annotated[str, typer.Option(help="An id the client sends for.")]
Recipient = Annotated[str, typer.Option(help="An id whose inbox the client owns.")]
OtherClientId = Annotated[
    str, typer.Option(help="A second publisher's client, to see that each has its own.")
]
OtherSecretVariable = Annotated[str, typer.Option(help="Environment variable with that client's secret.")]
Sandbox = Annotated[
    Path | None, typer.Option(help="sandbox.json of a running sandbox: fills in all of these.")
]
MaxBody = Annotated[int, typer.Option(help="The gateway's limit for a body, bytes.")]
Core = Annotated[str, typer.Option(help="URL of a simulated core behind the gateway, to see outages.")]

# of software under test
Command = Annotated[str, typer.Option(help="Command that starts the software and takes instructions.")]
Webhook = Annotated[str, typer.Option(help="URL at which it takes instructions.")]
Guided = Annotated[bool, typer.Option("--guided", help="A person operates it, and is told what to do.")]
Name = Annotated[str, typer.Option(help="Name and version of the software, for the report.")]
Format = Annotated[str, typer.Option("--format", help="json or xml: in which it receives.")]
ModelVersion = Annotated[str, typer.Option(help="v1, v2 or v3: in which it sends and receives.")]
Scripts = Annotated[Path | None, typer.Option(help="Official scripts (test_cases.json) to play too.")]
Samples = Annotated[Path | None, typer.Option(help="Folder with the samples that they name.")]
Roles = Annotated[list[str] | None, typer.Option(help="sender or receiver, if it is only one of them.")]
Only = Annotated[list[str] | None, typer.Option(help="Only checks whose id begins so; may be repeated.")]
Port = Annotated[
    int, typer.Option(min=0, max=65_535, help="Port where the software finds the gateway; 0: any.")
]
