"""The way out, second half: what has a receipt is claimed, translated and handed to the national core.

Read `forward` first. It ends in one of: forwarded, a retry, or a terminal status of which the sender is told by RS-ERROR.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from gateway import answers, error_reports, intake, translation
from gateway.budget import ByteBudget
from gateway.case_context import NOTHING, Remembered, context, stated_before
from gateway.case_memory import Memory
from gateway.conversion import VERSION, Context, convert
from gateway.conversion.context import UPDATE
from gateway.core import Core
from gateway.edxl.digits import kept
from gateway.errors import (
    CoreOutage,
    CoreRejected,
    ErrorKind,
    NotApplicable,
    Unavailable,
    Untranslatable,
    machine_failed,
)
from gateway.hub import HUB_ID, is_health
from gateway.model import Delivery, JsonObject, Message, Outgoing, Status, Step, Submission
from gateway.observability import CORE_UP, log
from gateway.offload import HEAVY_BUNDLE, Offload, is_heavy_to_translate
from gateway.pace import FORWARD, Pace
from gateway.perimeter import Passage, converted_type, passage, refusal
from gateway.registry import RegistryHolder
from gateway.store import Store
from gateway.validation.bounds import bundle_limit

NOTHING_TO_SEND = "not-applicable"
UNTRANSLATED = "It could not be translated."
MAX_CAUSE = 2_000  # characters of a core's diagnostics that an RS-ERROR repeats
UNDER_WAY = 33_554_432  # bytes of Bundles under way, as estimated, and a quarter more for urgent ones
GROWTH = 16  # a Bundle's bytes for each of an ordinary message's, at most
URGENT_SHARE = 4  # one place for urgent messages alone to so many for all


@dataclass(frozen=True, slots=True)
class ForwardPolicy:
    """How the way to the core behaves. Times in seconds; `hub_id` signs the gateway's own messages.

    `concurrency` messages are under way at one time, and a quarter as many urgent ones beside them: when a slow core holds up
    everything else, the next urgent case still sets out at once.
    """

    concurrency: int = 32
    retry_base: float = 0.5
    retry_max: float = 60.0
    hub_id: str = HUB_ID

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


def to_bundle(job: Outgoing, *, behind_core: bool = False, stated: Remembered = NOTHING) -> bytes:
    """The canonical Bundle of a stored message, checked. `behind_core`: the recipient has no inbox here, so that no gateway
    converts for it at delivery; `stated`: the case that an RS-EDA-MAJ to it is a part of.

    A Bundle that a publisher sent is made anew too: what was judged goes out, and nothing that stood beside it. Raises
    Untranslatable, and NotApplicable where nothing in it concerns the recipient.
    """
    stored = job.submission
    message = intake.decode_stored(stored.body, stored.media_type, stored.model_version)
    bundle = translation.to_fhir(without_secrets(message, context(stated)) if behind_core else message)
    problems = translation.canonical_issues(bundle)
    if problems:
        raise Untranslatable("the translation does not fit the canonical profile", problems[0])
    return orjson.dumps(kept(bundle, message.digits))


def without_secrets(message: Message, known: Context) -> Message:
    """A health actor's message to somebody else as that one may read it: converted, and nothing withheld in it. Any other as it is."""
    ends = message.envelope.sender_id, message.envelope.address
    if not is_health(ends[0]) or is_health(ends[1]):
        return message
    match passage(message.message_type, *ends):
        case Passage.REFUSED:
            raise Untranslatable(refusal(message.message_type, *ends))
        case Passage.CONVERTED:
            return convert(message, VERSION, converted_type(message.message_type, ends[1]), known).message
    return convert(message, message.model_version).message


