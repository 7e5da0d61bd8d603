"""The routes, in reading order."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import deliver, inbox, messages, oauth2, pages, receive, stream, translate
from gateway.edge import Edge
from gateway.errors import ErrorKind, GatewayError, Issue, QuotaExceeded, Refused
from gateway.runtime import Runtime, identify

Handler = Callable[[Runtime, Request], Awaitable[Response]]
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v1/messages", receive.post_message),
    ("GET", "/v1/inbox", inbox.read_inbox),
    ("GET", "/v1/inbox/stream", stream.stream_inbox),
    ("POST", "/v1/inbox/{id}/ack", inbox.acknowledge),
    ("GET", "/v1/messages", messages.list_messages),
    ("POST", "/v1/messages/$validate", receive.validate_message),
    ("POST", "/v1/messages/$translate", translate.translate_message),
    ("GET", "/v1/messages/{id}", messages.read_message),
    ("GET", "/v1/quota", messages.read_quota),
    ("POST", "/core/$process-message", deliver.process_message),
    ("GET", "/.well-known/webhook-keys", pages.webhook_keys),
    ("GET", "/openapi.yaml", pages.openapi_yaml),
    ("GET", "/openapi.json", pages.openapi_json),
    ("GET", "/docs", pages.docs),
    ("GET", "/health/live", pages.live),
    ("GET", "/health/ready", pages.ready),
)
OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/metrics", pages.metrics),
    ("GET", "/health/deep", pages.deep),
    ("GET", "/health/live", pages.live),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The handlers of one path, by method, as an ASGI application."""

    handlers: Mapping[str, Handler]
    runtime: Runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; errors go up to the edge."""
        request = Request(scope, receive)
        handler = self.handlers.get(scope["method"])
        if handler is None:
            await look_who_calls(self.runtime, request)
            allowed = ", ".join(self.handlers)
            raise Refused(Issue(ErrorKind.METHOD, f"Use one of: {allowed}."), headers={"Allow": allowed})
        try:
            response = await handler(self.runtime, request)
        except QuotaExceeded:
            self.runtime.pace.refused(scope["user"].id, self.runtime.now())
            raise
        await response(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Nowhere:
    """Every other path, as an ASGI application."""

    runtime: Runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - it sends nothing
        """Refuse the request (404)."""
        await look_who_calls(self.runtime, Request(scope, receive))
        raise Refused(Issue(ErrorKind.NOT_FOUND, "This path does not exist. See /openapi.yaml."))


@dataclass(frozen=True, slots=True)
class Paths:
    """The endpoints of all paths, as an ASGI application. Most have a fixed path: it is looked up, no pattern is tried."""

    fixed: Mapping[str, Endpoint]
    others: Router

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Let the path's endpoint answer."""
        return self.fixed.get(scope["path"], self.others)(scope, receive, send)


async def look_who_calls(runtime: Runtime, request: Request) -> None:
    """Let a publisher's 404 and 405 carry its RateLimit headers too. Whether the token is good decides nothing here."""
    with suppress(GatewayError):
        await identify(runtime, request, "")


def by_path(routes: Iterable[tuple[str, str, Handler]]) -> dict[str, dict[str, Handler]]:
    """The handlers of each path in the routes' order; what answers GET answers HEAD."""
    paths: dict[str, dict[str, Handler]] = {}
    for method, path, handler in routes:
        paths.setdefault(path, {})[method] = handler
        if method == "GET":
            paths[path]["HEAD"] = handler
    return paths


def create_app(runtime: Runtime) -> ASGIApp:
    """The gateway's HTTP face over a running gateway."""
    assets = Mount("/docs/assets", StaticFiles(directory=pages.swagger_ui_assets()))
    page = Route("/docs/{page:path}", Endpoint({"GET": pages.docs, "HEAD": pages.docs}, runtime))
    return edged(runtime, ROUTES, [*oauth2.routes(runtime.authorization), assets, page])


def create_operations_app(runtime: Runtime) -> ASGIApp:
    """What the operator's own network alone may see: metrics and the state of a running gateway."""
    return edged(runtime, OPERATIONS, [])


def edged(runtime: Runtime, own: Iterable[tuple[str, str, Handler]], routes: Iterable[BaseRoute]) -> ASGIApp:
    """Our own routes, then others, inside the edge, which answers all errors."""
    # One endpoint a path, whatever the method: a wrong method is refused here and never tried on a later path's pattern.
    endpoints = {path: Endpoint(handlers, runtime) for path, handlers in by_path(own).items()}
    patterns = [Route(path, endpoint) for path, endpoint in endpoints.items() if "{" in path]
    others = Router([*patterns, *routes], default=Nowhere(runtime), redirect_slashes=False)
    return Edge(
        Paths({path: endpoint for path, endpoint in endpoints.items() if "{" not in path}, others),
        lambda publisher: runtime.quota.headers(publisher, runtime.now()),
        runtime.settings.fhir_base,
        runtime.settings.base_url,
    )
