"""The way out, first half: a publisher's message becomes durable, and its sender gets a receipt.

Read `post_message` first: it is the whole path. What follows is each of its steps.
"""

import hashlib
from dataclasses import dataclass, replace

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway import edxl, intake, outcome, validation
from gateway.body import read_body
from gateway.edxl import facts
from gateway.errors import ErrorKind, GatewayError, Issue, Refused
from gateway.headers import header
from gateway.model import Message, Publisher, Receipt, Submission, iso
from gateway.observability import RECEIVED, log
from gateway.quota import Spent
from gateway.runtime import Runtime, authenticate
from gateway.versions import deprecation, model_version
from gateway.views import receipt_json

FORM_REFUSED = 422
HEALTH_PREFIX = "fr.health"  # one side of every exchange is a health actor (Hub Santé, rule 5)


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
        message = intake.decode(
            posted.body, posted.media_type, model_version(request, publisher.model_version)
        )  # 400
        now = runtime.now()
        urgent = runtime.urgent_cases.is_urgent(
            publisher.id, facts.priority(message), facts.case_id(message), now
        )
        spent = None
        try:
            spent = runtime.quota.spend(publisher, urgent, now)  # 429
            require_acceptable(runtime, publisher, posted, message, now)  # 400 403 410 422
        except GatewayError as refusal:
            repeated = await replay_or_raise(runtime, publisher, message, posted, refusal)
            if spent is not None:
                runtime.quota.give_back(publisher, spent, now)
            return repeated
        receipt = await keep(
            runtime, publisher, submit(publisher, message, posted, urgent, spent, now), spent
        )  # 409 503
    if not receipt.duplicate:
        runtime.urgent_cases.remember(publisher.id, facts.priority(message), facts.case_id(message), now)
    return accepted(runtime, publisher, receipt)


async def validate_message(runtime: Runtime, request: Request) -> Response:
    """`POST /v1/messages/$validate`: every issue that `post_message` would find; nothing is stored, forwarded or spent."""
    publisher = await authenticate(runtime, request, "message.send")
    posted = await read_posted(runtime, request, publisher)
    version = model_version(request, publisher.model_version)
    try:
        message = intake.decode(posted.body, posted.media_type, version)
        issues = check(runtime, publisher, posted, message, runtime.now())
    except Refused as refusal:
        if refusal.status != FORM_REFUSED:
            raise
        issues = refusal.issues  # the body could be read, but its form is none that a message has
    told = outcome.operation_outcome(issues, runtime.settings.fhir_base)
    headers = deprecation(runtime.settings, version)
    return Response(orjson.dumps(told), headers=headers, media_type=outcome.MEDIA_TYPE)


async def read_posted(runtime: Runtime, request: Request, publisher: Publisher) -> Posted:
    """The whole body. Raises Refused: 415, 413."""
    media_type = intake.media_type(header(request.scope, b"content-type") or "")
    limit = min(runtime.settings.max_body, publisher.limits.max_body)
    return Posted(media_type, await read_body(request, limit, runtime.settings.max_drain))


def check(
    runtime: Runtime, publisher: Publisher, posted: Posted, message: Message, now: float
) -> tuple[Issue, ...]:
    """All that speaks against the message: sender, recipient, expiry, then structure, coherence and codes."""
    addresses = check_addresses(runtime, publisher, message, now)
    issues = (*addresses, *validation.judge(message, strict_codes=is_strict(runtime, publisher)))
    if posted.media_type != edxl.XML:
        return issues
    return tuple(replace(issue, pointer=edxl.pointer(issue.pointer, posted.media_type)) for issue in issues)


