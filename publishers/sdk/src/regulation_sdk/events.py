"""Server-sent events (WHATWG HTML, section 9.2.6) out of bytes as they come."""

import codecs
import re
from dataclasses import dataclass, field

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its type, its data, and the last id that the stream named up to it."""

    type: str
    data: str = field(repr=False)
    id: str


class EventReader:
    """Bytes in, events out; chunks may be cut anywhere."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._rest = ""
        self._type, self._data, self._id = "", [""][:0], ""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completes."""
        text = self._rest + self._decoder.decode(chunk)
        # a carriage return at the end may be half of a line end
        held = text[-1:] if text.endswith("\r") else ""
        lines = _LINE_END.split(text[: len(text) - len(held)])
        self._rest = lines.pop() + held
        return [event for line in lines if (event := self._line(line))]

    def _line(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> Event | None:
        data, kind = "\n".join(self._data), self._type or "message"
        had_data = bool(self._data)
        self._data, self._type = [], ""
        return Event(kind, data, self._id) if had_data else None
