"""Publishers' software: sends each case's messages one after the other to the next replica, and keeps every receipt on disk."""

import asyncio
import itertools
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson

from bench.chaos.scene import POISON, Scene
from publishers.sandbox import messages
from publishers.sandbox.publishers import DemoPublisher

JsonObject = dict[str, Any]
AGAIN = 0.05  # seconds before the same bytes are sent once more
AFTER_REFUSAL = 0.3  # seconds after a 429


class Senders:
    """`tries` counts what became of the requests: statuses, and names of transport errors."""

    def __init__(self, scene: Scene, http: httpx.AsyncClient, cases: int, each: int) -> None:
        self._scene = scene
        self._http = http
        self._cases, self._each = cases, each
        self._tokens: dict[str, str] = {}
        self._turns = itertools.count()
        self.pause = 0.0  # seconds between two messages of a case
        self.enough = asyncio.Event()  # nobody sends more than is wanted
        self.tries: Counter[str] = Counter()
        self.receipts = 0
        self._file = self.path.open("ab", buffering=0)

    @property
    def path(self) -> Path:
        """The file of receipts: a JSON line each."""
        return self._scene.folder / "receipts"

    async def run(self, greedy: int = 0) -> None:
        """Send `each` of every case, and more until it is `enough`; so many more cases of the first publisher send
        without a pause until then.
        """
        numbers = range(self._cases, self._cases + greedy)
        with self._file:
            await asyncio.gather(
                *(self._case(number) for number in range(self._cases)),
                *(self._greedy(number) for number in numbers),
            )

    async def poisoned(self, count: int) -> list[tuple[DemoPublisher, str]]:
        """Send so many messages that the core always fails, each a case of its own; by whom, and the receipts' ids."""
        sent = []
        everyone = self._scene.publishers
        for number in range(count):
            publisher, peer = everyone[number % len(everyone)], everyone[(number + 1) % len(everyone)]
            body = self.body(publisher, peer, f"{POISON}-{number}", f".{POISON}.{number}")
            sent.append((publisher, (await self.receipt(publisher, body))["id"]))
        return sent

    async def timeline(self, publisher: DemoPublisher, receipt_id: str, replica: str) -> JsonObject:
        """A message with its status and timeline."""
        url, headers = f"{replica}/v1/messages/{receipt_id}", await self.token(publisher, replica)
        answer = await self._http.get(url, headers=headers)
        answer.raise_for_status()
        told: JsonObject = answer.json()
        return told

    async def _greedy(self, number: int) -> None:
        publisher, peer = self._scene.publishers[:2]
        for index in itertools.count():
            if self.enough.is_set():
                return
            await self._send(publisher, peer, number, index)

    def kept(self) -> list[JsonObject]:
        """The receipts on disk."""
        return [orjson.loads(line) for line in self.path.read_bytes().splitlines()]

    async def _case(self, number: int) -> None:
        everyone = self._scene.publishers
        publisher = everyone[number % len(everyone)]
        peer = everyone[(number + 1) % len(everyone)]
        for index in itertools.count():
            if index >= self._each and self.enough.is_set():
                return
            await self._send(publisher, peer, number, index)
            await asyncio.sleep(self.pause)

    async def _send(self, publisher: DemoPublisher, peer: DemoPublisher, number: int, index: int) -> None:
        body = self.body(publisher, peer, f"{number:04d}-{index:06d}", f".{number:04d}")
        receipt = await self.receipt(publisher, body)
        self._keep({**receipt, "lane": f"{number:04d}", "index": index, "recipient": peer.id})

    def body(self, sender: DemoPublisher, recipient: DemoPublisher, name: str, lane: str) -> bytes:
        """One message."""
        ids = sender.sender_ids[0], recipient.sender_ids[0]
        return orjson.dumps(messages.case(*ids, datetime.now(UTC), name, lane))

    async def receipt(self, publisher: DemoPublisher, body: bytes) -> JsonObject:
        """The receipt of a message, sent as often as it takes, each time to the next replica."""
        while True:
            replica = self._scene.replicas[next(self._turns) % len(self._scene.replicas)]
            pause = AGAIN
            try:
                answer = await self.post(publisher, body, replica)
                self.tries[str(answer.status_code)] += 1
                if answer.is_success:
                    receipt: JsonObject = answer.json()
                    return receipt
                if answer.status_code == 401:
                    self._tokens.pop(publisher.id, None)
                elif answer.status_code == 429:
                    pause = AFTER_REFUSAL
                elif answer.status_code < 500:
                    raise RuntimeError(f"the gateway refuses the load: {answer.status_code} {answer.text}")
            except httpx.TransportError as error:  # the replica is dead, or dies just now
                self.tries[type(error).__name__] += 1
            await asyncio.sleep(pause)

    async def post(self, publisher: DemoPublisher, body: bytes, replica: str) -> httpx.Response:
        """One try at one replica."""
        headers = {**await self.token(publisher, replica), "Content-Type": "application/json"}
        return await self._http.post(f"{replica}/v1/messages", content=body, headers=headers)

    async def token(self, publisher: DemoPublisher, replica: str) -> dict[str, str]:
        """The header with the publisher's access token, which any replica may have given."""
        if publisher.id not in self._tokens:
            answer = await self._http.post(
                f"{replica}/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(publisher.client_id, publisher.client_secret),
            )
            self._tokens[publisher.id] = answer.json()["access_token"] if answer.is_success else ""
        token = self._tokens[publisher.id]
        if not token:
            del self._tokens[publisher.id]
        return {"Authorization": f"Bearer {token}"}

    def _keep(self, receipt: JsonObject) -> None:
        self._file.write(orjson.dumps(receipt) + b"\n")
        os.fsync(self._file.fileno())
        self.receipts += 1

    async def inbox(self, publisher: DemoPublisher, replica: str) -> list[JsonObject]:
        """Everything that waits in the inbox, page by page, unacknowledged."""
        items: list[JsonObject] = []
        cursor = "0"
        while True:
            answer = await self._http.get(
                f"{replica}/v1/inbox",
                params={"cursor": cursor, "limit": "1000"},
                headers=await self.token(publisher, replica),
            )
            answer.raise_for_status()
            page = answer.json()
            if not page["items"]:
                return items
            items += [{name: item[name] for name in ("id", "distributionID")} for item in page["items"]]
            cursor = page["cursor"]
