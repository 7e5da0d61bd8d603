"""The way out, second half: what has a receipt is claimed, translated and handed to the national core.

Read `forward` first. It ends in one of: forwarded, a retry, or a terminal status of which the sender is told by RS-ERROR.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway import answers, edxl, intake, translation
from gateway.breaker import Breaker
from gateway.core import Core
from gateway.errors import CoreOutage, CoreRejected, ErrorKind, GatewayError, Untranslatable
from gateway.model import Delivery, JsonObject, Outgoing, Status, Step, Submission
from gateway.observability import BACKLOG, CORE_CIRCUIT, CORE_UP, FORWARD_SECONDS, FORWARDS, OLDEST, log
from gateway.pace import FORWARD, Pace
from gateway.registry import RegistryHolder
from gateway.store import Store

MAX_CAUSE = 2_000  # characters of a core's diagnostics that an RS-ERROR repeats
IDLE_SECONDS = 1.0  # the longest time without a look at the clock: retries become due in silence

# While little waits, one publisher's burst sets out in portions, so that the requests and urgent cases that come meanwhile do
# not queue behind it, neither here nor at the core. With more than that waiting, everything goes as fast as it can.
PORTION, GAP_SECONDS = 2, 0.01
HURRY = 100  # messages that wait or are under way

URGENT_SHARE = 4  # one place for urgent messages alone to so many for all
OUTAGES = 10  # in a row, until only probes go to the core


@dataclass(frozen=True, slots=True)
class ForwardPolicy:
    """How the way to the core behaves. Times in seconds; `hub_id` signs the gateway's own messages.

    `concurrency` messages are under way at one time, and a quarter as many urgent ones beside them: when a slow core holds up
    everything else, the next urgent case still sets out at once.
    """

    concurrency: int = 32
    retry_base: float = 0.5
    retry_max: float = 60.0
    hub_id: str = answers.HUB_ID

    @property
    def most(self) -> int:
        """How many are under way at one time where urgent ones are among them."""
        return self.concurrency + self.concurrency // URGENT_SHARE


def backoff(attempts: int, policy: ForwardPolicy, jitter: float, retry_after: float | None) -> float:
    """Seconds to wait after `attempts` failed attempts: doubling, capped, 50 to 100 % of it by `jitter` in [0, 1);
    never sooner than the core's Retry-After.
    """
    pause = min(policy.retry_max, policy.retry_base * 2.0 ** min(attempts - 1, 30)) * (0.5 + jitter / 2)
    return max(pause, retry_after or 0.0)


def to_bundle(job: Outgoing) -> bytes:
    """The canonical Bundle of a stored message, checked. Raises Untranslatable.

    A Bundle that a publisher sent is made anew too: what was judged goes out, and nothing that stood beside it.
    """
    stored = job.submission
    bundle = translation.to_fhir(intake.decode(stored.body, stored.media_type, stored.model_version))
    problems = translation.canonical_issues(bundle)
    if problems:
        raise Untranslatable("the translation does not fit the canonical profile", problems[0])
    return orjson.dumps(bundle)


@dataclass(frozen=True, slots=True)
class Way:
    """What a forward needs: where messages wait, where they go, who sent them, and the clock (POSIX seconds)."""

    store: Store
    core: Core
    registry: RegistryHolder
    policy: ForwardPolicy
    now: Callable[[], float]
    pace: Pace = field(default_factory=Pace)


async def forward(way: Way, job: Outgoing) -> str:
    """One attempt at one message. Returns what came of it, for the metrics; the store knows it already."""
    if job.submission.expires_at <= way.now():
        return await give_up(
            way, job, Status.EXPIRED, hub_of(ErrorKind.EXPIRED), "It expired before the core took it."
        )
    await take_turn(way, job)
    try:
        bundle = to_bundle(job)
    except Exception as error:  # noqa: BLE001 - a defect of a mapping table must end as a dead letter with an alert
        log.error(
            "translation_failed", receipt=job.id, message_type=job.submission.message_type, exc_info=error
        )
        return await give_up(
            way, job, Status.DEAD, hub_of(ErrorKind.TRANSLATION), "It could not be translated."
        )
    await take_turn(way, job)
    before = (Step("translated", way.now()),) if job.attempts == 0 else ()
    try:
        await way.core.send(bundle)
    except CoreRejected as refusal:
        CORE_UP.set(1)
        return await give_up(way, job, Status.REJECTED, *verdict(refusal.outcome))
    except CoreOutage as outage:
        CORE_UP.set(0)
        wait = backoff(job.attempts + 1, way.policy, random.random(), outage.retry_after)  # noqa: S311 - jitter
        await way.store.mark_retry(job.id, way.now(), way.now() + wait, outage.cause, before)
        return "retry"
    CORE_UP.set(1)
    await way.store.mark_forwarded(job.id, way.now(), "", before)
    return "forwarded"


async def take_turn(way: Way, job: Outgoing) -> None:
    """Return when the next piece of work on this message may be done: for an urgent one at once, and the others make way."""
    if job.submission.urgent:
        way.pace.urgent()
    else:
        await way.pace.step((FORWARD, job.submission.publisher_id))


def hub_of(kind: ErrorKind) -> tuple[int, str]:
    """The Hub Santé's number and name of an error kind, INVALID_MESSAGE where it has none of its own."""
    return kind.value.hub or (300, "INVALID_MESSAGE")


