"""What the gateway tells of quotas in its headers (IETF draft-ietf-httpapi-ratelimit-headers) and of waiting."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_WINDOW = re.compile(r'"([^"]{1,64})"((?:\s*;\s*[a-z]+=[0-9]{1,15})*)')
TOLERANCE = 30.0  # seconds that clocks may differ without harm
_PARAMETER = re.compile(r"([a-z]+)=([0-9]+)")


class Windows:
    """What is left of each quota window, as far as the last answers tell. Times are seconds of the caller's clock."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[int, float]] = {}  # name -> what is left, and when the window ends

    def note(self, headers: Mapping[str, str], now: float) -> None:
        """Take over what an answer says in `RateLimit`; without the field nothing changes."""
        for name, remaining, seconds in rate_limit(headers.get("RateLimit", "")):
            self._left[name] = (remaining, now + seconds)

    def spend(self) -> None:
        """One message is about to be sent."""
        for name, (remaining, end) in list(self._left.items()):
            self._left[name] = (remaining - 1, end)

    def wait(self, now: float) -> float:
        """Seconds until every window that is known to be spent has ended."""
        return max(
            (end - now for left, end in list(self._left.values()) if left <= 0 and end > now), default=0.0
        )


def rate_limit(field: str) -> list[tuple[str, int, int]]:
    """The windows of a `RateLimit` field: name, what is left, seconds to its end. What cannot be read is left out."""
    windows = []
    for name, parameters in _WINDOW.findall(field):
        facts = dict(_PARAMETER.findall(parameters))
        if "r" in facts and "t" in facts:
            windows.append((name, int(facts["r"]), int(facts["t"])))
    return windows


def clock_difference(headers: Mapping[str, str], wall: float) -> float:
    """Seconds that the server's clock is ahead of `wall`, by its `Date`; 0 where that is less than half a minute."""
    try:
        ahead = parsedate_to_datetime(headers.get("Date", "")).timestamp() - wall
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return ahead if abs(ahead) >= TOLERANCE else 0.0


def retry_after(headers: Mapping[str, str], wall: float) -> float | None:
    """Seconds that `Retry-After` asks for (RFC 9110, section 10.2.3), else those until spent windows end, else None."""
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    if value:
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - wall)
        except (ValueError, OverflowError):
            return None
    spent = [seconds for _, left, seconds in rate_limit(headers.get("RateLimit", "")) if left <= 0]
    return float(max(spent)) if spent else None
