"""One attempt at one webhook: a POST, and what its answer means."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp
import httpx

from gateway.core.fhir import retry_after
from gateway.webhooks.network import ForbiddenAddressError

MAX_ANSWER = 4_096  # bytes of an answer that are read, so that the connection can be used again
GONE = 410
BUSY = (429, 503)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt. `cause` names the failure for a log, "" = the endpoint has it. `retry_after` in seconds."""

    cause: str = ""
    gone: bool = False
    retry_after: float | None = None


async def send(
    client: httpx.AsyncClient, url: str, content: bytes, headers: dict[str, str], seconds: float, now: float
) -> Answer:
    """POST an event. The whole exchange takes `seconds` at most; `now` is POSIX seconds. Raises nothing.

    A redirect is a failure: it is not followed.
    """
    answer = None
    try:
        async with asyncio.timeout(seconds):
            async with client.stream("POST", url, content=content, headers=headers) as response:
                answer = judge(response.status_code, response.headers.get("Retry-After"), now)
                await _read(response)
    except Exception as error:  # noqa: BLE001 - whatever the other side makes a library raise: the attempt failed
        return answer or Answer(name(error))
    return answer


def judge(status: int, asked: str | None, now: float) -> Answer:
    """What an answer's status and Retry-After mean (Standard Webhooks, "Delivery")."""
    if 200 <= status < 300:
        return Answer()
    wait = retry_after(asked, now) if status in BUSY else None
    return Answer(f"HTTP {status}", gone=status == GONE, retry_after=wait)


def name(error: BaseException) -> str:
    """What a failure is called. The text of an exception is left out: it may quote a URL."""
    if any(isinstance(one, ForbiddenAddressError) for one in _causes(error)):
        return "ForbiddenAddress"
    told = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    return type(told).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


async def _read(response: httpx.Response) -> None:
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > MAX_ANSWER:
            return
