"""The servers that are compared, each a process of its own: `python -m bench.servers KIND --port N --data DIR`.

    bare      Starlette: reads the body, answers 202
    floor     Starlette, orjson, jsonschema-rs on the whole RS-EDA document, one row by the gateway's group commit
    accept    the gateway's POST /v1/messages; nothing is forwarded
    pipeline  the gateway; accepted messages are translated and checked, and handed to a core that says yes at once
    client    as pipeline, with the HTTP client towards the core over a transport that answers 200 at once
    forward   as pipeline, to a core at the next port by the gateway's HTTP client
    proxy     Starlette: posts the body to that core by the same client and transport, answers 202
    core      Starlette: the core of these two, answers 200

All on uvicorn (uvloop, httptools), SQLite with synchronous=FULL, log lines as in production. Prints one JSON line with
an access token once it serves.
"""

import argparse
import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import orjson
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

import schemas
from bench.message import RECIPIENT, SENDER
from gateway import service
from gateway.app import create_app, create_operations_app
from gateway.core import Core
from gateway.core.fhir import MEDIA_TYPE, FhirCore, http_client
from gateway.model import Limits, Publisher
from gateway.oauth2 import CoreClient, SigningKeys, generate_signing_keys
from gateway.oauth2.tokens import access_token
from gateway.observability import configure_logging
from gateway.registry import Registry, RegistryHolder
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.store.commit import GroupCommit

KINDS = ("bare", "floor", "accept", "pipeline", "client", "forward", "proxy")
CORE = "core"
CORE_PATH = "/fhir/$process-message"
WIDE = Limits(10**6, 10**8, 10**9, 10**4, bytes_per_minute=10**12)
PUBLISHER = Publisher(
    "bench", "Bench", "bench", (SENDER,), (SENDER, RECIPIENT), ("message.send", "message.read", "inbox.read"),
    "v3", "json", (), WIDE,
)  # fmt: skip
ISSUER = "http://bench.test"
RECEIPT = orjson.dumps({"id": "0" * 32, "status": "received", "duplicate": False})


class YesCore:
    """A core that has every Bundle at once."""

    async def send(self, bundle: bytes) -> None:
        """Take it."""


class SilentCore:
    """A core that never answers: what is accepted stays."""

    async def send(self, bundle: bytes) -> None:  # noqa: ARG002 - the connector's signature
        """Wait for ever."""
        await asyncio.Event().wait()


class Always(httpx.AsyncBaseTransport):
    """A transport that answers 200 at once, without a network."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:  # noqa: ARG002 - httpx's signature
        """The answer."""
        return httpx.Response(200, stream=httpx.ByteStream(b""))


class OneToken:
    """A token that is always good."""

    async def __call__(self) -> str:
        """The token."""
        return "a-token"

    def forget(self) -> None:
        """It is never refused."""


def bare() -> ASGIApp:
    """The least that a Starlette endpoint does for this request."""

    async def endpoint(request: Request) -> Response:
        await request.body()
        return Response(RECEIPT, 202, media_type="application/json")

    return Starlette(routes=[Route("/v1/messages", endpoint, methods=["POST"])])


def floor(data: Path) -> ASGIApp:
    """The least that accepts the message as durably as the gateway does, and judges it by its schema."""
    validator = jsonschema_rs.Draft7Validator(use_case_schema(), validate_formats=True)
    connection = sqlite3.connect(data / "floor.db", isolation_level=None, check_same_thread=False)
    connection.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE m (id TEXT PRIMARY KEY, body BLOB)"
    )

    def write(connection: sqlite3.Connection, rows: Sequence[tuple[str, bytes]]) -> list[Any]:
        connection.executemany("INSERT INTO m VALUES (?, ?)", rows)
        return [None] * len(rows)

    commit = GroupCommit[tuple[str, bytes]](connection, write, lambda _row, _outcome: None)

    async def endpoint(request: Request) -> Response:
        body = await request.body()
        document = orjson.loads(body)
        message = document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
        if not validator.is_valid(message["createCaseHealth"]):
            return Response(status_code=422)
        await commit.submit((document["distributionID"], body))
        return Response(RECEIPT, 202, media_type="application/json")

    return Starlette(routes=[Route("/v1/messages", endpoint, methods=["POST"])])


def proxy(core: str) -> ASGIApp:
    """The least that hands the body on: nothing is checked, kept or tried again."""
    client = http_client(10.0)
    headers = {"Content-Type": MEDIA_TYPE, "Authorization": "Bearer a-token"}

    async def endpoint(request: Request) -> Response:
        answer = await client.post(core + CORE_PATH, content=await request.body(), headers=headers)
        return Response(RECEIPT, 202 if answer.is_success else 502, media_type="application/json")

    return Starlette(routes=[Route("/v1/messages", endpoint, methods=["POST"])])


def core_app() -> ASGIApp:
    """A core that has every Bundle."""

    async def endpoint(request: Request) -> Response:
        await request.body()
        return Response(b"{}", 200, media_type=MEDIA_TYPE)

    return Starlette(routes=[Route(CORE_PATH, endpoint, methods=["POST"])])


def use_case_schema() -> Any:
    """The JSON Schema of RS-EDA's use case."""
    return orjson.loads(schemas.file("RS-EDA", "v3.schema.json").read_bytes())


