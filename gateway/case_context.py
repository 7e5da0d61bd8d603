"""What stored messages tell of a case, for one that crosses to the other side (health actors, fire services).

Two viewers at most are read: the recipient, who gets its own parts back, and for an RS-EDA-MAJ its sender, whose case it updates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway import intake
from gateway.case_memory import CLOSED, Memory, Said, counting
from gateway.conversion import VERSION, Context, in_version
from gateway.conversion.context import UPDATE
from gateway.edxl import facts
from gateway.errors import Untranslatable
from gateway.hub import origin_of
from gateway.model import Contribution, Message, Publisher, Submission
from gateway.observability import log
from gateway.registry import RegistryHolder
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.store import HISTORY_SCAN, Store

LIMIT = HISTORY_SCAN  # messages of a case that are taken up; older ones are left
CLOSING = tuple(code.encode() for code in CLOSED)
STATING = frozenset({"RS-EDA", UPDATE})  # the types that say whether a case is closed
READ = {  # the type that is made -> the types that it is made from
    "RC-EDA": frozenset({"RC-EDA"}),
    "RS-EDA": frozenset({"RS-EDA", UPDATE}),
    "RC-RI": frozenset({"RC-RI", "RS-SR"}),
    "RS-RI": frozenset({"RS-RI", "RS-SR"}),
}


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the recipient's viewer, and the sender's, sent and were delivered of a case before a message; newest first."""

    seen: tuple[Contribution, ...] = ()
    stated: tuple[Contribution, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of their contents."""
        return sum(len(one.content) for one in (*self.seen, *self.stated))


NOTHING = Remembered()


async def remembered(
    runtime: Runtime, message: Message, wanted: str, caller: Publisher | None = None
) -> Remembered:
    """What counts for a message that becomes another type; nothing is read for one that stays what it is.

    `caller`: the publisher that tries the message out, whose views alone may be used. An RS-EDA-MAJ that the core brings goes
    into the case of its sender only if the holder of the sender's inbox sent it. Raises Unavailable (503).
    """
    case, envelope = facts.case_id(message), message.envelope
    if wanted == message.message_type or wanted not in READ or not case:
        return NOTHING

    async def history(actor: str) -> list[Contribution]:
        holder = runtime.registry.current.recipient_publisher(actor)
        if holder is None or (caller is not None and holder.id != caller.id):
            return []
        found = await runtime.store.case_history(holder.id, actor, case, 0.0, LIMIT)
        if len(found) == LIMIT:
            log.warning("case_history_cut", publisher=holder.id, distribution_id=envelope.distribution_id)
        return found

    now, memory = runtime.now(), memory_of(runtime.settings)
    ids = envelope.distribution_id, envelope.sender_id
    seen = counted(before(await history(envelope.address), *ids), now, memory)
    stated: tuple[Contribution, ...] = ()
    if message.message_type == UPDATE:
        sent = [one for one in await history(envelope.sender_id) if one.sent]
        if caller is not None or ids in {(one.distribution_id, one.sender) for one in sent}:
            stated = own(before(sent, *ids), now, memory)
    return Remembered(tuple(one for one in seen if one.message_type in READ[wanted]), stated)


async def stated_before(
    store: Store, registry: RegistryHolder, update: Submission, now: float, memory: Memory
) -> Remembered:
    """What the sender of an RS-EDA-MAJ stated of its case, for a recipient of whom nothing is known here. Raises Unavailable."""
    holder = registry.current.recipient_publisher(update.sender)
    if holder is None or holder.id != update.publisher_id or not update.case_id:
        return NOTHING
    found = await store.case_history(holder.id, update.sender, update.case_id, 0.0, LIMIT)
    return Remembered(stated=own(before(found, update.distribution_id, update.sender), now, memory))


def memory_of(settings: Settings) -> Memory:
    """How long a case is remembered."""
    return Memory.of(settings.context_days, settings.context_closed_hours)


def before(history: Sequence[Contribution], distribution_id: str, sender: str) -> Sequence[Contribution]:
    """What came before a message: the core may bring it again, and what came after it, or was made of it, does not count."""
    places = [
        n
        for n, one in enumerate(history)
        if one.sender == sender and distribution_id in {one.distribution_id, origin_of(one.distribution_id)}
    ]
    return history[places[-1] + 1 :] if places else history


def own(history: Sequence[Contribution], now: float, memory: Memory) -> tuple[Contribution, ...]:
    """What the viewer itself stated of the case, as far as it counts."""
    sent = [one for one in history if one.sent]
    return tuple(one for one in counted(sent, now, memory) if one.message_type in READ["RS-EDA"])


def counted(history: Sequence[Contribution], now: float, memory: Memory) -> tuple[Contribution, ...]:
    """The part of a history that counts at `now`."""
    may_be_closed = any(
        code in one.content for one in history if one.message_type in STATING for code in CLOSING
    )
    said = [Said(one.at, _status(one) if may_be_closed else "") for one in history]
    return tuple(history[: counting(said, now, memory)])


def _status(one: Contribution) -> str:
    return facts.case_status(_stored(one)) if one.message_type in STATING else ""


def context(known: Remembered) -> Context:
    """The same as messages of the version in which the sides are converted."""
    return Context(*(tuple(m for one in part if (m := _decoded(one))) for part in (known.seen, known.stated)))


def _stored(one: Contribution) -> Message:
    return intake.decode_stored(one.content, one.content_type, one.model_version)


def _decoded(one: Contribution) -> Message | None:
    """None for what that version cannot say."""
    try:
        return in_version(_stored(one), VERSION)
    except Untranslatable:
        return None
    except Exception as error:  # noqa: BLE001 - one that another release stored must not hold up all that follow
        log.error("contribution_unreadable", distribution_id=one.distribution_id, cause=type(error).__name__)
        return None
