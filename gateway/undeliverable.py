"""What becomes of a Bundle of which nothing is delivered: because nothing concerns its recipient, or because it cannot be given:
a dead letter then, and an RS-ERROR to its sender. Never silence.
"""

from dataclasses import astuple

import orjson

import schemas
from gateway import answers, error_reports, intake
from gateway.conversion import VERSION
from gateway.edxl import encoding, facts
from gateway.error_reports import OWN
from gateway.errors import NotApplicable, Refused, Untranslatable
from gateway.hub import HUB_ID
from gateway.model import Submission
from gateway.observability import UNDELIVERABLE, log
from gateway.offload import is_heavy
from gateway.runtime import Runtime
from gateway.translation import Description, describe

TRANSLATION_ERROR = (600, "MESSAGE_CONVERSION_ERROR")
# any other number would blame the sender for what the core made of its message
REPORTED = frozenset({501, 600})


async def undeliverable(runtime: Runtime, body: bytes, refusal: Refused) -> None:
    """Make a message that its recipient cannot be given a dead letter, and send its sender an RS-ERROR; never silence.

    However often the core brings the Bundle, the same RS-ERROR is kept once. Answers are never answered. Of a Bundle that
    does not say who sent it, only the log and the metric know.
    """
    found = await description(runtime, body)
    kind = refusal.issues[0].kind.value
    UNDELIVERABLE.labels(kind.code).inc()
    log.error(
        "message_undeliverable",
        distribution_id=found.distribution_id if found else "",
        message_type=found.message_type if found else "",
        code=kind.code,
    )
    if found is None or not (found.distribution_id and found.sender_id):
        return
    cause = "; ".join(issue.diagnostics for issue in refusal.issues)
    error = None if found.message_type in facts.REFERENCES else error_report(runtime, found, refusal, cause)
    await runtime.store.refuse_delivery(found.distribution_id, found.sender_id, runtime.now(), cause, error)


async def not_applicable(runtime: Runtime, body: bytes, nothing: NotApplicable) -> None:
    """Note in a message's timeline that nothing in it concerns its recipient. Nothing has failed, and nothing is delivered."""
    found = await description(runtime, body)
    if found is not None:
        log.info(
            "message_not_applicable", distribution_id=found.distribution_id, message_type=found.message_type
        )
        await runtime.store.mark_not_applicable(
            found.distribution_id, found.sender_id, runtime.now(), nothing.reason
        )


async def description(runtime: Runtime, body: bytes) -> Description | None:
    """`described`, in a worker where the Bundle is large. Raises Unavailable (503): the core brings it again."""
    if is_heavy(body, intake.FHIR_JSON):
        return await runtime.offload.run(OWN, False, described, body)
    return described(body)


def described(body: bytes) -> Description | None:
    """What a Bundle says of itself, None where that cannot be read."""
    try:
        found = describe(orjson.loads(encoding.without_bom(body)))
    except (orjson.JSONDecodeError, Untranslatable):
        return None
    return found if all(isinstance(value, str) for value in astuple(found)) else None


def error_report(runtime: Runtime, found: Description, refusal: Refused, cause: str) -> Submission:
    """The RS-ERROR to the sender of a message: Hub 600, or the number that the refusal has."""
    now = runtime.now()
    about = answers.Correspondence(HUB_ID, found.sender_id, found.distribution_id, found.status)
    hub = refusal.issues[0].kind.value.hub or TRANSLATION_ERROR
    version = found.model_version if found.model_version in schemas.VERSIONS else VERSION
    return error_reports.submission(
        about, now, hub if hub[0] in REPORTED else TRANSLATION_ERROR, cause, version
    )