async def bundle_of(way: "Way", job: Outgoing) -> bytes:
    """`to_bundle`, in a worker where that takes long. Raises Untranslatable, NotApplicable, Unavailable."""
    stored = job.submission
    behind_core = way.registry.current.recipient_publisher(stored.recipient) is None
    known = NOTHING
    if behind_core and stored.message_type == UPDATE and not is_health(stored.recipient):
        known = await stated_before(way.store, way.registry, stored, way.now(), way.memory)
    if is_heavy_to_translate(stored.body, stored.media_type) or known.size > HEAVY_BUNDLE:
        return await way.offload.run(
            stored.publisher_id, stored.urgent, to_bundle, job, behind_core=behind_core, stated=known
        )
    return to_bundle(job, behind_core=behind_core, stated=known)


@dataclass(frozen=True, slots=True)
class Way:
    """What a forward needs: where messages wait, where they go, who sent them, the clock (POSIX seconds), and for how long cases
    are remembered.
    """

    store: Store
    core: Core
    registry: RegistryHolder
    policy: ForwardPolicy
    now: Callable[[], float]
    pace: Pace = field(default_factory=Pace)
    offload: Offload = field(default_factory=Offload)
    memory: Memory = field(default_factory=lambda: Memory.of(7, 24))
    budget: ByteBudget = field(default_factory=lambda: ByteBudget(UNDER_WAY, UNDER_WAY // URGENT_SHARE))


async def forward(way: Way, job: Outgoing) -> str:
    """One attempt at one message, once there is room for its Bundle. Returns what came of it, for the metrics; the store
    knows it already.
    """
    size = expected_bytes(job.submission)
    await way.budget.take(size, urgent=job.submission.urgent)
    try:
        return await attempt(way, job)
    finally:
        way.budget.give_back(size)


def expected_bytes(stored: Submission) -> int:
    """About how many bytes the Bundle of a stored message has: it is held until the core has answered."""
    if stored.media_type == intake.FHIR_JSON:
        return len(stored.body)
    return min(GROWTH * len(stored.body), bundle_limit(stored.message_type))


async def attempt(way: Way, job: Outgoing) -> str:
    """See `forward`."""
    if job.submission.expires_at <= way.now():
        return await give_up(
            way, job, Status.EXPIRED, hub_of(ErrorKind.EXPIRED), "It expired before the core took it."
        )
    await take_turn(way, job)
    try:
        bundle = await bundle_of(way, job)
    except NotApplicable as nothing:
        return await end_quietly(way, job, nothing.reason)
    except Unavailable:
        raise  # the workers have no room or died: the message is tried again
    except OSError as error:
        raise machine_failed(error) from error
    except Exception as error:  # noqa: BLE001 - a defect of a mapping table must end as a dead letter with an alert
        log.error(
            "translation_failed", receipt=job.id, message_type=job.submission.message_type, exc_info=error
        )
        cause = (
            f"It could not be translated: {error.reason}."
            if isinstance(error, Untranslatable)
            else UNTRANSLATED
        )
        return await give_up(way, job, Status.DEAD, hub_of(ErrorKind.TRANSLATION), cause)
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


async def end_quietly(way: Way, job: Outgoing, reason: str) -> str:
    """End a message of which nothing concerns its recipient: it counts as forwarded, and its timeline says why nothing was sent."""
    stored = job.submission
    await way.store.mark_forwarded(job.id, way.now())
    await way.store.mark_not_applicable(stored.distribution_id, stored.sender, way.now(), reason)
    return NOTHING_TO_SEND


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
    about = answers.Correspondence(
        way.policy.hub_id, stored.sender, stored.distribution_id, distribution_status(stored)
    )
    return error_reports.delivery(publisher, about, way.now(), hub, cause, stored.case_id)


def distribution_status(stored: Submission) -> str:
    """The distributionStatus of a stored message: the RS-ERROR about an Exercise is an Exercise."""
    try:
        message = intake.decode(stored.body, stored.media_type, stored.model_version)
    except Exception:  # noqa: BLE001 - the defect for which it is given up may be in the decoder
        return answers.ACTUAL
    return message.envelope.distribution_status
