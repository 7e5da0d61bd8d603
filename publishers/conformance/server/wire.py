"""The wire between the suite and the gateway under test: every exchange is kept, so that some checks can judge them all."""

import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

JsonObject = dict[str, Any]
FHIR_JSON = "application/fhir+json"
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Client:
    """One OAuth2 client of the gateway: a secret, or a private JWK, or both."""

    client_id: str
    client_secret: str
    private_key: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The gateway under test. `sender` is an id the client sends for; `recipient` one whose inbox the same client owns.

    `other` is a second publisher's client; `core` the URL of a simulated core; `foreign` an id that the client does not send
    for; `max_body` the size limit in bytes.
    """

    url: str
    client: Client
    sender: str
    recipient: str
    other: Client | None = None
    core: str = ""
    foreign: str = "fr.police.conformance"
    max_body: int = 1_048_576

    def about(self) -> dict[str, str]:
        """The subject of the report."""
        return {
            "gateway": self.url,
            "client": self.client.client_id,
            "sender": self.sender,
            "recipient": self.recipient,
        }


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. `authenticated`: the request carried a good access token of a publisher."""

    method: str
    path: str
    sent: dict[str, str]
    authenticated: bool
    answer: httpx.Response

    @property
    def name(self) -> str:
        """How a finding calls it."""
        return f"{self.method} {self.path} -> {self.answer.status_code}"

    @property
    def is_error(self) -> bool:
        """Whether the gateway refused."""
        return self.answer.status_code >= 400


@dataclass
class Wire:
    """Calls the gateway and keeps what was said."""

    http: httpx.AsyncClient
    exchanges: list[Exchange] = field(default_factory=list)
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)

    async def call(
        self,
        method: str,
        path: str,
        *,
        by: Client | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """One request, with the client's access token where `by` is given. Raises httpx.HTTPError."""
        sent = dict(headers or {})
        if by is not None:
            sent["Authorization"] = f"Bearer {await self.token(by)}"
        answer = await self.http.request(method, path, headers=sent, **more)
        self.keep(method, path, sent, answer, authenticated=by is not None)
        return answer

    def keep(
        self, method: str, path: str, sent: dict[str, str], answer: httpx.Response, *, authenticated: bool
    ) -> None:
        """Note an exchange; the query is left out, and so is the token."""
        shown = {name: value for name, value in sent.items() if name != "Authorization"}
        self.exchanges.append(Exchange(method, path.partition("?")[0], shown, authenticated, answer))

    async def token(self, client: Client) -> str:
        """A good access token of the client, asked for when there is none yet or it ends soon. Raises httpx.HTTPError."""
        kept = self._tokens.get(client.client_id)
        if kept and kept[1] > time.time():
            return kept[0]
        answer = await self.http.post(
            "/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(client.client_id, client.client_secret),
        )
        answer.raise_for_status()
        told = orjson.loads(answer.content)
        self._tokens[client.client_id] = (told["access_token"], time.time() + told["expires_in"] - 30)
        return str(told["access_token"])
