"""The client for asyncio: carries out the programs of `core` over httpx.AsyncClient."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar, final

import httpx

from regulation_sdk import values
from regulation_sdk.bodies import Message
from regulation_sdk.core import Core
from regulation_sdk.credentials import Credentials
from regulation_sdk.deliveries import AsyncDelivery
from regulation_sdk.effects import (
    Answer,
    Close,
    Effect,
    Emit,
    Exchange,
    Lost,
    Program,
    Read,
    Timing,
    Token,
    Wait,
)
from regulation_sdk.reading import Reading, read_inbox
from regulation_sdk.retry import RetryPolicy
from regulation_sdk.tokens import Bearer
from regulation_sdk.transport import CLOCK, PATIENCE, PLAIN_ACK, POOL, AsyncStream, timeouts, to_lost
from regulation_sdk.values import Ack, Acknowledgement, InboxItem

T = TypeVar("T")


@final
class AsyncClient:
    """A publisher's connection to the gateway, for one event loop.

    `transport` is httpx's: for a proxy, own certificates or tests. `timing` and `sleep` are for tests.
    Every method raises GatewayError (see `errors`) where the gateway refuses, or does not answer until the deadline.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        retry: RetryPolicy = PATIENCE,
        transport: httpx.AsyncBaseTransport | None = None,
        timing: Timing = CLOCK,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._core = Core(base_url, credentials, retry, timing)
        self._http = httpx.AsyncClient(transport=transport, limits=POOL)
        self._sleep = sleep
        self._renewing = asyncio.Lock()

    async def send(
        self,
        message: Message,
        *,
        media_type: str | None = None,
        model_version: str | None = None,
        deadline: float | None = None,
        request_id: str | None = None,
    ) -> values.Receipt:
        """Send one message: an EDXL-DE distribution as a mapping, JSON or XML, or a canonical Bundle.

        The same bytes are sent until there is a receipt, `deadline` seconds at most; the gateway stores them once. Raises
        InvalidMessage, DuplicateId, Expired, QuotaExceeded, Unavailable, PermissionDenied, AuthenticationError.
        """
        return await self._run(self._core.send(message, media_type, model_version, deadline, request_id))

    async def validate(
        self, message: Message, *, media_type: str | None = None, model_version: str | None = None
    ) -> values.Validation:
        """Everything that is wrong with a message; nothing is stored. Raises InvalidMessage where it cannot be read at all."""
        return await self._run(self._core.validate(message, media_type, model_version))

    async def translate(
        self,
        message: Message,
        *,
        to: str,
        version: str | None = None,
        format: str | None = None,  # noqa: A002 - the parameter's name in the contract
        media_type: str | None = None,
        model_version: str | None = None,
    ) -> values.Translation:
        """A message as `to="fhir"`, or as a message type in a version and format ("json", "xml"), and what gets lost."""
        return await self._run(self._core.translate(message, to, version, format, media_type, model_version))

    async def get(self, message_id: str) -> values.MessageStatus:
        """Where a message stands, by its receipt's id. Raises NotFound."""
        return await self._run(self._core.get(message_id))

    def list(
        self,
        *,
        status: str | None = None,
        message_type: str | None = None,
        case: str | None = None,
        limit: int = 100,
    ) -> AsyncIterator[values.Receipt]:
        """All messages of this publisher, newest first; pages of `limit` are fetched as they are needed."""
        return self._iterate(self._core.list(status, message_type, case, limit))

    async def quota(self) -> tuple[values.Limit, ...]:
        """Every limit of this publisher and what is left of it."""
        return await self._run(self._core.quota())

    async def inbox(
        self,
        *,
        follow: bool = True,
        stream: bool = False,
        wait: int = 30,
        limit: int = 100,
        cursor: str | None = None,
        ack: Ack = PLAIN_ACK,
    ) -> AsyncIterator[AsyncDelivery]:
        """What others sent, oldest first, each item once; `with delivery as item:` acknowledges it by `ack` at the end.

        With `follow` it waits for more, for ever and through every outage; without, it ends with what is there. `stream`
        reads server-sent events where the way allows it. An item that was not acknowledged comes again in the next inbox().
        """
        reading = Reading(follow, stream, wait, limit, cursor)

        async def acknowledge(item_id: str, how: Ack) -> Acknowledgement:
            return await self._run(self._core.acknowledge(item_id, how, reading.patience))

        async with aclosing(self._iterate(read_inbox(self._core, reading))) as items:
            async for item in items:
                yield AsyncDelivery(item, ack, acknowledge)

    async def process_inbox(
        self,
        handler: Callable[[InboxItem], Awaitable[Ack | None]],
        *,
        on_error: Callable[[InboxItem, Exception], None] | None = None,
        follow: bool = True,
        stream: bool = False,
        wait: int = 30,
    ) -> None:
        """Call `handler` with each item and acknowledge it as the handler says by an Ack, or in the default way.

        An item whose handler raises stays in the inbox. The exception goes on to the caller, or to `on_error`, and then the
        next item is read.
        """
        async for delivery in self.inbox(follow=follow, stream=stream, wait=wait):
            try:
                ack = await handler(delivery.item) or PLAIN_ACK
            except Exception as error:
                if on_error is None:
                    raise
                on_error(delivery.item, error)
                continue
            await delivery.ack(step=ack.step, refused=ack.refused, reference=ack.reference)

    async def acknowledge(
        self,
        item_id: str,
        *,
        step: str | None = None,
        refused: bool | None = None,
        reference: bool = True,
        deadline: float | None = None,
    ) -> Acknowledgement:
        """Take an item out of the inbox. With `reference` its sender gets an RC-REF, which says `step` and `refused`."""
        return await self._run(self._core.acknowledge(item_id, Ack(reference, step, refused), deadline))

    async def webhook_keys(self, path: str = "/.well-known/webhook-keys") -> dict[str, Any]:
        """The JWK Set that webhooks are verified with, see `verify_webhook`. Keep it, and get it anew for an unknown signature."""
        return await self._run(self._core.webhook_keys(path))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> "AsyncClient":
        """The client, closed at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()

    async def _run(self, program: Program[T]) -> T:
        try:
            effect = next(program)
            while True:
                effect = program.send(await self._perform(effect))
        except StopIteration as done:
            value: T = done.value
            return value

    async def _iterate(self, program: Program[None]) -> AsyncGenerator[Any, None]:
        stream: AsyncStream | None = None
        try:
            effect = next(program)
            while True:
                outcome = None
                if isinstance(effect, Emit):
                    yield effect.value
                else:
                    outcome = await self._perform(effect)
                if isinstance(outcome, Answer) and outcome.stream is not None:
                    stream = outcome.stream
                effect = program.send(outcome)
        except StopIteration:
            return
        finally:
            if stream:
                await stream.close()

    async def _perform(self, effect: Effect) -> Any:
        match effect:
            case Exchange():
                return await self._exchange(effect)
            case Wait(seconds):
                return await self._sleep(seconds)
            case Token(refused, timeout):
                return await self._token(refused, timeout)
            case Read(stream):
                return await stream.read()
            case Close(stream):
                return await stream.close() if stream else None
            case Emit():
                raise TypeError("only an iterator hands out values")

    async def _token(self, refused: str, timeout: float) -> Bearer | Answer | Lost:
        tokens = self._core.tokens
        found = tokens.fresh(refused)
        if found:
            return found
        serving = tokens.serving(refused)
        if serving and self._renewing.locked():
            return serving
        try:
            await asyncio.wait_for(self._renewing.acquire(), timeout)
        except asyncio.TimeoutError:
            return Lost("another call waits for a token", sent=False)
        try:
            return await self._run(tokens.obtain(refused, timeout))
        finally:
            self._renewing.release()

    async def _exchange(self, wish: Exchange) -> Answer | Lost:
        ends = self._core.timing.now() + wish.timeout
        request = self._http.build_request(
            wish.method,
            wish.url,
            headers=dict(wish.headers),
            content=wish.body,
            timeout=timeouts(wish.timeout),
        )
        try:
            response = await self._http.send(request, stream=True)
            if wish.stream and response.status_code == 200:
                return Answer(200, response.headers, stream=AsyncStream(response))
            try:
                body, late = bytearray(), False
                async for chunk in response.aiter_bytes():
                    if late:
                        return Lost("the answer took too long")
                    body += chunk
                    late = self._core.timing.now() > ends  # what is whole is good all the same
            finally:
                await response.aclose()
        except httpx.RequestError as error:
            return to_lost(error)
        return Answer(response.status_code, response.headers, bytes(body))
