"""Messages that the sandbox sends. Everyone in them is made up."""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

JsonObject = dict[str, Any]
CASE = Path(__file__).parent / "rs-eda.json"


def case(sender: str, recipient: str, now: datetime, name: str = "", lane: str = "") -> JsonObject:
    """An RS-EDA of model v3 in its envelope, good for one day. `now` has a time zone.

    `name` is the distributionID's own part, random if not given; `lane` is put behind the caseId.
    """
    body = orjson.loads(CASE.read_bytes())
    body["caseId"] += lane
    return enveloped(body, sender, recipient, now, name or secrets.token_hex(8))


def enveloped(
    body: JsonObject,
    sender: str,
    recipient: str,
    now: datetime,
    name: str,
    root_key: str = "createCaseHealth",
) -> JsonObject:
    """The EDXL-DE envelope with its RC-DE header around a message's body, an RS-EDA's unless `root_key` says otherwise."""
    distribution_id, sent = f"{sender}_{name}", _instant(now)
    message = {
        "messageId": distribution_id,
        "sender": {"name": sender, "URI": f"hubex:{sender}"},
        "sentAt": sent,
        "kind": "Report",
        "status": "Actual",
        "recipient": [{"name": recipient, "URI": f"hubex:{recipient}"}],
        root_key: body,
    }
    return {
        "distributionID": distribution_id,
        "senderID": sender,
        "dateTimeSent": sent,
        "dateTimeExpires": _instant(now + timedelta(days=1)),
        "distributionStatus": "Actual",
        "distributionKind": "Report",
        "descriptor": {
            "language": "fr-FR",
            "explicitAddress": {"explicitAddressScheme": "hubex", "explicitAddressValue": recipient},
        },
        "content": [{"jsonContent": {"embeddedJsonContent": {"message": message}}}],
    }


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
