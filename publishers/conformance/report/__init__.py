"""A report on the disk: `report.json`, its detached signature `report.json.jws`, and what is made from it for people and CI.

Only `report.json` is signed. `junit.xml` and `report.html` follow from it byte by byte, and `verify` makes them anew to see
whether they still do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from publishers.conformance.report import signature
from publishers.conformance.report.html import page
from publishers.conformance.report.junit import junit
from publishers.conformance.results import Report, parse

JsonObject = dict[str, Any]
REPORT, SIGNATURE, JUNIT, HTML = "report.json", "report.json.jws", "junit.xml", "report.html"


class NotIntact(Exception):
    """A report that is not what was signed; the text says which file, and why."""


@dataclass(frozen=True, slots=True)
class Verified:
    """An intact report, with the thumbprint (RFC 7638) of the key that signed it."""

    report: Report
    thumbprint: str


def write(folder: Path, report: Report, key: JsonObject) -> None:
    """Write the report's four files into a folder, signed with a private JWK (EC P-256)."""
    folder.mkdir(parents=True, exist_ok=True)
    body = rendered(report)
    for name, content in body.items():
        (folder / name).write_bytes(content)
    (folder / SIGNATURE).write_text(signature.sign(body[REPORT], key) + "\n")


def verify(path: Path, key: JsonObject | None) -> Verified:
    """The report in a folder, or a `report.json` with its signature beside it. `key` is the public JWK that must have signed.

    Without `key` the signature is checked against the key that it names itself: the report is then intact, and who signed it
    is for the reader to judge by the thumbprint. Raises NotIntact, and OSError where a file is missing.
    """
    file = path / REPORT if path.is_dir() else path
    body = file.read_bytes()
    compact = file.with_name(file.name + ".jws").read_text(encoding="ascii", errors="replace").strip()
    try:
        thumbprint = signature.verify(body, compact, key)
        report = parse(orjson.loads(body))
    except ValueError as error:
        raise NotIntact(f"{file}: {error}") from None
    expected = rendered(report)
    for name in (JUNIT, HTML):
        beside = file.with_name(name)
        if beside.exists() and beside.read_bytes() != expected[name]:
            raise NotIntact(f"{beside}: it does not say what the signed report says")
    return Verified(report, thumbprint)


def rendered(report: Report) -> Mapping[str, bytes]:
    """The report's files by name, without the signature."""
    document = report.document()
    return {
        REPORT: orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n",
        JUNIT: junit(report),
        HTML: page(document),
    }
