"""OAuth2: the authorization server (RFC 6749, 7009, 7523, 8414, 9068), the guard of protected routes (RFC 6750), and the
gateway's own tokens for calling the core. Only client credentials are granted.

    clients          who may ask, and for which scopes
    jose             reading and verifying JSON Web Tokens
    tokens           our access tokens and signing keys
    service          what the authorization server is made of
    authentication   client_secret_basic, client_secret_post, private_key_jwt
    failures         failed authentications by client and address
    server           the token endpoint's rules, on Authlib's core
    revocation       those of the revocation endpoint (RFC 7009)
    endpoints        the same over HTTP, with keys and metadata
    outside, guard   access token -> Principal
    client           our own assertions and tokens towards the core
"""

from gateway.oauth2.client import TokenSource, client_assertion
from gateway.oauth2.clients import Client, CoreClient
from gateway.oauth2.endpoints import routes
from gateway.oauth2.guard import Guard, Principal, require
from gateway.oauth2.jose import Key, public_keys
from gateway.oauth2.outside import OutsideKeys
from gateway.oauth2.service import AuthorizationService
from gateway.oauth2.tokens import SigningKeys, generate_signing_keys, load_private_key, load_signing_keys

__all__ = [
    "AuthorizationService",
    "Client",
    "CoreClient",
    "Guard",
    "Key",
    "OutsideKeys",
    "Principal",
    "SigningKeys",
    "TokenSource",
    "client_assertion",
    "generate_signing_keys",
    "load_private_key",
    "load_signing_keys",
    "public_keys",
    "require",
    "routes",
]
