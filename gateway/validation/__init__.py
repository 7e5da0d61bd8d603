"""Message -> issues with places. Pure; schemas and code lists are compiled once a process.

`is_valid` is the official verdict on the structure alone. `judge` is the verdict a sender gets: structure, then what the
schemas do not state (coherence of envelope and header, code lists).
"""

from collections.abc import Iterable
from itertools import chain, islice

from gateway.errors import ErrorKind, Issue
from gateway.model import Message
from gateway.reference import about
from gateway.validation import bounds, coherence, structure, terms
from gateway.validation.checks import check
from gateway.validation.structure import is_valid

__all__ = ["accepts", "bounds", "check", "is_valid", "judge"]

MAX_ISSUES = 200
MAX_COUNTED = 1_000  # beyond, counting costs more than the number says


def accepts(message: Message, *, strict_codes: bool = False) -> bool:
    """Whether `judge` would find no error, for the plain messages that nearly all are. False says nothing: ask `judge`.

    Warnings are not looked for: they change no verdict.
    """
    return not strict_codes and is_valid(message) and coherence.is_plain(message) and bounds.within(message)


def judge(
    message: Message, *, strict_codes: bool = False, beyond: tuple[Issue, ...] = ()
) -> tuple[Issue, ...]:
    """Everything that is to be said about a message, all at once; () for a faultless one.

    `beyond` is what is known already and told first. The message may go on where no issue is an error. At most MAX_ISSUES are
    told, and a last one says how many more.
    """
    valid = is_valid(message)
    structural = () if valid else structure.issues(message)
    incoherent = () if valid and coherence.is_plain(message) else coherence.issues(message)
    told = _told(
        chain(
            beyond, bounds.issues(message), structural, incoherent, terms.issues(message, strict=strict_codes)
        )
    )
    return about(told, message.model_version)


def _told(found: Iterable[Issue]) -> tuple[Issue, ...]:
    rest = iter(found)
    told = tuple(islice(rest, MAX_ISSUES))
    more = sum(1 for _ in islice(rest, MAX_COUNTED)) if len(told) == MAX_ISSUES else 0
    if more:
        number = f"At least {more}" if more == MAX_COUNTED else str(more)
        text = f"{number} more issues were found and are not listed. Correct the listed ones first."
        told += (Issue(ErrorKind.SCHEMA, text, severity="information"),)
    return told
