"""What a publisher may ask about its own messages and its quota."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

import schemas
from gateway.errors import ErrorKind, Issue, Refused
from gateway.model import Status, iso
from gateway.parameters import choice, integer, text
from gateway.runtime import Runtime, authenticate
from gateway.views import receipt_json

SCOPE = "message.read"
JSON = "application/json"
MAX_CASE_ID = 256  # characters
TYPES = (*sorted({t for v in schemas.VERSIONS for t in schemas.ALL_ROOT_KEYS[v].values()}), *schemas.ALIASES)


async def read_message(runtime: Runtime, request: Request) -> Response:
    """`GET /v1/messages/{id}`: the receipt as it stands, and the timeline."""
    publisher = await authenticate(runtime, request, SCOPE)
    found = await runtime.store.get(publisher.id, request.path_params["id"])
    if found is None:
        raise Refused(Issue(ErrorKind.NOT_FOUND, "No message of this publisher has this id."))
    receipt, steps = found
    timeline = [{"step": step.step, "at": iso(step.at), "detail": step.detail} for step in steps]
    return Response(orjson.dumps({**receipt_json(receipt), "timeline": timeline}), media_type=JSON)


async def list_messages(runtime: Runtime, request: Request) -> Response:
    """`GET /v1/messages`: this publisher's receipts, newest first, by status, type and case."""
    publisher = await authenticate(runtime, request, SCOPE)
    wanted = choice(request, "type", TYPES)
    receipts, cursor = await runtime.store.list_messages(
        publisher.id,
        status=choice(request, "status", tuple(Status)),
        message_type=schemas.ALIASES.get(wanted, wanted) if wanted else None,
        case_id=text(request, "case", MAX_CASE_ID),
        cursor=request.query_params.get("cursor"),
        limit=integer(request, "limit", 100, 1, 1_000),
    )
    page = {"items": [receipt_json(receipt) for receipt in receipts], "cursor": cursor}
    return Response(orjson.dumps(page), media_type=JSON)


async def read_quota(runtime: Runtime, request: Request) -> Response:
    """`GET /v1/quota`: every limit of this publisher and what is left of it, and what it is certified for."""
    publisher = await authenticate(runtime, request, "")
    now = runtime.now()
    limits = [*await runtime.quota.snapshot(publisher, now), runtime.volume.shown(publisher, now)]
    told = {"limits": limits, "certified": publisher.certified(now)}
    return Response(orjson.dumps(told), media_type=JSON)
