"""The core over HTTP: FHIR `$process-message` with a canonical Bundle (openapi/core.yaml)."""

import asyncio
import email.utils
from collections.abc import Callable
from typing import Any, Protocol

import httpx
import httpx_aiohttp
import orjson

from gateway.errors import CoreOutage, CoreRejected
from gateway.model import JsonObject
from gateway.observability import CLOCK_SKEW, log

MEDIA_TYPE = "application/fhir+json"
REJECTING = frozenset(
    {400, 409, 410, 413, 415, 422}
)  # and only with an OperationOutcome: the contract's rule
MAX_ANSWER = 1_048_576  # bytes of an answer that are kept
EXCHANGE_SECONDS = 60.0  # for a whole exchange, however slowly its parts drip
MAX_SKEW = 30.0  # seconds between the clocks until a warning
MAX_RETRY_AFTER = 3_600.0  # seconds; a core that asks for more is asked again after an hour


def http_client(timeout: float, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """The one HTTP client towards the core. `timeout` in seconds covers each phase of a request."""
    limits = httpx.Limits(max_connections=0)  # 0 is aiohttp's for no bound: the forwarder has one
    return httpx.AsyncClient(
        transport=transport or httpx_aiohttp.AiohttpTransport(limits=limits),
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,
    )


class Token(Protocol):
    """A current access token of the core's own issuer."""

    async def __call__(self) -> str:
        """The token. Raises CoreOutage where none is to be had."""

    def forget(self) -> None:
        """The core refused it: get another next time."""


class FhirCore:
    """Sends Bundles to `{url}/$process-message`."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        token: Token,
        now: Callable[[], float],
    ) -> None:
        self._client = client
        self._url = url.rstrip("/") + "/$process-message"
        self._token = token
        self._now = now
        self._apart = False

    async def send(self, bundle: bytes) -> None:
        """See `Core.send`. Never raises anything but CoreOutage and CoreRejected."""
        headers = {
            "Content-Type": MEDIA_TYPE,
            "Accept-Encoding": "identity",
            "Authorization": f"Bearer {await self._token()}",
        }
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                answer, body = await self._exchange(bundle, headers)
        except (httpx.HTTPError, TimeoutError) as error:
            raise CoreOutage(type(error).__name__) from error
        self._watch_clock(answer.headers.get("Date"))
        if answer.is_success:
            return
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._token.forget()
        outcome = _outcome(body)
        if answer.status_code in REJECTING and outcome is not None:
            raise CoreRejected(answer.status_code, outcome)
        raise CoreOutage(
            f"HTTP {answer.status_code}", retry_after(answer.headers.get("Retry-After"), self._now())
        )

    def _watch_clock(self, date: str | None) -> None:
        """Compare the clock of the core with ours; say it once when they part."""
        skew = clock_skew(date, self._now())
        if skew is None:
            return
        CLOCK_SKEW.set(skew)
        apart = abs(skew) > MAX_SKEW
        if apart and not self._apart:
            log.warning("clock_skew", seconds=round(skew, 1))
        self._apart = apart

    async def _exchange(self, bundle: bytes, headers: dict[str, str]) -> tuple[httpx.Response, bytes]:
        """The core's answer and its body as it came, b"" where that is too large to be an outcome."""
        async with self._client.stream("POST", self._url, content=bundle, headers=headers) as answer:
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > MAX_ANSWER:
                    return answer, b""
            return answer, bytes(body)


def clock_skew(date: str | None, now: float) -> float | None:
    """Seconds that a Date header (RFC 9110, 6.6.1) is ahead of `now`, None where it says nothing.

    The header counts whole seconds, so that half of one is added.
    """
    try:
        return email.utils.parsedate_to_datetime(date or "").timestamp() + 0.5 - now
    except (ValueError, OverflowError):
        return None


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3: seconds or a date), None where it says nothing."""
    if not value:
        return None
    try:
        seconds = (
            float(value)
            if value.strip().isdigit()
            else email.utils.parsedate_to_datetime(value).timestamp() - now
        )
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _outcome(body: bytes) -> JsonObject | None:
    try:
        outcome = orjson.loads(body)
        issues = outcome["issue"] if outcome["resourceType"] == "OperationOutcome" else []
        is_outcome = isinstance(issues, list) and bool(issues) and all(map(_is_issue, issues))
    except (orjson.JSONDecodeError, TypeError, KeyError):
        return None
    return outcome if is_outcome else None


def _is_issue(issue: Any) -> bool:
    """Whether this is an issue as far as it is read."""
    details = issue.get("details", {}) if isinstance(issue, dict) else None
    codings = details.get("coding", []) if isinstance(details, dict) else None
    return isinstance(codings, list) and all(isinstance(coding, dict) for coding in codings)
