"""Reading a request's body within bounds of size and time."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from gateway.errors import ErrorKind, Issue, Refused
from gateway.headers import header

READ_SECONDS = 30.0  # a body that takes longer is a stalled client's
DRAIN_SECONDS = 10.0


async def read_body(request: Request, limit: int, max_drain: int, seconds: float = READ_SECONDS) -> bytes:
    """The whole body, at most `limit` bytes. Raises Refused (413) where it is larger or does not come in time.

    A body over the limit is read and thrown away up to `max_drain` bytes, so that the client sees the answer; beyond
    that the connection is closed.
    """
    declared = int(header(request.scope, b"content-length") or 0)
    if declared > max_drain:
        raise _too_large(limit, close=True)
    kept: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(DRAIN_SECONDS if declared > limit else seconds):
            more = True
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk, more = message.get("body", b""), message.get("more_body", False)
                size += len(chunk)
                if size <= limit:
                    kept.append(chunk)
                elif size > max_drain:
                    raise _too_large(limit, close=True)
    except TimeoutError:
        raise _too_large(limit, close=True) from None
    if size > limit:
        raise _too_large(limit, close=False)
    return b"".join(kept)


def _too_large(limit: int, *, close: bool) -> Refused:
    issue = Issue(
        ErrorKind.TOO_LARGE, f"The body is over {limit} bytes, or came too slowly. Send a smaller message."
    )
    return Refused(issue, headers={"Connection": "close"} if close else {})
