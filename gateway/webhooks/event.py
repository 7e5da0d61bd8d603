"""What a webhook says: that an item is in the inbox, and whether it is an answer that acknowledges or refuses; nothing else of
what is in it. Pure.
"""

import orjson

from gateway import __version__
from gateway.model import iso
from gateway.store import Event
from gateway.webhooks.keys import WebhookKeys

TYPE = "inbox.item"
USER_AGENT = f"regulation-gateway/{__version__}"


def body(event: Event) -> bytes:
    """The event, the same bytes at each attempt. `timestamp` is when the item came."""
    about = {"id": event.item_id, "messageType": event.message_type}
    if event.answer_status:
        about["status"] = event.answer_status
    return orjson.dumps({"type": TYPE, "timestamp": iso(event.received_at), "data": about})


def headers(event: Event, content: bytes, keys: WebhookKeys, now: float) -> dict[str, str]:
    """The headers of one attempt (Standard Webhooks, "Webhook Headers"); `webhook-id` is the same at each.

    Signed is `<webhook-id>.<webhook-timestamp>.<body>`.
    """
    sent = str(int(now))
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "identity",
        "webhook-id": event.item_id,
        "webhook-timestamp": sent,
        "webhook-signature": keys.sign(f"{event.item_id}.{sent}.".encode() + content),
    }
