"""Whether a request to the sandbox's own routes comes from the developer's own software, and not from a page in the browser.

A page of any web site may send requests to a developer's machine. By its own name the browser says so (`Sec-Fetch-Site`,
`Origin`), and a name of the site's that leads to this machine (DNS rebinding) is in `Host`.
"""

from typing import Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.headers import header

NAMES = ("localhost", "127.0.0.1", "::1")
SAME = ("same-origin", "none")  # the sandbox's own page, and what the user typed
OPENING = ("navigate", "document")  # a link that opens a page: who made the link does not see the answer
CORES_OWN = ("/received", "/arrivals", "/faults")


def foreign(scope: Scope) -> str:
    """Why a request is not to be served, "" where nothing is against it."""
    host = header(scope, b"host") or ""
    if not _is_here(host, scope):
        return "The Host must be localhost, 127.0.0.1 or [::1] with the sandbox's port"
    origin = header(scope, b"origin")
    if origin is not None and origin.lower() != f"http://{host.lower()}":
        return "A page of another origin must not use the sandbox"
    site = header(scope, b"sec-fetch-site")
    opening = header(scope, b"sec-fetch-mode"), header(scope, b"sec-fetch-dest")
    if site is not None and site not in SAME and not (scope["method"] == "GET" and opening == OPENING):
        return "A page of another site must not use the sandbox"
    return ""


def local_only(app: ASGIApp, paths: tuple[str, ...] = CORES_OWN) -> ASGIApp:
    """The core's application, whose own routes for developers answer 403 to everybody else."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> Any:
        reason = foreign(scope) if scope["type"] == "http" and scope["path"] in paths else ""
        if reason:
            return await JSONResponse({"error": f"{reason}."}, 403)(scope, receive, send)
        # what an application returns is a word to the server: see `create_core`
        return await app(scope, receive, send)

    return guarded


def _is_here(host: str, scope: Scope) -> bool:
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port or 80
    except ValueError:
        return False
    served = (scope.get("server") or (None, None))[1]
    return parts.hostname in NAMES and "@" not in host and served in (None, port)
