"""What both clients share of httpx: limits, timeouts, and what an exception of it means."""

import random
import ssl
import time

import httpx

from regulation_sdk.effects import Lost, Timing
from regulation_sdk.retry import RetryPolicy
from regulation_sdk.values import Ack

CLOCK = Timing(time.monotonic, time.time, random.random)
PATIENCE, PLAIN_ACK = RetryPolicy(), Ack()
CONNECT_TIMEOUT = 5.0  # seconds
POOL = httpx.Limits(max_connections=100, max_keepalive_connections=20)


def to_lost(error: httpx.RequestError) -> Lost:
    """What httpx could not do, as an outcome."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Lost("the gateway's certificate is not trusted", sent=False, hopeless=True)
        cause = cause.__cause__ or cause.__context__
    unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    hopeless = isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError)
    return Lost(type(error).__name__, sent=not unsent, hopeless=hopeless)


def timeouts(seconds: float) -> httpx.Timeout:
    """Timeouts of httpx for an exchange of so many seconds."""
    return httpx.Timeout(seconds, connect=min(seconds, CONNECT_TIMEOUT))


class Stream:
    """A response whose body is read as it comes."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._chunks = response.iter_bytes()

    def read(self) -> bytes | None:
        """The next bytes, None once it has ended or broken."""
        try:
            return next(self._chunks, None)
        except (httpx.RequestError, httpx.StreamError):
            return None

    def close(self) -> None:
        """Close it."""
        self.response.close()


class AsyncStream:
    """A response whose body is read as it comes."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._chunks = response.aiter_bytes()

    async def read(self) -> bytes | None:
        """The next bytes, None once it has ended or broken."""
        try:
            return await anext(self._chunks, None)
        except (httpx.RequestError, httpx.StreamError):
            return None

    async def close(self) -> None:
        """Close it."""
        await self.response.aclose()