def core_of(kind: str, core: str = "") -> Core:
    """The core behind a kind of server; `core` is the URL of a real one."""
    if kind == "forward":
        return FhirCore(http_client(10.0), core + CORE_PATH.rpartition("/")[0], OneToken(), time.time)
    if kind == "client":
        return FhirCore(httpx.AsyncClient(transport=Always()), "http://core.test/fhir", OneToken(), time.time)
    return YesCore() if kind == "pipeline" else SilentCore()


@asynccontextmanager
async def gateway(
    kind: str,
    data: Path,
    signing: SigningKeys,
    database: str = "",
    core: str = "",
    publisher: Publisher = PUBLISHER,
) -> AsyncIterator[Runtime]:
    """A whole gateway with one publisher of wide quotas, on SQLite in `data` where no database is named."""
    settings = Settings(
        base_url=ISSUER,
        database_url=database or f"sqlite:///{data / 'gateway.db'}",
        stop_grace=0.1,
        retention_days=36_500,  # a sweep is no part of what is measured
    )
    keys = service.Keys(signing, CoreClient("national-core", {"keys": []}))
    async with service.running(
        settings, RegistryHolder(Registry.of([publisher])), keys, core_of(kind, core)
    ) as runtime:
        yield runtime


def token_for_bench(signing: SigningKeys) -> str:
    """An access token of the bench's publisher, good for an hour."""
    return access_token(
        signing,
        issuer=ISSUER,
        audience=ISSUER,
        client_id=PUBLISHER.client_id,
        scope=" ".join(PUBLISHER.scopes),
        now=time.time(),
        lifetime=3_600,
    )


def with_metrics(app: ASGIApp, operations: ASGIApp) -> ASGIApp:
    """A gateway whose metrics are on its own port: the load is counted by them, and nobody else calls here."""

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        await (operations if scope["path"] == "/metrics" else app)(scope, receive, send)

    return both


async def serve(kind: str, port: int, data: Path, database: str = "") -> None:
    """Serve until interrupted."""
    signing, core = generate_signing_keys(), f"http://127.0.0.1:{port + 1}"
    async with contextlib.AsyncExitStack() as stack:
        if kind == "bare":
            app = bare()
        elif kind == CORE:
            app = core_app()
        elif kind == "proxy":
            app = proxy(core)
        elif kind == "floor":
            app = floor(data)
        else:
            runtime = await stack.enter_async_context(gateway(kind, data, signing, database, core))
            app = with_metrics(create_app(runtime), create_operations_app(runtime))
        config = uvicorn.Config(
            app, port=port, loop="uvloop", http="httptools", log_level="warning", access_log=False,
            lifespan="off", timeout_graceful_shutdown=1, proxy_headers=False,
        )  # fmt: skip
        server = uvicorn.Server(config)
        service.settle_memory()
        task = asyncio.create_task(server.serve())
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has a flag, no event
            await asyncio.sleep(0.01)
        print(orjson.dumps({"token": token_for_bench(signing)}).decode(), flush=True)
        await task


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.servers", description=__doc__)
    parser.add_argument("kind", choices=(*KINDS, CORE))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--database", default="", help="where a gateway is not to use SQLite")
    parser.add_argument("--core", type=int, default=0, help="the processor core to run on")
    wanted = parser.parse_args()
    os.sched_setaffinity(0, {wanted.core})
    configure_logging("info")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, contextlib.suppress(KeyboardInterrupt):
        runner.run(serve(wanted.kind, wanted.port, wanted.data, wanted.database))


if __name__ == "__main__":
    main()
