"""Message files on the command line: which they are, what each is, and what is said of it."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway import edxl, intake, validation
from gateway.errors import ErrorKind, Issue, Refused
from gateway.model import Message

STDIN = "-"
SUFFIXES = {".json": edxl.JSON, ".xml": edxl.XML}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `gateway validate` says of one file."""

    file: str
    message_type: str
    model_version: str
    issues: tuple[Issue, ...]

    @property
    def valid(self) -> bool:
        """Whether no issue is an error."""
        return all(issue.severity != "error" for issue in self.issues)


def found(paths: Iterable[str]) -> Iterator[str]:
    """The files that the paths name: folders stand for the message files below them, `-` for standard input."""
    for path in paths:
        if path != STDIN and Path(path).is_dir():
            yield from sorted(str(p) for p in Path(path).rglob("*") if p.suffix.lower() in SUFFIXES)
        else:
            yield path


def read(path: str, model_version: str) -> Message:
    """The message in a file: EDXL-DE in JSON or XML, or a canonical Bundle. Raises Refused where it is none, OSError."""
    body = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    media_type = edxl.XML if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else edxl.JSON
    message = intake.decode(body, media_type, model_version)
    is_bundle = message.document.get("resourceType") == "Bundle"
    return intake.from_bundle(body) if is_bundle else intake.with_digits(message, body)


def judge(path: str, model_version: str, *, strict: bool) -> Verdict:
    """The verdict on one file. What cannot be read is a verdict too."""
    try:
        message = read(path, model_version)
    except Refused as refusal:
        return Verdict(path, "", model_version, refusal.issues)
    except OSError as error:
        return Verdict(path, "", model_version, (Issue(ErrorKind.UNREADABLE, f"{error.strerror}."),))
    issues = validation.judge(message, strict_codes=strict)
    return Verdict(path, message.message_type, message.model_version, issues)
