"""The blocking client: carries out the programs of `core` over httpx.Client. Safe to share between threads."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any, TypeVar, final

import httpx

from regulation_sdk import values
from regulation_sdk.bodies import Message
from regulation_sdk.core import Core
from regulation_sdk.credentials import Credentials
from regulation_sdk.deliveries import Delivery
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
from regulation_sdk.transport import CLOCK, PATIENCE, PLAIN_ACK, POOL, Stream, timeouts, to_lost
from regulation_sdk.values import Ack, Acknowledgement, InboxItem

T = TypeVar("T")


@final
class Client:
    """A publisher's connection to the gateway.

    `transport` is httpx's: for a proxy, own certificates or tests. `timing` and `sleep` are for tests.
    Every method raises GatewayError (see `errors`) where the gateway refuses, or does not answer until the deadline.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        retry: RetryPolicy = PATIENCE,
        transport: httpx.BaseTransport | None = None,
        timing: Timing = CLOCK,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._core = Core(base_url, credentials, retry, timing)
        self._http = httpx.Client(transport=transport, limits=POOL)
        self._sleep = sleep
        self._renewing = threading.Lock()

    def send(
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
        return self._run(self._core.send(message, media_type, model_version, deadline, request_id))

    def validate(
        self, message: Message, *, media_type: str | None = None, model_version: str | None = None
    ) -> values.Validation:
        """Everything that is wrong with a message; nothing is stored. Raises InvalidMessage where it cannot be read at all."""
        return self._run(self._core.validate(message, media_type, model_version))

    def translate(
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
        return self._run(self._core.translate(message, to, version, format, media_type, model_version))

    def get(self, message_id: str) -> values.MessageStatus:
        """Where a message stands, by its receipt's id. Raises NotFound."""
        return self._run(self._core.get(message_id))

    def list(
        self,
        *,
        status: str | None = None,
        message_type: str | None = None,
        case: str | None = None,
        limit: int = 100,
    ) -> Iterator[values.Receipt]:
        """All messages of this publisher, newest first; pages of `limit` are fetched as they are needed."""
        return self._iterate(self._core.list(status, message_type, case, limit))

    def quota(self) -> tuple[values.Limit, ...]:
        """Every limit of this publisher and what is left of it."""
        return self._run(self._core.quota())

    def inbox(
        self,
        *,
        follow: bool = True,
        stream: bool = False,
        wait: int = 30,
        limit: int = 100,
        cursor: str | None = None,
        ack: Ack = PLAIN_ACK,
    ) -> Iterator[Delivery]:
        """What others sent, oldest first, each item once; `with delivery as item:` acknowledges it by `ack` at the end.

        With `follow` it waits for more, for ever and through every outage; without, it ends with what is there. `stream`
        reads server-sent events where the way allows it. An item that was not acknowledged comes again in the next inbox().
        """
        reading = Reading(follow, stream, wait, limit, cursor)

        def acknowledge(item_id: str, how: Ack) -> Acknowledgement:
            return self._run(self._core.acknowledge(item_id, how, reading.patience))

        with closing(self._iterate(read_inbox(self._core, reading))) as items:
            for item in items:
                yield Delivery(item, ack, acknowledge)

    def process_inbox(
        self,
        handler: Callable[[InboxItem], Ack | None],
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
        for delivery in self.inbox(follow=follow, stream=stream, wait=wait):
            try:
                ack = handler(delivery.item) or PLAIN_ACK
            except Exception as error:
                if on_error is None:
                    raise
                on_error(delivery.item, error)
                continue
            delivery.ack(step=ack.step, refused=ack.refused, reference=ack.reference)

    def acknowledge(
        self,
        item_id: str,
        *,
        step: str | None = None,
        refused: bool | None = None,
        reference: bool = True,
        deadline: float | None = None,
    ) -> Acknowledgement:
        """Take an item out of the inbox. With `reference` its sender gets an RC-REF, which says `step` and `refused`."""
        return self._run(self._core.acknowledge(item_id, Ack(reference, step, refused), deadline))

    def webhook_keys(self, path: str = "/.well-known/webhook-keys") -> dict[str, Any]:
        """The JWK Set that webhooks are verified with, see `verify_webhook`. Keep it, and get it anew for an unknown signature."""
        return self._run(self._core.webhook_keys(path))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> "Client":
        """The client, closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def _run(self, program: Program[T]) -> T:
        try:
            effect = next(program)
            while True:
                effect = program.send(self._perform(effect))
        except StopIteration as done:
            value: T = done.value
            return value

    def _iterate(self, program: Program[None]) -> Generator[Any, None, None]:
        stream: Stream | None = None
        try:
            effect = next(program)
            while True:
                outcome = None
                if isinstance(effect, Emit):
                    yield effect.value
                else:
                    outcome = self._perform(effect)
                if isinstance(outcome, Answer) and outcome.stream is not None:
                    stream = outcome.stream
                effect = program.send(outcome)
        except StopIteration:
            return
        finally:
            if stream:
                stream.close()

    def _perform(self, effect: Effect) -> Any:
        match effect:
            case Exchange():
                return self._exchange(effect)
            case Wait(seconds):
                return self._sleep(seconds)
            case Token(refused, timeout):
                return self._token(refused, timeout)
            case Read(stream):
                return stream.read()
            case Close(stream):
                return stream.close() if stream else None
            case Emit():
                raise TypeError("only an iterator hands out values")

    def _token(self, refused: str, timeout: float) -> Bearer | Answer | Lost:
        tokens = self._core.tokens
        found = tokens.fresh(refused)
        if found:
            return found
        serving = tokens.serving(refused)
        if not self._renewing.acquire(timeout=0.0 if serving else timeout):
            return serving or Lost("another call waits for a token", sent=False)
        try:
            return self._run(tokens.obtain(refused, timeout))
        finally:
            self._renewing.release()

    def _exchange(self, wish: Exchange) -> Answer | Lost:
        ends = self._core.timing.now() + wish.timeout
        request = self._http.build_request(
            wish.method,
            wish.url,
            headers=dict(wish.headers),
            content=wish.body,
            timeout=timeouts(wish.timeout),
        )
        try:
            response = self._http.send(request, stream=True)
            if wish.stream and response.status_code == 200:
                return Answer(200, response.headers, stream=Stream(response))
            try:
                body, late = bytearray(), False
                for chunk in response.iter_bytes():
                    if late:
                        return Lost("the answer took too long")
                    body += chunk
                    late = self._core.timing.now() > ends  # what is whole is good all the same
            finally:
                response.close()
        except httpx.RequestError as error:
            return to_lost(error)
        return Answer(response.status_code, response.headers, bytes(body))
