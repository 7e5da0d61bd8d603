"""The way back, first half: the core hands over a Bundle, and it lies durably in the recipient's inbox.

Read `process_message` first.
"""

from dataclasses import replace

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway import edxl, intake, outcome, validation
from gateway.answer_reading import answer_in
from gateway.body import read_body
from gateway.case_context import Remembered, context, remembered
from gateway.conversion import NOTHING, VERSION, Context, Converted, convert
from gateway.conversion.statuses import STATUS_ALONE
from gateway.edxl import facts
from gateway.error_reports import OWN
from gateway.errors import (
    ErrorKind,
    Issue,
    NotApplicable,
    Refused,
    Unavailable,
    Untranslatable,
    machine_failed,
)
from gateway.expiry import expiry_of
from gateway.model import Answer, Delivery, JsonObject, Message, Publisher
from gateway.observability import ANSWERS, DELIVERED, log
from gateway.offload import HEAVY_BUNDLE, is_heavy, looks_urgent
from gateway.pace import DELIVERY
from gateway.perimeter import Passage, converted_type, passage, refusal
from gateway.quota.urgency import URGENT_PRIORITIES
from gateway.runtime import Runtime, identify
from gateway.undeliverable import not_applicable, undeliverable

SCOPE = "core.deliver"
RECIPIENT = "MessageHeader.destination[0]"
DEFECT = Issue(
    ErrorKind.TRANSLATION,
    "The gateway failed on this message: a defect, reported to its operator. Quote the distributionID.",
)


async def process_message(runtime: Runtime, request: Request) -> Response:
    """`POST /core/$process-message`: 200 once the message is in the recipient's inbox, however often it comes."""
    await identify(runtime, request, SCOPE)  # 401 403
    require_fhir(request)  # 415
    body = await read_body(request, runtime.settings.max_drain, runtime.settings.max_drain)  # 413
    try:
        delivery = await deliver(runtime, body)  # 400 422 503
    except NotApplicable as nothing:
        await not_applicable(runtime, body, nothing)
        return well(runtime)
    except Unavailable:
        raise
    except Refused as refusal:
        await undeliverable(runtime, body, refusal)
        raise
    except OSError as error:
        failure = machine_failed(error)
        log.error("delivery_put_off", cause=failure.issues[0].diagnostics, exc_info=error)
        raise failure from None
    except Exception as error:  # noqa: BLE001 - a defect of ours must not keep the recipient's other messages waiting
        log.error("delivery_failed", exc_info=error)
        defect = Refused(DEFECT)
        await undeliverable(runtime, body, defect)
        raise defect from None
    return delivered(runtime, delivery)


async def deliver(runtime: Runtime, body: bytes) -> Delivery:
    """Put the message of a Bundle into its recipient's inbox, an answer with the status that it gives the answered message.

    Raises Refused (400, 422), Unavailable (503), and NotApplicable where nothing in it concerns the recipient.
    """
    message = await message_in(runtime, body)
    publisher = recipient_of(runtime, message)
    await take_turn(runtime, publisher, message)
    answer = answer_in(message)
    wanted = wanted_type(publisher, message)
    if wanted == message.message_type:
        delivery = await deposited(runtime, publisher, message, body, wanted, answer)
    else:  # what is known of its case goes into it
        async with runtime.case_turns.of(message.envelope.address, facts.case_id(message)):
            delivery = await deposited(runtime, publisher, message, body, wanted, answer)
    if answer is not None:
        ANSWERS.labels(answer.status or "answered").inc()
    if delivery.quiet:
        raise NotApplicable(STATUS_ALONE, "content[0]")
    return delivery


async def deposited(
    runtime: Runtime,
    publisher: Publisher,
    message: Message,
    body: bytes,
    wanted: str,
    answer: Answer | None,
) -> Delivery:
    """The delivery, once it lies in the inbox with those that follow from it. Raises as `deliver`."""
    known = await remembered(runtime, message, wanted)
    made, *further = await converted_beside(runtime, publisher, message, body, known)
    delivery = replace(made, expires_at=expiry_of(message, made, runtime.settings.expiry_hours))
    await runtime.store.deposit(delivery, runtime.now(), answer, further)
    return delivery


async def take_turn(runtime: Runtime, publisher: Publisher, message: Message) -> None:
    """Wait for this message's turn. Urgent messages never wait."""
    if facts.priority(message) in URGENT_PRIORITIES:
        runtime.pace.urgent()
    else:
        await runtime.pace.step((DELIVERY, publisher.id))


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


def wanted_type(publisher: Publisher, message: Message) -> str:
    """The type in which the recipient gets the message. Raises Refused (422, Hub 501) where the type does not pass to it."""
    envelope, found = message.envelope, message.message_type
    ends = envelope.sender_id, envelope.address
    direct = publisher.cisu == "direct"
    match passage(found, *ends, direct=direct, listed=publisher.message_types):
        case Passage.REFUSED:
            raise Refused(Issue(ErrorKind.RECIPIENT, refusal(found, *ends), RECIPIENT))
        case Passage.CONVERTED:
            return converted_type(found, envelope.address)
    return found


