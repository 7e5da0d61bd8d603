"""What the core reads of a canonical Bundle: enough to know it again, and to route it."""

from dataclasses import dataclass
from typing import Any

import orjson

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bundle:
    """An accepted Bundle. `index` counts the content items of one EDXL-DE message that became several Bundles."""

    distribution_id: str
    index: int
    message_type: str
    recipient: str
    body: bytes

    @property
    def key(self) -> tuple[str, int]:
        """What two Bundles have in common that are the same."""
        return self.distribution_id, self.index


def read(body: bytes) -> Bundle:
    """Raises ValueError, whose text names places only, where the body is no Bundle of type message."""
    try:
        bundle = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError("the body is not JSON") from None
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise ValueError("resourceType is not Bundle")
    if bundle.get("type") != "message":
        raise ValueError("Bundle.type is not message")
    try:
        header = bundle["entry"][0]["resource"]
        found = Bundle(
            bundle["identifier"]["value"],
            _content_index(header),
            header["eventCoding"]["code"],
            _recipient(header),
            body,
        )
    except (KeyError, IndexError, TypeError, AttributeError, StopIteration):
        raise ValueError("Bundle.identifier or the MessageHeader in Bundle.entry[0] cannot be read") from None
    if header["resourceType"] != "MessageHeader" or not all(
        isinstance(text, str) and text
        for text in (found.distribution_id, found.message_type, found.recipient)
    ):
        raise ValueError(
            "Bundle.identifier.value, eventCoding or destination of the MessageHeader is missing"
        )
    return found


def _extension(element: JsonObject, name: str) -> JsonObject:
    return next((x for x in element.get("extension", ()) if x["url"].rpartition("/")[2] == name), {})


def _recipient(header: JsonObject) -> Any:
    """The addressed recipient: the envelope's explicit address, else the first destination."""
    address = _extension(_extension(header, "explicit-address"), "value").get("valueString")
    return address or header["destination"][0]["receiver"]["identifier"]["value"]


def _content_index(header: JsonObject) -> int:
    place = _extension(_extension(header, "content-index"), "i")
    return next((int(value) for name, value in place.items() if name.startswith("value")), 0)
