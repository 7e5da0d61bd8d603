"""A receipt and an inbox item as the contract shows them."""

import orjson

from gateway import edxl
from gateway.model import InboxItem, JsonObject, Receipt, iso


def receipt_json(receipt: Receipt) -> JsonObject:
    """The receipt as the contract has it."""
    told = {
        "id": receipt.id,
        "distributionID": receipt.distribution_id,
        "sender": receipt.sender,
        "recipient": receipt.recipient,
        "caseId": receipt.case_id or None,
        "status": receipt.status,
        "messageType": receipt.message_type,
        "modelVersion": receipt.model_version,
        "receivedAt": iso(receipt.received_at),
        "duplicate": receipt.duplicate,
        "quota": receipt.quota,
        "attempts": receipt.attempts,
        "lastCause": receipt.last_cause or None,
    }
    return told if receipt.answer is None else {**told, "answer": receipt.answer}


def item_json(item: InboxItem) -> JsonObject:
    """One inbox item as the contract has it; `content` is an object for JSON kinds, a string for XML."""
    delivery = item.delivery
    as_json = delivery.content_type == edxl.JSON
    told = {
        "id": item.id,
        "distributionID": delivery.distribution_id,
        "messageType": delivery.message_type,
        "modelVersion": delivery.model_version,
        "contentType": delivery.content_type,
        "content": orjson.Fragment(delivery.content) if as_json else delivery.content.decode(),
        "receivedAt": iso(delivery.received_at),
        "loss": list(delivery.loss),
    }
    return {**told, "expired": True} if item.expired else told
