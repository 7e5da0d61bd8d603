"""What stands before the gateway in a sandbox alone: `/sandbox`, `/oauth2/register` and the header `Sandbox-Scenario`.

Everything else goes to the gateway's own application untouched.
"""

import base64
import binascii
from typing import Any

import orjson
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import schemas
from gateway import intake
from gateway.edge import Edge
from gateway.errors import ErrorKind, GatewayError, Issue, Refused
from gateway.headers import header
from gateway.model import Publisher
from publishers.sandbox.control import REGISTER, routes
from publishers.sandbox.local import foreign
from publishers.sandbox.plant import Sandbox
from publishers.sandbox.scenarios import BY_NAME, HEADER, SCENARIOS, Scenario

METADATA = ("/.well-known/oauth-authorization-server", "/.well-known/smart-configuration")
OWN = ("/sandbox", REGISTER)
MESSAGES = "/v1/messages"
MAX_READ = 2_097_152  # bytes of a message that are looked at for its distributionID


class Front:
    """The HTTP face of a sandbox, as an ASGI application."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._own = self._edged(routes(sandbox))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Answer the sandbox's own routes, and hand everything else on."""
        path = scope.get("path", "")
        if any(path == mine or path.startswith(f"{mine}/") for mine in OWN):
            reason = foreign(scope)
            own = self._edged(refusing(_not_from_here(reason))) if reason else self._own
            return await own(scope, receive, send)
        if len(self.sandbox.guests) and (publisher := self._publisher(scope)):
            self.sandbox.guests.seen(publisher.client_id)
        if path in METADATA:
            send = with_registration(send, f"{self.sandbox.gateway}{REGISTER}")
        elif path == MESSAGES and scope.get("method") == "POST":
            try:
                receive = await self._prepared(scope, receive)
            except Refused as refusal:
                return await self._edged(refusing(refusal))(scope, receive, send)
        return await self.sandbox.gateway_app(scope, receive, send)

    def _edged(self, app: ASGIApp) -> ASGIApp:
        """The application with ids on its answers and its errors told as the gateway tells them."""
        made = self.sandbox.runtime.settings
        return Edge(app, lambda _publisher: [], made.fhir_base, made.base_url)

    async def _prepared(self, scope: Scope, receive: Receive) -> Receive:
        """Get everything ready for the message's scenario; what the gateway then reads the body from. Raises Refused (400)."""
        name = header(scope, HEADER.lower().encode())
        if name is None and not self.sandbox.narrowed:
            return receive
        publisher = self._publisher(scope)
        if name is None:
            if publisher is not None and publisher.id in self.sandbox.narrowed:
                self.sandbox.narrow(publisher.id, None)
            return receive
        scenario = wanted(name)
        if scenario.before:
            async with self.sandbox.changing:
                await self.sandbox.prepare(scenario.before, publisher.id if publisher else None)
            return receive
        messages, body = await read_ahead(receive)
        version = header(scope, b"model-version") or (publisher.model_version if publisher else "v3")
        distribution_id = distribution_id_of(header(scope, b"content-type") or "", body, version)
        if distribution_id:
            self.sandbox.director.wish(distribution_id, scenario)
        return replaying(messages, receive)

    def _publisher(self, scope: Scope) -> Publisher | None:
        """Whose the token says that it is; the gateway will judge whether it is true."""
        payload = (header(scope, b"authorization") or "").partition(".")[2].partition(".")[0]
        try:
            claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            client_id = claims["client_id"]
        except (ValueError, binascii.Error, KeyError, TypeError):
            return None
        registry = self.sandbox.runtime.registry.current
        return registry.by_client_id(client_id) if isinstance(client_id, str) else None


def wanted(name: str) -> Scenario:
    """The scenario of this name. Raises Refused (400) where there is none, or none that a header plays."""
    scenario = BY_NAME.get(name.strip())
    if scenario is not None and scenario.has_header:
        return scenario
    if scenario is not None:
        raise _refused(
            f"{scenario.name} is played by its recipient: send the message to {scenario.recipient}."
        )
    raise _refused(f"send one of {', '.join(one.name for one in SCENARIOS if one.has_header)}.")


def distribution_id_of(content_type: str, body: bytes, version: str) -> str:
    """The message's distributionID, "" where the body cannot be read: then the gateway will refuse it."""
    try:
        known = version if version in schemas.VERSIONS else schemas.VERSIONS[-1]
        message = intake.decode(body, intake.media_type(content_type), known)
    except GatewayError:
        return ""
    return message.envelope.distribution_id


async def read_ahead(receive: Receive) -> tuple[list[Message], bytes]:
    """The ASGI messages of a body, and what they carry, up to MAX_READ bytes."""
    messages, body, more = [], bytearray(), True
    while more and len(body) <= MAX_READ:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return messages, bytes(body)


def replaying(messages: list[Message], receive: Receive) -> Receive:
    """A `receive` that gives these messages first."""
    left = messages[::-1]

    async def again() -> Message:
        return left.pop() if left else await receive()

    return again


def with_registration(send: Send, endpoint: str) -> Send:
    """A `send` that adds `registration_endpoint` (RFC 8414, section 2) to the JSON object that passes."""
    started: list[Message] = []
    body = bytearray()

    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.append(message)
            return
        body.extend(message.get("body", b""))
        if message.get("more_body", False):
            return
        start, whole = started[0], bytes(body)
        if start["status"] == 200 and whole:
            whole = orjson.dumps({**orjson.loads(whole), "registration_endpoint": endpoint})
            MutableHeaders(scope=start)["content-length"] = str(len(whole))
        await send(start)
        await send({"type": "http.response.body", "body": whole})

    return adding


def refusing(refusal: Refused) -> ASGIApp:
    """An application that refuses every request so."""

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise refusal

    return app


def _not_from_here(reason: str) -> Refused:
    return Refused(Issue(ErrorKind.FORBIDDEN, f"{reason}."))


def _refused(diagnostics: str) -> Refused:
    return Refused(
        Issue(ErrorKind.PARAMETER, f"Header {HEADER}: {diagnostics}", f"header.{HEADER}", f"/{HEADER}")
    )
