"""The message that every benchmark sends: an RS-EDA of about 2.9 kB, with a fresh id and case each time."""

from datetime import UTC, datetime
from functools import cache

import orjson

from publishers.sandbox import messages

SENDER, RECIPIENT = "fr.health.samu440", "fr.health.samu750"
PLACE = b"@@@@@@@@@@@@@@@@"  # 16 bytes, replaced by as many characters of a unique name


@cache
def template() -> bytes:
    """The whole body; `PLACE` stands wherever the name goes: in distributionID and messageId, and in the caseId."""
    name = PLACE.decode()
    return orjson.dumps(messages.case(SENDER, RECIPIENT, datetime.now(UTC), name, f".{name}"))


def body(name: str) -> bytes:
    """One message. `name` has 16 letters and digits."""
    return template().replace(PLACE, name.encode())
