"""The sandbox's own routes.

GET    /sandbox                        what goes on, as a page
GET    /sandbox/state                  the same as JSON
GET    /sandbox/scenarios              the table of scenarios
GET    /sandbox/clock                  {"now", "posix", "offset", "frozen"}
POST   /sandbox/clock                  {"advance": seconds} | {"set": instant or POSIX seconds} | {"reset": true}, and {"frozen": bool}
POST   /sandbox/reset                  everything anew, with the same credentials; {"seed": 7} if wanted
POST   /oauth2/register                dynamic client registration (RFC 7591); with `registration_token` of sandbox.json as initial
                                       access token (section 3) a webhook may be on this machine
GET    /oauth2/register/{client_id}    the registration (RFC 7592); DELETE takes it away
"""

import math
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from gateway.body import read_body
from gateway.edxl import facts
from gateway.errors import ConfigurationError, ErrorKind, Issue, Refused
from gateway.model import iso
from publishers.sandbox import page
from publishers.sandbox.clock import MAX_SHIFT, Clock
from publishers.sandbox.guests import Guest, RegistrationError, make_guest
from publishers.sandbox.plant import Sandbox
from publishers.sandbox.scenarios import SCENARIOS
from publishers.sandbox.state import state

REGISTER = "/oauth2/register"
MAX_BODY, MAX_DRAIN = 65_536, 1_048_576  # bytes
MAX_SEED = 2**63
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; form-action 'none'",
}
JsonObject = dict[str, Any]
Handler = Callable[[Sandbox, Request], Awaitable[Response]]


