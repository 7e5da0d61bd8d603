"""A dry run of the translation: what the core, or another publisher, would be given. Nothing is stored."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

import schemas
from gateway import edxl, intake
from gateway.body import read_body
from gateway.dry_run import FHIR, Target, translated
from gateway.model import Publisher
from gateway.offload import is_heavy_to_translate
from gateway.parameters import choice, refuse
from gateway.runtime import Runtime, authenticate
from gateway.versions import deprecation, model_version


async def translate_message(runtime: Runtime, request: Request) -> Response:
    """`POST /v1/messages/$translate`: the message in the wanted form, and what that form cannot say."""
    publisher = await authenticate(runtime, request, "message.send")
    with runtime.quota.in_flight(publisher):  # 429
        return await translation(runtime, request, publisher)


async def translation(runtime: Runtime, request: Request, publisher: Publisher) -> Response:
    """The answer to a body that is tried out. Raises Refused (400, 413, 415, 422), QuotaExceeded (429)."""
    wanted = target(request, publisher.model_version)
    media_type = intake.media_type(request.headers.get("content-type", ""))
    body = await read_body(request, runtime.settings.max_body, runtime.settings.max_drain)
    runtime.volume.spend(publisher, len(body), runtime.now())
    version = model_version(request, publisher.model_version)
    if is_heavy_to_translate(body, media_type):
        urgent = False  # nobody is ill whose message is only tried out
        answer, version = await runtime.offload.run(
            publisher.id, urgent, answered, body, media_type, version, wanted
        )
    else:
        answer, version = answered(body, media_type, version, wanted)
    return Response(answer, headers=deprecation(runtime.settings, version), media_type="application/json")


def answered(body: bytes, media_type: str, version: str, wanted: Target) -> tuple[bytes, str]:
    """The answer's body, and the model version of the message. Raises Refused (400, 415, 422)."""
    message = intake.with_digits(intake.decode(body, media_type, version), body)
    told = translated(message, wanted)
    answer = {**told[0], "further": told[1:], "loss": [loss for one in told for loss in one.pop("loss")]}
    return orjson.dumps(answer), message.model_version


def target(request: Request, default_version: str) -> Target:
    """The wanted form from the query. Raises Refused (400)."""
    wanted = request.query_params.get("to", FHIR)
    version = choice(request, "version", schemas.VERSIONS) or default_version
    wanted = schemas.ALIASES.get(wanted, wanted)
    if wanted != FHIR and wanted not in schemas.message_types(version):
        raise refuse("to", f"send fhir, or one of {', '.join(schemas.message_types(version))} ({version})")
    return Target(wanted, version, choice(request, "format", tuple(edxl.FORMATS)) or "json")
