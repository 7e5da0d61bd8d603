"""The way back, first half: the core hands over a Bundle, and it lies durably in the recipient's inbox.

Read `process_message` first.
"""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway import answers, edxl, intake, outcome, validation
from gateway.body import read_body
from gateway.conversion import Converted, convert
from gateway.edxl import facts
from gateway.errors import ErrorKind, Issue, Refused, Untranslatable
from gateway.model import Delivery, Message, Publisher, Submission
from gateway.observability import DELIVERED, log
from gateway.runtime import Runtime, identify

SCOPE = "core.deliver"
OWN = "gateway"  # whose messages the gateway's own are in the store; no registration has this id
RECIPIENT = "MessageHeader.destination[0]"


async def process_message(runtime: Runtime, request: Request) -> Response:
    """`POST /core/$process-message`: 200 once the message is in the recipient's inbox, however often it comes."""
    await identify(runtime, request, SCOPE)  # 401 403
    require_fhir(request)  # 415
    body = await read_body(request, runtime.settings.max_drain, runtime.settings.max_drain)  # 413
    message = intake.from_bundle(body)  # 400 422
    publisher = recipient_of(runtime, message)  # 422
    try:
        delivery = to_delivery(publisher, message, runtime.now())  # 422
    except Refused as refusal:
        await tell_the_sender(runtime, message, refusal)
        raise
    await runtime.store.deposit(delivery, runtime.now())  # 503
    if message.message_type in facts.REFERENCES:
        await runtime.store.mark_acknowledged(
            delivery.refers_to,
            delivery.sender,
            delivery.recipient,
            runtime.now(),
            f"{message.message_type} {delivery.distribution_id}",
        )
    return delivered(runtime, delivery)


def require_fhir(request: Request) -> None:
    """Raise Refused (415) unless the body is declared as FHIR JSON."""
    if intake.media_type(request.headers.get("content-type", "")) != intake.FHIR_JSON:
        raise Refused(Issue(ErrorKind.MEDIA_TYPE, f"Send {intake.FHIR_JSON}."))


def recipient_of(runtime: Runtime, message: Message) -> Publisher:
    """The publisher whose inbox the addressed id is. Raises Refused (422, Hub 501)."""
    publisher = runtime.registry.current.recipient_publisher(message.envelope.address)
    if publisher is None:
        raise Refused(Issue(ErrorKind.RECIPIENT, "No publisher has the inbox of this recipient.", RECIPIENT))
    return publisher


def in_version(message: Message, version: str) -> Converted:
    """The message as one of another model version. Raises Refused (422, Hub 600) where that version cannot say it."""
    try:
        return convert(message, version)
    except Untranslatable as error:
        wanted = f"{message.message_type} {message.model_version} cannot be said in model {version}: {error.reason}."
        raise Refused(Issue(ErrorKind.TRANSLATION, wanted, error.path or RECIPIENT)) from None


def to_delivery(publisher: Publisher, message: Message, now: float) -> Delivery:
    """The message in the publisher's own version and format. Raises Refused (422, Hub 600) where it cannot be said so."""
    if not validation.is_valid(message):
        raise Refused(Issue(ErrorKind.SCHEMA, "The message that the Bundle says breaks its own schema."))
    converted = in_version(message, publisher.model_version)
    message = converted.message
    content_type = edxl.FORMATS[publisher.format]
    try:
        written = edxl.encode(message.document, content_type, message.model_version)
    except Untranslatable as error:
        raise Refused(Issue(ErrorKind.TRANSLATION, error.reason, error.path)) from None
    envelope = message.envelope
    return Delivery(
        publisher.id,
        envelope.distribution_id,
        envelope.sender_id,
        envelope.address,
        message.message_type,
        message.model_version,
        content_type,
        written.content,
        facts.case_id(message),
        facts.refers_to(message),
        now,
        (*converted.lost, *written.lost),
    )


async def tell_the_sender(runtime: Runtime, message: Message, refusal: Refused) -> None:
    """Send the sender an RS-ERROR 600 for a message that its recipient cannot be given; never silence.

    However often the core brings the Bundle, the same RS-ERROR is kept once.
    """
    if message.message_type in facts.REFERENCES:
        return  # an answer is never answered
    now, envelope = runtime.now(), message.envelope
    about = answers.Correspondence(answers.HUB_ID, envelope.sender_id, envelope.distribution_id)
    cause = "; ".join(issue.diagnostics for issue in refusal.issues)
    document = answers.error(about, now, (600, "MESSAGE_CONVERSION_ERROR"), cause)
    body = edxl.encode(document, edxl.JSON, message.model_version).content
    error = Submission(
        OWN, document["distributionID"], document["distributionID"].encode(), edxl.JSON, body, "RS-ERROR",
        message.model_version, about.sender, about.recipient, "", about.refers_to, urgent=False, quota="ordinary",
        received_at=now, expires_at=now + answers.LIFE,
    )  # fmt: skip
    await runtime.store.enqueue(error, now)
    log.error(
        "message_undeliverable", distribution_id=envelope.distribution_id, message_type=message.message_type
    )


def delivered(runtime: Runtime, delivery: Delivery) -> Response:
    """The answer to the core: an OperationOutcome without an error."""
    DELIVERED.labels(delivery.publisher_id, delivery.message_type).inc()
    log.info(
        "message_delivered",
        publisher=delivery.publisher_id,
        distribution_id=delivery.distribution_id,
        message_type=delivery.message_type,
    )
    well = outcome.operation_outcome((), runtime.settings.fhir_base)
    return Response(orjson.dumps(well), media_type=outcome.MEDIA_TYPE)
