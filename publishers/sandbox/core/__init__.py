"""The simulated national core: takes canonical Bundles from the gateway, and routes each to its recipient through it.

    POST /fhir/$process-message   200 to a Bundle that it takes or already has; 422 to what is no Bundle of type message
    POST /oauth2/token            the gateway's access tokens, by private_key_jwt
    GET  /oauth2/jwks             the core's public key
    GET  /received                the canonical Bundles, all or those of `distributionID`
    GET  /arrivals                every Bundle taken, in order, duplicates too (fields below)
    POST /faults                  makes the next requests fail
    GET  /health/live

An arrival is `{"distributionID", "messageType", "recipient", "at", "duplicate", "status"}`: `at` in POSIX seconds,
`duplicate` true where the core had the Bundle already, `status` as answered and null where the answer was dropped.
A request that a fault answered with an error, or that was refused, did not arrive. Two Bundles are the same if they have
the distributionID and the content index in common. The contract is `openapi/core.yaml`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import GatewayError
from publishers.sandbox.assertion import public_jwks
from publishers.sandbox.core import bundle as canonical
from publishers.sandbox.core import faults
from publishers.sandbox.core.arrivals import Arrivals
from publishers.sandbox.core.bundle import Bundle
from publishers.sandbox.core.faults import Fault
from publishers.sandbox.core.routing import GatewayAccess, Routing
from publishers.sandbox.core.tokens import Tokens

JsonObject = dict[str, Any]
FHIR_JSON = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """What the core is told: its own URL, the gateway's client here with its public keys, and its access to the gateway."""

    url: str
    gateway_client_id: str
    gateway_jwks: JsonObject
    access: GatewayAccess


class Script(Protocol):
    """What is to happen to single messages, beside the faults that everybody sets."""

    def fault(self, bundle: Bundle) -> Fault | None:
        """How this attempt at a Bundle is to fail, None = not at all."""

    def deliveries(self, bundle: Bundle) -> int:
        """How often a new Bundle is delivered to its recipient."""

    def settled(self, bundle: Bundle, status: int) -> None:
        """The gateway took a delivery, or refused it for good, with that status."""


class NoScript:
    """Nothing special happens to any message."""

    def fault(self, _bundle: Bundle) -> Fault | None:
        """None ever fails."""
        return None

    def deliveries(self, _bundle: Bundle) -> int:
        """Each is delivered once."""
        return 1

    def settled(self, _bundle: Bundle, _status: int) -> None:
        """Nothing follows."""


class Poisoned(NoScript):
    """Each attempt at a Bundle whose distributionID holds `mark` gets 503; nothing special happens to any other."""

    def __init__(self, mark: str) -> None:
        self._mark = mark

    def fault(self, bundle: Bundle) -> Fault | None:
        """See `Script`."""
        return Fault(503, 1) if self._mark in bundle.distribution_id else None


class AnswerDropped(Exception):
    """The Bundle is taken and the connection is to be closed without an answer."""


