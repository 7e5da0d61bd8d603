"""The receipt as the contract has it."""

from gateway.model import JsonObject, Receipt, iso


def receipt_json(receipt: Receipt) -> JsonObject:
    """The receipt as the contract has it."""
    return {
        "id": receipt.id,
        "distributionID": receipt.distribution_id,
        "status": receipt.status,
        "messageType": receipt.message_type,
        "modelVersion": receipt.model_version,
        "receivedAt": iso(receipt.received_at),
        "duplicate": receipt.duplicate,
        "quota": receipt.quota,
    }
