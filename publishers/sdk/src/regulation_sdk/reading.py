"""Reading the inbox: long polls, or a stream of server-sent events that falls back to long polls."""

import json
import math
from dataclasses import dataclass

from regulation_sdk import values
from regulation_sdk.core import INBOX, Call, Core
from regulation_sdk.effects import Close, Emit, Program, Read, Wait
from regulation_sdk.errors import InvalidRequest, NotFound, QuotaExceeded, Unavailable, UnexpectedAnswer
from regulation_sdk.events import EventReader

EVENT_STREAM = "text/event-stream"
IDLE = 45.0  # seconds of silence after which a stream is taken for dead; the gateway comments every 15
MARGIN = 10.0  # seconds that a long poll may take beyond its wait
PAUSE = 1.0  # seconds between empty pages that came without waiting
STREAMS_TRIED = 3  # streams that brought nothing, one after the other, before long polls are used


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read: `follow` waits for what comes, otherwise reading ends with what is there. `wait` in seconds."""

    follow: bool = True
    stream: bool = False
    wait: int = 30
    limit: int = 100
    cursor: str | None = None

    @property
    def patience(self) -> float | None:
        """Seconds that one request, or an ack, may take with all its attempts; None = as the policy has it."""
        return math.inf if self.follow else None


def read_inbox(core: Core, reading: Reading) -> Program[None]:
    """Emits InboxItem, oldest first, each once. Following, it outlasts every outage; a refusal is raised."""
    cursor = reading.cursor
    if reading.follow and reading.stream:
        cursor = yield from _stream(core, cursor)
    while True:
        page = yield from _page(core, reading, cursor)
        for item in page.items:
            yield Emit(item)
        if not page.items and not reading.follow:
            return
        cursor = page.cursor


def _page(core: Core, reading: Reading, cursor: str | None) -> Program[values.InboxPage]:
    wait = reading.wait if reading.follow else 0
    query = {"limit": str(reading.limit)}
    if wait:
        query["wait"] = str(wait)
    if cursor is not None:
        query["cursor"] = cursor
    asked = core.timing.now()
    answer = yield from core.call(
        Call("GET", INBOX, query, deadline=reading.patience, timeout=max(core.policy.timeout, wait + MARGIN))
    )
    page = values.read(answer, values.inbox_page)
    if reading.follow and not page.items and core.timing.now() - asked < PAUSE:
        yield Wait(PAUSE)
    return page


def _stream(core: Core, cursor: str | None) -> Program[str | None]:
    """Emits items until streams turn out not to serve; the cursor to go on from."""
    barren = 0
    while barren < STREAMS_TRIED:
        headers = {"Accept": f"{EVENT_STREAM}, application/fhir+json"}
        if cursor is not None:
            headers["Last-Event-ID"] = cursor
        call = Call("GET", f"{INBOX}/stream", headers=headers, timeout=IDLE, stream=True)
        try:
            answer = yield from core.call(call)
        except (NotFound, InvalidRequest, UnexpectedAnswer):
            return cursor
        except (Unavailable, QuotaExceeded):
            barren += 1
            continue
        if not answer.headers.get("Content-Type", "").startswith(EVENT_STREAM):
            yield Close(answer.stream)
            return cursor
        found, cursor = yield from _events(answer.stream, cursor)
        barren = 0 if found else barren + 1
        if barren:
            yield Wait(core.policy.backoff(barren, core.timing.random()))
    return cursor


def _events(stream: object, cursor: str | None) -> Program[tuple[bool, str | None]]:
    """Emits the items of one stream; whether it brought anything, comments too, and the cursor after it."""
    reader, found = EventReader(), False
    while True:
        chunk: bytes | None = yield Read(stream)
        if chunk is None:
            yield Close(stream)
            return found, cursor
        for event in reader.feed(chunk):
            if event.type == "message":
                yield Emit(_item(event.data))
                cursor = event.id or cursor
        found = True


def _item(data: str) -> values.InboxItem:
    try:
        return values.inbox_item(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnexpectedAnswer("an event of the inbox stream is no inbox item") from error