class SimulatedCore:
    """One core with its handlers. `client` calls the gateway; it is closed by `close`."""

    def __init__(
        self,
        settings: CoreSettings,
        client: httpx.AsyncClient,
        journal: Path | None = None,
        now: Callable[[], float] = time.time,
        script: Script | None = None,
    ) -> None:
        self._script = script or NoScript()
        self._settings = settings
        self._client = client
        self._now = now
        self.arrivals = Arrivals(journal)
        self.faults = faults.Faults()
        self.routing = Routing(client, settings.access, self._settled, now)
        self.tokens = Tokens(
            f"{settings.url}/oauth2/token", settings.gateway_client_id, settings.gateway_jwks, now
        )

    async def process_message(self, request: Request) -> Response:
        """`POST /fhir/$process-message`."""
        fault = self.faults.next()
        if fault and fault.latency_ms:
            await asyncio.sleep(fault.latency_ms / 1_000)
        if fault and fault.status and not fault.drop_answer:
            return outcome(fault.status, "transient", "This answer was ordered by POST /faults.")
        if not self.tokens.allows(request.headers.get("authorization")):
            return outcome(401, "login", "No access token of this core's token endpoint.")
        try:
            bundle = canonical.read(await request.body())
        except ValueError as error:
            return outcome(422, "invalid", f"Not a Bundle that this core takes: {error}.")
        fault = fault or self._script.fault(bundle)
        if fault and fault.status and not fault.drop_answer:
            return outcome(fault.status, "transient", "This answer belongs to the message's scenario.")
        dropped = fault is not None and fault.drop_answer
        if self.arrivals.take(bundle, self._now(), None if dropped else 200):
            for _ in range(self._script.deliveries(bundle)):
                self.routing.submit(bundle)
        if dropped:
            raise AnswerDropped
        return outcome(200, "informational", "Taken.", "information")

    async def received(self, request: Request) -> Response:
        """`GET /received`."""
        found = self.arrivals.bundles(request.query_params.get("distributionID"))
        return Response(
            b"[" + b",".join(bundle.body for bundle in found) + b"]", media_type="application/json"
        )

    async def list_arrivals(self, _request: Request) -> Response:
        """`GET /arrivals`."""
        return Response(orjson.dumps(self.arrivals.all()), media_type="application/json")

    async def set_faults(self, request: Request) -> Response:
        """`POST /faults`."""
        try:
            fault = faults.parse(orjson.loads(await request.body()))
        except ValueError as error:  # a WrongFault, or no JSON
            return JSONResponse({"error": str(error)}, 400)
        self.faults.set(fault)
        share = {"rate": fault.rate, "seed": fault.seed} if fault.rate is not None else {"count": fault.count}
        told = {
            "status": fault.status,
            "latency_ms": fault.latency_ms,
            "drop_answer": fault.drop_answer,
            **share,
        }
        return JSONResponse(told)

    async def jwks(self, _request: Request) -> Response:
        """`GET /oauth2/jwks`."""
        return JSONResponse(public_jwks(self._settings.access.key))

    async def live(self, _request: Request) -> Response:
        """`GET /health/live`."""
        return JSONResponse({"status": "live"})

    def _settled(self, bundle: Bundle, status: int) -> None:
        self.arrivals.delivered(bundle, status)
        self._script.settled(bundle, status)

    def resume(self) -> None:
        """Deliver what a journal says was not delivered."""
        for bundle in self.arrivals.undelivered():
            self.routing.submit(bundle)

    async def close(self) -> None:
        """Stop delivering and close what is open."""
        await self.routing.close()
        await self._client.aclose()
        self.arrivals.close()


def create_core(core: SimulatedCore) -> ASGIApp:
    """The core's HTTP face; its lifespan resumes and closes it."""

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        core.resume()
        yield
        await core.close()

    routes = [
        Route("/fhir/$process-message", core.process_message, methods=["POST"]),
        Route("/oauth2/token", core.tokens.endpoint, methods=["POST"]),
        Route("/oauth2/jwks", core.jwks),
        Route("/received", core.received),
        Route("/arrivals", core.list_arrivals),
        Route("/faults", core.set_faults, methods=["POST"]),
        Route("/health/live", core.live),
    ]
    router = Router(routes, lifespan=lifespan)

    async def app(scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            await router(scope, receive, send)
        except GatewayError as error:  # a body that did not come: see gateway/protocol.py
            await outcome(error.status, "structure", error.issues[0].diagnostics)(scope, receive, send)
        except AnswerDropped:
            return "answer dropped"  # a returned value makes uvicorn close the connection without an answer
        return None

    return app


def outcome(status: int, code: str, diagnostics: str, severity: str = "error") -> Response:
    """A FHIR OperationOutcome."""
    told = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": severity, "code": code, "diagnostics": diagnostics}],
    }
    return Response(orjson.dumps(told), status, media_type=FHIR_JSON)
