"""Where an issue is: one place, written as the paths that senders read. Places are tuples of member names and indexes."""

import re

from gateway.errors import ErrorKind, Issue

Place = tuple[str | int, ...]

MESSAGE: Place = ("content", 0, "jsonContent", "embeddedJsonContent", "message")
MESSAGE_PATH = "content[0].jsonContent.embeddedJsonContent.message"  # nearly every place begins there
MESSAGE_POINTER = "/content/0/jsonContent/embeddedJsonContent/message"
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
    path = ""
    if place[: len(MESSAGE)] == MESSAGE:
        path, place = MESSAGE_PATH, place[len(MESSAGE) :]
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
        elif PLAIN.fullmatch(part):
            path += f".{part}" if path else part
        else:
            break
    return path


def json_pointer(place: Place) -> str:
    """The place in the sender's JSON document (RFC 6901)."""
    if place and isinstance(place[-1], str) and len(place[-1]) > LONG:
        place = place[:-1]  # an unknown member with a huge name is shown by its parent
    pointer = ""
    if place[: len(MESSAGE)] == MESSAGE:
        pointer, place = MESSAGE_POINTER, place[len(MESSAGE) :]
    for part in place:
        pointer += f"/{part}" if isinstance(part, int) else "/" + part.replace("~", "~0").replace("/", "~1")
    return pointer
