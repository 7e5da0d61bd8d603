"""A request as uvicorn would hand it over, without a socket."""

from typing import Any

from starlette.types import ASGIApp


async def request(
    app: ASGIApp, method: str, path: str, authorization: str, expected: int, body: bytes = b""
) -> None:
    """One request. Raises RuntimeError where its status is not the expected one."""
    headers = [(b"content-type", b"application/json"), (b"authorization", authorization.encode())]
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
        "root_path": "", "scheme": "http", "query_string": b"", "headers": headers, "client": None, "server": None,
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] != expected:
            raise RuntimeError(f"status {message['status']}")

    await app(scope, receive, send)
