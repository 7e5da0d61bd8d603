"""The way out, first half: a publisher's message becomes durable, and its sender gets a receipt.

Read `post_message` first: it is the whole path. What follows is each of its steps.
"""

import hashlib
from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway import acceptance, answer_check, intake, judging, outcome
from gateway.body import read_body
from gateway.edxl import facts
from gateway.errors import ErrorKind, GatewayError, Refused
from gateway.headers import header
from gateway.judging import Posting
from gateway.model import Message, Publisher, Receipt, Submission
from gateway.observability import log, received
from gateway.quota import Spent
from gateway.runtime import Runtime, authenticate
from gateway.versions import deprecation, model_version
from gateway.views import receipt_json

FORM_REFUSED = 422


@dataclass(frozen=True, slots=True)
class Posted:
    """A request's body and its bare media type."""

    media_type: str
    body: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 over both: what makes a repeated distributionID a repeat."""
        return hashlib.sha256(self.media_type.encode() + b"\n" + self.body).digest()


async def post_message(runtime: Runtime, request: Request) -> Response:
    """`POST /v1/messages`: 202 with a receipt, or 200 with the first receipt of the same message."""
    publisher = await authenticate(runtime, request, "message.send")  # 401 403
    with runtime.quota.in_flight(publisher):  # 429
        posted = await read_posted(runtime, request, publisher)  # 413 415
        version = model_version(request, publisher.model_version)  # 400
        with runtime.volume.metered(publisher, len(posted.body), runtime.now()) as meter:  # 429
            receipt = await take(runtime, publisher, posted, version)
            meter.is_new = not receipt.duplicate
    return accepted(runtime, publisher, receipt)


async def take(runtime: Runtime, publisher: Publisher, posted: Posted, version: str) -> Receipt:
    """The receipt of a message that was posted, durable; the first one's where it came before."""
    posting = posting_of(runtime, publisher, posted, version)
    message, found = await judging.read(runtime.offload, posting)  # 400
    now = runtime.now()
    priority, case_id = facts.priority(message), facts.case_id(message)
    urgent = runtime.urgent_cases.is_urgent(publisher.id, priority, case_id, now)
    spent = None
    try:
        spent = await runtime.quota.spend(publisher, urgent, now)  # 429
        await take_turn(runtime, publisher, urgent, now)
        found = found or await judging.find(runtime.offload, posting, message, warnings=False)
        is_answer = message.message_type in facts.REFERENCES
        forged = await answer_check.issues(runtime, message) if is_answer else ()
        acceptance.require(
            runtime, publisher, message, posted.media_type, now, found, forged
        )  # 400 403 410 422
    except GatewayError as refusal:
        repeated = await replay(runtime, publisher, message, posted, refusal)
        if repeated is None:
            raise
        if spent is not None:
            await runtime.quota.give_back(publisher, spent, now)
        return repeated
    receipt = await keep(
        runtime, publisher, submit(publisher, message, posted, urgent, spent, now), spent
    )  # 409 503
    if not receipt.duplicate:
        runtime.urgent_cases.remember(publisher.id, priority, case_id, now)
    return receipt


async def take_turn(runtime: Runtime, publisher: Publisher, urgent: bool, now: float) -> None:
    """Return when work on this message may go on: for an urgent one at once, and what is not urgent makes way for it."""
    if urgent:
        runtime.pace.urgent()
    else:
        await runtime.pace.step_aside(publisher.id, publisher.limits.per_second, now)


async def validate_message(runtime: Runtime, request: Request) -> Response:
    """`POST /v1/messages/$validate`: every issue that `post_message` would find; nothing is stored, forwarded or spent."""
    publisher = await authenticate(runtime, request, "message.send")
    with runtime.quota.in_flight(publisher):  # 429
        return await validated(runtime, request, publisher)


