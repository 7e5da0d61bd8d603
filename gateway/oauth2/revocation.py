"""The revocation endpoint's rules (RFC 7009): a client hands back an access token of its own before it expires."""

from authlib.oauth2.rfc6749.errors import OAuth2Error

from gateway.errors import Unavailable
from gateway.oauth2 import jose, tokens
from gateway.oauth2.server import (
    AUTHENTICATION_METHODS,
    NO_STORE,
    Answer,
    TokenForm,
    TokenRequest,
    TokenServer,
    consume,
    later,
    refusal,
)
from gateway.oauth2.service import AuthorizationService

DONE = Answer(200, {}, NO_STORE)


async def revoke(server: TokenServer, form: TokenForm, now: float) -> Answer:
    """Decide a revocation request (RFC 7009, section 2): the parameter `token`, with the client's authentication.

    `token_type_hint` is not needed: there is one type. Another client's token is `invalid_grant`; one that is unknown,
    forged or expired is 200, as nothing is left to revoke (section 2.2).
    """
    request = TokenRequest(form, now)
    try:
        client = server.authenticate_client(request, AUTHENTICATION_METHODS, "revocation")
    except OAuth2Error as error:
        return server.handle_error_response(request, error)
    used_before = await consume(server, request)
    if used_before is not None:
        return used_before
    return await _revoke(server.service, client.client.client_id, form.parameters["token"], now)


async def _revoke(service: AuthorizationService, client_id: str, raw: str, now: float) -> Answer:
    try:
        token = jose.parse(raw)
        owner = await _owner(service, token, now)
        expires = jose.check_times(token.claims, now)
        key = tokens.revocation_key(token, service.issuer)
    except jose.InvalidTokenError:
        return DONE
    except Unavailable as error:
        return later(
            "The token's issuer cannot be reached now: the token is still good. Ask again later.", error
        )
    if not key:
        return DONE
    if owner != client_id:
        return refusal("invalid_grant", "The token was issued to another client.")
    try:
        await service.revoke(key, expires)
    except Unavailable as error:
        return later(
            "The revocation cannot be recorded now: the token is still good. Ask again later.", error
        )
    return DONE


async def _owner(service: AuthorizationService, token: jose.Unverified, now: float) -> str:
    """The client_id that the token was issued to, by the gateway or the outside issuer. Raises InvalidTokenError."""
    if service.outside is not None and token.claims.get("iss") == service.outside.issuer:
        return await service.outside.verified_client(token, now)
    return tokens.verified_client(token, service.keys)
