"""Access tokens: where to get them (RFC 8414), how (RFC 6749, section 4.4), and when to get a new one."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from regulation_sdk.credentials import Credentials
from regulation_sdk.effects import Answer, Exchange, Lost, Program, T, Timing
from regulation_sdk.limits import clock_difference

METADATA = "/.well-known/oauth-authorization-server"
RENEW_BEFORE = 60.0  # seconds before expiry, or half of a short life
RETRY_RENEWAL = 5.0  # seconds after a renewal that failed while the old token still serves
DEFAULT_LIFETIME = 300.0  # where the answer has no expires_in, which RFC 6749 only recommends


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token and when, on the caller's clock, it is to be renewed and expires."""

    value: str = field(repr=False)
    renew_at: float
    expires: float


@dataclass(frozen=True, slots=True)
class Issuer:
    """The authorization server."""

    name: str
    token_endpoint: str


class Tokens:
    """The current token of one client, shared by all its calls."""

    def __init__(self, base_url: str, credentials: Credentials, timing: Timing) -> None:
        self._base_url = base_url
        self._credentials = credentials
        self._timing = timing
        self._issuer: Issuer | None = None
        self._bearer: Bearer | None = None
        self._ahead = 0.0  # seconds that the server's clock is ahead of ours

    def fresh(self, refused: str) -> Bearer | None:
        """The token, if it needs no renewal and is not the refused one."""
        bearer = self.serving(refused)
        return bearer if bearer and self._timing.now() < bearer.renew_at else None

    def serving(self, refused: str) -> Bearer | None:
        """The token, if it is still good and not the refused one, though perhaps due for renewal."""
        bearer = self._bearer
        if bearer is None or bearer.value == refused or self._timing.now() >= bearer.expires:
            return None
        return bearer

    def obtain(self, refused: str, timeout: float) -> Program[Bearer | Answer | Lost]:
        """One attempt to get a new token, unless another call got it meanwhile. For one call at a time.

        Where a renewal fails, the old token serves until it expires.
        """
        found = self.fresh(refused)
        if found:
            return found
        outcome = yield from self._ask(timeout)
        if not isinstance(outcome, Bearer):
            self._issuer = None  # it may have moved
            old = self.serving(refused)
            if old is None:
                return outcome
            outcome = Bearer(old.value, self._timing.now() + RETRY_RENEWAL, old.expires)
        self._bearer = outcome
        return outcome

    def _ask(self, timeout: float) -> Program[Bearer | Answer | Lost]:
        issuer = self._issuer
        if issuer is None:
            found = yield from self._discover(timeout)
            if not isinstance(found, Issuer):
                return found
            issuer = self._issuer = found
        headers, form = self._credentials.authenticate(issuer.name, self._timing.wall() + self._ahead)
        headers = {
            **headers,
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urlencode({"grant_type": "client_credentials", **form}).encode()
        asked_at = self._timing.now()
        outcome: Answer | Lost = yield Exchange("POST", issuer.token_endpoint, headers, body, timeout)
        return _read(outcome, lambda answer: _bearer(answer, asked_at))

    def _discover(self, timeout: float) -> Program[Issuer | Answer | Lost]:
        url = self._base_url + METADATA
        outcome: Answer | Lost = yield Exchange("GET", url, {"Accept": "application/json"}, timeout=timeout)
        if isinstance(outcome, Answer):
            self._ahead = clock_difference(outcome.headers, self._timing.wall())
        return _read(outcome, lambda answer: _issuer(answer, self._base_url))


def _read(outcome: Answer | Lost, reader: Callable[[Answer], T]) -> T | Answer | Lost:
    if isinstance(outcome, Lost) or outcome.status != 200:
        return outcome
    try:
        return reader(outcome)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Lost("the authorization server's answer cannot be read", sent=False)


def _bearer(answer: Answer, asked_at: float) -> Bearer:
    told = json.loads(answer.body)
    value, lifetime = told["access_token"], float(told.get("expires_in") or DEFAULT_LIFETIME)
    if told["token_type"].lower() != "bearer" or not value.isascii() or lifetime <= 0:
        raise ValueError("no bearer token")
    return Bearer(value, asked_at + max(lifetime - RENEW_BEFORE, lifetime / 2), asked_at + lifetime)


def _issuer(answer: Answer, base_url: str) -> Issuer:
    told = json.loads(answer.body)
    endpoint = str(told["token_endpoint"])
    # credentials never leave an encrypted gateway in the clear
    if urlsplit(base_url).scheme == "https" != urlsplit(endpoint).scheme:
        raise ValueError("token endpoint without TLS")
    return Issuer(str(told["issuer"]), endpoint)
