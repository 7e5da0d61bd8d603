"""The inbox as server-sent events (WHATWG HTML, section 9.2): one item an event, the event's id its cursor."""

from collections.abc import AsyncIterator

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.errors import GatewayError
from gateway.model import Publisher
from gateway.parameters import refuse
from gateway.runtime import Runtime, authenticate
from gateway.views import item_json

SCOPE = "inbox.read"
KEEP_ALIVE_SECONDS = 15.0  # a comment keeps proxies from closing a silent stream
BATCH = 100


async def stream_inbox(runtime: Runtime, request: Request) -> Response:
    """`GET /v1/inbox/stream`: what waits, then what comes. `Last-Event-ID` goes on after an event; unacknowledged items
    stay, so that a stream without it starts with the oldest.
    """
    publisher = await authenticate(runtime, request, SCOPE)
    cursor = last_event_id(request)
    return StreamingResponse(
        events(runtime, request, publisher, cursor),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


def last_event_id(request: Request) -> int:
    """The cursor after which to go on, 0 without the header. Raises Refused (400)."""
    text = request.headers.get("last-event-id", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise refuse("Last-Event-ID", "send the id of an event of this stream")
    return int(text)


async def events(
    runtime: Runtime, request: Request, publisher: Publisher, cursor: int
) -> AsyncIterator[bytes]:
    """The stream's bytes, until the client goes or its token is no longer good."""
    while await still_welcome(runtime, request):
        items = await runtime.store.read_inbox(publisher.id, cursor, BATCH)
        for item in items:
            cursor = item.cursor
            yield b"id: %d\nevent: message\ndata: %b\n\n" % (cursor, orjson.dumps(item_json(item)))
        if not items:
            yield b": waiting\n\n"
            await runtime.store.wait_inbox(publisher.id, cursor, KEEP_ALIVE_SECONDS)


async def still_welcome(runtime: Runtime, request: Request) -> bool:
    """Whether the stream's token would open it now: expiry, suspension and revocation end a stream."""
    try:
        await runtime.guard.authenticate(request.headers.get("authorization"), runtime.now(), SCOPE)
    except GatewayError:
        return False
    return not await request.is_disconnected()
