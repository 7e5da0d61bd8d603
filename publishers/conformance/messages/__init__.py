"""The messages of the suite: a case in its EDXL-DE envelope. Everyone in them is made up."""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

JsonObject = dict[str, Any]
CASE = Path(__file__).parent / "rs-eda.json"
KINDS = {"reference": "Ack", "error": "Error"}
ACCENTS = "Éléonore Nuñez-Lœuf, l’œdème à 38,5\N{NO-BREAK SPACE}°C\N{NARROW NO-BREAK SPACE}: 🚑 👩\N{ZERO WIDTH JOINER}⚕️ — é / e\N{COMBINING ACUTE ACCENT}, ÿ, €, « ça »"


def case(sender: str, name: str, text: str = "") -> JsonObject:
    """The use case of an RS-EDA, `{"createCaseHealth": …}`; `name` is the case's own name, `text` its medical note."""
    body = orjson.loads(CASE.read_bytes().replace(b"fr.health.samu440", sender.encode()))
    body["caseId"] = f"{sender}.{name}"
    body["medicalNote"][0]["freetext"] = text or body["medicalNote"][0]["freetext"]
    return {"createCaseHealth": body}


def update(sender: str, name: str, text: str) -> JsonObject:
    """The use case of an RS-EDA-MAJ that adds a free text to the case."""
    return {"createCaseHealthUpdate": {"caseId": f"{sender}.{name}", "freetext": text}}


def fresh_name() -> str:
    """A name that no other message has."""
    return secrets.token_hex(8)


def enveloped(
    content: JsonObject, sender: str, recipient: str, name: str = "", expires_in: float = 86_400.0
) -> JsonObject:
    """The EDXL-DE document around a use case, sent now. `expires_in` in seconds; below 0 it is past."""
    distribution_id = f"{sender}_{name or fresh_name()}"
    now = datetime.now(UTC)
    sent = min(now, now + timedelta(seconds=expires_in - 60))
    kind = KINDS.get(next(iter(content)), "Report")
    header = {
        "messageId": distribution_id,
        "sender": {"name": sender, "URI": f"hubex:{sender}"},
        "sentAt": _instant(sent),
        "kind": kind,
        "status": "Actual",
        "recipient": [{"name": recipient, "URI": f"hubex:{recipient}"}],
    }
    message = {**({} if "error" in content else header), **content}
    return {
        "distributionID": distribution_id,
        "senderID": sender,
        "dateTimeSent": _instant(sent),
        "dateTimeExpires": _instant(now + timedelta(seconds=expires_in)),
        "distributionStatus": "Actual",
        "distributionKind": kind,
        "descriptor": {
            "language": "fr-FR",
            "explicitAddress": {"explicitAddressScheme": "hubex", "explicitAddressValue": recipient},
        },
        "content": [{"jsonContent": {"embeddedJsonContent": {"message": message}}}],
    }


def message_of(document: JsonObject) -> JsonObject:
    """The RC-DE message inside an EDXL-DE document."""
    found: JsonObject = document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    return found


def use_case(document: JsonObject) -> JsonObject:
    """The use case of an EDXL-DE document without its header, `{root key: …}`."""
    header = {"messageId", "sender", "sentAt", "kind", "status", "recipient"}
    return {name: value for name, value in message_of(document).items() if name not in header}


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
