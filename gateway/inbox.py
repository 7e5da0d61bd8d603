"""The way back, second half: a publisher reads its inbox, and acknowledges what it has taken over."""

import hashlib
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway import answers, edxl
from gateway.body import read_body
from gateway.duplicate_members import require_unique
from gateway.edxl import facts
from gateway.errors import ErrorKind, Issue, Refused
from gateway.model import InboxItem, JsonObject, Publisher, Submission
from gateway.observability import log
from gateway.parameters import MAX_CURSOR, integer
from gateway.runtime import Runtime, authenticate
from gateway.views import item_json

SCOPE = "inbox.read"
STEPS = ("RECU", "ERREUR", "INTEGRE", "CONSULTE", "SUPPRIME")  # code list ETAPE
MAX_ACK_BODY = 4_096
PIECE = 65_536  # bytes of a page that are handed to the server at once: as many as it buffers


async def read_inbox(runtime: Runtime, request: Request) -> Response:
    """`GET /v1/inbox`: what waits for this publisher, oldest first; with `wait`, up to so many seconds for the first."""
    publisher = await authenticate(runtime, request, SCOPE)
    wait = integer(request, "wait", 0, 0, runtime.settings.long_poll_max)
    limit = integer(request, "limit", 100, 1, 1_000)
    cursor = integer(request, "cursor", 0, 0, MAX_CURSOR)
    items = await runtime.store.read_inbox(publisher.id, cursor, limit)
    if not items and wait:
        with runtime.readers.room(publisher):  # 429
            await runtime.store.wait_inbox(publisher.id, cursor, wait)
        items = await runtime.store.read_inbox(publisher.id, cursor, limit)
    page = {
        "items": [item_json(item) for item in items],
        "cursor": str(items[-1].cursor if items else cursor),
    }
    return Page(runtime, publisher, orjson.dumps(page))


class Page(Response):
    """A page of the inbox, sent piece by piece: the server waits for its reader after each, and what it holds is counted.

    Raises QuotaExceeded (429) where too much is on its way to this publisher.
    """

    def __init__(self, runtime: Runtime, publisher: Publisher, content: bytes) -> None:
        super().__init__(content, media_type="application/json")
        self._room = runtime.readers.page(publisher, len(content))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send it."""
        with self._room:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            for at in range(0, len(self.body), PIECE):
                more = at + PIECE < len(self.body)
                piece = bytes(self.body[at : at + PIECE])
                await send({"type": "http.response.body", "body": piece, "more_body": more})


async def acknowledge(runtime: Runtime, request: Request) -> Response:
    """`POST /v1/inbox/{id}/ack`: the item leaves the inbox and one RC-REF goes to its sender. Repeating it does nothing."""
    publisher = await authenticate(runtime, request, SCOPE)
    wish = ack_wish(await read_body(request, MAX_ACK_BODY, runtime.settings.max_drain))
    item = await runtime.store.inbox_item(publisher.id, request.path_params["id"])
    if item is None:
        raise Refused(Issue(ErrorKind.NOT_FOUND, "No inbox item of this publisher has this id."))
    now = runtime.now()
    answer = answer_to(publisher, item, wish, now)
    first = await runtime.store.acknowledge(publisher.id, item.id, now, answer)
    if first:
        log.info(
            "message_acknowledged",
            publisher=publisher.id,
            distribution_id=item.delivery.distribution_id,
            item=item.id,
        )
        reference = answer.distribution_id if answer else None
    else:
        reference = await reference_sent(runtime, publisher, item, now)
    told = {"id": item.id, "acknowledged": True, "reference": reference}
    return Response(orjson.dumps(told), media_type="application/json")


async def reference_sent(runtime: Runtime, publisher: Publisher, item: InboxItem, now: float) -> str | None:
    """The distributionID of the RC-REF that an earlier request sent for an item, None where it sent none."""
    answer = answer_to(publisher, item, {}, now)
    if answer is None:
        return None
    try:
        found = await runtime.store.find_receipt(publisher.id, answer.distribution_id, answer.digest)
    except Refused:  # it was sent, with another step or at another time
        return answer.distribution_id
    return answer.distribution_id if found else None


def ack_wish(body: bytes) -> JsonObject:
    """The optional body `{"reference": true, "step": "RECU", "refused": false}`. Raises Refused (400)."""
    if not body:
        return {}
    try:
        wish = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _wrong("The body is not JSON.", "") from None
    if not isinstance(wish, dict):
        raise _wrong("The body is not an object.", "")
    for name, value in wish.items():
        _require_member(name, value)
    require_unique(body, wish, ErrorKind.PARAMETER)
    return wish


def _require_member(name: str, value: Any) -> None:
    if name in {"reference", "refused"}:
        if not isinstance(value, bool):
            raise _wrong("true or false is expected.", name)
    elif name == "step":
        if value not in STEPS:
            raise _wrong(f"one of {', '.join(STEPS)} is expected.", name)
    else:
        raise _wrong("only reference, step and refused are known.", name[:40])


def _wrong(diagnostics: str, name: str) -> Refused:
    return Refused(
        Issue(ErrorKind.PARAMETER, f"{name}: {diagnostics}" if name else diagnostics, name, f"/{name}")
    )


def answer_to(publisher: Publisher, item: InboxItem, wish: JsonObject, now: float) -> Submission | None:
    """The RC-REF for an item, None where the publisher wants none, or the item is itself an answer or one of several
    that were made of one message: its sender knows the first one's id alone.
    """
    delivery = item.delivery
    answered = delivery.refers_to or delivery.message_type in facts.REFERENCES
    if answered or not wish.get("reference", True):
        return None
    about = answers.Correspondence(delivery.recipient, delivery.sender, delivery.distribution_id)
    document = answers.reference(about, now, wish.get("step"), wish.get("refused"), delivery.model_version)
    body = edxl.encode(document, edxl.JSON, delivery.model_version).content
    return Submission(
        publisher.id,
        document["distributionID"],
        hashlib.sha256(body).digest(),
        edxl.JSON,
        body,
        "RC-REF",
        delivery.model_version,
        about.sender,
        about.recipient,
        "",
        about.refers_to,
        urgent=False,
        quota="ordinary",
        received_at=now,
        expires_at=facts.instant(document["dateTimeExpires"]) or now,
    )
