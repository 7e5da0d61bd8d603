"""The authorization server over HTTP: the token and the revocation endpoint, the keys and the metadata documents."""

from dataclasses import replace
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.body import not_arrived, refuse_coding, waits_for_100
from gateway.callers import caller
from gateway.errors import ErrorKind, Issue, Refused
from gateway.model import JsonObject
from gateway.oauth2 import jose
from gateway.oauth2.clients import SCOPES
from gateway.oauth2.revocation import revoke
from gateway.oauth2.server import (
    AUTHENTICATION_METHODS,
    GRANT_TYPE,
    Answer,
    TokenForm,
    TokenServer,
    answer,
    refusal,
)
from gateway.oauth2.service import AuthorizationService

MAX_FORM = 16_384  # bytes
MAX_DRAIN = 1_048_576  # bytes read and thrown away, so that the client sees the answer
MAX_PARAMETERS = 32
ASSERTION = {"client_assertion", "client_assertion_type"}
SECRET = {"client_secret"}
FORM_TYPE = "application/x-www-form-urlencoded"
CACHE = {"Cache-Control": "public, max-age=300"}  # a new signing key is known everywhere after five minutes


def routes(service: AuthorizationService) -> list[Route]:
    """The routes of the authorization server. No token is needed for any of them."""
    server = TokenServer(service)
    keys, metadata, smart = service.keys.public(), server_metadata(service), smart_configuration(service)

    async def token(request: Request) -> Response:
        given = await token_answer(server, request)
        return JSONResponse(given.body, given.status, given.headers)

    async def revocation(request: Request) -> Response:
        given = await revocation_answer(server, request)
        if not given.body:
            return Response(None, given.status, given.headers)
        return JSONResponse(given.body, given.status, given.headers)

    async def jwks(_: Request) -> Response:
        return JSONResponse(keys, headers=CACHE)

    async def authorization_server(_: Request) -> Response:
        return JSONResponse(metadata, headers=CACHE)

    async def smart_configuration_document(_: Request) -> Response:
        return JSONResponse(smart, headers=CACHE)

    return [
        Route("/oauth2/token", token, methods=["POST"]),
        Route("/oauth2/revoke", revocation, methods=["POST"]),
        Route("/oauth2/jwks", jwks, methods=["GET"]),
        Route("/.well-known/oauth-authorization-server", authorization_server, methods=["GET"]),
        Route("/.well-known/smart-configuration", smart_configuration_document, methods=["GET"]),
    ]


async def token_answer(server: TokenServer, request: Request) -> Answer:
    """Read the token request and answer it. What cannot be read is `invalid_request`."""
    try:
        form = await _form(request, "grant_type", server.service)
    except ValueError as error:
        return refusal("invalid_request", str(error))
    except Refused as error:
        return unreadable(error)
    return await answer(server, form, server.service.now())


async def revocation_answer(server: TokenServer, request: Request) -> Answer:
    """Read the revocation request and answer it. What cannot be read is `invalid_request`."""
    try:
        form = await _form(request, "token", server.service)
    except ValueError as error:
        return refusal("invalid_request", str(error))
    except Refused as error:
        return unreadable(error)
    return await revoke(server, form, server.service.now())


def unreadable(error: Refused) -> Answer:
    """The answer where HTTP itself brought no whole form: 408, 415, 400 (RFC 6749, section 5.2 has no word of its own)."""
    told = refusal("invalid_request", error.issues[0].diagnostics)
    return replace(told, status=error.status, headers={**told.headers, **error.headers})


async def _form(request: Request, needed: str, service: AuthorizationService) -> TokenForm:
    authorizations = request.headers.getlist("authorization")
    form = read_form(request.headers.get("content-type", ""), authorizations, await _body(request), needed)
    return replace(form, address=caller(request.scope, service.trusted_proxies))


def read_form(
    content_type: str, authorizations: list[str], body: bytes, needed: str = "grant_type"
) -> TokenForm:
    """A request from its parts; the parameter `needed` must be there.

    Raises ValueError, whose text is fit for an `error_description`.
    """
    if content_type.partition(";")[0].strip().lower() != FORM_TYPE:
        raise ValueError(f"The Content-Type must be {FORM_TYPE}.")
    if len(authorizations) > 1:
        raise ValueError("The Authorization header was sent more than once.")
    if len(body) > MAX_FORM:
        raise ValueError(f"The body is over {MAX_FORM} bytes.")
    parameters = _parameters(body)
    authorization = authorizations[0] if authorizations else ""
    if sum(map(bool, (authorization, parameters.keys() & ASSERTION, parameters.keys() & SECRET))) > 1:
        raise ValueError("More than one way of client authentication was used.")  # RFC 6749, section 2.3
    if needed not in parameters:
        raise ValueError(f"The parameter {needed} is missing.")
    return TokenForm(authorization, parameters)


def server_metadata(service: AuthorizationService) -> JsonObject:
    """The authorization server's metadata (RFC 8414, section 2)."""
    return {
        "issuer": service.issuer,
        "token_endpoint": service.token_endpoint,
        "jwks_uri": f"{service.issuer}/oauth2/jwks",
        "scopes_supported": list(SCOPES),
        "response_types_supported": [],  # required, and there is no authorization endpoint
        "grant_types_supported": [GRANT_TYPE],
        "token_endpoint_auth_methods_supported": list(AUTHENTICATION_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(jose.ALGORITHMS),
        "revocation_endpoint": service.revocation_endpoint,
        "revocation_endpoint_auth_methods_supported": list(AUTHENTICATION_METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": list(jose.ALGORITHMS),
    }


def smart_configuration(service: AuthorizationService) -> JsonObject:
    """SMART Backend Services discovery (SMART App Launch 2.2, conformance): the same facts and the capabilities."""
    return server_metadata(service) | {
        "capabilities": ["client-confidential-asymmetric", "client-confidential-symmetric"],
        "code_challenge_methods_supported": [
            "S256"
        ],  # SMART demands the member even without authorization endpoint
    }


async def _body(request: Request) -> bytes:
    refuse_coding(request)
    declared = int(request.headers.get("content-length") or 0)
    if declared > MAX_FORM and waits_for_100(request):
        raise Refused(Issue(ErrorKind.TOO_LARGE, f"The body is over {MAX_FORM} bytes."))
    body, size = bytearray(), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= MAX_FORM:
                body += chunk
            elif size > MAX_DRAIN:
                break
    except ClientDisconnect:
        raise ValueError("The client went away.") from None
    if size > MAX_FORM:
        raise ValueError(f"The body is over {MAX_FORM} bytes.")
    if size < declared:
        raise not_arrived()
    return bytes(body)


def _parameters(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except UnicodeDecodeError:
        raise ValueError("The body is not UTF-8.") from None
    except ValueError:
        raise ValueError(f"The body has more than {MAX_PARAMETERS} parameters.") from None
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise ValueError("A parameter was sent more than once.")
    if any(character < " " for value in parameters.values() for character in value):
        raise ValueError("A parameter has a control character.")
    # RFC 6749, section 3.2: a parameter without a value counts as left out
    return {name: value for name, value in parameters.items() if value}