def verdict(outcome: JsonObject) -> tuple[tuple[int, str], str]:
    """The Hub error and the cause that a core's OperationOutcome names; INVALID_MESSAGE where it names none."""
    known = {str(kind.value.hub[0]): kind.value.hub for kind in ErrorKind if kind.value.hub}
    causes, hub = [], hub_of(ErrorKind.SCHEMA)
    for issue in outcome.get("issue", []):
        details = issue.get("details") or {}
        causes.append(str(issue.get("diagnostics") or details.get("text") or issue.get("code") or ""))
        for coding in details.get("coding") or []:
            hub = known.get(str(coding.get("code")), hub)
    return hub, "; ".join(filter(None, causes))[:MAX_CAUSE] or "The core refused the message."


async def give_up(way: Way, job: Outgoing, status: Status, hub: tuple[int, str], cause: str) -> str:
    """End a message for good and put an RS-ERROR into its sender's inbox, in one transaction."""
    stored = job.submission
    answer = (
        None if stored.message_type == "RS-ERROR" else error_for(way, stored, hub, cause)
    )  # never answered
    await way.store.reject(job.id, way.now(), status, cause, answer)
    log.warning("message_given_up", receipt=job.id, distribution_id=stored.distribution_id, status=status)
    return str(status)


def error_for(way: Way, stored: Submission, hub: tuple[int, str], cause: str) -> Delivery | None:
    """The RS-ERROR for a message's sender, in the version and format of the publisher that has the sender's inbox."""
    registry = way.registry.current
    publisher = registry.recipient_publisher(stored.sender) or registry.by_id(stored.publisher_id)
    if publisher is None:
        return None
    about = answers.Correspondence(way.policy.hub_id, stored.sender, stored.distribution_id)
    document = answers.error(about, way.now(), hub, cause)
    content_type = edxl.FORMATS[publisher.format]
    written = edxl.encode(document, content_type, publisher.model_version)
    return Delivery(
        publisher.id,
        document["distributionID"],
        about.sender,
        about.recipient,
        "RS-ERROR",
        publisher.model_version,
        content_type,
        written.content,
        stored.case_id,
        stored.distribution_id,
        way.now(),
        written.lost,
        notify=bool(publisher.webhook),
    )


