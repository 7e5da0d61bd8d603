"""What the library's logic asks of the outside world. The logic is generators that yield these values and are sent the
outcomes; `client` and `async_client` carry them out, one blocking, one not. So there is one logic, and it can be tested
without a network or a clock.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send one HTTP request. Outcome: Answer or Lost. `timeout` in seconds, for the whole exchange.

    With `stream` an answer of 200 comes back with its body unread behind `Answer.stream`.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)
    timeout: float = 30.0
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. Header names are looked up without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)
    stream: Any = None


@dataclass(frozen=True, slots=True)
class Lost:
    """There was no whole answer. `sent`: the request may have arrived all the same. `hopeless`: it will not get better."""

    reason: str
    sent: bool = True
    hopeless: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Token:
    """Get an access token other than `refused`. Outcome: a Bearer, or the Failure of the one attempt to get it."""

    refused: str
    timeout: float


@dataclass(frozen=True, slots=True)
class Read:
    """Read on in a stream. Outcome: bytes, or None once it has ended or broken."""

    stream: Any


@dataclass(frozen=True, slots=True)
class Close:
    """Close a stream."""

    stream: Any


@dataclass(frozen=True, slots=True)
class Emit:
    """Hand a value to whoever iterates."""

    value: Any


Effect = Exchange | Wait | Token | Read | Close | Emit
Program = Generator[Effect, Any, T]


@dataclass(frozen=True, slots=True)
class Timing:
    """Where time and chance come from. Tests give their own.

    `now` counts seconds from anywhere and never jumps; `wall` is POSIX seconds; `random` is from 0 to below 1.
    """

    now: Callable[[], float]
    wall: Callable[[], float]
    random: Callable[[], float]
