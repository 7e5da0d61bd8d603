"""The outermost layer: ids and RateLimit headers on every answer, and errors turned into responses here alone."""

import asyncio
import random
import re
from collections.abc import Callable
from http import HTTPStatus

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import outcome
from gateway.errors import ErrorKind, GatewayError, Issue, Refused, Unavailable
from gateway.headers import header
from gateway.model import Publisher
from gateway.observability import REFUSED, log
from gateway.observability import request_id as request_id_var

REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")  # W3C Trace Context, version 00
STOPPING = Unavailable(
    Issue(ErrorKind.OVERLOADED, "The gateway stops. Send the same request again."),
    headers={"Retry-After": "5"},
)
RateLimitHeaders = Callable[[Publisher], list[tuple[bytes, bytes]]]


class Edge:
    """ASGI middleware. `rate_limit` gives the RateLimit headers of an authenticated publisher (ASGI scope's `user`)."""

    def __init__(
        self, app: ASGIApp, rate_limit: RateLimitHeaders, base: str, site: str = outcome.DEFAULT_SITE
    ) -> None:
        self._app = app
        self._rate_limit = rate_limit
        self._base = base
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer every request; an unforeseen exception becomes a 500 that tells nothing of its inside."""
        scope["app"] = self  # Starlette's routes then raise their 405 instead of answering it in plain text
        request_id, added = identify(scope)
        request_id_var.set(request_id)
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                publisher = scope.get("user")
                limits = self._rate_limit(publisher) if publisher is not None else []
                message["headers"] = [*message["headers"], *added, *limits]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            log.info("client_disconnected")
        except asyncio.CancelledError:
            if not started:  # the grace of a stop is over; the server's own answer would be a bare 500
                response = respond(
                    STOPPING, header(scope, b"accept") or "", request_id, self._base, self._site
                )
                await response(scope, receive, send_with_headers)
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence
            if started:
                log.error("answer_broken_off", exc_info=error)
                return
            response = respond(error, header(scope, b"accept") or "", request_id, self._base, self._site)
            await response(scope, receive, send_with_headers)


def identify(scope: Scope) -> tuple[str, list[tuple[bytes, bytes]]]:
    """The request's id (echoed if sent, RFC-visible characters only) and the id headers of its answer."""
    request_id = header(scope, b"x-request-id") or ""
    if not (request_id and REQUEST_ID.fullmatch(request_id)):
        request_id = f"{random.getrandbits(128):032x}"
    sent = header(scope, b"traceparent")
    trace = TRACEPARENT.fullmatch(sent) if sent else None
    trace_id, flags = trace.groups() if trace else (f"{random.getrandbits(128):032x}", "00")
    parent = f"00-{trace_id}-{random.getrandbits(64):016x}-{flags}"
    return request_id, [(b"x-request-id", request_id.encode()), (b"traceparent", parent.encode())]


def respond(error: Exception, accept: str, request_id: str, base: str, site: str) -> Response:
    """The response to an error: an OperationOutcome, or problem details where the client asks for them."""
    known = known_error(error)
    for kind in {issue.kind for issue in known.issues if issue.severity == "error"}:
        REFUSED.labels(kind.value.code).inc()
    log.info("request_refused", status=known.status, codes=sorted({i.kind.value.code for i in known.issues}))
    if outcome.PROBLEM in accept:
        told, media_type = (
            outcome.problem_details(known.issues, known.status, f"urn:request:{request_id}", base, site),
            outcome.PROBLEM,
        )
    else:
        told, media_type = outcome.operation_outcome(known.issues, base, site), outcome.MEDIA_TYPE
    return Response(orjson.dumps(told), known.status, known.headers, media_type)


def known_error(error: Exception) -> GatewayError:
    """Our own errors as they are; Starlette's 404 and 405 as ours; anything else as a 500 that is logged by type only."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = dict(error.headers or {})
        methods = ", ".join(sorted(allowed.get("Allow", "").split(", ")))
        return Refused(Issue(ErrorKind.METHOD, f"Use one of: {methods}."), headers=allowed)
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND:
        return Refused(Issue(ErrorKind.NOT_FOUND, "This path does not exist. See /openapi.yaml."))
    log.error("internal_error", exc_info=error)
    return GatewayError(
        Issue(ErrorKind.INTERNAL, "The gateway failed. Quote the X-Request-Id to its operator.")
    )
