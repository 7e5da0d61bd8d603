"""What expires in an inbox: the sender of a message that nobody acknowledged or answered in time is told, once.

As the Hub Santé does for what expires in a recipient's queue (error 500), but that the item stays and can still be read.
"""

from gateway import error_reports
from gateway.answers import Correspondence
from gateway.conversion import VERSION
from gateway.edxl import facts
from gateway.errors import GatewayError
from gateway.hub import HUB_ID, origin_of
from gateway.model import Delivery, Message, Submission, iso
from gateway.observability import INBOX_EXPIRED, WORKER_FAILURES, log
from gateway.registry import Registry
from gateway.runtime import Runtime
from gateway.store import NOT_ANSWERED, Overdue

DEAD_LETTER_QUEUED = (500, "DEAD_LETTER_QUEUED")
PAGE = 100  # items looked up at a time
HOUR = 3_600.0


def expiry_of(message: Message, delivery: Delivery, cap_hours: int) -> float | None:
    """When the sender of a delivered message is told that nobody answered, POSIX seconds: at its dateTimeExpires, `cap_hours` after
    delivery at the latest where that is not 0.

    None for what nobody is told of: an answer, a quiet delivery, and what was made of a message, whose sender knows the first alone.
    """
    derived = origin_of(delivery.distribution_id)
    expires = facts.instant(message.envelope.date_time_expires)
    if expires is None or delivery.quiet or derived or message.message_type in facts.REFERENCES:
        return None
    return min(expires, delivery.received_at + cap_hours * HOUR) if cap_hours else expires


async def expire_overdue(runtime: Runtime) -> None:
    """Tell the senders of all that is past its expiry now. Raises Unavailable; what is left the next sweep does."""
    while True:
        found = await runtime.store.expiries.overdue(runtime.now(), PAGE)
        done = [await expire_one(runtime, item) for item in found]
        if len(found) < PAGE or not any(done):
            return


async def expire_one(runtime: Runtime, item: Overdue) -> bool:
    """Flag one item and tell its sender; whether that could be done. Raises Unavailable."""
    now = runtime.now()
    try:
        error = error_about(runtime.registry.current, item, now)
        cause = f"{NOT_ANSWERED} {iso(item.expires_at)}"
        result = await runtime.store.expiries.expire(item.item_id, now, cause, error)
    except GatewayError:
        raise
    except Exception as defect:  # noqa: BLE001 - one item must not keep the others' senders waiting
        WORKER_FAILURES.labels("Expiry").inc()
        log.error("expiry_failed", item=item.item_id, distribution_id=item.distribution_id, exc_info=defect)
        return False
    INBOX_EXPIRED.labels(result).inc()
    log.warning(
        "item_expired",
        publisher=item.publisher_id,
        item=item.item_id,
        distribution_id=item.distribution_id,
        result=result,
    )
    return True


def error_about(registry: Registry, item: Overdue, now: float) -> Delivery | Submission:
    """The RS-ERROR to the sender: for its inbox where that is here, else for the core."""
    about = Correspondence(HUB_ID, item.sender, item.distribution_id, item.distribution_status)
    cause = (
        f"Delivered to {item.recipient}, which neither acknowledged nor answered it by {iso(item.expires_at)}."
        " It may still be read there. Call the recipient."
    )
    publisher = registry.recipient_publisher(item.sender)
    if publisher is None:
        return error_reports.submission(about, now, DEAD_LETTER_QUEUED, cause, VERSION)
    return error_reports.delivery(publisher, about, now, DEAD_LETTER_QUEUED, cause, item.case_id)
