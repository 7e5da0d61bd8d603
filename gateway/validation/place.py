"""Where an issue is: one place, written as the paths that senders read. Places are tuples of member names and indexes."""

import re

from gateway.errors import ErrorKind, Issue

Place = tuple[str | int, ...]

MESSAGE: Place = ("content", 0, "jsonContent", "embeddedJsonContent", "message")
LONG = 256
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")  # a member name that no sender can have hidden text in


def issue_at(
    kind: ErrorKind, diagnostics: str, place: Place, *, absent: str = "", severity: str = "error"
) -> Issue:
    """The issue at a place. A member that is `absent` is named by the path; the pointer leads to where it belongs."""
    path = simple_path((*place, absent) if absent else place)
    return Issue(kind, diagnostics, path, json_pointer(place), severity)


def simple_path(place: Place) -> str:
    """`content[0].jsonContent…patient[0].sex`, from the document's root.

    It ends before a member whose name is not a plain word: such a name may be anything, and a path may reach a log.
    """
    written = ""
    for part in place:
        if isinstance(part, int):
            written += f"[{part}]"
        elif PLAIN.fullmatch(part):
            written += f".{part}" if written else part
        else:
            break
    return written


def json_pointer(place: Place) -> str:
    """The place in the sender's JSON document (RFC 6901)."""
    if place and isinstance(place[-1], str) and len(place[-1]) > LONG:
        place = place[:-1]  # an unknown member with a huge name is shown by its parent
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)
