"""From the core to the recipient's publisher, through the gateway's `POST /core/$process-message`."""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from publishers.sandbox.assertion import token_request
from publishers.sandbox.core.bundle import Bundle

JsonObject = dict[str, Any]
log = logging.getLogger("sandbox.core")
REFUSING = frozenset({400, 409, 410, 413, 415, 422})  # and only with an OperationOutcome
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between attempts, doubling
RENEW_BEFORE = 60.0  # seconds before a token's expiry


@dataclass(frozen=True, slots=True)
class GatewayAccess:
    """How the core calls the gateway: its URL, and the core's client there with its private JWK."""

    url: str
    client_id: str
    key: JsonObject


class Routing:
    """Delivers Bundles in their order of arrival to each recipient; recipients do not wait for one another.

    `settled` is told of each delivery: the Bundle, and the status by which the gateway took or refused it.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        access: GatewayAccess,
        settled: Callable[[Bundle, int], None],
        now: Callable[[], float],
    ) -> None:
        self._client = client
        self._access = access
        self._settled = settled
        self._now = now
        self._waiting: dict[str, deque[Bundle]] = defaultdict(deque)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._token = ""
        self._renew_at = 0.0

    def submit(self, bundle: Bundle) -> None:
        """Put the Bundle at the end of its recipient's queue."""
        self._waiting[bundle.recipient].append(bundle)
        if bundle.recipient not in self._tasks:
            self._tasks[bundle.recipient] = asyncio.create_task(self._drain(bundle.recipient))

    def waiting(self) -> int:
        """How many deliveries are still to be made."""
        return sum(map(len, self._waiting.values()))

    async def close(self) -> None:
        """Stop delivering; what was not delivered stays so in the arrivals."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drain(self, recipient: str) -> None:
        waiting = self._waiting[recipient]
        while waiting:
            status = await self._deliver(waiting[0])
            self._settled(waiting.popleft(), status)
        del self._waiting[recipient], self._tasks[recipient]

    async def _deliver(self, bundle: Bundle) -> int:
        """The status that settled it: 2xx, or a refusal for good."""
        pause = FIRST_PAUSE
        while True:
            try:
                answer = await self._post(bundle)
            except httpx.HTTPError as error:
                log.info("no answer of the gateway for %s: %s", bundle.distribution_id, type(error).__name__)
            else:
                if answer.is_success:
                    return answer.status_code
                if answer.status_code in REFUSING and _is_outcome(answer):
                    log.warning("the gateway refused %s: %d", bundle.distribution_id, answer.status_code)
                    return answer.status_code
                if answer.status_code == 401:
                    self._token = ""
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _post(self, bundle: Bundle) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {await self._current_token()}",
            "Content-Type": "application/fhir+json",
        }
        return await self._client.post(
            f"{self._access.url}/core/$process-message", content=bundle.body, headers=headers
        )

    async def _current_token(self) -> str:
        now = self._now()
        if not self._token or now >= self._renew_at:
            url, access = f"{self._access.url}/oauth2/token", self._access
            form = token_request(access.key, access.client_id, url, now, "core.deliver")
            answer = await self._client.post(url, data=form)
            answer.raise_for_status()
            given = answer.json()
            self._token, self._renew_at = given["access_token"], now + given["expires_in"] - RENEW_BEFORE
        return self._token


def _is_outcome(answer: httpx.Response) -> bool:
    try:
        body = answer.json()
    except ValueError:
        return False
    return isinstance(body, dict) and body.get("resourceType") == "OperationOutcome"
