"""Message -> issues with places. Pure; schemas and code lists are compiled once a process.

`is_valid` is the official verdict on the structure alone. `judge` is the verdict a sender gets: structure, then what the
schemas do not state (coherence of envelope and header, code lists).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from gateway.errors import ErrorKind, Issue
from gateway.model import Message
from gateway.reference import about
from gateway.validation import bounds, coherence, earth, structure, terms
from gateway.validation.checks import check
from gateway.validation.structure import is_valid

__all__ = ["Findings", "accepts", "bounds", "check", "find", "find_few", "is_valid", "judge", "tell"]

MAX_ISSUES = 200
MAX_COUNTED = 1_000  # beyond, counting costs more than the number says
FEW = 30  # issues that are told in a millisecond


def accepts(message: Message, *, strict_codes: bool = False, small: bool = False) -> bool:
    """Whether `judge` would find no error, for the plain messages that nearly all are. False says nothing: ask `judge`.

    Warnings are not looked for: they change no verdict. `small`: its body is no heavy one.
    """
    return (
        not strict_codes
        and is_valid(message)
        and coherence.is_plain(message)
        and bounds.within(message, small=small)
    )


@dataclass(frozen=True, slots=True)
class Findings:
    """What a message alone shows: the first issues, and how many more were counted. Not `complete` where only errors were
    looked for.
    """

    issues: tuple[Issue, ...] = ()
    more: int = 0
    complete: bool = True

    @property
    def good(self) -> bool:
        """Whether the message may go on."""
        return not self.issues or all(issue.severity != "error" for issue in self.issues)


def judge(
    message: Message, *, strict_codes: bool = False, beyond: tuple[Issue, ...] = ()
) -> tuple[Issue, ...]:
    """Everything that is to be said about a message, all at once; () for a faultless one.

    `beyond` is what is known already and told first. The message may go on where no issue is an error. At most MAX_ISSUES are
    told, and a last one says how many more.
    """
    return tell(find(message, strict_codes=strict_codes), message.model_version, beyond)


def find(message: Message, *, strict_codes: bool = False) -> Findings:
    """The first MAX_ISSUES issues of a message, and the number of the others up to MAX_COUNTED."""
    rest = _issues(message, strict_codes=strict_codes)
    first = tuple(islice(rest, MAX_ISSUES))
    more = sum(1 for _ in islice(rest, MAX_COUNTED)) if len(first) == MAX_ISSUES else 0
    return Findings(first, more)


def find_few(message: Message, *, strict_codes: bool = False) -> Findings | None:
    """The same where there are FEW issues at most; None where there are more, which takes long to tell."""
    first = tuple(islice(_issues(message, strict_codes=strict_codes), FEW + 1))
    return Findings(first) if len(first) <= FEW else None


def tell(findings: Findings, model_version: str, beyond: tuple[Issue, ...] = ()) -> tuple[Issue, ...]:
    """The issues as they are told: at most MAX_ISSUES, and a last one that says how many more."""
    found = (*beyond, *findings.issues)
    told, more = found[:MAX_ISSUES], findings.more + len(found[MAX_ISSUES:])
    if more:
        number = f"At least {more}" if findings.more == MAX_COUNTED else str(more)
        text = f"{number} more issues were found and are not listed. Correct the listed ones first."
        told += (Issue(ErrorKind.SCHEMA, text, severity="information"),)
    return about(told, model_version)


def _issues(message: Message, *, strict_codes: bool) -> Iterator[Issue]:
    yield from bounds.issues(message)
    valid = is_valid(message)
    if not valid:
        yield from structure.issues(message)
    if not (valid and coherence.is_plain(message)):
        yield from coherence.issues(message)
    yield from earth.issues(message)
    yield from terms.issues(message, strict=strict_codes)
