"""The peers of the scenarios: software at the recipient's end that reads its inbox and answers, over HTTP as any other."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from gateway import answers
from gateway.model import Message
from publishers.sandbox import replies
from publishers.sandbox.clock import Clock
from publishers.sandbox.publishers import DemoPublisher
from publishers.sandbox.scenarios import Peer

JsonObject = dict[str, Any]
OWN_ERROR = "The sandbox's peer says so: the scenario wants it."
ATTEMPTS, PAUSE = 8, 0.25  # tries of one request while the gateway is not there, and seconds between them


class PeerFailed(Exception):
    """A peer could not do its part; the text says what the gateway answered, and holds no content."""


class Peers:
    """Acts as the owner of any inbox whose secret the sandbox has. `owner` finds it by a recipient's id."""

    def __init__(
        self, http: httpx.AsyncClient, owner: Callable[[str], DemoPublisher | None], clock: Clock, seed: int
    ) -> None:
        self._http = http
        self._owner = owner
        self._clock = clock
        self._seed = seed
        self._tokens: dict[str, str] = {}

    async def play(self, peer: Peer, message: Message) -> str:
        """Answer a delivered message as the peer would; what was done. Raises PeerFailed."""
        envelope = message.envelope
        me = self._owner(envelope.address)
        if me is None or not me.client_secret:
            raise PeerFailed("the sandbox has no secret of the recipient's publisher")
        await self._clock.sleep_until(self._clock() + peer.after)
        item = await self._find(me, envelope.distribution_id)
        if item is None:
            return "the recipient's own software was faster"
        if peer.error is not None:
            await self._acknowledge(me, item, {"reference": False})
            return await self._send_error(me, peer.error, message)
        await self._acknowledge(me, item, {"step": peer.step, "refused": peer.refused})
        return await self._send_answer(me, message) if peer.answers else "RC-REF"

    async def _find(self, me: DemoPublisher, distribution_id: str) -> str | None:
        """The id of the message's item in the inbox."""
        cursor = "0"
        while True:
            page = await self._call(me, "GET", f"/v1/inbox?limit=100&cursor={cursor}")
            for item in page["items"]:
                if item["distributionID"] == distribution_id:
                    return str(item["id"])
            if not page["items"]:
                return None
            cursor = page["cursor"]

    async def _acknowledge(self, me: DemoPublisher, item: str, wish: JsonObject) -> None:
        await self._call(me, "POST", f"/v1/inbox/{item}/ack", wish)

    async def _send_error(self, me: DemoPublisher, hub: tuple[int, str], message: Message) -> str:
        asked = message.envelope
        about = answers.Correspondence(
            asked.address, asked.sender_id, asked.distribution_id, asked.distribution_status
        )
        await self._call(me, "POST", "/v1/messages", answers.error(about, self._clock(), hub, OWN_ERROR))
        return f"RS-ERROR {hub[0]}"

    async def _send_answer(self, me: DemoPublisher, message: Message) -> str:
        document = replies.answer(message, message.envelope.address, self._clock(), self._seed)
        if document is None:
            return "RC-REF"
        receipt = await self._call(me, "POST", "/v1/messages", document)
        return f"RC-REF, {receipt['messageType']}"

    async def _call(
        self, me: DemoPublisher, method: str, path: str, body: JsonObject | None = None
    ) -> JsonObject:
        """One request; tried again while the gateway is out or restarts, and with a new token where the old one is."""
        status = 0
        for _ in range(ATTEMPTS):
            try:
                answer = await self._http.request(method, path, json=body, headers=await self._headers(me))
            except httpx.TransportError:
                await asyncio.sleep(PAUSE)
                continue
            status = answer.status_code
            if answer.is_success:
                told: JsonObject = answer.json()
                return told
            if status == 401:
                self._tokens.pop(me.id, None)
            elif status not in {429, 503}:
                break
            else:
                await asyncio.sleep(PAUSE)
        raise PeerFailed(f"{method} {path.partition('?')[0]} answered {status or 'nothing'}")

    async def _headers(self, me: DemoPublisher) -> dict[str, str]:
        if me.id not in self._tokens:
            grant = {"grant_type": "client_credentials"}
            answer = await self._http.post("/oauth2/token", data=grant, auth=(me.client_id, me.client_secret))
            if not answer.is_success:
                raise PeerFailed(f"POST /oauth2/token answered {answer.status_code}")
            self._tokens[me.id] = answer.json()["access_token"]
        return {"Authorization": f"Bearer {self._tokens[me.id]}", "Model-Version": "v3"}
