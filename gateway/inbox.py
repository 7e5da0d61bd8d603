"""The way back, second half: a publisher reads its inbox, and acknowledges what it has taken over."""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway import answers, edxl
from gateway.body import read_body
from gateway.duplicate_members import require_unique
from gateway.edxl import encoding, facts
from gateway.errors import ErrorKind, Issue, Refused
from gateway.model import InboxItem, JsonObject, Publisher, Submission
from gateway.observability import log
from gateway.parameters import MAX_CURSOR, integer
from gateway.runtime import Runtime, authenticate, require_still
from gateway.views import item_json

SCOPE = "inbox.read"
STEPS = (
    "RECU",
    "ERREUR",
    "INTEGRE",
    "CONSULTE",
    "SUPPRIME",
)  # code list ETAPE, in the order in which they may follow
REFUSAL = STEPS.index("ERREUR")
ACCEPTING = frozenset({"INTEGRE", "CONSULTE"})
MAX_ACK_BODY = 4_096
PIECE = 65_536  # bytes of a page that are handed to the server at once: as many as it buffers


async def read_inbox(runtime: Runtime, request: Request) -> Response:
    """`GET /v1/inbox`: what waits for this publisher, oldest first; with `wait`, up to so many seconds for the first."""
    publisher = await authenticate(runtime, request, SCOPE)
    wait = min(integer(request, "wait", 0, 0, MAX_CURSOR), runtime.settings.long_poll_max)
    limit = integer(request, "limit", 100, 1, 1_000)
    cursor = integer(request, "cursor", 0, 0, MAX_CURSOR)
    items = await runtime.store.read_inbox(publisher.id, cursor, limit)
    if not items and wait:
        with runtime.readers.room(publisher):  # 429
            await runtime.store.wait_inbox(publisher.id, cursor, wait)
        items = await runtime.store.read_inbox(publisher.id, cursor, limit)
        await require_still(runtime, request, SCOPE)
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
    """`POST /v1/inbox/{id}/ack`: the item leaves the inbox and one RC-REF goes to its sender. Repeating it does nothing; a
    later step sends one more.
    """
    publisher = await authenticate(runtime, request, SCOPE)
    wish = ack_wish(await read_body(request, MAX_ACK_BODY, runtime.settings.max_drain))
    item = await runtime.store.inbox_item(publisher.id, request.path_params["id"])
    if item is None:
        raise Refused(Issue(ErrorKind.NOT_FOUND, "No inbox item of this publisher has this id."))
    now = runtime.now()
    reply = reply_of(wish, item.delivery.model_version, item.rank)  # 400
    answer = answer_to(publisher, item, reply, now)
    is_new = await runtime.store.acknowledge(publisher.id, item.id, now, answer, reply.rank)
    if is_new:
        log.info(
            "message_acknowledged",
            publisher=publisher.id,
            distribution_id=item.delivery.distribution_id,
            item=item.id,
        )
        reference = answer.distribution_id if answer else None
    else:  # read again: the request that this one repeats may have been answered meanwhile
        known = await runtime.store.inbox_item(publisher.id, item.id) or item
        reference = known.reference or None
    told = {"id": item.id, "acknowledged": True, "reference": reference}
    return Response(orjson.dumps(told), media_type="application/json")


def ack_wish(body: bytes) -> JsonObject:
    """The optional body `{"reference": true, "step": "RECU", "refused": false}`. Raises Refused (400)."""
    if not body:
        return {}
    try:
        wish = orjson.loads(encoding.without_bom(body))
    except orjson.JSONDecodeError:
        reason = encoding.fault(body)
        raise _wrong(
            f"The body is not JSON in UTF-8: {reason}" if reason else "The body is not JSON.", ""
        ) from None
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


@dataclass(frozen=True, slots=True)
class Reply:
    """What an acknowledgement says to the sender. `rank` orders what is said of one item: only what is later is sent after
    what was sent before. Where `wanted` is false, nothing is said.
    """

    wanted: bool
    step: str | None
    refused: bool | None
    rank: int


def reply_of(wish: JsonObject, version: str, last: int = 0) -> Reply:
    """What a request for an acknowledgement means in a model version: RECU where neither step nor refusal is asked for.

    `last` is the rank of the last answer to the item. Raises Refused (400) for a step that the version cannot say, and for a
    refusal that is not to be sent.
    """
    step, refused, wanted = wish.get("step"), wish.get("refused"), bool(wish.get("reference", True))
    has_step = version in answers.HAVE_STEP
    if step == "ERREUR" and (refused is None or not has_step):
        refused = True
    if refused and not wanted:
        raise _wrong("a refusal is for the sender, and with reference false nothing is sent.", "refused")
    if step == "SUPPRIME" and wanted and not refused and not has_step:  # without step it acknowledges
        raise _wrong(
            f'an RC-REF of model {version} cannot say SUPPRIME. Send {{"reference": false}} to take the item out'
            ' without an answer, or {"refused": true}.',
            "step",
        )
    if not has_step:
        return Reply(wanted, None, refused, rank_of(None, refused, last, accepts=step in ACCEPTING))
    return Reply(wanted, step or (None if refused else "RECU"), refused, rank_of(step, refused, last))


def rank_of(step: str | None, refused: bool | None, last: int, *, accepts: bool = False) -> int:
    """Where an answer is among those to one item: by its step, and odd for a refusal. `last` is the rank of the last answer: an
    acceptance without a step (`refused` false, or `accepts`) takes a refusal back.
    """
    if refused:
        return 2 * max(STEPS.index(step) if step else 0, REFUSAL) + 1
    if step is None and (refused is False or accepts) and last % 2:
        return last + 1
    return 2 * STEPS.index(step) if step else 0


def answer_to(publisher: Publisher, item: InboxItem, reply: Reply, now: float) -> Submission | None:
    """The RC-REF for an item, None where the publisher wants none, or the item is itself an answer or one of several
    that were made of one message: its sender knows the first one's id alone.
    """
    delivery = item.delivery
    answered = delivery.refers_to or delivery.message_type in facts.REFERENCES
    if answered or not reply.wanted:
        return None
    about = answers.Correspondence(
        delivery.recipient, delivery.sender, delivery.distribution_id, delivery.distribution_status
    )
    document = answers.reference(
        about, now, reply.step, reply.refused, delivery.model_version, item.reference
    )
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