async def message_in(runtime: Runtime, body: bytes) -> Message:
    """The message that a Bundle says, in brief (`facts.brief`) where it is large. Raises Refused (400, 422)."""
    if is_heavy(body, intake.FHIR_JSON):
        return await runtime.offload.run(OWN, looks_urgent(body), brief_of, body)
    return intake.from_bundle(body)


def brief_of(body: bytes) -> Message:
    """The message of a Bundle in brief. Raises Refused (400, 422)."""
    return facts.brief(intake.from_bundle(body))


async def converted_beside(
    runtime: Runtime, publisher: Publisher, message: Message, body: bytes, known: Remembered
) -> list[Delivery]:
    """`to_deliveries`, in a worker where the Bundle is large, or what is known of its case. Raises Refused (422)."""
    now = runtime.now()
    if is_heavy(body, intake.FHIR_JSON) or known.size > HEAVY_BUNDLE:
        urgent = facts.priority(message) in URGENT_PRIORITIES
        return await runtime.offload.run(OWN, urgent, deliveries_of, publisher, body, known, now)
    return to_deliveries(publisher, message, context(known), now)


def deliveries_of(publisher: Publisher, body: bytes, known: Remembered, now: float) -> list[Delivery]:
    """`to_deliveries` from the Bundle's bytes. Raises Refused (422)."""
    return to_deliveries(publisher, intake.from_bundle(body), context(known), now)


def converted(publisher: Publisher, message: Message, known: Context) -> Converted:
    """The message in the publisher's version and type.

    Raises Refused (422, Hub 501 or 600) where it does not pass or cannot be said so, NotApplicable where nothing in it
    concerns the recipient.
    """
    wanted, version = wanted_type(publisher, message), publisher.model_version
    try:
        return convert(message, version, wanted, known)
    except NotApplicable:
        raise
    except Untranslatable as error:
        form = f"model {version}" if wanted == message.message_type else f"{wanted} {version}"
        cause = f"{message.message_type} {message.model_version} cannot be said in {form}: {error.reason}."
        raise Refused(Issue(ErrorKind.TRANSLATION, cause, error.path or RECIPIENT)) from None


def to_deliveries(publisher: Publisher, message: Message, known: Context, now: float) -> list[Delivery]:
    """The message in the publisher's own version, type and format, as one delivery or several. Raises Refused (422,
    Hub 600) where it cannot be said so, and NotApplicable. The later ones refer to the first, which alone is answered.

    Of a status whose resource the recipient does not know yet, a quiet delivery: it counts when the resource comes.
    """
    if not validation.is_valid(message):
        raise Refused(*broken(message))
    try:
        made = converted(publisher, message, known)
    except NotApplicable as nothing:
        if nothing.reason != STATUS_ALONE:
            raise
        return [kept_status(publisher, message, now)]
    first, *further = (
        to_delivery(
            publisher, replace(one, digits=message.digits), made.lost if one is made.message else (), now
        )
        for one in (made.message, *made.further)
    )
    return [first, *(replace(one, refers_to=first.distribution_id) for one in further)]


def kept_status(publisher: Publisher, message: Message, now: float) -> Delivery:
    """A status as it was sent, for the history of its case alone."""
    own_form = replace(publisher, model_version=VERSION, format="json", webhook="")
    status = convert(message, VERSION, "", NOTHING).message
    return replace(to_delivery(own_form, status, (), now), quiet=True)


def broken(message: Message) -> list[Issue]:
    """What breaks the schema of the message that a Bundle says: the places in the message and what is expected, no values."""
    found = validation.find_few(message)
    told = "The message that the Bundle says breaks its own schema"
    issues = []
    for issue in found.issues if found else ():
        _, _, expected = issue.diagnostics.rpartition("; expected ")
        text = f"{told} at {issue.path}: expected {expected}"
        if issue.severity == "error":
            issues.append(Issue(ErrorKind.SCHEMA, text, issue.path))
    return issues or [Issue(ErrorKind.SCHEMA, f"{told}.")]


def to_delivery(publisher: Publisher, message: Message, lost: tuple[JsonObject, ...], now: float) -> Delivery:
    """A message of the publisher's version in its format; `lost` is what it does not say. Raises Refused (422, Hub 600)."""
    content_type = edxl.FORMATS[publisher.format]
    try:
        written = edxl.encode(message.document, content_type, message.model_version, message.digits)
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
        (*lost, *written.lost),
        notify=bool(publisher.webhook),
        distribution_status=envelope.distribution_status,
    )


def delivered(runtime: Runtime, delivery: Delivery) -> Response:
    """Count and log a delivery, and answer the core."""
    DELIVERED.labels(delivery.publisher_id, delivery.message_type).inc()
    log.info(
        "message_delivered",
        publisher=delivery.publisher_id,
        distribution_id=delivery.distribution_id,
        message_type=delivery.message_type,
    )
    return well(runtime)


def well(runtime: Runtime) -> Response:
    """200 to the core, with an OperationOutcome without an error."""
    body = outcome.operation_outcome((), runtime.settings.fhir_base)
    return Response(orjson.dumps(body), media_type=outcome.MEDIA_TYPE)
