"""What goes on in the sandbox, as data: who is there, what waits, what was sent, what is disturbed. No content is in it."""

from typing import Any

from gateway.model import iso
from publishers.sandbox.plant import Sandbox
from publishers.sandbox.publishers import DemoPublisher

JsonObject = dict[str, Any]
LAST = 10  # messages shown of each publisher
PAGE = 200  # inbox items read at a time
MOST = 2_000  # inbox items counted


async def state(sandbox: Sandbox) -> JsonObject:
    """`publishers`, `clock`, `seed`, `faults`, `waiting` deliveries of the core, and the `events` of the scenarios."""
    clock, on = sandbox.clock, sandbox.core.faults.current()
    fault = None
    if on is not None:
        told, left = on
        fault = {
            "status": told.status,
            "latency_ms": told.latency_ms,
            "drop_answer": told.drop_answer,
            **({"left": left} if told.rate is None else {"rate": told.rate, "seed": told.seed}),
        }
    return {
        "gateway": sandbox.gateway,
        "clock": {"now": iso(clock()), "offset": round(clock.offset, 3), "frozen": clock.frozen},
        "seed": sandbox.seed,
        "faults": fault,
        "core": {"arrivals": len(sandbox.core.arrivals.all()), "waiting": sandbox.core.routing.waiting()},
        "publishers": [await _publisher(sandbox, one) for one in sandbox.everybody()],
        "events": list(sandbox.director.events)[::-1],
    }


async def _publisher(sandbox: Sandbox, publisher: DemoPublisher) -> JsonObject:
    runtime = sandbox.runtime
    sent, _cursor = await runtime.store.list_messages(publisher.id, limit=LAST)
    count, waiting = await _inbox(sandbox, publisher.id)
    registered = runtime.registry.current.by_id(publisher.id)
    return {
        "id": publisher.id,
        "name": publisher.name,
        "client_id": publisher.client_id,
        "sender_ids": list(publisher.sender_ids),
        "inbox_ids": list(publisher.inbox_ids),
        "model_version": publisher.model_version,
        "format": publisher.format,
        "per_second": registered.limits.per_second if registered else None,
        "inbox": {"waiting": count, "more": count >= MOST, "last": waiting},
        "sent": [
            {"id": one.id, "distributionID": one.distribution_id, "messageType": one.message_type}
            | {"status": str(one.status), "receivedAt": iso(one.received_at)}
            for one in sent
        ],
    }


async def _inbox(sandbox: Sandbox, publisher_id: str) -> tuple[int, list[JsonObject]]:
    """How many items wait, counted up to MOST, and the newest of these, newest first."""
    cursor, count = 0, 0
    last: list[JsonObject] = []
    while count < MOST:
        items = await sandbox.runtime.store.read_inbox(publisher_id, cursor, PAGE)
        if not items:
            break
        count, cursor = count + len(items), items[-1].cursor
        shown = [
            {
                "id": item.id,
                "distributionID": item.delivery.distribution_id,
                "messageType": item.delivery.message_type,
                "receivedAt": iso(item.delivery.received_at),
            }
            for item in items
        ]
        last = [*last, *shown][-LAST:]
    return count, last[::-1]
