"""What is not about messages: health, metrics, the contract and the documentation."""

from asyncio import to_thread
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import orjson
import yaml
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway import site
from gateway.errors import ErrorKind, Issue, Refused, Unavailable
from gateway.observability import METRICS
from gateway.runtime import Runtime

OPENAPI = Path(__file__).parent.parent / "openapi"
KEYS_FRESH = "max-age=300"
MAKING = Lock()  # who asks while the contract is being made waits for it


async def live(_runtime: Runtime, _request: Request) -> Response:
    """`GET /health/live`: the process answers."""
    return Response(b'{"status":"live"}', media_type="application/json")


async def ready(runtime: Runtime, _request: Request) -> Response:
    """`GET /health/ready`: this replica takes requests. It asks neither store nor core: were they away, all replicas would
    be unready together, and senders would get no answer where they can get a 503.
    """
    if runtime.stopping.is_set():
        raise Unavailable(
            Issue(ErrorKind.OVERLOADED, "The gateway stops. Ask another one."), headers={"Retry-After": "5"}
        )
    return Response(b'{"status":"ready"}', media_type="application/json")


async def deep(runtime: Runtime, _request: Request) -> Response:
    """`GET /health/deep`: 200 where a write reaches the store just now, else 503; and what waits for the core."""
    now = runtime.now()
    writable = await runtime.store.is_writable(now)
    told = {
        "status": "ready" if writable else "unready",
        "store": "writable" if writable else "not-writable",
        "coreCircuit": "open" if METRICS.get_sample_value("gateway_core_circuit_open") == 1 else "closed",
        "coreUp": METRICS.get_sample_value("gateway_core_up") == 1,
        "backlog": runtime.store.backlog(),
        "oldestWaitingSeconds": runtime.store.oldest_due_age(now),
        "stopping": runtime.stopping.is_set(),
    }
    return Response(orjson.dumps(told), 200 if writable else 503, media_type="application/json")


async def metrics(_runtime: Runtime, _request: Request) -> Response:
    """`GET /metrics`: Prometheus text. With a thousand publishers it is made of some thousand lines: not in the event loop."""
    return Response(await to_thread(generate_latest, METRICS), media_type=CONTENT_TYPE_LATEST)


async def webhook_keys(runtime: Runtime, _request: Request) -> Response:
    """`GET /.well-known/webhook-keys`: the public keys of those that sign webhooks (RFC 7517); none where none are sent."""
    keys = {"keys": []} if runtime.webhook_keys is None else runtime.webhook_keys.public()
    return Response(orjson.dumps(keys), headers={"Cache-Control": KEYS_FRESH}, media_type="application/json")


def contract(name: str) -> bytes:
    """A hand-written OpenAPI document: `gateway.yaml` as it is, or `gateway.json` made from it.

    Making it takes a second, so it is made once, and not in the event loop.
    """
    with MAKING:
        return _contract(name)


@cache
def _contract(name: str) -> bytes:
    text = (OPENAPI / name.replace(".json", ".yaml")).read_bytes()
    return orjson.dumps(yaml.safe_load(text)) if name.endswith(".json") else text


async def openapi_yaml(_runtime: Runtime, _request: Request) -> Response:
    """`GET /openapi.yaml`: the contract as it was written."""
    return Response(await to_thread(contract, "gateway.yaml"), media_type="application/yaml")


async def openapi_json(_runtime: Runtime, _request: Request) -> Response:
    """`GET /openapi.json`: the same as JSON."""
    return Response(await to_thread(contract, "gateway.json"), media_type="application/json")


async def docs(_runtime: Runtime, request: Request) -> Response:
    """`GET /docs` and below: the documentation site; no page loads anything from another host. Raises Refused (404)."""
    path = request.scope["path"]
    answer = await to_thread(site.answer, path.rstrip("/"))  # a page is made at its first visit
    if answer is None:
        raise Refused(Issue(ErrorKind.NOT_FOUND, "This page does not exist. The way in is /docs."))
    if path.endswith("/"):
        return RedirectResponse(path.rstrip("/"), 308)
    return Response(answer.body, headers=answer.headers, media_type=answer.media_type)


def swagger_ui_assets() -> Path:
    """The folder of Swagger UI's files in the installed package `swagger-ui-py`."""
    spec = find_spec("swagger_ui")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "static"
