"""docs/errors.md, made of the real answers to broken requests: `python -m tests.error_page` writes it."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import httpx
import orjson

from gateway.errors import ErrorKind
from tests.error_examples import BACKLOG, CLIENTS, EXAMPLES
from tests.house import house

PAGE = Path(__file__).parent.parent / "docs" / "errors.md"


async def answers() -> list[httpx.Response]:
    """The real answer to each example, each from a gateway of its own."""
    told = []
    for example in EXAMPLES:
        with tempfile.TemporaryDirectory() as folder:
            settings = {"backlog_limit": BACKLOG, "require_certification": example.require_certification}
            async with house(Path(folder), CLIENTS, **settings) as running:
                told.append(await example.act(running))
    return told


def codes(answer: httpx.Response) -> list[str]:
    """The catalogue codes of an answer's issues, each once."""
    return list(
        dict.fromkeys(issue["details"]["coding"][0]["code"] for issue in answer.json().get("issue", ()))
    )


def compact(value: Any, indent: str = "") -> str:
    """JSON text, an object or a list on one line where it fits."""
    line = orjson.dumps(value).decode()
    if len(line) + len(indent) <= 100 or not isinstance(value, dict | list):
        return line
    inner = indent + "  "
    if isinstance(value, list):
        members = [f"{inner}{compact(item, inner)}" for item in value]
        return "[\n" + ",\n".join(members) + f"\n{indent}]"
    members = [
        f"{inner}{orjson.dumps(name).decode()}: {compact(item, inner)}" for name, item in value.items()
    ]
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"


RETRY = {
    "same-id": "send the same message with the same distributionID, once what the diagnostics name is put right",
    "new-id": "correct the message and send it with a new distributionID",
    "after": "send the same bytes again after `Retry-After` seconds",
    "never": "sending it again will not help",
}
HEAD = f"""<!-- Made by `python -m tests.error_page`; a test sees when it differs. -->
# Errors, and what to do about them

Every error outside `/oauth2/` is a FHIR R4 OperationOutcome (`application/fhir+json`); a client that sends
`Accept: application/problem+json` gets the same facts as RFC 9457 problem details. All issues are told at once; the HTTP status is
that of the gravest one. `POST /v1/messages/$validate` tells them without storing anything.

Each issue has an extension `retry`, which is all that a program needs:

| retry | what to do |
|---|---|
{chr(10).join(f"| `{verb}` | {meaning} |" for verb, meaning in RETRY.items())}

An issue about a field has an extension `reference` too (a member `reference` in problem details): the URL of that field in the
[reference of messages](reference/messages/README.md), with what may stand there.

## The catalogue

| code | status | FHIR issue type | retry | Hub Santé | meaning | examples |
|---|---|---|---|---|---|---|
"""


def anchor(title: str) -> str:
    """The fragment that the page's headings get."""
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")


def page(told: list[httpx.Response]) -> str:
    """docs/errors.md: the catalogue, then every example with its answer."""
    rows = []
    for kind in ErrorKind:
        entry = kind.value
        links = [
            f"[{number}](#{anchor(f'{number} {example.title}')})"
            for number, (example, answer) in enumerate(zip(EXAMPLES, told, strict=True), 1)
            if entry.code in codes(answer)
        ]
        hub = f"{entry.hub[0]} {entry.hub[1]}" if entry.hub else ""
        rows.append(
            f"| `{entry.code}` | {entry.status} | {entry.issue_type} | `{entry.retry}` | {hub} | {entry.title} | {', '.join(links)} |"
        )
    return HEAD + "\n".join(rows) + "\n\n## Examples\n" + "".join(_sections(told))


def _sections(told: list[httpx.Response]) -> list[str]:
    made = []
    for number, (example, answer) in enumerate(zip(EXAMPLES, told, strict=True), 1):
        after = answer.headers.get("retry-after")
        status = f"{answer.status_code}, `Retry-After: {after}`" if after else str(answer.status_code)
        issues = compact(answer.json()["issue"])
        made.append(
            f"\n### {number} {example.title}\n\nBroken: {example.broken}. Answer: {status}\n\n```json\n{issues}\n```\n"
        )
    return made


if __name__ == "__main__":
    PAGE.write_text(page(asyncio.run(answers())), encoding="utf-8")