async def validated(runtime: Runtime, request: Request, publisher: Publisher) -> Response:
    """The OperationOutcome about a body that is tried out. Raises Refused (400, 413, 415), QuotaExceeded (429)."""
    posted = await read_posted(runtime, request, publisher)
    runtime.volume.spend(publisher, len(posted.body), runtime.now())
    version = model_version(request, publisher.model_version)
    try:
        posting = posting_of(runtime, publisher, posted, version)
        message, found = await judging.read(runtime.offload, posting)
        found = found or await judging.find(runtime.offload, posting, message, warnings=True)
        forged = await answer_check.issues(runtime, message)
        now = runtime.now()
        issues = acceptance.issues(runtime, publisher, message, posted.media_type, now, found, forged)
    except Refused as refusal:
        if refusal.status != FORM_REFUSED:
            raise
        issues = refusal.issues  # the body could be read, but its form is none that a message has
    told = outcome.operation_outcome(issues, runtime.settings.fhir_base, runtime.settings.base_url)
    headers = deprecation(runtime.settings, version)
    return Response(orjson.dumps(told), headers=headers, media_type=outcome.MEDIA_TYPE)


def posting_of(runtime: Runtime, publisher: Publisher, posted: Posted, version: str) -> Posting:
    """A posted body and how this publisher's are judged."""
    strict = acceptance.is_strict(runtime, publisher)
    return Posting(posted.body, posted.media_type, version, strict, publisher.id)


async def read_posted(runtime: Runtime, request: Request, publisher: Publisher) -> Posted:
    """The whole body. Raises Refused: 415, 413."""
    media_type = intake.media_type(header(request.scope, b"content-type") or "")
    limit = min(runtime.settings.max_body, publisher.limits.max_body)
    return Posted(media_type, await read_body(request, limit, runtime.settings.max_drain))


async def replay(
    runtime: Runtime, publisher: Publisher, message: Message, posted: Posted, refusal: GatewayError
) -> Receipt | None:
    """The first receipt where this very message was accepted before, None where the refusal stands: the caller raises it.

    A repeat is never refused. Where quota or expiry alone refuse, a distributionID used for other bytes is the graver news:
    Refused (409).
    """
    # raised here, the refusal would be held by a frame of its own traceback: garbage that only the collector finds, and
    # under a flood of refusals the collector then stops everyone for tens of milliseconds
    distribution_id = message.envelope.distribution_id
    if not distribution_id:
        return None
    try:
        return await runtime.store.find_receipt(publisher.id, distribution_id, posted.digest)
    except Refused as conflict:
        passing = all(
            i.kind in {ErrorKind.QUOTA, ErrorKind.EXPIRED} or i.severity != "error" for i in refusal.issues
        )
        if passing:
            raise conflict from None
        return None


def submit(
    publisher: Publisher, message: Message, posted: Posted, urgent: bool, spent: Spent, now: float
) -> Submission:
    """What the store is to keep of an accepted message: the original bytes, and the facts that route them."""
    envelope = message.envelope
    return Submission(
        publisher.id,
        envelope.distribution_id,
        posted.digest,
        posted.media_type,
        posted.body,
        message.message_type,
        message.model_version,
        envelope.sender_id,
        envelope.address,
        facts.case_id(message),
        facts.refers_to(message),
        urgent,
        spent.quota,
        now,
        facts.instant(envelope.date_time_expires) or now,
    )


async def keep(runtime: Runtime, publisher: Publisher, submission: Submission, spent: Spent) -> Receipt:
    """The receipt of the stored message. What adds nothing to the store gets its quota back. Raises Refused, Unavailable."""
    receipt = None
    try:
        receipt = await runtime.store.enqueue(submission, submission.received_at)
    finally:
        if receipt is None or receipt.duplicate:
            await runtime.quota.give_back(publisher, spent, submission.received_at)
    return receipt


def accepted(runtime: Runtime, publisher: Publisher, receipt: Receipt) -> Response:
    """202 with the receipt, or 200 where it is the receipt of an earlier request."""
    headers = {
        "Location": f"/v1/messages/{receipt.id}",
        **deprecation(runtime.settings, receipt.model_version),
    }
    if receipt.duplicate:
        headers["Idempotent-Replayed"] = "true"
    else:
        received(publisher.id, receipt.message_type).inc()
    log.info(
        "message_received",
        publisher=publisher.id,
        distribution_id=receipt.distribution_id,
        message_type=receipt.message_type,
        receipt=receipt.id,
        duplicate=receipt.duplicate,
    )
    body = orjson.dumps(receipt_json(receipt))
    return Response(body, 200 if receipt.duplicate else 202, headers, "application/json")
