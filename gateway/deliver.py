"""The way back, first half: the core hands over a Bundle, and it lies durably in the recipient's inbox.

Read `process_message` first.
"""

from collections.abc import Sequence
from dataclasses import replace

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway import answers, edxl, intake, outcome, validation
from gateway.body import read_body
from gateway.conversion import HEALTH, Converted, convert, other_type
from gateway.edxl import facts
from gateway.errors import ErrorKind, Issue, Refused, Untranslatable
from gateway.model import Delivery, JsonObject, Message, Publisher, Status, Submission
from gateway.observability import DELIVERED, log
from gateway.offload import HEAVY_BUNDLE, is_heavy, looks_urgent
from gateway.pace import DELIVERY
from gateway.quota.urgency import URGENT_PRIORITIES
from gateway.runtime import Runtime, identify

SCOPE = "core.deliver"
OWN = "gateway"  # whose messages the gateway's own are in the store; no registration has this id
TOLD = 20  # RC-RI of a case that are looked through for a resource
RECIPIENT = "MessageHeader.destination[0]"
EXPIRED = frozenset({400, 500})  # Hub Santé: expired before routing, or in the recipient's queue


async def process_message(runtime: Runtime, request: Request) -> Response:
    """`POST /core/$process-message`: 200 once the message is in the recipient's inbox, however often it comes."""
    await identify(runtime, request, SCOPE)  # 401 403
    require_fhir(request)  # 415
    body = await read_body(request, runtime.settings.max_drain, runtime.settings.max_drain)  # 413
    message = await message_in(runtime, body)  # 400 422
    publisher = recipient_of(runtime, message)  # 422
    if facts.priority(message) in URGENT_PRIORITIES:
        runtime.pace.urgent()
    else:
        await runtime.pace.step((DELIVERY, publisher.id))
    try:
        before = await told_before(runtime, publisher, message)  # 503
        delivery, *further = await converted_beside(runtime, publisher, message, body, before)  # 422
    except Refused as refusal:
        await tell_the_sender(runtime, message, refusal)
        raise
    for one in (delivery, *further):  # their ids tell what is there already when the core comes again
        await runtime.store.deposit(one, runtime.now())  # 503
    if message.message_type in facts.REFERENCES:
        await note_answer(runtime, message)
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


def wanted_type(publisher: Publisher, message: Message) -> str:
    """The type in which the recipient takes the message: its own side's, where one side alone is a health actor and its
    registration says that it wants conversion.
    """
    sender, recipient = (
        one.startswith(HEALTH) for one in (message.envelope.sender_id, message.envelope.address)
    )
    foreign = message.message_type.startswith("RC-" if recipient else "RS-")
    crosses = publisher.cisu == "convert" and sender != recipient and foreign
    return (other_type(message.message_type) if crosses else "") or message.message_type


async def message_in(runtime: Runtime, body: bytes) -> Message:
    """The message that a Bundle says, in brief (`facts.brief`) where it is large. Raises Refused (400, 422)."""
    if is_heavy(body, intake.FHIR_JSON):
        return await runtime.offload.run(OWN, looks_urgent(body), brief_of, body)
    return intake.from_bundle(body)


def brief_of(body: bytes) -> Message:
    """The message of a Bundle in brief. Raises Refused (400, 422)."""
    return facts.brief(intake.from_bundle(body))


async def converted_beside(
    runtime: Runtime, publisher: Publisher, message: Message, body: bytes, before: Sequence[Delivery]
) -> list[Delivery]:
    """`to_deliveries`, in a worker where the Bundle is large, or what was told before. Raises Refused (422)."""
    now = runtime.now()
    if is_heavy(body, intake.FHIR_JSON) or sum(len(one.content) for one in before) > HEAVY_BUNDLE:
        urgent = facts.priority(message) in URGENT_PRIORITIES
        return await runtime.offload.run(OWN, urgent, deliveries_of, publisher, body, before, now)
    return to_deliveries(publisher, message, decoded(before), now)


def deliveries_of(
    publisher: Publisher, body: bytes, before: Sequence[Delivery], now: float
) -> list[Delivery]:
    """`to_deliveries` from the Bundle's bytes. Raises Refused (422)."""
    return to_deliveries(publisher, intake.from_bundle(body), decoded(before), now)


def decoded(before: Sequence[Delivery]) -> tuple[Message, ...]:
    """What was delivered, as messages."""
    return tuple(edxl.decode(one.content, one.content_type, one.model_version) for one in before)


async def told_before(runtime: Runtime, publisher: Publisher, message: Message) -> tuple[Delivery, ...]:
    """The RC-RI about its case that the recipient was sent, newest first, for an RS-SR that is to become one. Raises
    Unavailable (503).
    """
    if message.message_type != "RS-SR" or wanted_type(publisher, message) == "RS-SR":
        return ()
    recipient, case = message.envelope.address, facts.case_id(message)
    return tuple(await runtime.store.resources_told(publisher.id, recipient, case, TOLD))


def converted(publisher: Publisher, message: Message, before: Sequence[Message]) -> Converted:
    """The message in the publisher's version and type. Raises Refused (422, Hub 600) where it cannot be said so."""
    wanted, version = wanted_type(publisher, message), publisher.model_version
    try:
        return convert(message, version, wanted, before)
    except Untranslatable as error:
        form = f"model {version}" if wanted == message.message_type else f"{wanted} {version}"
        cause = f"{message.message_type} {message.model_version} cannot be said in {form}: {error.reason}."
        raise Refused(Issue(ErrorKind.TRANSLATION, cause, error.path or RECIPIENT)) from None


def to_deliveries(
    publisher: Publisher, message: Message, before: Sequence[Message], now: float
) -> list[Delivery]:
    """The message in the publisher's own version, type and format, as one delivery or several. Raises Refused (422,
    Hub 600) where it cannot be said so. The later ones refer to the first, which alone is answered.
    """
    if not validation.is_valid(message):
        raise Refused(Issue(ErrorKind.SCHEMA, "The message that the Bundle says breaks its own schema."))
    made = converted(publisher, message, before)
    first = to_delivery(publisher, made.message, made.lost, now)
    further = (to_delivery(publisher, one, (), now) for one in made.further)
    return [first, *(replace(one, refers_to=first.distribution_id) for one in further)]


def to_delivery(publisher: Publisher, message: Message, lost: tuple[JsonObject, ...], now: float) -> Delivery:
    """A message of the publisher's version in its format; `lost` is what it does not say. Raises Refused (422, Hub 600)."""
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
        (*lost, *written.lost),
        notify=bool(publisher.webhook),
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


async def note_answer(runtime: Runtime, answer: Message) -> None:
    """Note with the message that is answered: what its recipient said, or that the Hub could not deliver it."""
    envelope, answered, now = answer.envelope, facts.refers_to(answer), runtime.now()
    detail = f"{answer.message_type} {envelope.distribution_id}"
    if envelope.sender_id != answers.HUB_ID:
        await runtime.store.mark_acknowledged(answered, envelope.sender_id, envelope.address, now, detail)
        return
    code = answer.body.get("errorCode")
    number = code.get("statusCode") if isinstance(code, dict) else None
    status = Status.EXPIRED if number in EXPIRED else Status.REJECTED
    await runtime.store.mark_undelivered(answered, envelope.address, status, now, f"{detail} ({number})")


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
