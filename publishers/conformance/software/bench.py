"""The bench of the software checks: the software, the other SAMU, the network between, and the moves that many checks need."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx

from gateway import edxl
from publishers.conformance import messages
from publishers.conformance.checks import Failed, Skipped, expect
from publishers.conformance.software.faults import sending
from publishers.conformance.software.partner import Partner, kind_of
from publishers.conformance.software.proxy import Proxy, Seen
from publishers.conformance.software.subject import Access, Subject, SubjectFailed

JsonObject = dict[str, Any]
ARRIVES_WITHIN = 30.0  # seconds from the instruction to the other SAMU's inbox, or to the ack
SETTLE = 3.0  # seconds in which something that must not happen would
# ids that a software gives by itself: another value there is no difference
OWN_IDS = frozenset(
    {"caseId", "senderCaseId", "patientId", "medicalNoteId", "owner", "creation", "reception"}
)


@dataclass(frozen=True, slots=True)
class Interruption:
    """A message whose first attempt met trouble, and every attempt that the network saw. `accepted`: the software's word."""

    name: str
    attempts: tuple[Seen, ...]
    accepted: bool | None

    @property
    def repeats(self) -> tuple[Seen, ...]:
        """The attempts after the first."""
        return self.attempts[1:]

    @property
    def arrived(self) -> bool:
        """Whether an attempt was accepted and its answer came back."""
        return any(seen.status in {200, 202} for seen in self.attempts)


@dataclass
class SoftwareBench:
    """What a software check works with. `core` calls the simulated core."""

    subject: Subject
    partner: Partner
    proxy: Proxy
    access: Access
    core: httpx.AsyncClient
    spare_key: JsonObject  # a second key of the software's registration
    interruptions: tuple[Interruption, ...] = ()

    @property
    def me(self) -> str:
        """The id of the software under test."""
        return self.access.sender

    async def do(self, instruction: str, **members: Any) -> JsonObject:
        """One instruction. Raises Failed where the protocol is not kept, and Skipped where the software cannot do it."""
        try:
            told = await self.subject.do(instruction, **members)
        except SubjectFailed as error:
            await self.restart()
            raise Failed(str(error)) from None
        if told.get("unsupported"):
            raise Skipped(f"the software says that it cannot do {instruction!r}")
        return told

    async def restart(self) -> None:
        """Have a fresh process, where that can be."""
        if self.subject.can_crash:
            await self.subject.crash()
            await self.subject.start()

    async def order(self, content: JsonObject) -> JsonObject:
        """One message of a `send` instruction: what is to be said, and a ready envelope for software that passes one on.

        The content is given in v3 and ordered in the software's own model version. Raises Skipped where that cannot say it.
        """
        document = messages.enveloped(content, self.me, self.partner.id)
        own = await self.partner.said_in(document, self.access.model_version)
        return {
            "recipient": self.partner.id,
            "messageType": kind_of(own),
            "content": messages.use_case(own),
            "document": own,
        }

    async def at_partner(self, order: JsonObject) -> JsonObject:
        """The use case that the other SAMU should get of an ordered message."""
        return messages.use_case(
            await self.partner.said_in(order["document"], "v3", self.access.model_version)
        )

    async def at_software(self, document: JsonObject) -> JsonObject:
        """The use case that the software should get of a message of the other SAMU's."""
        return messages.use_case(await self.partner.said_in(document, self.access.model_version))

    async def send(self, *orders: JsonObject) -> list[JsonObject]:
        """Have the software send messages, in this order; its results, [] where it gives none."""
        told = await self.do("send", messages=list(orders))
        results = told.get("results")
        return (
            [dict(one) for one in results]
            if isinstance(results, list) and len(results) == len(orders)
            else []
        )

    def attempts(self, marker: str) -> tuple[Seen, ...]:
        """Every request that carried a marked message out."""
        return tuple(seen for seen in self.proxy.seen if sending(marker)(seen))

    async def attempts_until_accepted(self, marker: str, seconds: float) -> tuple[Seen, ...]:
        """The same, once one of them was accepted or the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.attempts(marker)
            if time.monotonic() > deadline or any(seen.status in {200, 202} for seen in found):
                return found
            await asyncio.sleep(0.05)

    async def received(self, *documents: JsonObject) -> list[JsonObject]:
        """Have the software read its inbox until it has stored these messages; all that it has stored. Raises Failed."""
        wanted = {document["distributionID"] for document in documents}
        deadline = time.monotonic() + (0 if self.subject.by_hand else ARRIVES_WITHIN)
        if self.subject.by_hand:
            await self.do("expect", documents=list(documents))
        while True:
            told = await self.do("receive", count=len(wanted), seconds=5)
            stored = [dict(one) for one in (await self.do("stored")).get("stored", [])]
            missing = wanted - {one.get("distributionID") for one in stored}
            if not missing:
                return stored
            if time.monotonic() > deadline:
                raise Failed(f"{len(missing)} of {len(wanted)} messages were not stored in time")
            if not told.get("received"):
                await asyncio.sleep(0.2)

    def use_case(self, stored: JsonObject) -> JsonObject:
        """The use case of a stored message as the software understood it: an object, or an EDXL-DE document in XML."""
        content = stored.get("content")
        if isinstance(content, str):
            message = edxl.decode(content.encode(), edxl.XML, self.access.model_version)
            return messages.use_case(message.document)
        expect(
            isinstance(content, dict), "content of a stored message is neither an object nor a text of XML"
        )
        found = dict(content or {})
        return messages.use_case(found) if "distributionID" in found else found


def marker() -> str:
    """A text that no other message has."""
    return f"exercise {messages.fresh_name()}"


def differences(wanted: Any, got: Any, ignored: frozenset[str] = OWN_IDS, place: str = "$") -> list[str]:
    """Where two JSON values differ, as JSON paths; members of these names, and the paths themselves among `ignored`, do not count."""
    if place in ignored:
        return []
    if isinstance(wanted, dict) and isinstance(got, dict):
        names = [name for name in {**wanted, **got} if name not in ignored]
        return [
            found
            for name in names
            for found in differences(wanted.get(name), got.get(name), ignored, f"{place}.{name}")
        ]
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        pairs = enumerate(zip(wanted, got, strict=True))
        return [found for n, (w, g) in pairs for found in differences(w, g, ignored, f"{place}[{n}]")]
    return [] if wanted == got and isinstance(wanted, bool) == isinstance(got, bool) else [place]
