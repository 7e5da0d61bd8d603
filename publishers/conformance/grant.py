"""From a signed report to the lines of a registration that say what its software is certified for."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from publishers.conformance import report

JsonObject = dict[str, Any]


class NotGranted(Exception):
    """A report that certifies nothing; the text says why."""


def granted(path: Path, key: JsonObject, days: int) -> str:
    """The table `[certification]` of publishers/registry/*.toml, valid so many days from the end of the run.

    `key` is the public JWK that must have signed the report. Raises NotIntact, NotGranted, and OSError.
    """
    found = report.verify(path, key).report
    if not found.certifies:
        raise NotGranted(
            f"{path}: this report certifies nothing: it is of a {found.kind}, its verdict is {found.verdict}. "
            "Only a passed run of software that sends does."
        )
    body = (path / report.REPORT if path.is_dir() else path).read_bytes()
    until = (datetime.fromisoformat(found.ended_at).astimezone(UTC) + timedelta(days=days)).date()
    return (
        "[certification]\n"
        f'report = "{hashlib.sha256(body).hexdigest()}"\n'
        f"valid_until = {until.isoformat()}\n"
        f"types = {json.dumps(list(found.certifies))}\n"
    )