def check_addresses(runtime: Runtime, publisher: Publisher, message: Message, now: float) -> list[Issue]:
    envelope, registry, issues = message.envelope, runtime.registry.current, []
    sender, recipient = envelope.sender_id, envelope.address
    if sender and not registry.sender_allowed(publisher, sender):
        issues.append(
            _issue(
                ErrorKind.SENDER,
                f"Found {sender[:80]!r}; this client sends for: {', '.join(publisher.sends_for)}.",
                "senderID",
            )
        )
    if recipient and not registry.is_known(recipient):
        issues.append(
            _issue(
                ErrorKind.RECIPIENT,
                f"No inbox is known for {recipient[:80]!r}. Check the id with the recipient.",
                ADDRESS,
            )
        )
    elif (
        recipient and sender and not (sender.startswith(HEALTH_PREFIX) or recipient.startswith(HEALTH_PREFIX))
    ):
        issues.append(
            _issue(
                ErrorKind.RECIPIENT,
                "Neither sender nor recipient is a health actor (fr.health…); the platform carries no such exchange.",
                ADDRESS,
            )
        )
    issues += check_distribution_id(runtime, message)
    expires = facts.instant(envelope.date_time_expires)
    if expires is not None and expires <= now:
        issues.append(
            _issue(
                ErrorKind.EXPIRED,
                f"Found {envelope.date_time_expires[:40]}, and it is {iso(now)}. Send it anew with a new distributionID and a later expiry.",
                "dateTimeExpires",
            )
        )
    if (
        publisher.message_types
        and message.message_type
        and message.message_type not in publisher.message_types
    ):
        issues.append(
            _issue(
                ErrorKind.UNKNOWN_TYPE,
                f"This client is registered for: {', '.join(publisher.message_types)}; found {message.message_type}.",
                "content[0]",
            )
        )
    return issues


def check_distribution_id(runtime: Runtime, message: Message) -> list[Issue]:
    """An id that begins with another actor's is not for this sender: the core would take that actor's message for a
    repeat. A health actor's own prefix is asked for by `validation`.
    """
    sender, distribution_id = message.envelope.sender_id, message.envelope.distribution_id
    prefix = distribution_id.partition("_")[0]
    if (
        sender.startswith(HEALTH_PREFIX)
        or prefix in ("", sender)
        or not runtime.registry.current.is_known(prefix)
    ):
        return []
    text = f"Found {distribution_id[:80]!r}, which begins with another actor's id. Begin it with {sender[:80]!r}."
    return [_issue(ErrorKind.ENVELOPE, text, "distributionID")]


ADDRESS = "descriptor.explicitAddress.explicitAddressValue"


def _issue(kind: ErrorKind, diagnostics: str, path: str) -> Issue:
    return Issue(kind, diagnostics, path, "/" + path.replace(".", "/").replace("[", "/").replace("]", ""))


def require_acceptable(
    runtime: Runtime, publisher: Publisher, posted: Posted, message: Message, now: float
) -> None:
    """Raise Refused with all issues (400 403 410 422) where one of them is an error."""
    if not check_addresses(runtime, publisher, message, now) and validation.accepts(
        message, strict_codes=is_strict(runtime, publisher)
    ):
        return
    issues = check(runtime, publisher, posted, message, now)
    if any(issue.severity == "error" for issue in issues):
        raise Refused(*issues)


def is_strict(runtime: Runtime, publisher: Publisher) -> bool:
    """Whether a code that its list lacks is an error for this publisher."""
    return publisher.strict_codes or runtime.settings.strict_codes


async def replay_or_raise(
    runtime: Runtime, publisher: Publisher, message: Message, posted: Posted, refusal: GatewayError
) -> Response:
    """The first receipt where this very message was accepted before; else the refusal. A repeat is never refused.

    Where quota or expiry alone refuse, a distributionID used for other bytes is the graver news: 409.
    """
    distribution_id = message.envelope.distribution_id
    if not distribution_id:
        raise refusal
    try:
        receipt = await runtime.store.find_receipt(publisher.id, distribution_id, posted.digest)
    except Refused as conflict:
        passing = all(
            i.kind in {ErrorKind.QUOTA, ErrorKind.EXPIRED} or i.severity != "error" for i in refusal.issues
        )
        raise (conflict if passing else refusal) from None
    if receipt is None:
        raise refusal
    return accepted(runtime, publisher, receipt)


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
            runtime.quota.give_back(publisher, spent, submission.received_at)
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
        RECEIVED.labels(publisher.id, receipt.message_type).inc()
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
