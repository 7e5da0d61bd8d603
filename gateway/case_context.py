"""What stored messages tell of a case, for one that crosses to the other side (health actors, fire services).

Two viewers at most are read: the recipient, who gets its own parts back, and for an RS-EDA-MAJ its sender, whose case it updates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway import intake
from gateway.case_memory import CLOSED, Memory, Said, counting
from gateway.conversion import VERSION, Context, in_version
from gateway.conversion.context import UPDATE
from gateway.edxl import facts
from gateway.errors import Untranslatable
from gateway.hub import origin_of
from gateway.model import Contribution, Message, Publisher
from gateway.observability import log
from gateway.runtime import Runtime

LIMIT = 100  # messages of a case that are taken up; older ones are left
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
    runtime: Runtime,
    message: Message,
    wanted: str,
    may_read: Callable[[Publisher], bool] = lambda _: True,
) -> Remembered:
    """What counts for a message that becomes another type; nothing is read for one that stays what it is.

    `may_read`: whose view may be used. Raises Unavailable (503).
    """
    case, envelope = facts.case_id(message), message.envelope
    if wanted == message.message_type or wanted not in READ or not case:
        return NOTHING

    async def history(actor: str) -> list[Contribution]:
        holder = runtime.registry.current.recipient_publisher(actor)
        if holder is None or not may_read(holder):
            return []
        found = await runtime.store.case_history(holder.id, actor, case, 0.0, LIMIT)
        if len(found) == LIMIT:
            log.warning("case_history_cut", publisher=holder.id, distribution_id=envelope.distribution_id)
        return found

    now = runtime.now()
    memory = Memory.of(runtime.settings.context_days, runtime.settings.context_closed_hours)
    seen = counted(before(await history(envelope.address), message), now, memory)
    stated: tuple[Contribution, ...] = ()
    if message.message_type == UPDATE:
        sent = [one for one in before(await history(envelope.sender_id), message) if one.sent]
        stated = tuple(one for one in counted(sent, now, memory) if one.message_type in READ["RS-EDA"])
    return Remembered(tuple(one for one in seen if one.message_type in READ[wanted]), stated)


def before(history: Sequence[Contribution], message: Message) -> Sequence[Contribution]:
    """What came before a message: the core may bring it again, and what came after it, or was made of it, does not count."""
    own, sender = message.envelope.distribution_id, message.envelope.sender_id
    places = [
        n
        for n, one in enumerate(history)
        if one.sender == sender and own in {one.distribution_id, origin_of(one.distribution_id)}
    ]
    return history[places[-1] + 1 :] if places else history


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