def routes(sandbox: Sandbox) -> Router:
    """The routes over one sandbox."""

    def route(method: str, path: str, handler: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            async with sandbox.changing:
                return await handler(sandbox, request)

        return Route(path, endpoint, methods=[method])

    listed = [
        route("GET", "/sandbox", show),
        route("GET", "/sandbox/style.css", show_style),
        route("GET", "/sandbox/state", show_state),
        route("GET", "/sandbox/scenarios", show_scenarios),
        route("GET", "/sandbox/clock", show_clock),
        route("POST", "/sandbox/clock", move_clock),
        route("POST", "/sandbox/reset", reset),
        route("POST", REGISTER, register),
        route("GET", f"{REGISTER}/{{client_id}}", read_registration),
        route("DELETE", f"{REGISTER}/{{client_id}}", delete_registration),
    ]
    return Router(listed, default=nowhere, redirect_slashes=False)


async def nowhere(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Every other path below the sandbox's own. Raises Refused (404)."""
    raise Refused(Issue(ErrorKind.NOT_FOUND, "This path does not exist. See /sandbox."))


async def show(sandbox: Sandbox, _request: Request) -> Response:
    """`GET /sandbox`."""
    return HTMLResponse(page.html(await state(sandbox)), headers=PAGE_HEADERS)


async def show_style(_sandbox: Sandbox, _request: Request) -> Response:
    """`GET /sandbox/style.css`."""
    return Response(page.style(), media_type="text/css")


async def show_state(sandbox: Sandbox, _request: Request) -> Response:
    """`GET /sandbox/state`."""
    return JSONResponse(await state(sandbox), headers=NO_STORE)


async def show_scenarios(_sandbox: Sandbox, _request: Request) -> Response:
    """`GET /sandbox/scenarios`."""
    return JSONResponse({"scenarios": told()})


async def show_clock(sandbox: Sandbox, _request: Request) -> Response:
    """`GET /sandbox/clock`."""
    return JSONResponse(clock_json(sandbox.clock), headers=NO_STORE)


async def move_clock(sandbox: Sandbox, request: Request) -> Response:
    """`POST /sandbox/clock`."""
    move(sandbox.clock, await read_object(request))
    return JSONResponse(clock_json(sandbox.clock), headers=NO_STORE)


async def reset(sandbox: Sandbox, request: Request) -> Response:
    """`POST /sandbox/reset`."""
    wish = await read_object(request)
    only(wish, "seed")
    seed = wish.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not -MAX_SEED <= seed < MAX_SEED:
        raise wrong("seed", "send a whole number of 64 bits")
    await sandbox.reset(seed)
    return JSONResponse({"reset": True, "seed": seed})


async def register(sandbox: Sandbox, request: Request) -> Response:
    """`POST /oauth2/register`: 201 with the client information (RFC 7591, section 3.2.1), or 400 with its error."""
    try:
        wish = await read_json(request)
        private = is_developer(sandbox, request)
        guest = make_guest(wish, sandbox.guests.next_number(), sandbox.clock(), private_webhook=private)
        for ended in sandbox.guests.ended():
            sandbox.dismiss(ended)
        if wait := sandbox.guests.wait():
            return too_many(wait)
        sandbox.admit(guest)
    except RegistrationError as error:
        return refusal(error.error, str(error))
    except Refused as error:  # no JSON, or too large
        return refusal("invalid_client_metadata", error.issues[0].diagnostics)
    except ConfigurationError:
        return refusal("invalid_client_metadata", "The registry does not take this registration.")
    sandbox.guests.add(guest)
    return JSONResponse(information(sandbox, guest), 201, NO_STORE)


def is_developer(sandbox: Sandbox, request: Request) -> bool:
    """Whether the initial access token is that of sandbox.json, which only the sandbox's owner can read."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    right = sandbox.registration_token.encode()
    return scheme.lower() == "bearer" and secrets.compare_digest(token.strip().encode(), right)


async def read_registration(sandbox: Sandbox, request: Request) -> Response:
    """`GET /oauth2/register/{client_id}` (RFC 7592, section 2.1)."""
    guest = guest_of(sandbox, request)
    return not_yours() if guest is None else JSONResponse(information(sandbox, guest), headers=NO_STORE)


async def delete_registration(sandbox: Sandbox, request: Request) -> Response:
    """`DELETE /oauth2/register/{client_id}` (RFC 7592, section 2.3)."""
    guest = guest_of(sandbox, request)
    if guest is None:
        return not_yours()
    sandbox.dismiss(guest)
    return Response(status_code=204, headers=NO_STORE)


def guest_of(sandbox: Sandbox, request: Request) -> Guest | None:
    """The guest in the path, where the registration access token is its own."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    client_id = request.path_params["client_id"]
    return sandbox.guests.find(client_id, token.strip()) if scheme.lower() == "bearer" else None


def information(sandbox: Sandbox, guest: Guest) -> JsonObject:
    """The client information answer (RFC 7591, section 3.2.1; RFC 7592, section 3)."""
    where = f"{sandbox.gateway}{REGISTER}/{guest.publisher.client_id}"
    return {**guest.metadata, "registration_access_token": guest.token, "registration_client_uri": where}


def refusal(error: str, description: str) -> Response:
    """A registration error (RFC 7591, section 3.2.2)."""
    return JSONResponse({"error": error, "error_description": description}, 400, NO_STORE)


def too_many(wait: float) -> Response:
    """429: the sandbox has as many guests as it may have, and all of them have called lately."""
    error = {
        "error": "temporarily_unavailable",
        "error_description": "Too many guests. Delete one, or reset.",
    }
    return JSONResponse(error, 429, {**NO_STORE, "Retry-After": str(math.ceil(wait))})


def not_yours() -> Response:
    """401: the registration access token is not this client's, or the client is gone."""
    challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return JSONResponse({"error": "invalid_token"}, 401, NO_STORE | challenge)


def told() -> list[JsonObject]:
    """The scenarios as JSON."""
    return [
        {
            "name": one.name,
            "label": one.label,
            "recipient": one.recipient,
            "header": one.header,
            "happens": one.happens,
        }
        for one in SCENARIOS
    ]


def clock_json(clock: Clock) -> JsonObject:
    """What the clock shows."""
    now = clock()
    return {"now": iso(now), "posix": now, "offset": round(clock.offset, 3), "frozen": clock.frozen}


def move(clock: Clock, wish: JsonObject) -> None:
    """Do to the clock what a request asks for. Raises Refused (400), having changed nothing."""
    only(wish, "advance", "set", "reset", "frozen")
    if len(wish.keys() - {"frozen"}) > 1:
        raise wrong("advance", "send one of advance, set and reset")
    frozen = flag(wish, "frozen", clock.frozen)
    at = None
    if "advance" in wish:
        at = clock() + number(wish, "advance")
    elif "set" in wish:
        text = wish["set"]
        at = facts.instant(text) if isinstance(text, str) else number(wish, "set")
    if ("advance" in wish or "set" in wish) and (at is None or abs(at - clock() + clock.offset) > MAX_SHIFT):
        raise wrong(
            "set", "send an RFC 3339 instant with offset, or POSIX seconds, within ten years of today"
        )
    if flag(wish, "reset", False):
        clock.reset()
        frozen = wish.get("frozen", False)
    if at is not None:
        clock.set(at)
    if frozen != clock.frozen:
        clock.freeze(frozen)


async def read_json(request: Request) -> Any:
    """The body as JSON, {} where it is empty. Raises Refused (400 413)."""
    body = await read_body(request, MAX_BODY, MAX_DRAIN)
    try:
        return orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        raise Refused(Issue(ErrorKind.PARAMETER, "The body is not JSON.")) from None


async def read_object(request: Request) -> JsonObject:
    """The body as a JSON object. Raises Refused (400 413)."""
    wish = await read_json(request)
    if not isinstance(wish, dict):
        raise Refused(Issue(ErrorKind.PARAMETER, "The body is not a JSON object."))
    return wish


def only(wish: JsonObject, *known: str) -> None:
    """Raise Refused (400) for a member that is not known."""
    for name in wish.keys() - set(known):
        raise wrong(name[:40], f"only {', '.join(known)} are known")


def flag(wish: JsonObject, name: str, default: bool) -> bool:
    """A truth value. Raises Refused (400)."""
    value = wish.get(name, default)
    if not isinstance(value, bool):
        raise wrong(name, "send true or false")
    return value


def number(wish: JsonObject, name: str) -> float:
    """A finite number. Raises Refused (400)."""
    value = wish[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise wrong(name, "send a number of seconds")
    return float(value)


def wrong(name: str, diagnostics: str) -> Refused:
    """400 for a member of the body."""
    return Refused(Issue(ErrorKind.PARAMETER, f"{name}: {diagnostics}.", name, f"/{name}"))
