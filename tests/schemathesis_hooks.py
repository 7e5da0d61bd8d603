"""What Schemathesis cannot read from the contract: how an XML body is sent, and how long a test may wait."""

from typing import Any

import schemathesis

LONGEST_WAIT = 60  # seconds, the contract's own bound


@schemathesis.serializer("application/xml")
def xml(ctx: Any, value: Any) -> bytes:
    """The document as it is; Schemathesis would wrap the string into an element of its own."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Shorten a sound `wait` to a second; an unsound one is sent as it is."""
    wait = str((case.query or {}).get("wait", ""))
    if wait.isascii() and wait.isdigit() and 1 < int(wait) <= LONGEST_WAIT:
        case.query["wait"] = "1"
