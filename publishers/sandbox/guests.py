"""Dynamic client registration (RFC 7591), for publishers that want to try the sandbox with software of their own.

Each guest gets an id of its own in the sandbox's range to send for and receive at; see `scenarios.GUESTS`.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import schemas
from gateway.addresses import private_problem, url_problem
from gateway.registry.fields import key_set
from publishers.sandbox.publishers import SCOPES, DemoPublisher
from publishers.sandbox.scenarios import GUESTS

JsonObject = dict[str, Any]
SECRET_METHODS, KEY_METHOD = ("client_secret_basic", "client_secret_post"), "private_key_jwt"
METHODS = (*SECRET_METHODS, KEY_METHOD)
GRANT = "client_credentials"
FORMATS = ("json", "xml")
KEY_MEMBERS = ("kty", "crv", "x", "y", "n", "e", "kid", "alg", "use")
MAX_NAME = 200  # characters
MOST = 100  # guests at a time
IDLE, DAY = 3_600.0, 86_400.0  # seconds without a call: may go when room is needed; goes
REFUSED = {
    "redirect_uris": ("invalid_redirect_uri", "no grant with redirection is served"),
    "software_statement": ("invalid_software_statement", "no issuer of software statements is trusted here"),
    "jwks_uri": ("invalid_client_metadata", "the sandbox asks no other host; send the keys in jwks"),
}


class RegistrationError(Exception):
    """The client metadata are refused (RFC 7591, section 3.2.2): `error` is its code, the text its description."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


@dataclass(frozen=True, slots=True)
class Guest:
    """A registered client. `metadata` are its members of RFC 7591, `token` lets it read and delete its registration."""

    publisher: DemoPublisher
    keys: tuple[JsonObject, ...]
    metadata: JsonObject
    token: str


