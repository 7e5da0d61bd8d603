"""Reading a request's body within bounds of size and time."""

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from gateway.errors import ErrorKind, Issue, Refused
from gateway.headers import header

READ_SECONDS = 30.0  # a body that takes longer is a stalled client's
DRAIN_SECONDS = 10.0


async def read_body(request: Request, limit: int, max_drain: int, seconds: float = READ_SECONDS) -> bytes:
    """The whole body, at most `limit` bytes. Raises Refused: 413 where it is larger, 408 where it does not come in time, 400
    where it is shorter than declared, 415 where it is compressed.

    A body over the limit is read and thrown away up to `max_drain` bytes, so that the client sees the answer; beyond
    that the connection is closed.
    """
    refuse_coding(request)
    declared = int(header(request.scope, b"content-length") or 0)
    if declared > max_drain or (declared > limit and waits_for_100(request)):
        raise _too_large(limit, close=True)
    message = await request.receive()
    whole: bytes = message.get("body", b"")
    if not message.get("more_body", True) and declared <= len(whole) <= limit:
        return whole  # as mostly: a timer would cost more than the reading
    return await _read_on(request, message, declared, limit, max_drain, seconds)


async def _read_on(
    request: Request, message: Message, declared: int, limit: int, max_drain: int, seconds: float
) -> bytes:
    """The body of which `message` is the first part."""
    kept: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(DRAIN_SECONDS if declared > limit else seconds):
            while True:
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk, more = message.get("body", b""), message.get("more_body", False)
                size += len(chunk)
                if size <= limit:
                    kept.append(chunk)
                elif size > max_drain:
                    raise _too_large(limit, close=True)
                if not more:
                    break
                message = await request.receive()
    except TimeoutError:
        raise (_too_large(limit, close=True) if size > limit or declared > limit else late()) from None
    if size > limit:
        raise _too_large(limit, close=False)
    if size < declared:
        raise not_arrived()
    return b"".join(kept)


def refuse_coding(request: Request) -> None:
    """Raises Refused (415) where the body has a content coding, such as gzip (RFC 9110, section 15.5.16)."""
    coding = header(request.scope, b"content-encoding")
    if coding is not None and coding.strip().lower() not in ("", "identity"):
        raise Refused(
            Issue(
                ErrorKind.MEDIA_TYPE,
                f"Found Content-Encoding {coding[:40]!r}; send the body as it is, without compression.",
            ),
            headers={"Accept-Encoding": "identity"},
        )


def waits_for_100(request: Request) -> bool:
    """Whether the client sends the body only once it is asked to (RFC 9110, section 10.1.1)."""
    return header(request.scope, b"expect") is not None


def late() -> Refused:
    """A refusal (408) of a request that did not come in time."""
    return Refused(
        Issue(ErrorKind.LATE, "The request did not come in time. Send the same again."),
        headers={"Connection": "close"},
    )


def not_arrived() -> Refused:
    """A refusal (400) of a body that ended before its declared end: nothing is made of a part of it."""
    return Refused(
        Issue(ErrorKind.MALFORMED, "The body ended before its declared end. Send the whole request again."),
        headers={"Connection": "close"},
    )


def _too_large(limit: int, *, close: bool) -> Refused:
    issue = Issue(ErrorKind.TOO_LARGE, f"The body is over {limit} bytes. Send a smaller message.")
    return Refused(issue, headers={"Connection": "close"} if close else {})
