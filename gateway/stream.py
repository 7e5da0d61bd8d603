"""The inbox as server-sent events (WHATWG HTML, section 9.2): one item an event, the event's id its cursor."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.errors import GatewayError, QuotaExceeded
from gateway.model import InboxItem, Publisher
from gateway.parameters import MAX_CURSOR, MAX_DIGITS, integer, refuse_header
from gateway.runtime import Runtime, authenticate, require_still
from gateway.views import item_json

SCOPE = "inbox.read"
KEEP_ALIVE_SECONDS = 15.0  # a comment keeps proxies from closing a silent stream
BATCH = 100
NO_ROOM_SECONDS = 1.0  # before the next look, where this publisher's other pages take all the room
EVENT_STREAM = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx, too, passes each event on


async def stream_inbox(runtime: Runtime, request: Request) -> Response:
    """`GET /v1/inbox/stream`: what waits, then what comes. `Last-Event-ID` or `cursor` goes on after an event;
    unacknowledged items stay, so that a stream without either starts with the oldest.
    """
    publisher = await authenticate(runtime, request, SCOPE)
    cursor = start(request)
    if request.method == "HEAD":  # its answer has no body that could tell when the client goes
        return Response(media_type=EVENT_STREAM, headers=HEADERS)
    return Stream(runtime, publisher, events(runtime, request, publisher, cursor))


class Stream(StreamingResponse):
    """The answer; it counts as open for as long as it is being sent. Raises QuotaExceeded (429) where too many are."""

    def __init__(self, runtime: Runtime, publisher: Publisher, content: AsyncGenerator[bytes]) -> None:
        super().__init__(content, media_type=EVENT_STREAM, headers=HEADERS)
        self._content = content
        self._room = runtime.readers.room(publisher)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._room:
            async with aclosing(self._content):  # its page is let go when the client goes
                await super().__call__(scope, receive, send)


def start(request: Request) -> int:
    """The cursor after which to go on: `Last-Event-ID`, else the parameter `cursor`, else 0. Raises Refused (400)."""
    cursor = integer(request, "cursor", 0, 0, MAX_CURSOR)
    text = request.headers.get("last-event-id")
    if text is None:
        return cursor
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise refuse_header("Last-Event-ID", "send the id of an event of this stream")
    return int(text)


async def events(
    runtime: Runtime, request: Request, publisher: Publisher, cursor: int
) -> AsyncGenerator[bytes]:
    """The stream's bytes, until the client goes, its token is no longer good, or the gateway stops.

    A page of items counts as held until its last one is taken. Where other pages take all the room, the stream waits.
    """
    while await still_welcome(runtime, request) and not await request.is_disconnected():
        items = await runtime.store.read_inbox(publisher.id, cursor, BATCH)
        if not items:
            yield b": waiting\n\n"
            if not await runtime.store.wait_inbox(publisher.id, cursor, KEEP_ALIVE_SECONDS):
                return
            continue
        try:
            with runtime.readers.page(publisher, size(items)):
                for item in items:
                    if not await still_welcome(runtime, request):  # a client may take long to read a page
                        return
                    cursor = item.cursor
                    yield b"id: %d\nevent: message\ndata: %b\n\n" % (cursor, orjson.dumps(item_json(item)))
        except QuotaExceeded:
            yield b": waiting\n\n"
            await asyncio.sleep(NO_ROOM_SECONDS)


def size(items: list[InboxItem]) -> int:
    """The bytes of their contents."""
    return sum(len(item.delivery.content) for item in items)


async def still_welcome(runtime: Runtime, request: Request) -> bool:
    """Whether the stream's token would open it now: expiry, suspension and revocation end a stream."""
    try:
        await require_still(runtime, request, SCOPE)
    except GatewayError:
        return False
    return True
