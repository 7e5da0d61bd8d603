"""The routes, in reading order."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import deliver, inbox, messages, oauth2, pages, receive, stream, translate
from gateway.edge import Edge
from gateway.errors import ErrorKind, Issue, Refused
from gateway.runtime import Runtime

Handler = Callable[[Runtime, Request], Awaitable[Response]]
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v1/messages", receive.post_message),
    ("GET", "/v1/inbox", inbox.read_inbox),
    ("GET", "/v1/inbox/stream", stream.stream_inbox),
    ("POST", "/v1/inbox/{id}/ack", inbox.acknowledge),
    ("GET", "/v1/messages/{id}", messages.read_message),
    ("GET", "/v1/messages", messages.list_messages),
    ("POST", "/v1/messages/$validate", receive.validate_message),
    ("POST", "/v1/messages/$translate", translate.translate_message),
    ("GET", "/v1/quota", messages.read_quota),
    ("POST", "/core/$process-message", deliver.process_message),
    ("GET", "/openapi.yaml", pages.openapi_yaml),
    ("GET", "/openapi.json", pages.openapi_json),
    ("GET", "/docs", pages.docs),
    ("GET", "/docs/start.js", pages.docs_script),
    ("GET", "/health/live", pages.live),
    ("GET", "/health/ready", pages.ready),
    ("GET", "/metrics", pages.metrics),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One handler as an ASGI application."""

    handler: Handler
    runtime: Runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; errors go up to the edge."""
        response = await self.handler(self.runtime, Request(scope, receive))
        await response(scope, receive, send)


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - an ASGI application
    """Every other path."""
    raise Refused(Issue(ErrorKind.NOT_FOUND, "This path does not exist. See /openapi.yaml."))


def create_app(runtime: Runtime) -> ASGIApp:
    """The gateway's HTTP face over a running gateway."""
    own = [Route(path, Endpoint(handler, runtime), methods=[method]) for method, path, handler in ROUTES]
    assets = Mount("/docs/assets", StaticFiles(directory=pages.swagger_ui_assets()))
    routes: list[BaseRoute] = [*own, *oauth2.routes(runtime.authorization), assets]
    router = Router(routes, default=nowhere, redirect_slashes=False)
    return Edge(
        router, lambda publisher: runtime.quota.headers(publisher, runtime.now()), runtime.settings.fhir_base
    )
