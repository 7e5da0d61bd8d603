"""Who plays which scenario: the core's script, and the cue for the peers."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from typing import Any

import orjson

from gateway import answers, edxl, intake, translation
from gateway.edxl import facts
from gateway.hub import HUB_ID
from gateway.model import JsonObject, Message, iso
from publishers.sandbox.clock import Clock
from publishers.sandbox.core import bundle as canonical
from publishers.sandbox.core.bundle import Bundle
from publishers.sandbox.core.faults import Fault
from publishers.sandbox.peers import PeerFailed, Peers
from publishers.sandbox.scenarios import BY_RECIPIENT, Scenario

KEPT = 50  # events that are remembered
LOST = (500, "DEAD_LETTER_QUEUED")
LOST_CAUSE = "It expired in its recipient's queue."
DRAWN = (Fault(500, 1), Fault(503, 1), Fault(429, 1), Fault(None, 1, drop_answer=True))
ALWAYS = Fault(503, 1)


class Director:
    """Knows each message's scenario by the header it was sent with, else by its recipient; see `core.Script`.

    `submit` gives a Bundle to the core's routing. `events` says what was played, newest last; no content is in it.
    """

    def __init__(self, clock: Clock, peers: Peers, submit: Callable[[Bundle], None], seed: int) -> None:
        self.events: deque[JsonObject] = deque(maxlen=KEPT)
        self._clock = clock
        self._peers = peers
        self._submit = submit
        self._seed = seed
        self._wished: dict[str, Scenario] = {}
        self._attempts: Counter[tuple[str, int]] = Counter()
        self._played: set[tuple[str, int]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def wish(self, distribution_id: str, scenario: Scenario) -> None:
        """The message of this distributionID is to play a scenario, whoever it is for."""
        self._wished[distribution_id] = scenario

    def scenario(self, bundle: Bundle) -> Scenario | None:
        """What a Bundle plays, None = nothing."""
        wished = self._wished.get(bundle.distribution_id)
        if wished is not None or bundle.message_type in facts.REFERENCES:
            return wished
        return BY_RECIPIENT.get(bundle.recipient)

    def fault(self, bundle: Bundle) -> Fault | None:
        """See `core.Script`."""
        scenario = self.scenario(bundle)
        if scenario is None:
            return None
        attempt = self._attempts[bundle.key]
        self._attempts[bundle.key] += 1
        script = scenario.core
        faults = self._drawn(bundle, script.drawn) if script.drawn else script.faults
        found = ALWAYS if script.never else faults[attempt] if attempt < len(faults) else None
        if found is not None:
            self._note(bundle, scenario, "answer dropped" if found.drop_answer else f"HTTP {found.status}")
        return found

    def deliveries(self, bundle: Bundle) -> int:
        """See `core.Script`."""
        scenario = self.scenario(bundle)
        if scenario is None or not scenario.core.lost:
            return scenario.core.copies if scenario else 1
        self._start(self._lose(bundle, scenario))
        return 0

    def settled(self, bundle: Bundle, status: int) -> None:
        """See `core.Script`."""
        scenario = self.scenario(bundle)
        if scenario is None:
            return
        self._note(bundle, scenario, f"delivered: HTTP {status}")
        is_answer = bundle.message_type in facts.REFERENCES
        if scenario.peer and status < 300 and not is_answer and bundle.key not in self._played:
            self._played.add(bundle.key)
            self._start(self._play(bundle, scenario))

    async def close(self) -> None:
        """Stop what is under way."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _play(self, bundle: Bundle, scenario: Scenario) -> None:
        assert scenario.peer is not None
        try:
            done = await self._peers.play(scenario.peer, intake.from_bundle(bundle.body))
        except PeerFailed as error:
            done = f"failed: {error}"
        self._note(bundle, scenario, f"peer: {done}")

    async def _lose(self, bundle: Bundle, scenario: Scenario) -> None:
        """Hold a Bundle until it expires, then tell its sender as the Hub does."""
        message = intake.from_bundle(bundle.body)
        await self._clock.sleep_until(facts.instant(message.envelope.date_time_expires) or self._clock())
        self._submit(lost_error(message, self._clock()))
        self._note(bundle, scenario, f"expired: RS-ERROR {LOST[0]}")

    def _drawn(self, bundle: Bundle, most: int) -> tuple[Fault, ...]:
        drawing = random.Random(f"{self._seed}\n{bundle.distribution_id}")  # noqa: S311 - it is to be repeatable
        return tuple(drawing.choice(DRAWN) for _ in range(drawing.randint(1, most)))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _note(self, bundle: Bundle, scenario: Scenario, event: str) -> None:
        told = {"at": iso(self._clock()), "scenario": scenario.name, "distributionID": bundle.distribution_id}
        self.events.append({**told, "messageType": bundle.message_type, "event": event})


def lost_error(message: Message, now: float) -> Bundle:
    """The RS-ERROR that tells a sender that its message expired in a queue, as a Bundle to be delivered."""
    asked = message.envelope
    about = answers.Correspondence(HUB_ID, asked.sender_id, asked.distribution_id, asked.distribution_status)
    document = edxl.message(answers.error(about, now, LOST, LOST_CAUSE), "v3")
    return canonical.read(orjson.dumps(translation.to_fhir(document)))
