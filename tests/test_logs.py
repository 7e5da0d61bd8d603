"""No health data, secret or token in any log line or metric, whatever happens to a message."""

import io
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import generate_latest

from gateway.errors import CoreOutage, CoreRejected
from gateway.observability import METRICS
from tests.house import House, case, house, secret
from tests.patience import until

SEED = "Zébulon-Patient-7731"
PHONE = "+33699887766"
PATIENT: dict[str, Any] = {
    "patient": [
        {
            "patientId": "fr.health.samu440.patient.P7731",
            "identity": {"nonStrictFeatures": {"complete": SEED, "lastName": SEED}},
        }
    ],
    "location": {"name": SEED, "freetext": SEED, "access": {"phoneNumber": PHONE}},
}


async def test_no_health_data_leaves_by_logs_or_metrics(tmp_path: Path, lines: io.BytesIO) -> None:
    async with house(tmp_path, retry_base=0.01, retry_max=0.02) as gateway:
        await walk(gateway)
    logged = lines.getvalue().decode()
    seen = logged + generate_latest(METRICS).decode()
    for secret_text in (SEED, PHONE, "Zébulon", "P7731", secret("lrm"), "Bearer", "eyJ"):
        assert secret_text not in seen
    events = [orjson.loads(line) for line in logged.splitlines()]
    names = {event["event"] for event in events}
    assert {"message_received", "message_delivered", "request_refused", "message_given_up"} <= names
    received = [event for event in events if event["event"] == "message_received"]
    assert all(event["request_id"] and event["distribution_id"] for event in received)


async def walk(gateway: House) -> None:
    """Every kind of fate that a message can have."""
    rejection = {"severity": "error", "code": "invalid", "diagnostics": f"No place for {SEED}"}
    gateway.core.trouble = [
        CoreOutage("HTTP 503"),
        CoreRejected(422, {"resourceType": "OperationOutcome", "issue": [rejection]}),
        ValueError(SEED),
    ]
    for number in range(1, 4):
        await gateway.send(case(number, caseId=f"fr.health.samu440.C{number}", **PATIENT))
    await gateway.send(case(9, **{**PATIENT, "owner": SEED + " !"}))
    await gateway.post(b'{"x": "' + SEED.encode())
    await gateway.client.get(f"/v1/messages?case={SEED}&status={SEED}", headers=await gateway.token())
    await gateway.client.get(f"/{SEED}")

    def came() -> object:
        gateway.clock.now += 0.05
        return gateway.core.bundles

    await until(came)
    for bundle in list(gateway.core.bundles):
        await gateway.deliver(bundle)
    await gateway.deliver({"resourceType": "Bundle", "text": SEED})