class Guests:
    """The guests of one sandbox since its last reset, by client id: `most` at a time, and none that is idle for DAY.

    `now` gives seconds, of a clock that nobody moves.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._guests: dict[str, Guest] = {}
        self._seen: dict[str, float] = {}  # when each last called
        self._count = 0
        self._now = now
        self._most = most

    def __len__(self) -> int:
        """How many there are."""
        return len(self._guests)

    def seen(self, client_id: str) -> None:
        """A client has called."""
        if client_id in self._guests:
            self._seen[client_id] = self._now()

    def ended(self) -> list[Guest]:
        """Who has to go before another one comes: all that are idle for DAY, and of too many the one idle longest."""
        longest = sorted(self._seen, key=self._seen.__getitem__)
        gone = [one for one in longest if self._idle(one) >= DAY]
        if len(self) - len(gone) >= self._most and not gone and self._idle(longest[0]) >= IDLE:
            gone = longest[:1]
        return [self._guests[one] for one in gone]

    def wait(self) -> float:
        """Seconds until there is room for one more guest; 0 where there is now."""
        return 0.0 if len(self) < self._most else IDLE - max(map(self._idle, self._seen))

    def _idle(self, client_id: str) -> float:
        return self._now() - self._seen[client_id]

    def next_number(self) -> int:
        """1 for the first guest, never given twice."""
        self._count += 1
        return self._count

    def add(self, guest: Guest) -> None:
        """Keep a guest."""
        self._guests[guest.publisher.client_id] = guest
        self.seen(guest.publisher.client_id)

    def remove(self, guest: Guest) -> None:
        """Forget a guest."""
        del self._guests[guest.publisher.client_id]
        del self._seen[guest.publisher.client_id]

    def find(self, client_id: str, token: str) -> Guest | None:
        """The guest whose registration access token this is."""
        guest = self._guests.get(client_id)
        return guest if guest and secrets.compare_digest(guest.token.encode(), token.encode()) else None

    def publishers(self) -> tuple[DemoPublisher, ...]:
        """All of them as publishers."""
        return tuple(guest.publisher for guest in self._guests.values())


def make_guest(wish: Any, number: int, now: float, *, private_webhook: bool = False) -> Guest:
    """A guest from client metadata, with fresh credentials. Raises RegistrationError.

    Beside RFC 7591's members `model_version` (v1, v2, v3), `format` (json, xml) and `webhook_url` are known: in what it
    receives, and where it is told so: with `private_webhook` also by http and on this machine, else only by https at a
    public address. Unknown members are left out, as section 2 demands. `now` in POSIX seconds.
    """
    if not isinstance(wish, dict):
        raise RegistrationError("invalid_client_metadata", "The body must be a JSON object.")
    method, keys = _authentication(wish)
    scope = _scope(wish)
    name = _name(wish, number)
    model_version = _choice(wish, "model_version", schemas.VERSIONS, "v3")
    form = _choice(wish, "format", FORMATS, "json")
    webhook = _webhook(wish, private=private_webhook)
    secret = secrets.token_urlsafe(32) if method in SECRET_METHODS else ""
    own_id = f"{GUESTS}{number}"
    publisher = DemoPublisher(
        f"guest-{number}",
        name,
        f"guest-{number}-client",
        secret,
        {},
        (own_id,),
        (own_id,),
        model_version,
        form,
        webhook,
    )
    metadata = {
        "client_id": publisher.client_id,
        "client_id_issued_at": int(now),
        **({"client_secret": secret, "client_secret_expires_at": 0} if secret else {}),
        "client_name": name,
        "token_endpoint_auth_method": method,
        "grant_types": [GRANT],
        "response_types": [],
        "scope": scope,
        **({"jwks": {"keys": list(keys)}} if keys else {}),
        "publisher_id": publisher.id,
        "sender_ids": [own_id],
        "inbox_ids": [own_id],
        "model_version": model_version,
        "format": form,
        **({"webhook_url": webhook} if webhook else {}),
    }
    return Guest(publisher, keys, metadata, secrets.token_urlsafe(32))


def _authentication(wish: JsonObject) -> tuple[str, tuple[JsonObject, ...]]:
    for member, (error, reason) in REFUSED.items():
        if wish.get(member):
            raise RegistrationError(error, f"{member}: {reason}.")
    if wish.get("grant_types", [GRANT]) != [GRANT]:
        raise _wrong("grant_types", f'must be ["{GRANT}"] or absent')
    if wish.get("response_types", []) != []:
        raise _wrong("response_types", "must be [] or absent")
    method = _choice(wish, "token_endpoint_auth_method", METHODS, METHODS[0])
    jwks = wish.get("jwks")
    if jwks is None:
        if method == KEY_METHOD:
            raise _wrong("jwks", "private_key_jwt needs the public keys")
        return method, ()
    for _item, problem in key_set(jwks):
        raise _wrong("jwks", problem)
    keys = tuple(
        {name: key[name] for name in KEY_MEMBERS if isinstance(key.get(name), str)} for key in jwks["keys"]
    )
    return method, keys


def _scope(wish: JsonObject) -> str:
    scope = wish.get("scope", " ".join(SCOPES))
    if not isinstance(scope, str) or not scope.split() or not set(scope.split()) <= set(SCOPES):
        raise _wrong("scope", f"must be some of {' '.join(SCOPES)}, or absent for all of them")
    return " ".join(one for one in SCOPES if one in scope.split())


def _name(wish: JsonObject, number: int) -> str:
    name = wish.get("client_name", f"Guest {number}")
    if not isinstance(name, str) or not name.isprintable() or not 1 <= len(name.strip()) <= MAX_NAME:
        raise _wrong("client_name", f"must be a text of 1 to {MAX_NAME} printable characters")
    return name.strip()


def _webhook(wish: JsonObject, *, private: bool) -> str:
    url = wish.get("webhook_url", "")
    problem = (url_problem(url) if url else "") if isinstance(url, str) else "must be a text"
    if problem:
        raise _wrong("webhook_url", problem)
    if url and not private and (problem := private_problem(url)):
        allowed = "the developer's own software sends the registration_token of sandbox.json as Bearer token"
        raise _wrong("webhook_url", f"{problem}, for guests; {allowed}")
    return str(url)


def _choice(wish: JsonObject, member: str, allowed: tuple[str, ...], default: str) -> str:
    value = wish.get(member, default)
    if value not in allowed:
        raise _wrong(member, f"must be one of {', '.join(allowed)}")
    return str(value)


def _wrong(member: str, reason: str) -> RegistrationError:
    return RegistrationError("invalid_client_metadata", f"{member}: {reason}.")