class Forwarder:
    """The loop that keeps as many forwards under way as the policy says. `run` ends after `stop`, when they are drained."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._store = way.store
        self._now = way.now
        self._breaker = Breaker(OUTAGES, way.policy.retry_base, way.policy.retry_max)
        self._stopping = False
        self._idling: asyncio.Future[Any] | None = None
        self._tasks: dict[asyncio.Task[None], bool] = {}  # whether each is an urgent message's
        self._freed = asyncio.Event()

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping = True
        if self._idling is not None:
            self._idling.cancel()

    async def run(self) -> None:
        """Claim and forward until stopped."""
        while not self._stopping:
            BACKLOG.set(self._store.backlog())
            OLDEST.set(self._store.oldest_due_age(self._now()))
            self._freed.clear()
            room, ordinary = self._room()
            unhurried = self._store.backlog() < HURRY
            limit = min(room, PORTION) if unhurried else room
            jobs = await self._claim(limit, ordinary) if limit else []
            for job in jobs:
                task = asyncio.create_task(self._one(job))
                self._tasks[task] = job.submission.urgent
                task.add_done_callback(self._done)
                await asyncio.sleep(0)  # requests that came meanwhile have their turn before the next one
            room, ordinary = self._room()
            if not jobs or (not ordinary and len(jobs) < limit):  # no urgent one is left
                await self._idle(room, ordinary)
            elif unhurried and not all(job.submission.urgent for job in jobs):
                await self._store.wait_due(GAP_SECONDS, urgent=True)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _room(self) -> tuple[int, int]:
        """How many messages may set out now, and how many of them that are not urgent."""
        policy = self._way.policy
        room = self._breaker.room(self._now(), policy.most, len(self._tasks))
        ordinary = sum(not urgent for urgent in self._tasks.values())
        return room, max(0, min(room, policy.concurrency - ordinary))

    async def _claim(self, room: int, ordinary: int) -> list[Outgoing]:
        try:
            return await self._store.claim(self._now(), room, ordinary)
        except GatewayError as error:
            log.error("claim_failed", exc_info=error)
            await asyncio.sleep(IDLE_SECONDS)
            return []

    async def _idle(self, room: int, ordinary: int) -> None:
        wait: Coroutine[Any, Any, Any]
        if ordinary:
            wait = self._store.wait_due(IDLE_SECONDS)
        elif room:
            wait = self._urgent_or_freed()
        elif self._tasks:
            wait = self._freed.wait()
        else:
            wait = asyncio.sleep(min(IDLE_SECONDS, self._breaker.pause))
        self._idling = asyncio.ensure_future(wait)
        with contextlib.suppress(asyncio.CancelledError):
            await self._idling

    async def _urgent_or_freed(self) -> None:
        async with asyncio.TaskGroup() as group:
            waits = [
                group.create_task(self._store.wait_due(IDLE_SECONDS, urgent=True)),
                group.create_task(self._freed.wait()),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    async def _one(self, job: Outgoing) -> None:
        try:
            with FORWARD_SECONDS.time():
                result = await forward(self._way, job)
            self._learn(result)
        except Exception as error:  # noqa: BLE001 - the message stays in the store and is tried again
            log.error("forward_failed", receipt=job.id, exc_info=error)
            result = "failed"
            await self._put_back(job)
        FORWARDS.labels(result).inc()

    def _learn(self, result: str) -> None:
        before = self._breaker.is_open
        if result == "retry":
            self._breaker = self._breaker.after_outage(self._now())
        elif result in ("forwarded", Status.REJECTED):
            self._breaker = self._breaker.after_verdict()
        CORE_CIRCUIT.set(self._breaker.is_open)
        if self._breaker.is_open != before:
            log.warning("core_circuit_closed" if before else "core_circuit_opened", pause=self._breaker.pause)

    async def _put_back(self, job: Outgoing) -> None:
        try:
            await self._store.mark_retry(
                job.id, self._now(), self._now() + self._way.policy.retry_max, "internal"
            )
        except GatewayError as error:  # the store is down; it frees the lane by itself when it is back
            log.error("put_back_failed", receipt=job.id, exc_info=error)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._freed.set()
