"""The messages that the gateway itself writes: RC-REF for a recipient that acknowledges, RS-ERROR to a sender."""

import hashlib
from dataclasses import dataclass

from gateway.model import JsonObject, iso

LIFE = 86_400.0  # seconds until an answer expires: the Hub Santé's own time to live
LANGUAGE = "fr-FR"
HAVE_STEP = frozenset({"v3"})  # the model versions whose RC-REF has `step`
ACTUAL = "Actual"  # distributionStatus


@dataclass(frozen=True, slots=True)
class Correspondence:
    """Who answers whom about which message. Ids are the Hub Santé's; `refers_to` is a distributionID, `status` the
    distributionStatus of the answered message: the answer to an Exercise is an Exercise.
    """

    sender: str
    recipient: str
    refers_to: str
    status: str = ACTUAL


def reference(
    about: Correspondence,
    now: float,
    step: str | None = None,
    refused: bool | None = None,
    version: str = "v3",
    after: str = "",
) -> JsonObject:
    """An RC-REF (EDXL-DE kind Ack). The same answer after the same one (`after`, its distributionID) has the same distributionID.

    `step` is left out where the version has none.
    """
    body: JsonObject = {"distributionID": about.refers_to}
    if version not in HAVE_STEP:
        step = None
    if refused is not None:
        body["refused"] = refused
    if step is not None:
        body["step"] = step
    said = "\n".join(filter(None, (step, "refused" if refused else "", after)))
    return _envelope(about, "Ack", {"reference": body}, now, header=True, said=said)


def error(about: Correspondence, now: float, hub: tuple[int, str], cause: str) -> JsonObject:
    """An RS-ERROR (EDXL-DE kind Error), without RC-DE header. `hub` is the Hub Santé's error number and name."""
    number, name = hub
    body: JsonObject = {
        "errorCode": {"statusCode": number, "statusString": name},
        "errorCause": cause,
        "referencedDistributionID": about.refers_to,
    }
    return _envelope(about, "Error", {"error": body}, now, header=False)


def _envelope(
    about: Correspondence, kind: str, message: JsonObject, now: float, *, header: bool, said: str = ""
) -> JsonObject:
    seed = "\n".join(filter(None, (kind, about.sender, about.recipient, about.refers_to, said)))
    distribution_id = f"{about.sender}_{hashlib.sha256(seed.encode()).hexdigest()[:32]}"
    sent = iso(now)
    before = {
        "messageId": distribution_id,
        "sender": {"name": about.sender, "URI": f"hubex:{about.sender}"},
        "sentAt": sent,
        "kind": kind,
        "status": about.status,
        "recipient": [{"name": about.recipient, "URI": f"hubex:{about.recipient}"}],
    }
    address = {"explicitAddressScheme": "hubex", "explicitAddressValue": about.recipient}
    return {
        "distributionID": distribution_id,
        "senderID": about.sender,
        "dateTimeSent": sent,
        "dateTimeExpires": iso(now + LIFE),
        "distributionStatus": about.status,
        "distributionKind": kind,
        "descriptor": {"language": LANGUAGE, "explicitAddress": address},
        "content": [
            {
                "jsonContent": {
                    "embeddedJsonContent": {"message": {**before, **message} if header else message}
                }
            }
        ],
    }
