"""What a caller hands over as a message, as the bytes and the media type that go on the wire."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON, XML, FHIR = "application/json", "application/xml", "application/fhir+json"
Message = Mapping[str, Any] | str | bytes
_URGENT = re.compile(rb'"priority"\s*:\s*"P[01]"|<(?:\w+:)?priority>\s*P[01]\s*<')


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes that every attempt sends."""

    content: bytes = field(repr=False)
    media_type: str

    @property
    def urgent(self) -> bool:
        """Whether it holds a case of priority P0 or P1, which may use the quota's reserve."""
        return _URGENT.search(self.content) is not None


def body_of(message: Message, media_type: str | None = None) -> Body:
    """A mapping is written as JSON; text and bytes go as they are. The media type is found out where it is not given: a Bundle
    is `application/fhir+json`, what begins with `<` is `application/xml`.

    >>> body_of({"distributionID": "fr.health.samu440_1"}).media_type
    'application/json'
    >>> body_of("<edxlDistribution/>").media_type
    'application/xml'
    """
    if isinstance(message, Mapping):
        content = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        found = FHIR if message.get("resourceType") == "Bundle" else JSON
        return Body(content, media_type or found)
    content = message.encode() if isinstance(message, str) else bytes(message)
    return Body(content, media_type or _guess(content))


def _guess(content: bytes) -> str:
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        return XML
    return FHIR if re.search(rb'"resourceType"\s*:\s*"Bundle"', content) else JSON
