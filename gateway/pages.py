"""What is not about messages: health, metrics, the contract and its page."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import orjson
import yaml
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.errors import ErrorKind, Issue, Unavailable
from gateway.observability import METRICS
from gateway.runtime import Runtime

OPENAPI = Path(__file__).parent.parent / "openapi"
DOCS_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)
DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Regulation Gateway: the contract</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
DOCS_SCRIPT = (
    'SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});\n'
)


async def live(_runtime: Runtime, _request: Request) -> Response:
    """`GET /health/live`: the process answers."""
    return Response(b'{"status":"live"}', media_type="application/json")


async def ready(runtime: Runtime, _request: Request) -> Response:
    """`GET /health/ready`: messages can be stored. The core's state is no part of it: a slow core loses nothing."""
    if not await runtime.store.is_writable(runtime.now()):
        raise Unavailable(
            Issue(ErrorKind.OVERLOADED, "The store takes no messages now."), headers={"Retry-After": "5"}
        )
    return Response(b'{"status":"ready"}', media_type="application/json")


async def metrics(_runtime: Runtime, _request: Request) -> Response:
    """`GET /metrics`: Prometheus text."""
    return Response(generate_latest(METRICS), media_type=CONTENT_TYPE_LATEST)


@cache
def contract(name: str) -> bytes:
    """A hand-written OpenAPI document: `gateway.yaml` as it is, or `gateway.json` made from it."""
    text = (OPENAPI / name.replace(".json", ".yaml")).read_bytes()
    return orjson.dumps(yaml.safe_load(text)) if name.endswith(".json") else text


async def openapi_yaml(_runtime: Runtime, _request: Request) -> Response:
    """`GET /openapi.yaml`: the contract as it was written."""
    return Response(contract("gateway.yaml"), media_type="application/yaml")


async def openapi_json(_runtime: Runtime, _request: Request) -> Response:
    """`GET /openapi.json`: the same as JSON."""
    return Response(contract("gateway.json"), media_type="application/json")


async def docs(_runtime: Runtime, _request: Request) -> Response:
    """`GET /docs`: the contract in Swagger UI, from the installed package's files; no other host is asked."""
    return HTMLResponse(DOCS_PAGE, headers={"Content-Security-Policy": DOCS_POLICY})


async def docs_script(_runtime: Runtime, _request: Request) -> Response:
    """`GET /docs/start.js`: a file of its own, so that the page's policy needs no inline script."""
    return Response(DOCS_SCRIPT, media_type="text/javascript")


def swagger_ui_assets() -> Path:
    """The folder of Swagger UI's files in the installed package `swagger-ui-py`."""
    spec = find_spec("swagger_ui")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "static"
