"""The way back, first half: the core hands over a Bundle, and it lies durably in the recipient's inbox.

Read `process_message` first.
"""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway import edxl, intake, outcome, validation
from gateway.body import read_body
from gateway.edxl import facts
from gateway.errors import ErrorKind, Issue, Refused, Untranslatable
from gateway.model import Delivery, Message, Publisher
from gateway.observability import DELIVERED, log
from gateway.runtime import Runtime, identify

SCOPE = "core.deliver"
RECIPIENT = "MessageHeader.destination[0]"


async def process_message(runtime: Runtime, request: Request) -> Response:
    """`POST /core/$process-message`: 200 once the message is in the recipient's inbox, however often it comes."""
    await identify(runtime, request, SCOPE)  # 401 403
    require_fhir(request)  # 415
    body = await read_body(request, runtime.settings.max_drain, runtime.settings.max_drain)  # 413
    message = intake.from_bundle(body)  # 400 422
    publisher = recipient_of(runtime, message)  # 422
    delivery = to_delivery(publisher, message, runtime.now())  # 422
    await runtime.store.deposit(delivery, runtime.now())  # 503
    if message.message_type in facts.REFERENCES:
        await runtime.store.mark_acknowledged(
            delivery.refers_to,
            delivery.sender,
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


def to_delivery(publisher: Publisher, message: Message, now: float) -> Delivery:
    """The message in the publisher's own version and format. Raises Refused (422, Hub 600) where it cannot be said so."""
    if message.model_version != publisher.model_version:
        wanted = (
            f"{message.message_type} {message.model_version} cannot be said in {publisher.model_version}."
        )
        raise Refused(Issue(ErrorKind.TRANSLATION, wanted, RECIPIENT))
    if not validation.is_valid(message):
        raise Refused(Issue(ErrorKind.SCHEMA, "The message that the Bundle says breaks its own schema."))
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
        written.lost,
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
