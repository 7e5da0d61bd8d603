"""What the peers of the scenarios answer to a message, besides RC-REF. Pure; everything in it is made up."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

from gateway.model import JsonObject, Message, iso
from publishers.sandbox import messages


def answer(message: Message, sender: str, now: float, seed: int) -> JsonObject | None:
    """The EDXL-DE v3 document that `sender` answers a message with, None where its type has no answer.

    `now` in POSIX seconds. The same message and seed give the same distributionID.
    """
    made = _ANSWERS.get(message.message_type)
    if made is None:
        return None
    root_key, write = made
    asked = message.envelope
    told = hashlib.sha256(f"{seed}\n{root_key}\n{asked.sender_id}\n{asked.distribution_id}".encode())
    name, at = told.hexdigest()[:32], datetime.fromtimestamp(now, UTC)
    body = write(message.body, sender, iso(now))
    return messages.enveloped(body, sender, asked.sender_id, at, name, root_key)


def _accept(request: JsonObject, _sender: str, at: str) -> JsonObject:
    """RS-RR: the request is accepted."""
    response = {"datetime": at, "answer": "ACCEPTEE"}
    return {"caseId": request["caseId"], "requestId": request["request"]["requestId"], "response": response}


def _engage(case: JsonObject, sender: str, at: str) -> JsonObject:
    """RS-RI: one vehicle is on its way."""
    vehicle = {"datetime": at, "resourceId": f"{sender}.resource.VLM1", "vehicleType": "SMUR.VLM"}
    return {
        "caseId": case["caseId"],
        "resource": [vehicle | {"state": [{"datetime": at, "status": "DECLENCHE"}]}],
    }


def _locate(request: JsonObject, _sender: str, at: str) -> JsonObject:
    """GEO-POS: where each of the vehicles is."""
    coord = {"lat": 48.8412, "lon": 2.3876}
    return {
        "position": [{"resourceId": one, "datetime": at, "coord": coord} for one in request["resourceId"]]
    }


_Write = Callable[[JsonObject, str, str], JsonObject]
_ANSWERS: dict[str, tuple[str, _Write]] = {
    "RS-DR": ("resourcesResponse", _accept),
    "RS-EDA": ("resourcesInfo", _engage),
    "RS-EDA-MAJ": ("resourcesInfo", _engage),
    "GEO-REQ": ("geoPositionsUpdate", _locate),
}
